package settings

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// note tells of variables that change nothing, and of names that are none but close to one. In the environment, which other
// programs have too, these are told only; in a file for this unit they are wrong.
func (l *Loaded) note(src Sources) {
	for _, layer := range []struct {
		names []string
		where func(string) string
		mine  bool // whoever wrote the file wrote it for this unit
	}{
		{sorted(src.Environ), func(string) string { return "the environment" }, false},
		{envNames(src.EnvFile), func(n string) string { return src.EnvFile.Where(n) }, true},
	} {
		for _, name := range layer.names {
			if src.Others[name] {
				continue
			}
			p, said := l.judge(name, layer.mine)
			p.Where = layer.where(name)
			switch said {
			case worthNoting:
				l.Notes = append(l.Notes, p)
			case misspelt:
				l.Problems = append(l.Problems, p)
			}
		}
	}
}

func envNames(f *EnvFile) []string {
	if f == nil {
		return nil
	}
	return f.Names
}

func sorted(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for name := range m {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// verdict is what is to be said of a variable.
type verdict int

const (
	nothing     verdict = iota // it is a setting of the unit, or none of ours
	worthNoting                // it changes nothing
	misspelt                   // it was meant to: whoever wrote the file wrote it for this unit
)

// judge says what a variable of this name means to the unit.
func (l *Loaded) judge(name string, mine bool) (Problem, verdict) {
	near, distance := "", 3
	others := []string{}
	for _, s := range all {
		for _, u := range Units {
			if !slices.Contains(s.Units, u) {
				continue
			}
			names := s.Env(u)
			for _, old := range s.legacyOf(u) {
				names = append(names, old.Name)
			}
			for _, n := range names {
				if n == name {
					if u == l.Unit {
						return Problem{}, nothing
					}
					if !slices.Contains(others, string(u)) {
						others = append(others, string(u))
					}
				} else if d := editDistance(n, name, distance); d < distance && len(name) > 6 {
					near, distance = n, d
				}
			}
		}
	}
	for _, i := range IgnoredVariables {
		if i.Name == name && slices.Contains(i.Units, l.Unit) {
			if name == "DEBUG" || name == "URL" || name == "MODE" {
				if !mine { // too common a name to be meant for us
					return Problem{}, nothing
				}
			}
			return Problem{Text: name + " changes nothing", Hint: i.Why}, worthNoting
		}
		if i.Name == name {
			return Problem{}, nothing
		}
	}
	switch {
	case len(others) > 0:
		if !mine {
			return Problem{}, nothing
		}
		return Problem{Text: fmt.Sprintf("%s is no setting of ago %s", name, l.Unit), Hint: "it is one of ago " + strings.Join(others, ", ago ")}, worthNoting
	case strings.HasPrefix(name, "AGO_") || near != "" || ours(name):
		p := Problem{Text: name + " is no setting of ago"}
		if near != "" {
			p.Hint = "did you mean " + near + "?"
		} else {
			p.Hint = "`ago config print " + string(l.Unit) + "` lists the settings there are"
		}
		if mine && (near != "" || strings.HasPrefix(name, "AGO_")) {
			return p, misspelt
		}
		return p, worthNoting
	}
	return Problem{}, nothing
}

// elsewhere checks the variables of the .env file that only other units have: whoever wrote them may mean one of these.
func (l *Loaded) elsewhere(src Sources) {
	for _, name := range envNames(src.EnvFile) {
		var wrong []Problem
		good := false
		for _, u := range Units {
			s, ok := settingOf(u, name)
			if !ok {
				continue
			}
			if u == l.Unit {
				good = true // or it is among the problems
				break
			}
			value, _ := src.EnvFile.lookup(name)
			other := &Loaded{Unit: u}
			other.load(s, Sources{Environ: map[string]string{name: value}, Vars: src.Vars})
			good = good || len(other.Problems) == 0
			wrong = append(wrong, other.Problems...)
		}
		if !good && len(wrong) > 0 {
			wrong[0].Where = src.EnvFile.Where(name)
			l.Elsewhere = append(l.Elsewhere, wrong[0])
		}
	}
}

// settingOf finds the setting of a unit that a variable is for.
func settingOf(u Unit, name string) (Setting, bool) {
	for _, s := range Of(u) {
		if slices.Contains(s.Env(u), name) || slices.ContainsFunc(s.legacyOf(u), func(old Legacy) bool { return old.Name == name }) {
			return s, true
		}
	}
	return Setting{}, false
}

// ours tells names that only a unit of ao would have.
func ours(name string) bool {
	for _, prefix := range []string{"PROCESS_WASM_", "PROCESS_MEMORY_", "PROCESS_CHECKPOINT_", "WASM_EVALUATION_", "CHECKPONT_", "SU_DB", "DRY_RUN_", "IP_WALLET_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// editDistance counts the changes of single letters between two names, up to a bound.
func editDistance(a, b string, bound int) int {
	// One slip leaves at least the first or the last letter: most pairs are told apart here, at every start of a unit.
	if a != "" && b != "" && a[0] != b[0] && a[len(a)-1] != b[len(b)-1] {
		return bound
	}
	if len(a)-len(b) >= bound || len(b)-len(a) >= bound {
		return bound
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost = 1 + min(before, row[j], row[j+1])
			}
			before, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

// CheckFile finds keys of a settings file that mean nothing, and values of units that cannot be. Other tells whether a table
// and key are those of another command; "" is the top of the file.
func CheckFile(f *File, vars map[string]string, other func(table, key string) bool) []Problem {
	var out []Problem
	for _, name := range f.Keys {
		table, key, inTable := strings.Cut(name, ".")
		if !inTable {
			table, key = "", name
		}
		if key == "" { // the head of a table
			if !slices.Contains(Units, Unit(table)) && !other(table, "") {
				out = append(out, Problem{Where: f.Where(name), Text: fmt.Sprintf("unknown table [%s]", table), Hint: "tables are named after commands: [" + string(Node) + "], [cu], [dev]…"})
			}
			continue
		}
		if known(table, key) || other(table, key) {
			continue
		}
		p := Problem{Where: f.Where(name), Text: fmt.Sprintf("unknown setting %q", name)}
		if near := nearest(table, key); near != "" {
			p.Hint = "did you mean " + near + "?"
		} else if inTable {
			p.Hint = "the names are those of the flags: see ago " + table + " --help"
		} else {
			p.Hint = "the names are those of the flags, the ones of one command under [command]: see ago COMMAND --help"
		}
		out = append(out, p)
	}
	seen := map[string]bool{}
	for _, u := range Units {
		l := &Loaded{Unit: u}
		for _, s := range Of(u) {
			l.load(s, Sources{File: f, Vars: vars})
		}
		for _, p := range l.Problems {
			if strings.HasPrefix(p.Where, f.Path) && !seen[p.Error()] {
				seen[p.Error()] = true
				out = append(out, p)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Problem) int { return lineOf(a) - lineOf(b) })
	return out
}

// lineOf reads the line of a place in a file.
func lineOf(p Problem) int {
	n, _ := strconv.Atoi(p.Where[strings.LastIndex(p.Where, ":")+1:])
	return n
}

// known tells a key of a unit's table, or at the top one that some unit has.
func known(table, key string) bool {
	for _, s := range all {
		if s.Flag == key && (table == "" || slices.Contains(s.Units, Unit(table))) {
			return true
		}
	}
	return false
}

func nearest(table, key string) string {
	near, distance := "", 3
	for _, s := range all {
		if table != "" && !slices.Contains(s.Units, Unit(table)) {
			continue
		}
		if d := editDistance(s.Flag, key, distance); d < distance {
			near, distance = s.Flag, d
		}
	}
	return near
}
