package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/alecthomas/kong"

	"ago/settings"
)

// configCommand shows and checks settings.
type configCommand struct {
	Print configPrintCommand `cmd:"" help:"Print every setting of a unit, its value, and where it is from."`
	Check configCheckCommand `cmd:"" help:"Check a settings file and the environment."`

	parser *kong.Kong
	file   *settingsFile
}

type configPrintCommand struct {
	Unit    string `arg:"" optional:"" enum:"node,su,mu,cu,gateway,ur" default:"node" help:"node, su, mu, cu, gateway or ur."`
	EnvFile string `placeholder:"FILE" env:"AGO_ENV_FILE" help:"File of NAME=VALUE lines; .env of this folder if it is there." toml:"-"`
	Changed bool   `help:"Only what is not the default." toml:"-"`
}

// Help is shown by ago config print --help.
func (configPrintCommand) Help() string {
	return `What counts first: flag, environment, .env file, settings file, default. Names of the older units are understood.

  ago config print cu
  ago config print node --changed
  ago config print mu -o json`
}

// Run prints the settings.
func (c *configPrintCommand) Run(o *out, all *commands) error {
	l, err := loadSettings(settings.Unit(c.Unit), envFileFlags(c.EnvFile), all.Setup.file)
	if l == nil {
		return malformed(err)
	}
	w := tabwriter.NewWriter(o.sink(), 0, 0, 2, ' ', 0)
	if !o.json {
		fmt.Fprintln(w, "SETTING\tVALUE\tFROM\tDEFAULT")
	}
	for _, v := range l.Values {
		if c.Changed && v.Source == "default" {
			continue
		}
		if o.json {
			if err := o.encode(v); err != nil {
				return err
			}
			continue
		}
		from := v.Source
		if from == "default" {
			v.Default = ""
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", v.Name, v.Value, from, v.Default)
	}
	w.Flush()
	if err != nil {
		return malformed(err)
	}
	return nil
}

func envFileFlags(path string) map[string][]string {
	if path == "" {
		return nil
	}
	return map[string][]string{envFileFlag: {path}}
}

type configCheckCommand struct {
	File    string `arg:"" optional:"" type:"path" help:"Settings file (TOML); the one of --config or AGO_CONFIG if none is named."`
	Unit    string `enum:"node,su,mu,cu,gateway,ur," default:"" placeholder:"UNIT" help:"Check what this unit would run with; without it, every unit that the file has a table for." toml:"-"`
	EnvFile string `placeholder:"FILE" env:"AGO_ENV_FILE" help:"File of NAME=VALUE lines; .env of this folder if it is there." toml:"-"`
}

// Help is shown by ago config check --help.
func (configCheckCommand) Help() string {
	return `Prints what is wrong, each with its place, and fails if something is. Names in the environment that look like settings and are
none are told too; they are no failure. In a .env file, which is for this unit, they are. What a .env file says for other units is
checked by their rules.

  ago config check ago.toml
  ago config check --unit cu --env-file .env.production`
}

// Run checks the file and the environment.
func (c *configCheckCommand) Run(o *out, all *commands) error {
	file := all.Setup.file
	if c.File != "" {
		file = &settingsFile{names: file.names}
		if err := file.read(c.File, all.Setup.parser.Model.Node); err != nil {
			return err
		}
	}
	problems := file.problems
	notes := []settings.Problem{}
	seen := map[settings.Problem]bool{}
	for _, p := range problems {
		seen[p] = true
	}
	units := c.units(file)
	for _, u := range units {
		l, err := loadSettings(u, envFileFlags(c.EnvFile), file)
		if l == nil {
			return malformed(err)
		}
		for _, p := range slices.Concat(l.Problems, l.Elsewhere, wrongWallets(l)) {
			if !seen[p] {
				seen[p] = true
				problems = append(problems, p)
			}
		}
		for _, n := range l.Notes {
			if !seen[n] {
				seen[n] = true
				notes = append(notes, n)
			}
		}
	}
	if o.json {
		if err := o.encode(map[string]any{"units": units, "problems": append([]settings.Problem{}, problems...), "notes": notes}); err != nil {
			return err
		}
	} else {
		for _, n := range notes {
			c.say(o, "note", n)
		}
		for _, p := range problems {
			c.say(o, "wrong", p)
		}
	}
	if len(problems) == 0 {
		if !o.json {
			fmt.Fprintf(o.sink(), "The settings are good for %s.%s\n", commandsOf(units), c.others())
		}
		return nil
	}
	return malformed(settings.Problem{Text: fmt.Sprintf("%d of the settings are wrong for %s", len(problems), commandsOf(units)), Hint: "correct what is listed as wrong." + c.others()})
}

// commandsOf names units as they are started.
func commandsOf(units []settings.Unit) string {
	var names []string
	for _, u := range units {
		names = append(names, "ago "+string(u))
	}
	return strings.Join(names, ", ")
}

// others says how another unit is checked, to those who named none.
func (c *configCheckCommand) others() string {
	if c.Unit != "" {
		return ""
	}
	return " --unit checks what another unit would run with."
}

// wrongWallets opens the files of keys that the settings name: a unit that has none of them does not start.
func wrongWallets(l *settings.Loaded) (out []settings.Problem) {
	if l.WalletFile != "" && l.WalletText == "" {
		if _, err := unitKey(l); err != nil {
			out = append(out, settings.Problem{Where: l.Source("wallet"), Text: strings.TrimPrefix(err.Error(), l.Source("wallet")+" "), Hint: "name a wallet (JWK) that is there, or make one: ago wallet create FILE"})
		}
	}
	if _, err := coreKey(l.CoreWallet); err != nil {
		out = append(out, settings.Problem{Where: l.Source("core-wallet"), Text: err.Error(), Hint: "make one: ago wallet create --type arweave FILE"})
	}
	return out
}

func (c *configCheckCommand) say(o *out, what string, p settings.Problem) {
	fmt.Fprintf(o.sink(), "%s: %v\n", what, p)
	if p.Hint != "" {
		fmt.Fprintf(o.sink(), "  %s\n", p.Hint)
	}
}

// units are those whose settings are checked as a whole.
func (c *configCheckCommand) units(file *settingsFile) []settings.Unit {
	if c.Unit != "" {
		return []settings.Unit{settings.Unit(c.Unit)}
	}
	var out []settings.Unit
	for _, u := range settings.Units {
		if _, ok := file.file.Value(string(u)); ok {
			out = append(out, u)
		}
	}
	if len(out) == 0 {
		return []settings.Unit{settings.Node}
	}
	return out
}
