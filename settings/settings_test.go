package settings

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestEverySettingIsWellFormed: names are used once, defaults can be read, and no unit has one variable for two settings.
func TestEverySettingIsWellFormed(t *testing.T) {
	flags := map[string]bool{}
	for _, s := range All() {
		if flags[s.Flag] || s.Flag == "" || !strings.HasSuffix(s.Help, ".") {
			t.Errorf("setting %q is there twice, or has no help that ends in a full stop", s.Flag)
		}
		flags[s.Flag] = true
		for _, l := range s.Legacy {
			for _, u := range l.Units {
				if !slices.Contains(s.Units, u) {
					t.Errorf("%s is read by %s, which has no --%s", l.Name, u, s.Flag)
				}
			}
		}
	}
	for _, u := range Units {
		names := map[string]string{}
		for _, s := range Of(u) {
			all := s.Env(u)
			for _, l := range s.legacyOf(u) {
				all = append(all, l.Name)
			}
			for _, n := range all {
				if other, ok := names[n]; ok {
					t.Errorf("ago %s reads %s for --%s and --%s", u, n, other, s.Flag)
				}
				names[n] = s.Flag
			}
		}
		for _, i := range IgnoredVariables {
			if flag, ok := names[i.Name]; ok && slices.Contains(i.Units, u) {
				t.Errorf("%s is said to change nothing for %s, and is --%s", i.Name, u, flag)
			}
		}
		src := Sources{Vars: map[string]string{"home": "/data"}}
		if u == UR {
			src.Flags = map[string][]string{"hosts": {"http://a"}}
		}
		l, err := Load(u, src)
		if err != nil {
			t.Errorf("the defaults of %s: %v", u, err)
		}
		if len(l.Notes) > 0 {
			t.Errorf("notes without any variable: %v", l.Notes)
		}
	}
}

func TestWhatStandsFirstWins(t *testing.T) {
	file, err := ParseFile("ago.toml", []byte("port = 1\n[cu]\nport = 2\n"))
	if err != nil {
		t.Fatal(err)
	}
	env, err := ParseEnvFile(".env", "PORT=3\nAGO_PORT=4\n")
	if err != nil {
		t.Fatal(err)
	}
	legacy, err := ParseEnvFile(".env", "PORT=3\n")
	if err != nil {
		t.Fatal(err)
	}
	top, err := ParseFile("ago.toml", []byte("port = 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	for want, c := range map[int]struct {
		src  Sources
		from string
	}{
		6363: {Sources{}, "default"},
		1:    {Sources{File: top}, "ago.toml:1"},
		2:    {Sources{File: file}, "ago.toml:3"},
		3:    {Sources{File: file, EnvFile: legacy}, ".env:1 PORT"},
		4:    {Sources{File: file, EnvFile: env}, ".env:2 AGO_PORT"},
		5:    {Sources{File: file, EnvFile: env, Environ: map[string]string{"PORT": "5"}}, "environment PORT"},
		6:    {Sources{File: file, EnvFile: env, Environ: map[string]string{"PORT": "5", "AGO_PORT": "6"}}, "environment AGO_PORT"},
		7:    {Sources{Environ: map[string]string{"AGO_PORT": "6", "AGO_CU_PORT": "7"}}, "environment AGO_CU_PORT"},
		8:    {Sources{Flags: map[string][]string{"port": {"8"}}, Environ: map[string]string{"AGO_CU_PORT": "7"}}, "flag --port"},
	} {
		l, err := Load(CU, c.src)
		if err != nil || l.Port != want || l.value("port").Source != c.from {
			t.Errorf("port %d from %q, %v; want %d from %q", l.Port, l.value("port").Source, err, want, c.from)
		}
	}
}

func TestTextsOfValues(t *testing.T) {
	for _, c := range []struct {
		flag, text, want string // want "" is refused
	}{
		{"busy-after", "1500", "1.5s"}, {"busy-after", "90m", "1h30m"}, {"busy-after", "1_000", "1s"}, {"busy-after", "-1", ""}, {"busy-after", "soon", ""},
		{"memory-max", "1_073_741_824", "1073741824"}, {"memory-max", "1-gb", "1073741824"}, {"memory-max", "512MiB", "536870912"}, {"memory-max", "0", ""}, {"memory-max", "9999999999gb", ""},
		{"allow-processes", "ISShJH1ij-hPPt9St5UFFr_8Ys3Kj5cyg7zrMGt7H9s, ISShJH1ij-hPPt9St5UFFr_8Ys3Kj5cyg7zrMGt7H9s", "ISShJH1ij-hPPt9St5UFFr_8Ys3Kj5cyg7zrMGt7H9s;ISShJH1ij-hPPt9St5UFFr_8Ys3Kj5cyg7zrMGt7H9s"},
		{"allow-processes", "abc", ""}, {"log-level", "verbose", "verbose"}, {"log-level", "loud", ""}, {"gateway-url", "http://a/,https://b", "http://a;https://b"},
		{"gateway-url", "arweave.net", ""}, {"metrics", "yes", "true"}, {"metrics", "perhaps", ""}, {"db-url", "../x", ""}, {"db-url", "mysql://x", ""},
		{"port", "65536", ""}, {"primary-share", "101", ""},
	} {
		l, err := Load(CU, Sources{Flags: map[string][]string{c.flag: {c.text}}})
		if (err != nil) != (c.want == "") || err == nil && l.value(c.flag).Value != c.want {
			t.Errorf("--%s %s is %q, %v; want %q", c.flag, c.text, l.value(c.flag).Value, err, c.want)
		}
	}
	l, err := Load(UR, Sources{Environ: map[string]string{"HOSTS": "http://a , http://b/", "PROCESS_TO_HOST": `{"p":"http://c"}`}})
	if err != nil || !slices.Equal(l.Hosts, []string{"http://a", "http://b"}) || l.ProcessToHost["p"] != "http://c" {
		t.Errorf("%v %v %v", l.Hosts, l.ProcessToHost, err)
	}
	su, err := Load(SU, Sources{Environ: map[string]string{"WARMUP_DELAY": "30"}})
	if err != nil || su.Warmup != 30*time.Second {
		t.Errorf("WARMUP_DELAY=30 is %v, %v", su.Warmup, err)
	}
}

func TestAnEnvFile(t *testing.T) {
	f, err := ParseEnvFile("x.env", "# c\nA=1 # tail\nexport B = 'x # y'\r\nC=\"one\\ntwo\"\nD=\"{\n  \\\"k\\\": 1\n}\"\nE=\nF=a=b\nA=2\n")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"A": "2", "B": "x # y", "C": "one\ntwo", "D": "{\n  \"k\": 1\n}", "E": "", "F": "a=b"} {
		if got, ok := f.lookup(name); !ok || got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if f.Where("F") != "x.env:9" {
		t.Errorf("F is at %s", f.Where("F"))
	}
	for _, bad := range []string{"A", "A B=1", "A='open", `A="open`} {
		if _, err := ParseEnvFile("x", bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	if f, err := ReadEnvFile(filepath.Join(t.TempDir(), "none")); err != nil || len(f.Names) != 0 {
		t.Errorf("a file that is not there: %v, %v", f, err)
	}
}

func TestNotesTellWhatLooksWrong(t *testing.T) {
	env, err := ParseEnvFile(".env", "CU_URL=http://a\nURL=x\nPATH=/bin\n")
	if err != nil {
		t.Fatal(err)
	}
	l, err := Load(SU, Sources{EnvFile: env, Environ: map[string]string{"AGO_THING": "1", "GATEWAY_URLL": "x", "HOME": "/", "URL": "y", "CU_URL": "http://b"}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range l.Notes {
		got = append(got, n.Error())
	}
	want := []string{"the environment: AGO_THING is no setting of ago", "the environment: GATEWAY_URLL is no setting of ago", ".env:1: CU_URL is no setting of ago su", ".env:2: URL changes nothing"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func FuzzParseFile(f *testing.F) {
	f.Add([]byte("port = 1\n[cu]\nport = 2\nmodule = [\"a\"]\n[[x]]\na.b = 1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := ParseFile("x", text)
		if err != nil {
			return
		}
		CheckFile(file, nil, func(string, string) bool { return false })
		for _, u := range Units {
			_, _ = Load(u, Sources{File: file})
		}
	})
}

func FuzzParseEnvFile(f *testing.F) {
	f.Add("A=1\nexport B='x'\nC=\"y\\n\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := ParseEnvFile("x", text)
		if err != nil {
			return
		}
		for _, n := range file.Names {
			if strings.ContainsAny(n, "= \n") {
				t.Errorf("the name %q", n)
			}
		}
	})
}

func TestMain(m *testing.M) {
	os.Clearenv()
	os.Exit(m.Run())
}

// TestValuesThatCannotBeAreWrong: what would be taken as another value, or would stand for nobody, is refused with its line.
func TestValuesThatCannotBeAreWrong(t *testing.T) {
	for line, good := range map[string]bool{
		"PROCESS_WASM_MEMORY_MAX_LIMIT=-5":     false,
		"PROCESS_WASM_MEMORY_MAX_LIMIT= -1-gb": false,
		"PROCESS_WASM_MEMORY_MAX_LIMIT=1-gb":   true,
		"ALLOW_OWNERS=vh-NTHVvlKZqRxc8LyyTNok65yQ55a_PJ1zWLb9G2JI,0x71C7656EC7ab88b098defB751B7401B5f6d8976F": true,
		"ALLOW_OWNERS=vh-NTHVvlKZqRxc8LyyTNok65yQ55a_PJ1zWLb9G2JI,vh-NTHVvlKZqRxc8LyyTNok65yQ55a_PJ1zWLb9G2J": false,
		"PROCESS_CHECKPOINT_TRUSTED_OWNERS=0x71C7656EC7ab88b098defB751B7401B5f6d8976":                         false,
		"PROCESS_CHECKPOINT_TRUSTED_OWNERS=fcoN_xJeisVsPXA-trzVAuIiqO3ydLQxM-L4XbrQKzY":                       true,
		`WALLET={"kty":"RSA"}`: false,
		"WALLET=wallet.json":   false,
		"PROCESS_WASM_SUPPORTED_FORMATS=wasm32-unknown-emscripten, wasm64-unknown-emscripten-draft_2024_02_15": true,
		"PROCESS_WASM_SUPPORTED_FORMATS=wasm32-unknown-emscripten,wasm32-unknown-emscripten5":                  false,
		"PROCESS_WASM_SUPPORTED_EXTENSIONS=WeaveDrive":                                                         true,
		"PROCESS_WASM_SUPPORTED_EXTENSIONS=Weavedrive":                                                         false,
		"RESTRICT_PROCESSES=all": false,
		"ALLOW_PROCESSES=fcoN_xJeisVsPXA-trzVAuIiqO3ydLQxM-L4XbrQKzY,x": false,
	} {
		env, err := ParseEnvFile(".env", "# a unit of before\n"+line+"\n")
		if err != nil {
			t.Fatal(err)
		}
		_, err = Load(CU, Sources{EnvFile: env, Vars: map[string]string{"home": "/data"}})
		if (err == nil) != good {
			t.Errorf("%s: %v", line, err)
		} else if err != nil && !strings.Contains(err.Error(), ".env:2") {
			t.Errorf("%s: %v does not tell the line", line, err)
		}
	}
}

// TestListsOfProcessesAreIDs: the lists of every unit that name processes or wallets take nothing else.
func TestListsOfProcessesAreIDs(t *testing.T) {
	for _, u := range []Unit{SU, MU, CU, Node, UR} {
		for _, s := range Of(u) {
			for _, old := range s.legacyOf(u) {
				switch old.Name {
				case "MAX_SIZE_OWNER_WHITELIST", "MAX_SIZE_FROM_WHITELIST", "MAX_SIZE_FROM_OWNER_WHITELIST", "FROM_PROCESS_BLACKLIST", "ALLOW_PROCESSES", "RESTRICT_PROCESSES",
					"ALLOW_OWNERS", "PROCESS_CHECKPOINT_TRUSTED_OWNERS", "PROCESS_CHECKPOINT_PREFERRED_OWNERS", "IGNORE_ARWEAVE_CHECKPOINTS", "PROCESS_IGNORE_ARWEAVE_CHECKPOINTS", "OWNERS":
				default:
					continue
				}
				const id = "fcoN_xJeisVsPXA-trzVAuIiqO3ydLQxM-L4XbrQKzY"
				for value, good := range map[string]bool{id: true, id + "," + id: true, "everyone": false, id + "," + id[1:]: false} {
					env, err := ParseEnvFile(".env", "\n"+old.Name+"="+value+"\n")
					if err != nil {
						t.Fatal(err)
					}
					l, err := Load(u, Sources{EnvFile: env, Vars: map[string]string{"home": "/data"}})
					if l == nil {
						t.Fatal(err)
					}
					wrong := l.problems(s.Flag) > 0
					if wrong == good || wrong && !strings.Contains(err.Error(), old.Name) && !strings.Contains(err.Error(), "hosts") {
						t.Errorf("ago %s, %s=%s: %v", u, old.Name, value, err)
					}
				}
			}
		}
	}
}
