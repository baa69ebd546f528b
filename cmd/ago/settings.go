package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/pelletier/go-toml/v2"

	"ago/fault"
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
	values map[string]any
}

// load finds the file in the arguments or the environment before they are parsed. Unknown names are errors with a line,
// since a misspelt setting that is ignored looks like a bug of the node.
func (s *settingsFile) load(args []string) error {
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
	text, err := os.ReadFile(path)
	if err != nil {
		return fault.Wrap(err, fault.Malformed, "settings-malformed", "the settings file")
	}
	var known commands
	d := toml.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&known); err != nil {
		return fault.New(fault.Malformed, "settings-malformed", "%s: %s", path, lined(err)).
			WithHint("the names are those of the flags, the ones of a command under [command]: see ago COMMAND --help")
	}
	return fault.Wrap(toml.Unmarshal(text, &s.values), fault.Malformed, "settings-malformed", "%s", path)
}

// lined tells where in the file an error is.
func lined(err error) string {
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) && len(unknown.Errors) > 0 {
		row, _ := unknown.Errors[0].Position()
		return fmt.Sprintf("line %d: unknown setting %q", row, strings.Join(unknown.Errors[0].Key(), "."))
	}
	var wrong *toml.DecodeError
	if errors.As(err, &wrong) {
		row, _ := wrong.Position()
		return fmt.Sprintf("line %d: %v", row, wrong)
	}
	return err.Error()
}

// Validate is part of kong.Resolver; the file was checked when it was read.
func (s *settingsFile) Validate(*kong.Application) error { return nil }

// Resolve gives the file's value of a flag.
func (s *settingsFile) Resolve(_ *kong.Context, parent *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil
		}
	}
	values := s.values
	if c := parent.Node(); c != nil && c.Type == kong.CommandNode {
		inner, ok := values[c.Name].(map[string]any)
		if !ok {
			return nil, nil
		}
		values = inner
	}
	v, ok := values[flag.Name]
	if !ok {
		return nil, nil
	}
	if list, ok := v.([]any); ok {
		texts := make([]string, len(list))
		for i, e := range list {
			texts[i] = fmt.Sprint(e)
		}
		return strings.Join(texts, ";"), nil
	}
	return fmt.Sprint(v), nil
}

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
