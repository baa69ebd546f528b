package lua

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"ago/vm"
)

func memorySum(tb testing.TB, i vm.Instance) [32]byte {
	tb.Helper()
	h := sha256.New()
	if _, err := i.Memory(h); err != nil {
		tb.Fatal(err)
	}
	return [32]byte(h.Sum(nil))
}

func TestTheStateIsTheSameOnEveryMachine(t *testing.T) {
	var first [32]byte
	for n := range 2 {
		i := instance(t, testEngine(t), ledger, vm.Limits{})
		for k := range 300 {
			do(t, i, message("Transfer", "", k))
			if n == 1 && k%7 == 0 {
				// What is undone leaves no trace.
				if _, err := i.Eval(context.Background(), message("Fill", "5000", k)); err != nil {
					t.Fatal(err)
				}
				if err := i.Rollback(); err != nil {
					t.Fatal(err)
				}
			}
		}
		sum := memorySum(t, i)
		if n == 0 {
			first = sum
		} else if sum != first {
			t.Error("the memories differ")
		}
	}
}

func TestSnapshotsCarryTheState(t *testing.T) {
	e := testEngine(t)
	m := vm.Module{Format: Format, Bytes: []byte(ledger)}
	i := instance(t, e, ledger, vm.Limits{})
	var snapshots [][]byte
	take := func(full bool) {
		var b bytes.Buffer
		if err := i.Snapshot(&b, full); err != nil {
			t.Fatal(err)
		}
		snapshots = append(snapshots, b.Bytes())
	}
	do(t, i, message("Fill", "3000", 0))
	take(true)
	for k := range 200 {
		do(t, i, message("Transfer", "", k))
		if k%20 == 0 {
			take(false)
		}
	}
	take(false)
	readers := make([]io.Reader, len(snapshots))
	for k, s := range snapshots {
		readers[k] = bytes.NewReader(s)
	}
	j, err := e.Restore(context.Background(), m, vm.Limits{}, readers...)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for k := range 50 {
		if a, b := do(t, i, message("Transfer", "", 1000+k)), do(t, j, message("Transfer", "", 1000+k)); !bytes.Equal(a.Response, b.Response) || a.Gas != b.Gas {
			t.Fatalf("message %d: %s with gas %d, restored %s with gas %d", k, a.Response, a.Gas, b.Response, b.Gas)
		}
	}
	if memorySum(t, i) != memorySum(t, j) {
		t.Error("the memories differ")
	}
}

func TestSmallMessagesHaveSmallSnapshots(t *testing.T) {
	sizes := map[string]int64{}
	e := testEngine(t)
	for _, accounts := range []string{"1000", "10000"} {
		i := instance(t, e, ledger, vm.Limits{})
		do(t, i, message("Fill", accounts, 0))
		do(t, i, message("Transfer", "", 0))
		if err := i.Snapshot(io.Discard, true); err != nil {
			t.Fatal(err)
		}
		const messages = 200
		var largest int64
		for k := range messages {
			do(t, i, message("Transfer", "", k+1))
			var c counter
			if err := i.Snapshot(&c, false); err != nil {
				t.Fatal(err)
			}
			sizes[accounts] += c.n
			largest = max(largest, c.n)
		}
		sizes[accounts] /= messages
		t.Logf("%s accounts: %d bytes per message, at most %d; resident %d", accounts, sizes[accounts], largest, i.Resident())
		if sizes[accounts] > 64<<10 {
			t.Errorf("%s accounts: a small message changes %d bytes", accounts, sizes[accounts])
		}
	}
	if sizes["10000"]*2 > sizes["1000"]*3 {
		t.Errorf("at ten times the state a message changes %d bytes instead of %d", sizes["10000"], sizes["1000"])
	}
}

func TestALiveProcessIsSmall(t *testing.T) {
	i := instance(t, testEngine(t), ledger, vm.Limits{})
	for k := range 1000 {
		do(t, i, message("Transfer", "", k))
	}
	if n := i.Resident(); n > 1<<20 {
		t.Errorf("it holds %d bytes", n)
	}
}

func TestForksEvaluateOnACopy(t *testing.T) {
	i := instance(t, testEngine(t), evaluator, vm.Limits{})
	do(t, i, vm.Input{Message: []byte(`{"Data":"x = 5"}`), Env: []byte("{}")})
	f, err := i.Fork(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 2 {
		out, err := f.Eval(context.Background(), vm.Input{Message: []byte(`{"Data":"x = x + 1 return x"}`), Env: []byte("{}")})
		if err != nil || !strings.Contains(string(out.Response), `"Output":"6"`) {
			t.Fatalf("%s %v", out.Response, err)
		}
	}
	out := do(t, i, vm.Input{Message: []byte(`{"Data":"return x"}`), Env: []byte("{}")})
	if !strings.Contains(string(out.Response), `"Output":"5"`) {
		t.Fatalf("the instance has %s", out.Response)
	}
}

func TestErrorsNameTheLineAndTheWay(t *testing.T) {
	i := instance(t, testEngine(t), `
local function inner(m)
  error("no such thing: " .. m.Data)
end
function handle(m)
  local v = inner(m)
  return v
end`, vm.Limits{})
	out, err := i.Eval(context.Background(), vm.Input{Message: []byte(`{"Data":"\"é\\"}`), Env: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		OK       bool
		Response string
	}
	if err := json.Unmarshal(out.Response, &r); err != nil {
		t.Fatal(err)
	}
	want := "process:3: no such thing: \"é\\\nstack traceback:\n\t[C]: in function 'error'\n\tprocess:3: in upvalue 'inner'\n\tprocess:6: in function 'handle'\n\t[C]: in ?"
	if r.OK || r.Response != want {
		t.Errorf("it says %q", r.Response)
	}
}

func TestTheTimeIsWhatTheProcessSays(t *testing.T) {
	i := instance(t, testEngine(t), evaluator, vm.Limits{})
	for _, c := range []struct{ text, want string }{
		{`return os.time()`, "0"},
		{`require("machine").time(1700000000123) return os.time()`, "1700000000123"},
		{`return os.time()`, "1700000000123"},
		{`require("machine").time(0) return os.date("%Y-%m-%d %H:%M:%S")`, "1970-01-01 00:00:00"},
		{`return os.clock() < 0.001`, "true"},
		{`return require("machine").gas() > 1000`, "true"},
		{`print("a", 1) print("b") return require("machine").printed()`, `a\t1\nb\n`},
		{`return require("machine").printed()`, ""},
	} {
		b, _ := json.Marshal(map[string]string{"Data": c.text})
		out := do(t, i, vm.Input{Message: b, Env: []byte("{}")})
		if !strings.Contains(string(out.Response), `"Output":"`+c.want+`"}`) {
			t.Errorf("%s: %s", c.text, out.Response)
		}
	}
}

// FuzzJSON compares decoding and encoding with the standard library's.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`null`, `true`, `[1,2,3]`, `{"a":{"b":[1.5,-2e10,"x\u00e9\ud83d\ude00"]}}`, `"\ud800"`, `1e400`, `9223372036854775808`, `-0`, `01`,
		`[1,]`, `{"a":1,"a":2}`, `"a` + "\x01" + `"`, `[[[[[[]]]]]]`, ` 1 `, `1 2`, `{"":""}`, `"\u0000"`, `[null,1]`, `{"a":null}`, "\"\xff\"",
	} {
		f.Add([]byte(s))
	}
	i := instance(f, testEngine(f), `
local json = require "json"
function handle(msg) return {again = json.decode(json.encode({msg}))[1], kind = type(msg)} end`, vm.Limits{GasMax: 50_000_000, MemoryMax: 64 << 20})
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 1<<16 {
			return
		}
		out, err := i.Eval(context.Background(), vm.Input{Message: text, Env: []byte("{}")})
		if err != nil {
			t.Fatal(err)
		}
		if err := i.Rollback(); err != nil {
			t.Fatal(err)
		}
		if out.Failure != "" {
			t.Fatalf("%q ended with %s", text, out.Failure)
		}
		var v any
		bad := json.Unmarshal(text, &v)
		refused := bytes.HasPrefix(out.Response, []byte(`{"ok":false,`))
		if bad != nil && !refused && !strings.Contains(bad.Error(), "cannot unmarshal number") && utf8.Valid(text) {
			t.Errorf("%q is no JSON (%v) and was read as %s", text, bad, out.Response)
		}
		if utf8.Valid(text) && !json.Valid(out.Response) {
			t.Errorf("%q gave %s", text, out.Response)
		}
	})
}

// FuzzSource gives the machine texts to run: whatever they are, the machine goes on.
func FuzzSource(f *testing.F) {
	for _, b := range bad {
		f.Add(b.text)
	}
	files, _ := filepath.Glob("testdata/*.lua")
	for _, file := range files {
		for _, p := range sections(f, file)[:5] {
			f.Add(p.text)
		}
	}
	i := instance(f, testEngine(f), evaluator, vm.Limits{GasMax: 3_000_000, MemoryMax: 24 << 20})
	before := memorySum(f, i)
	f.Fuzz(func(t *testing.T, text string) {
		begin := time.Now()
		out, err := eval(t, i, text)
		if err != nil {
			t.Fatal(err)
		}
		// The gas is that of twenty milliseconds of loops.
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("%q took %v", text, took)
		}
		if out.Failure != "" && out.Failure != "out of gas!" {
			t.Errorf("%q ended with %s", text, out.Failure)
		}
		if err := i.Rollback(); err != nil {
			t.Fatal(err)
		}
		if memorySum(t, i) != before {
			t.Fatalf("%q left a trace", text)
		}
	})
}

func TestTheRecordIsThatOfTheMachine(t *testing.T) {
	record, err := os.ReadFile("lua53.record")
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string][]byte{"lua53.wasm": program, "messages.wasm": messages}
	inputs, err := filepath.Glob("build/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range inputs {
		if sums[filepath.Base(f)], err = os.ReadFile(f); err != nil {
			t.Fatal(err)
		}
	}
	for name, b := range sums {
		if line := fmt.Sprintf("%x  %s\n", sha256.Sum256(b), name); !strings.Contains(string(record), line) {
			t.Errorf("%s is not the one of the record: run build/build.sh", name)
		}
	}
}

func TestTheMachineIsBuiltFromItsSources(t *testing.T) {
	if os.Getenv("AGO_LONG") == "" {
		t.Skip("AGO_LONG=1 builds the machine anew: it needs clang-19, lld-19, wasi-libc and Debian's archive")
	}
	for _, tool := range []string{"clang-19", "wasm-ld-19"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	dir := t.TempDir()
	record, err := exec.Command("./build/build.sh", dir).Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, record)
	}
	for name, want := range map[string][]byte{"lua53.wasm": program, "messages.wasm": messages} {
		built, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(built, want) {
			t.Errorf("the build gives another %s than the committed one", name)
		}
	}
	committed, err := os.ReadFile("lua53.record")
	if err != nil {
		t.Fatal(err)
	}
	if string(committed) != string(record) {
		t.Errorf("the record of the build says\n%s\nwhat was built is\n%s", committed, record)
	}
}
