package device

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"ago/message"
)

// Describe gives what the device does as a message: what it answers to the key info.
func (d *Device) Describe() message.Message {
	keys := make([]message.Field, 0, len(d.Keys))
	for name, k := range d.Keys {
		keys = append(keys, message.Field{Key: name, Value: k.describe()})
	}
	fs := []message.Field{
		{Key: "name", Value: message.Bytes(d.Name)},
		{Key: "description", Value: message.Bytes(d.Doc)},
		{Key: "keys", Value: message.New(keys...)},
	}
	if d.Default != nil {
		fs = append(fs, message.Field{Key: "default", Value: d.DefaultKey.describe()})
	}
	var examples message.List
	for _, e := range d.Examples {
		examples = append(examples, message.Bytes(e.Path))
	}
	if examples != nil {
		fs = append(fs, message.Field{Key: "examples", Value: examples})
	}
	return message.New(fs...)
}

func (k Key) describe() message.Message {
	fs := []message.Field{{Key: "description", Value: message.Bytes(k.Doc)}}
	var inputs []message.Field
	for _, in := range k.Inputs {
		inputs = append(inputs, message.Field{Key: in.Name, Value: message.Bytes(in.words())})
	}
	if inputs != nil {
		fs = append(fs, message.Field{Key: "inputs", Value: message.New(inputs...)})
	}
	return message.New(fs...)
}

// words say what an input has to be and what it means.
func (in Input) words() string {
	text := in.Type.String()
	if in.Required {
		text += ", required"
	}
	if in.Max > 0 {
		unit := "bytes"
		if in.Type == TypeList || in.Type == TypeMap {
			unit = "members"
		}
		text += fmt.Sprintf(", up to %d %s", in.Max, unit)
	}
	return text + ": " + in.Doc
}

// Markdown writes the page of a device for people.
func (d *Device) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n%s\n", d.Name, sentence(d.Doc))
	if len(d.Aliases) > 0 {
		fmt.Fprintf(&b, "\nAlso known as %s.\n", strings.Join(d.Aliases, ", "))
	}
	if len(d.Keys) > 0 || d.Default != nil {
		b.WriteString("\n| key | answers | arguments |\n| --- | --- | --- |\n")
	}
	for _, name := range slices.Sorted(maps.Keys(d.Keys)) {
		d.Keys[name].row(&b, "`"+name+"`")
	}
	if d.Default != nil {
		d.DefaultKey.row(&b, "any other")
	}
	for _, e := range d.Examples {
		if e.Base.Len() > 0 {
			continue // a page shows what one can type
		}
		fmt.Fprintf(&b, "\n```\nGET %s\n%s\n```\n", e.Path, e.Want)
		for _, text := range []string{e.Doc, e.Needs} {
			if text != "" {
				fmt.Fprintf(&b, "\n%s\n", sentence(text))
			}
		}
	}
	return b.String()
}

func (k Key) row(b *strings.Builder, name string) {
	var inputs []string
	for _, in := range k.Inputs {
		inputs = append(inputs, "`"+in.Name+"` ("+in.words()+")")
	}
	row := fmt.Sprintf("| %s | %s | %s |", name, k.Doc, strings.Join(inputs, "; "))
	b.WriteString(strings.ReplaceAll(row, "\n", " ") + "\n")
}

// sentence gives a text a capital letter and a full stop.
func sentence(s string) string {
	if s == "" {
		return s
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}

// Markdown writes the reference of all devices of a registry, in the order of their names.
func (r *Registry) Markdown() string {
	var b strings.Builder
	b.WriteString("# Devices\n\nEvery device answers the keys below; all keys of `message@1.0` work on every message.\n")
	for _, name := range r.names {
		b.WriteString("\n" + r.by[name].Markdown())
	}
	return b.String()
}
