package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestSettingsAreDocumented compares docs/config.md and docs/cli.md with the program, both ways.
func TestSettingsAreDocumented(t *testing.T) {
	config, err := os.ReadFile("../../docs/config.md")
	if err != nil {
		t.Fatal(err)
	}
	cli, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	parser, err := kong.New(&commands{}, kong.Name("ago"), kong.Vars{"home": "x"})
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]map[string]bool{} // flag -> names of the environment
	for _, m := range regexp.MustCompile("(?m)^\\| `--([a-z-]+)`[^|]*\\|([^|]*)\\|").FindAllStringSubmatch(string(config), -1) {
		if rows[m[1]] == nil {
			rows[m[1]] = map[string]bool{}
		}
		for _, env := range regexp.MustCompile("`([A-Z_]+)`").FindAllStringSubmatch(m[2], -1) {
			rows[m[1]][env[1]] = true
		}
	}
	known := map[string]map[string]bool{}
	var walk func(n *kong.Node)
	walk = func(n *kong.Node) {
		if n.Type == kong.CommandNode && n.Parent.Type == kong.ApplicationNode && !strings.Contains(string(cli), "`ago "+n.Name) {
			t.Errorf("docs/cli.md lacks the command %s", n.Name)
		}
		for _, f := range n.Flags {
			if f.Name == "help" || f.Hidden {
				continue
			}
			if known[f.Name] == nil {
				known[f.Name] = map[string]bool{}
			}
			if rows[f.Name] == nil {
				t.Errorf("docs/config.md lacks --%s of %s", f.Name, n.FullPath())
			}
			for _, env := range f.Envs {
				known[f.Name][env] = true
				if !rows[f.Name][env] {
					t.Errorf("docs/config.md lacks %s of --%s", env, f.Name)
				}
			}
		}
		for _, c := range n.Children {
			walk(c)
		}
	}
	walk(parser.Model.Node)
	for flag, envs := range rows {
		for env := range envs {
			if !known[flag][env] {
				t.Errorf("docs/config.md names %s of --%s, which does not exist", env, flag)
			}
		}
		if known[flag] == nil {
			t.Errorf("docs/config.md names --%s, which does not exist", flag)
		}
	}
}
