package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"ago/settings"
)

// The tables of the units stand between these lines.
const (
	tablesBegin = "<!-- units: written from the settings by a test -->"
	tablesEnd   = "<!-- end of units -->"
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
	parser, units, err := commandLine(&commands{}, &settingsFile{})
	if err != nil {
		t.Fatal(err)
	}
	// The tables of the units are written from the settings: UPDATE=1 go test ./cmd/ago -run Documented
	head, rest, ok := strings.Cut(string(config), tablesBegin)
	_, tail, ok2 := strings.Cut(rest, tablesEnd)
	if !ok || !ok2 {
		t.Fatal("docs/config.md has no place for the tables of the units")
	}
	if want := head + tablesBegin + "\n" + settings.Markdown() + tablesEnd + tail; want != string(config) {
		if os.Getenv("UPDATE") == "" {
			t.Error("the tables of docs/config.md are not those of the settings: UPDATE=1 go test ./cmd/ago -run Documented writes them")
		} else if err := os.WriteFile("../../docs/config.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	config = []byte(head + tail)
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
		if units[n.Name] != nil {
			return
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
