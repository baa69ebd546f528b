package device

import (
	"cmp"
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
		{Key: "answers", Value: message.New(keys...)}, // "keys" would be answered by message@1.0
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
	fmt.Fprintf(&b, "# %s\n\n%s\n", d.Name, sentence(d.Doc))
	if len(d.Aliases) > 0 {
		fmt.Fprintf(&b, "\nAlso known as %s.\n", strings.Join(d.Aliases, ", "))
	}
	for _, e := range d.Examples {
		if e.Base.Len() > 0 {
			continue // a page shows what one can type
		}
		for _, text := range []string{e.Doc, e.Needs} {
			if text != "" {
				fmt.Fprintf(&b, "\n%s\n", sentence(text))
			}
		}
		fmt.Fprintf(&b, "\n    GET %s\n    %s\n", e.Path, strings.ReplaceAll(e.Want, "\n", "\n    "))
	}
	for _, name := range slices.Sorted(maps.Keys(d.Keys)) {
		d.section(&b, "`"+name+"`", d.Keys[name])
	}
	if d.Default != nil {
		d.section(&b, "Any other key", d.DefaultKey)
	}
	return b.String()
}

func (d *Device) section(b *strings.Builder, name string, k Key) {
	fmt.Fprintf(b, "\n## %s\n\nAnswers %s\n", name, strings.TrimSuffix(k.Doc, ".")+".")
	if control := cmp.Or(k.CacheControl, d.CacheControl); control != "" {
		fmt.Fprintf(b, "\nThe answer follows from message and request alone; it is kept as by `cache-control: %s` if nobody asks otherwise.\n", control)
	}
	if len(k.Inputs) > 0 {
		b.WriteString("\n")
	}
	for _, in := range k.Inputs {
		fmt.Fprintf(b, "- `%s`: %s\n", in.Name, in.words())
	}
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

// Markdown lists the devices of a registry with what they do, each linking to its page.
func (r *Registry) Markdown() string {
	var b strings.Builder
	b.WriteString("| device | what it does |\n| --- | --- |\n")
	for _, name := range r.names {
		fmt.Fprintf(&b, "| [%s](%s.md) | %s |\n", name, name, r.by[name].Doc)
	}
	return b.String()
}
