package lua

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ago/vm"
)

// The corpus is files of small programs, each behind a line that begins with the mark and names it. What Debian's
// lua5.3 prints for them lies beside, in files that end with .out, and is recorded anew with AGO_RECORD=1.
const mark = "--## "

// program runs a text as the native driver below does.
const corpusDriver = `
local machine, base64 = require "machine", require "base64"
function handle(msg)
  local f, e = load(msg.source, "=" .. msg.name)
  if not f then
    print("load: " .. e)
  else
    local ok, e = pcall(f)
    if not ok then print("error: " .. tostring(e)) end
  end
  return {printed = base64.encode(machine.printed())}
end`

const nativeDriver = `
local file = io.open(arg[1], "rb")
local f, e = load(file:read("a"), "=" .. arg[2])
if not f then
  print("load: " .. e)
else
  local ok, e = pcall(f)
  if not ok then print("error: " .. tostring(e)) end
end
os.exit(0, false)`

type section struct{ name, text string }

func sections(tb testing.TB, path string) []section {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	var all []section
	for _, part := range strings.Split("\n"+string(b), "\n"+mark)[1:] {
		name, text, _ := strings.Cut(part, "\n")
		all = append(all, section{name, text})
	}
	return all
}

// native runs a program with Debian's lua5.3.
func native(t *testing.T, dir string, p section) string {
	t.Helper()
	file := filepath.Join(dir, "program.lua")
	if err := os.WriteFile(file, []byte(p.text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("lua5.3", filepath.Join(dir, "driver.lua"), file, p.name)
	cmd.Env = []string{"TZ=UTC", "LC_ALL=C"}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: lua5.3: %v", p.name, err)
	}
	return string(out)
}

func TestCorpusPrintsWhatLuaPrints(t *testing.T) {
	files, err := filepath.Glob("testdata/*.lua")
	if err != nil {
		t.Fatal(err)
	}
	record := os.Getenv("AGO_RECORD") != ""
	live := record || os.Getenv("AGO_LONG") != ""
	dir := t.TempDir()
	if live {
		if _, err := exec.LookPath("lua5.3"); err != nil {
			t.Log("lua5.3 is not installed: comparing with its recorded output only")
			live, record = false, false
		} else if err := os.WriteFile(filepath.Join(dir, "driver.lua"), []byte(nativeDriver), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	i, err := testEngine(t).New(context.Background(), vm.Module{Format: Format, Bytes: []byte(corpusDriver)}, vm.Limits{MemoryMax: 256 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	programs := 0
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".lua"), func(t *testing.T) {
			outs := strings.TrimSuffix(file, ".lua") + ".out"
			want := map[string]string{}
			if !record {
				for _, s := range sections(t, outs) {
					want[s.name] = s.text
				}
			}
			var recorded strings.Builder
			for _, p := range sections(t, file) {
				programs++
				expected := want[p.name]
				if live {
					expected = native(t, dir, p)
				}
				if record {
					fmt.Fprintf(&recorded, "%s%s\n%s\n", mark, p.name, expected)
				} else if live && strings.TrimRight(expected, "\n") != strings.TrimRight(want[p.name], "\n") {
					t.Errorf("%s: lua5.3 prints something else than what is recorded", p.name)
				}
				got := corpusRun(t, i, p)
				if strings.TrimRight(got, "\n") != strings.TrimRight(expected, "\n") {
					t.Errorf("%s:\n%s", p.name, difference(got, expected))
				}
			}
			if record {
				if err := os.WriteFile(outs, []byte(recorded.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	if programs < 300 {
		t.Errorf("the corpus has %d programs", programs)
	}
}

// corpusRun runs one program and gives what it printed. The state does not change.
func corpusRun(t *testing.T, i vm.Instance, p section) string {
	t.Helper()
	message, err := json.Marshal(map[string]string{"name": p.name, "source": p.text})
	if err != nil {
		t.Fatal(err)
	}
	out, err := i.Eval(context.Background(), vm.Input{Message: message, Env: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	if err := i.Rollback(); err != nil {
		t.Fatal(err)
	}
	if out.Failure != "" {
		return "failure: " + out.Failure
	}
	var r struct {
		OK       bool
		Response json.RawMessage
	}
	if err := json.Unmarshal(out.Response, &r); err != nil {
		t.Fatal(err)
	}
	var printed struct{ Printed string }
	if !r.OK {
		return string(r.Response)
	}
	if err := json.Unmarshal(r.Response, &printed); err != nil {
		t.Fatal(err)
	}
	b, err := base64.StdEncoding.DecodeString(printed.Printed)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// difference shows the first lines that differ.
func difference(got, want string) string {
	var b bytes.Buffer
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	shown := 0
	for i := 0; i < max(len(g), len(w)) && shown < 4; i++ {
		var x, y string
		if i < len(g) {
			x = g[i]
		}
		if i < len(w) {
			y = w[i]
		}
		if x != y {
			fmt.Fprintf(&b, "line %d here   %.300q\nline %d lua5.3 %.300q\n", i+1, x, i+1, y)
			shown++
		}
	}
	return b.String()
}
