package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"

	"github.com/alecthomas/kong"

	"ago/fault"
	"ago/settings"
)

// settingsFile gives the values of the settings file to the command line. It is asked last: flag, then environment, then
// file, then default.
//
// The file has the names of the flags; those of a command stand in its table:
//
//	log-level = "info"
//	[dev]
//	port-base = 5000
type settingsFile struct {
	file     *settings.File  // nil: there is none
	names    map[string]bool // variables of other commands
	problems []settings.Problem
}

// load finds the file in the arguments or the environment before they are parsed. Unknown names are errors with a line,
// since a misspelt setting that is ignored looks like a bug of the node.
func (s *settingsFile) load(args []string, commands *kong.Node) error {
	s.names = variables(commands)
	path := os.Getenv("AGO_CONFIG")
	for i, a := range args {
		if a == "--" {
			break
		}
		if v, ok := strings.CutPrefix(a, "--config="); ok {
			path = v
		} else if a == "--config" && i+1 < len(args) {
			path = args[i+1]
		}
	}
	if path == "" {
		return nil
	}
	return s.read(path, commands)
}

func (s *settingsFile) read(path string, commands *kong.Node) error {
	f, err := settings.ReadFile(path)
	if err != nil {
		return malformed(err)
	}
	s.file = f
	s.problems = settings.CheckFile(f, defaultVars(), func(table, key string) bool { return hasFlag(commands, table, key) })
	s.problems = append(s.problems, wrongValues(f, commands)...)
	return nil
}

// wrongValues are values that flags of commands cannot have. Those of units are checked with the units' settings.
func wrongValues(f *settings.File, commands *kong.Node) []settings.Problem {
	var out []settings.Problem
	for _, c := range append([]*kong.Node{commands}, commands.Children...) {
		prefix := ""
		if c != commands {
			prefix = c.Name + "."
		}
		if _, unit := unitTexts[settings.Unit(c.Name)]; unit || c.Name == "config" {
			continue
		}
		for _, flag := range c.Flags {
			text, ok := fileText(f, prefix+flag.Name)
			if !ok {
				continue
			}
			to := reflect.New(flag.Target.Type()).Elem()
			err := flag.Mapper.Decode(&kong.DecodeContext{Value: flag.Value, Scan: kong.ScanFromTokens(kong.Token{Type: kong.FlagValueToken, Value: text})}, to)
			if err == nil && flag.Enum != "" && !flag.EnumMap()[text] {
				err = fmt.Errorf("%q is none of %s", text, flag.Enum)
			}
			if err != nil {
				out = append(out, settings.Problem{Where: f.Where(prefix + flag.Name), Text: fmt.Sprintf("%s%s: %v", prefix, flag.Name, err), Hint: flag.Help})
			}
		}
	}
	return out
}

// fileText is a value of the file as a flag would be given it.
func fileText(f *settings.File, key string) (string, bool) {
	v, ok := f.Value(key)
	if !ok {
		return "", false
	}
	if list, ok := v.([]any); ok {
		texts := make([]string, len(list))
		for i, e := range list {
			texts[i] = fmt.Sprint(e)
		}
		return strings.Join(texts, ";"), true
	}
	return fmt.Sprint(v), true
}

// variables are those that commands read, and those that only the program's own tests do.
func variables(n *kong.Node) map[string]bool {
	out := map[string]bool{"AGO_LONG": true, "AGO_BIN": true, "AGO_NETWORK": true, "AGO_POSTGRES_REQUIRED": true}
	for _, f := range n.Flags {
		for _, name := range f.Envs {
			if strings.HasPrefix(name, "AGO_") {
				out[name] = true
			}
		}
	}
	for _, c := range n.Children {
		for name := range variables(c) {
			out[name] = true
		}
	}
	return out
}

// wrong is the first problem of the file.
func (s *settingsFile) wrong() error {
	if len(s.problems) == 0 {
		return nil
	}
	return malformed(s.problems[0])
}

// malformed gives a problem of the settings as a fault.
func malformed(err error) error {
	f := fault.New(fault.Malformed, "settings-malformed", "%v", err)
	if p, ok := err.(settings.Problem); ok {
		f.Hint = p.Hint
	}
	return f
}

// hasFlag tells whether a command has a flag; the table "" is the top, the key "" the table itself.
func hasFlag(commands *kong.Node, table, key string) bool {
	node := commands
	if table != "" {
		node = nil
		for _, c := range commands.Children {
			if c.Name == table && c.Name != "config" {
				node = c
			}
		}
	}
	if node == nil || key == "" {
		return node != nil
	}
	for _, f := range node.Flags {
		if f.Name == key && f.Name != "help" && f.Name != "config" && f.Tag.Get("toml") != "-" {
			return true
		}
	}
	return false
}

// Validate is part of kong.Resolver; the file was checked when it was read.
func (s *settingsFile) Validate(*kong.Application) error { return nil }

// Resolve gives the file's value of a flag. The commands of units read the file themselves: they want to know the place.
func (s *settingsFile) Resolve(_ *kong.Context, parent *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil
		}
	}
	key := flag.Name
	if c := parent.Node(); c != nil && c.Type == kong.CommandNode {
		if _, ok := unitTexts[settings.Unit(c.Name)]; ok || c.Name == "config" {
			return nil, nil
		}
		key = c.Name + "." + key
	}
	text, ok := fileText(s.file, key)
	if !ok {
		return nil, nil
	}
	return text, nil
}

// defaultVars are the parts of defaults that depend on the machine.
func defaultVars() map[string]string { return map[string]string{"home": dataHome()} }

// dataHome is the folder of a user's data on this system.
func dataHome() string {
	if d := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "ago")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "ago-data"
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Application Support", "ago")
	}
	return filepath.Join(home, ".local", "share", "ago")
}

// cacheFolder is where compiled modules are kept between runs, for all networks of the user.
func cacheFolder() string {
	d, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(d, "ago", "modules")
}
