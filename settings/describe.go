package settings

import (
	"reflect"
	"slices"
	"strings"
	"time"
)

// Setting describes one field of Settings.
type Setting struct {
	Flag   string // name of the flag, and of the key in the settings file
	Help   string
	Kind   string // what its text has to be, if the type does not tell
	Units  []Unit
	Legacy []Legacy

	Choices []string
	tag     reflect.StructTag
	field   int
	typ     reflect.Type
}

// Legacy is a name that a setting had in the units that came before ago.
type Legacy struct {
	Name  string
	Units []Unit
	form  byte // 0, or '?' or '!': see Settings
}

// all describes every field, in the order of the struct.
var all = describe()

// All gives the settings in the order in which they are documented.
func All() []Setting { return slices.Clone(all) }

// Of gives the settings that a unit has.
func Of(u Unit) []Setting {
	var out []Setting
	for _, s := range all {
		if slices.Contains(s.Units, u) {
			out = append(out, s)
		}
	}
	return out
}

func describe() []Setting {
	t := reflect.TypeFor[Settings]()
	out := make([]Setting, 0, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		s := Setting{
			Flag: f.Tag.Get("flag"), Help: f.Tag.Get("help"), Kind: f.Tag.Get("kind"), Units: unitList(f.Tag.Get("units")),
			Choices: strings.Fields(f.Tag.Get("choices")), tag: f.Tag, field: i, typ: f.Type,
		}
		if len(s.Units) == 0 {
			s.Units = Units
		}
		for _, text := range strings.Fields(f.Tag.Get("legacy")) {
			name, units, _ := strings.Cut(text, "@")
			l := Legacy{Name: name, Units: unitList(strings.ReplaceAll(units, ",", " "))}
			if last := name[len(name)-1]; last == '?' || last == '!' {
				l.Name, l.form = name[:len(name)-1], last
			}
			s.Legacy = append(s.Legacy, l)
		}
		out = append(out, s)
	}
	return out
}

func unitList(text string) []Unit {
	var out []Unit
	for _, name := range strings.Fields(text) {
		out = append(out, Unit(name))
	}
	return out
}

// Default gives the text of the default, with the variables of the machine filled in.
func (s Setting) Default(u Unit, vars map[string]string) string {
	text, ok := s.tag.Lookup("default." + string(u))
	if !ok {
		text = s.tag.Get("default")
	}
	text = strings.ReplaceAll(text, "${unit}", string(u))
	for name, value := range vars {
		text = strings.ReplaceAll(text, "${"+name+"}", value)
	}
	return text
}

// IsBool tells a setting that is on or off, whose flag needs no value.
func (s Setting) IsBool() bool { return s.typ.Kind() == reflect.Bool }

// IsList tells a setting that may be given several times.
func (s Setting) IsList() bool { return s.typ.Kind() == reflect.Slice }

// Env gives ago's own names of the setting for a unit, the one that counts first in front: a name with the unit in it is for
// machines on which several units run.
func (s Setting) Env(u Unit) []string {
	name := strings.ToUpper(strings.ReplaceAll(s.Flag, "-", "_"))
	common := s.tag.Get("env")
	if common == "" {
		common = "AGO_" + name
	}
	if own := "AGO_" + strings.ToUpper(string(u)) + "_" + name; own != common {
		return []string{own, common}
	}
	return []string{common}
}

// legacyOf gives the names that count for a unit, in the order of preference.
func (s Setting) legacyOf(u Unit) []Legacy {
	var out []Legacy
	for _, l := range s.Legacy {
		if slices.Contains(l.Units, u) {
			out = append(out, l)
		}
	}
	return out
}

// Placeholder is what stands for the value in a help text.
func (s Setting) Placeholder() string {
	switch {
	case s.Kind == "url":
		return "URL"
	case s.Kind == "dburl":
		return "URL"
	case s.Kind == "bytes":
		return "SIZE"
	case s.Kind == "id":
		return "ID"
	case s.Kind == "address":
		return "ADDRESS"
	case s.Kind == "module":
		return "ID=FILE"
	case s.Kind == "secret", s.typ.Kind() == reflect.Map:
		return "JSON"
	case len(s.Choices) > 0:
		return strings.ToUpper(s.Choices[0])
	case s.typ == reflect.TypeFor[time.Duration]():
		return "TIME"
	case s.typ.Kind() == reflect.Int, s.typ.Kind() == reflect.Uint64:
		return "N"
	case strings.HasSuffix(s.Flag, "dir") || s.Flag == "data" || s.Flag == "cache":
		return "DIR"
	case strings.Contains(s.Flag, "file") || strings.HasSuffix(s.Flag, "wallet") || s.Flag == "scheduler-list":
		return "FILE"
	}
	return "TEXT"
}
