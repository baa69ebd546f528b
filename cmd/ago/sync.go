package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ago/clock"
	"ago/fault"
	"ago/message"
	"ago/node"
	"ago/slotlog"
)

// syncCommand follows a process of another scheduler.
type syncCommand struct {
	Process        string        `arg:"" help:"Id of the process."`
	SU             string        `name:"su" placeholder:"URL" help:"Scheduler of the process; without it the tags of the process at the gateway tell." toml:"su"`
	GatewayURL     string        `name:"gateway-url" aliases:"gateway" placeholder:"URL" default:"https://arweave.net" env:"AGO_GATEWAY_URL,GATEWAY_URL" help:"Gateway for the module, for bytes that schedulers cannot show, and for the log itself if the scheduler is gone." toml:"gateway-url"`
	Data           string        `type:"path" placeholder:"DIR" default:"${home}/sync" env:"AGO_DATA" help:"Folder of log, results and checkpoints; without it sync in your data folder." toml:"data"`
	Memory         bool          `env:"AGO_MEMORY" help:"Keep everything in memory." toml:"memory"`
	PortBase       *int          `placeholder:"PORT" help:"First of six ports in a row; without it free ones." toml:"port-base"`
	Signer         []string      `placeholder:"ADDRESS" help:"Further address whose assignments count, for a process that was taken over." toml:"signer"`
	FromCheckpoint []string      `name:"from-checkpoint" placeholder:"ADDRESS" help:"Evaluate from the newest published checkpoint of this address. The whole log is read and checked even so." toml:"from-checkpoint"`
	Module         []string      `sep:";" placeholder:"ID=FILE[,TAG=VALUE...]" help:"Module that no gateway has." toml:"module"`
	Cache          string        `type:"path" placeholder:"DIR" env:"AGO_CACHE" help:"Folder of compiled modules." toml:"cache"`
	Interval       time.Duration `default:"1s" help:"How often the scheduler is asked for new slots." toml:"interval"`
	TrustGateway   bool          `help:"Take the module on the gateway's word if it shows no signature of it." toml:"trust-gateway"`
	Once           bool          `help:"Stop when all that the scheduler has is here and evaluated." toml:"-"`
	GiveUpAfter    time.Duration `name:"give-up-after" default:"1m" help:"With --once: how long nothing may come on before it ends with an error." toml:"give-up-after"`
}

// Help is shown by ago sync --help.
func (syncCommand) Help() string {
	return `Reads the log of a process that another scheduler orders, checks every signature and the hash chain, evaluates it, and answers
for it as a compute unit from the first slot on. A slot that does not hold is refused with the reason, and nothing behind it is used.
Stop it at any time: the next start goes on.

  ago sync PROCESS --su https://su.example --gateway-url https://arweave.net
  ago adopt PROCESS --data DIR             the scheduler is gone: this node goes on with its slots
  ago export PROCESS FOLDER --data DIR     everything about the process, as files`
}

// Run follows until it is told to stop.
func (c *syncCommand) Run(o *out) error {
	p, err := processID(c.Process)
	if err != nil {
		return err
	}
	for name, u := range map[string]string{"--su": c.SU, "--gateway-url": c.GatewayURL} {
		if u != "" {
			if err := checkURL(name, u); err != nil {
				return err
			}
		}
	}
	cfg := node.Config{
		Dir: c.Data, CacheDir: c.Cache, Clock: clock.System{}, Closed: true, Log: o.log,
		Follow:      []node.Follow{{Process: p, SU: c.SU, Gateway: c.GatewayURL, Signers: c.Signer, Interval: c.Interval, TrustGateway: c.TrustGateway}},
		Checkpoints: node.Checkpoints{Gateway: c.GatewayURL, Trusted: c.FromCheckpoint},
	}
	if c.GatewayURL != "" {
		cfg.Upstream = []string{strings.TrimRight(c.GatewayURL, "/")}
	}
	if c.Memory {
		cfg.Dir = ""
	}
	if cfg.CacheDir == "" {
		cfg.CacheDir = cacheFolder()
	}
	if c.PortBase != nil {
		cfg.Ports = node.PortsFrom(*c.PortBase)
	}
	for _, text := range c.Module {
		m, err := moduleFile(text)
		if err != nil {
			return err
		}
		cfg.Modules = append(cfg.Modules, m)
	}
	n, err := node.Start(o, cfg)
	if err != nil {
		return err
	}
	a := n.Addresses()
	if o.json {
		err = o.encode(a)
	} else {
		_, err = fmt.Fprintf(o.sink(), "Following %s\n  compute    %s\n  scheduler  %s   (its log, as far as it is here)\n  node       %s/following\n  data       %s\n", p, a.CU, a.SU, a.Node, a.Data)
	}
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	stop := make(chan struct{})
	told := make(chan struct{})
	go func() {
		defer close(told)
		ended <- c.tell(o, n, stop)
	}()
	finish := func() error {
		close(stop)
		<-told
		return n.Close()
	}
	if c.Once {
		select {
		case err := <-ended:
			n.Close()
			return err
		case <-o.Done():
			return finish()
		}
	}
	return until(o, n.Failed(), func() error { return n.Checkpoint(o) }, finish)
}

const progressEvery = 2 * time.Second

// tell prints how far it is, and with Once ends when all is there.
func (c *syncCommand) tell(o *out, n *node.Node, stop <-chan struct{}) error {
	t := time.NewTicker(progressEvery / 8)
	defer t.Stop()
	var last, moved node.Following
	var printed time.Time
	failing, since := "", time.Now()
	for {
		select {
		case <-stop:
			return nil
		case <-t.C:
		}
		now := n.Following()[0]
		if now.Failing != "" {
			failing = now.Failing
		}
		if now.Current || now.Read != moved.Read || now.Evaluated != moved.Evaluated {
			moved, failing, since = now, "", time.Now()
		}
		if c.Once && failing != "" && time.Since(since) >= c.GiveUpAfter {
			return fault.New(fault.Unavailable, "sync-stuck", "slot %d of %d, and nothing came on for %v: %s", now.Read, now.Known, c.GiveUpAfter, failing).
				WithHint("%s; what is here stays, and the next start goes on after it", c.asked())
		}
		due := time.Since(printed) >= progressEvery
		if due && (now.Read != last.Read || now.Evaluated != last.Evaluated || now.Refused != last.Refused || now.Failing != last.Failing || printed.IsZero()) {
			progress(o.stderr, now, last, time.Since(printed))
			last, printed = now, time.Now()
		}
		done := now.Current && now.Evaluated >= now.Read && now.Read > 0
		if c.Once && (done || now.Refused != "") {
			progress(o.stderr, now, last, time.Since(printed))
			if now.Refused != "" {
				return fault.New(fault.Forged, now.Code, "%s", now.Refused).
					WithHint("%s; what came before is here", cmp.Or(now.Hint, "look at the scheduler's log at that slot"))
			}
			return nil
		}
	}
}

// asked says where the log was looked for.
func (c *syncCommand) asked() string {
	su, gateway := "the scheduler that the process names", "no gateway"
	if c.SU != "" {
		su = "the scheduler " + c.SU + " (--su)"
	}
	if c.GatewayURL != "" {
		gateway = "the gateway " + c.GatewayURL + " (--gateway-url)"
	}
	return "asked were " + su + " and " + gateway + ", for process " + c.Process
}

// progress prints one line: slots, slots a second, and the time left at that rate.
func progress(w io.Writer, now, last node.Following, since time.Duration) {
	line := fmt.Sprintf("slot %d of %d", now.Evaluated, now.Known)
	if now.Read < now.Known {
		line += fmt.Sprintf(", %d read", now.Read)
	}
	if rate := float64(now.Evaluated-last.Evaluated) / since.Seconds(); last.Process != (message.ID{}) && rate > 0 {
		line += fmt.Sprintf(", %.0f/s", rate)
		if left := float64(now.Known - now.Evaluated); left > 0 {
			line += fmt.Sprintf(", %v left", (time.Duration(left/rate) * time.Second).Round(time.Second))
		}
	}
	switch {
	case now.Refused != "":
		line += ": " + now.Refused
		if now.Hint != "" {
			line += " (" + now.Hint + ")"
		}
	case now.Failing != "":
		line += ": " + now.Failing
	}
	fmt.Fprintln(w, line)
}

// processID reads an id from the command line.
func processID(text string) (message.ID, error) {
	id, err := message.ParseID(strings.TrimSpace(text))
	if err != nil {
		return id, fault.Wrap(err, fault.Malformed, "settings-malformed", "the process")
	}
	return id, nil
}

// dataCommand is a command on the data of a node that does not run.
type dataCommand struct {
	Data  string `type:"path" placeholder:"DIR" default:"${home}/sync" env:"AGO_DATA" help:"Data folder of the node; without it sync in your data folder." toml:"data"`
	Cache string `type:"path" placeholder:"DIR" env:"AGO_CACHE" help:"Folder of compiled modules." toml:"cache"`
}

// processData is the data of a node or of a scheduler alone.
type processData interface {
	Export(ctx context.Context, p message.ID, dir string) (node.Exported, error)
	Import(ctx context.Context, dir string, o node.ImportOptions) (node.Exported, error)
	Adopt(ctx context.Context, p message.ID) (slotlog.Slot, error)
	Current(ctx context.Context, p message.ID) (slotlog.Slot, error)
	Close() error
}

// open opens the data, and fails if a node or a scheduler has it open.
func (d dataCommand) open(o *out) (processData, error) {
	cache := d.Cache
	if cache == "" {
		cache = cacheFolder()
	}
	dir, err := filepath.Abs(d.Data)
	if err != nil {
		return nil, err
	}
	n, err := node.Start(o, node.Config{Dir: dir, CacheDir: cache, Clock: clock.System{}, Closed: true, Log: o.log})
	if fault.CodeOf(err) == "data-of-a-scheduler" {
		return node.OpenSchedulerData(o, dir, o.log)
	}
	if err != nil {
		return nil, err
	}
	return n, nil
}

// scheduler is the address that signs what the data's unit schedules; "" for a scheduler alone, which has its wallet elsewhere.
func scheduler(d processData) string {
	if n, ok := d.(*node.Node); ok {
		return n.Addresses().Scheduler
	}
	return ""
}

// openOld is open for data that has to be there: a name that is misspelt does not become a new node.
func (d dataCommand) openOld(o *out) (processData, error) {
	if list, err := os.ReadDir(d.Data); err != nil || len(list) == 0 {
		return nil, fault.New(fault.NotFound, "data-absent", "there is no data of a node or scheduler in %s", d.Data).
			WithHint("name with --data the folder that ago sync, ago node or ago su printed")
	}
	return d.open(o)
}

// adoptCommand makes a node the scheduler of a process that it followed.
type adoptCommand struct {
	Process string `arg:"" help:"Id of the process."`
	dataCommand
}

type adopted struct {
	Process   message.ID   `json:"process"`
	Scheduler string       `json:"scheduler,omitempty"`
	FirstSlot slotlog.Slot `json:"firstSlot"`
}

// Help is shown by ago adopt --help.
func (adoptCommand) Help() string {
	return `From then on the node that has this data gives the process its slots; the hash chain goes on. There is no way back. Be sure that
the old scheduler gives no more: two schedulers make two processes of one id. What clients have to be told: docs/taking-over.md.`
}

// Run adopts.
func (c *adoptCommand) Run(o *out) error {
	p, err := processID(c.Process)
	if err != nil {
		return err
	}
	n, err := c.openOld(o)
	if err != nil {
		return err
	}
	defer n.Close()
	slot, err := n.Adopt(o, p)
	if err != nil {
		return err
	}
	signer := scheduler(n)
	if o.json {
		return o.encode(adopted{Process: p, Scheduler: signer, FirstSlot: slot})
	}
	if _, err = fmt.Fprintf(o.sink(), "%s gets its slots here from %d on.\n", p, slot); err == nil && signer != "" {
		_, err = fmt.Fprintf(o.sink(), "Assignments are signed by %s: who follows the process names it with --signer.\n", signer)
	}
	return err
}

// exportCommand writes a process into a folder.
type exportCommand struct {
	Process string `arg:"" help:"Id of the process."`
	Folder  string `arg:"" type:"path" help:"Folder to make."`
	// HandOver ends the process here.
	HandOver string `name:"hand-over" placeholder:"URL" help:"Of an ago su: it takes no more messages of the process, and sends clients to the scheduler at this address, which goes on with it."`
	dataCommand
}

// Help is shown by ago export --help.
func (exportCommand) Help() string {
	return `Definition, log, messages, module and state, with a manifest of their hashes. Stop the node or the ago su first: it has its data open.

  ago export PROCESS moved --data OLD --hand-over http://su2:9000     the scheduler of OLD takes no more messages of it
  ago import moved --data NEW --for-su --continue                     the scheduler of NEW gives its next slots`
}

// Run exports.
func (c *exportCommand) Run(o *out) error {
	p, err := processID(c.Process)
	if err != nil {
		return err
	}
	n, err := c.openOld(o)
	if err != nil {
		return err
	}
	defer n.Close()
	if _, err := n.Current(o, p); err != nil {
		return err
	}
	e, err := c.export(o, n, p)
	if err != nil {
		return err
	}
	if o.json {
		return o.encode(e)
	}
	var size int64
	for _, f := range e.Files {
		size += f.Size
	}
	_, err = fmt.Fprintf(o.sink(), "%s: %d slots, %.1f MiB in %s\n", p, e.Slots, float64(size)/(1<<20), c.Folder)
	if err == nil && e.HandedOver != nil {
		_, err = fmt.Fprintf(o.sink(), "It was handed over: this scheduler takes no more messages of it and sends clients to %s\n", e.HandedOver.To)
	}
	if err == nil && len(e.Missing) > 0 {
		_, err = fmt.Fprintf(o.sink(), "%d messages that were assigned by their ids are not in it, since they are no items: a gateway has to have them\n", len(e.Missing))
	}
	return err
}

func (c *exportCommand) export(o *out, d processData, p message.ID) (node.Exported, error) {
	if c.HandOver == "" {
		return d.Export(o, p, c.Folder)
	}
	if err := checkURL("--hand-over", c.HandOver); err != nil {
		return node.Exported{}, err
	}
	su, ok := d.(*node.SchedulerData)
	if !ok {
		return node.Exported{}, fault.New(fault.Unsupported, "hand-over-unsupported", "the data in %s is that of a node, which hands no processes over", c.Data).
			WithHint("export without --hand-over, and see to it that the node is not started again")
	}
	return su.HandOver(o, p, c.Folder, strings.TrimRight(c.HandOver, "/"))
}

// importCommand reads what exportCommand wrote.
type importCommand struct {
	Folder   string   `arg:"" type:"existingdir" help:"Folder that ago export made."`
	Signer   []string `placeholder:"ADDRESS" help:"Further address whose assignments count, for a process that was taken over."`
	Replay   bool     `help:"Evaluate from the first message, instead of from the state in the folder."`
	Continue bool     `help:"Become the scheduler of the process; there is no way back."`
	ForSU    bool     `name:"for-su" help:"The data folder is new, and will be that of an ago su."`
	dataCommand
}

// Help is shown by ago import --help.
func (importCommand) Help() string {
	return `Every file has to have the hash that the manifest says, and every slot is checked: signatures, order, hash chain. With the state of
the folder there are no results of earlier slots; --replay evaluates all of them and takes nothing on trust.`
}

// Run imports.
func (c *importCommand) Run(o *out) error {
	n, err := c.data(o)
	if err != nil {
		return err
	}
	defer n.Close()
	e, err := n.Import(o, c.Folder, node.ImportOptions{Signers: c.Signer, Replay: c.Replay, Continue: c.Continue})
	if err != nil {
		return err
	}
	slots, err := n.Current(o, e.Process)
	if err != nil {
		return err
	}
	signer := scheduler(n)
	if o.json {
		return o.encode(imported{e.Process, slots, signer, c.Continue})
	}
	if signer != "" {
		signer = ", signed by " + signer
	}
	if _, err = fmt.Fprintf(o.sink(), "%s: %d slots\n", e.Process, slots); err == nil && c.Continue {
		_, err = fmt.Fprintf(o.sink(), "It gets its slots here from %d on%s: see docs/taking-over.md for what clients have to be told.\n", slots, signer)
	}
	return err
}

type imported struct {
	Process   message.ID   `json:"process"`
	Slots     slotlog.Slot `json:"slots"`
	Scheduler string       `json:"scheduler,omitempty"`
	Continued bool         `json:"continued"`
}

func (c *importCommand) data(o *out) (processData, error) {
	if !c.ForSU {
		return c.open(o)
	}
	dir, err := filepath.Abs(c.Data)
	if err != nil {
		return nil, err
	}
	return node.OpenSchedulerData(o, dir, o.log)
}
