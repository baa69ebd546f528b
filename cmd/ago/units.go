package main

import (
	"os"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"

	"ago/settings"
)

// unitCommand runs a unit. Its flags are those of the unit's settings.
type unitCommand struct {
	unit  settings.Unit
	flags reflect.Value // pointer to a struct with a field for each flag, which are nil unless given
	names []string      // of the flags, by field
}

// globalFlags are settings that every command has.
var globalFlags = map[string]bool{"log-level": true, "log-format": true}

// newUnitCommand makes the struct that the parser fills. It takes texts only: what they have to be is said by the settings.
func newUnitCommand(u settings.Unit) *unitCommand {
	c := &unitCommand{unit: u}
	var fields []reflect.StructField
	add := func(name, placeholder, help string, typ reflect.Type) {
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
		tag := `name:"` + name + `" placeholder:"` + quoted.Replace(placeholder) + `" help:"` + quoted.Replace(help) + `"`
		if typ.Kind() == reflect.Slice {
			tag += ` sep:"none"`
		}
		fields = append(fields, reflect.StructField{Name: "F" + strings.ReplaceAll(name, "-", "_"), Type: typ, Tag: reflect.StructTag(tag)})
		c.names = append(c.names, name)
	}
	for _, s := range settings.Of(u) {
		if globalFlags[s.Flag] {
			continue
		}
		typ := reflect.TypeFor[*string]()
		switch {
		case s.IsBool():
			typ = reflect.TypeFor[*bool]()
		case s.IsList():
			typ = reflect.TypeFor[[]string]()
		}
		help := s.Help
		if d := s.Default(u, map[string]string{"home": "…/ago"}); d != "" && d != "0" && d != "false" {
			help += " Default " + d + "."
		}
		add(s.Flag, s.Placeholder(), help+" ($"+s.Env(u)[len(s.Env(u))-1]+")", typ)
	}
	add(envFileFlag, "FILE", "File of NAME=VALUE lines that count like the environment, behind it; .env of this folder if it is there. ($AGO_ENV_FILE)", reflect.TypeFor[*string]())
	c.flags = reflect.New(reflect.StructOf(fields))
	return c
}

const envFileFlag = "env-file"

// given tells which flags stood on the command line.
func (c *unitCommand) given(parsed *kong.Context) map[string][]string {
	out := map[string][]string{}
	v := c.flags.Elem()
	for i, name := range c.names {
		switch f := v.Field(i).Interface().(type) {
		case *string:
			if f != nil {
				out[name] = []string{*f}
			}
		case *bool:
			if f != nil {
				out[name] = []string{map[bool]string{true: "true", false: "false"}[*f]}
			}
		case []string:
			if len(f) > 0 {
				out[name] = f
			}
		}
	}
	for _, p := range parsed.Path {
		if p.Flag != nil && globalFlags[p.Flag.Name] && !p.Resolved {
			out[p.Flag.Name] = []string{p.Flag.Target.String()}
		}
	}
	return out
}

// run loads the settings and starts the unit.
func (c *unitCommand) run(o *out, parsed *kong.Context, file *settingsFile) error {
	flags := c.given(parsed)
	l, err := loadSettings(c.unit, flags, file)
	if err != nil {
		return malformed(err)
	}
	return runUnit(o, l)
}

// loadSettings reads everything that the settings of a unit come from.
func loadSettings(u settings.Unit, flags map[string][]string, file *settingsFile) (*settings.Loaded, error) {
	src := settings.Sources{Flags: flags, Environ: settings.Environ(os.Environ()), File: file.file, Vars: defaultVars(), Others: file.names}
	path, named := ".env", false
	if v := src.Environ["AGO_ENV_FILE"]; v != "" {
		path, named = v, true
	}
	if v := flags[envFileFlag]; len(v) > 0 {
		path, named = v[len(v)-1], true
	}
	if named {
		if _, err := os.Stat(path); err != nil {
			return nil, settings.Problem{Text: "the file named by --env-file: " + err.Error(), Hint: "leave --env-file out, or name a file of NAME=VALUE lines"}
		}
	}
	var err error
	if src.EnvFile, err = settings.ReadEnvFile(path); err != nil {
		return nil, err
	}
	return settings.Load(u, src)
}
