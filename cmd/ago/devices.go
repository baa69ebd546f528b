package main

import (
	"fmt"
	"text/tabwriter"

	"ago/codec/json"
	"ago/device"
	"ago/fault"
)

// devicesCommand tells what devices there are and what they answer.
type devicesCommand struct {
	Name string `arg:"" optional:"" help:"Device, e.g. message@1.0; the version may be left out."`
}

// Help is shown by ago devices --help.
func (devicesCommand) Help() string {
	return `What this program's nodes can be asked: every device, or what one answers, with its arguments and examples.

  ago devices
  ago devices message
  ago devices process@1.0 -o json`
}

// Run prints them.
func (d *devicesCommand) Run(o *out) error {
	all := device.All()
	if d.Name == "" {
		w := tabwriter.NewWriter(o.sink(), 0, 0, 2, ' ', 0)
		for _, name := range all.Names() {
			dev, _ := all.Find(name)
			if o.json {
				if err := o.encode(map[string]string{"name": name, "description": dev.Doc}); err != nil {
					return err
				}
				continue
			}
			fmt.Fprintf(w, "%s\t%s\n", name, dev.Doc)
		}
		return w.Flush()
	}
	dev, ok := all.Find(d.Name)
	if !ok {
		for _, version := range []string{"@1.0", "@5.3a"} {
			if dev, ok = all.Find(d.Name + version); ok {
				break
			}
		}
	}
	if !ok {
		return fault.New(fault.NotFound, "device-unknown", "there is no device %.60q", d.Name).WithHint("ago devices lists all")
	}
	if o.json {
		text, err := json.Encode(dev.Describe())
		if err != nil {
			return err
		}
		fmt.Fprintf(o.sink(), "%s\n", text)
		return nil
	}
	fmt.Fprint(o.sink(), dev.Markdown())
	return nil
}
