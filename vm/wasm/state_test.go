//go:build linux && amd64 && cgo

package wasm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"ago/vm"
)

const (
	format64      = "wasm64-unknown-emscripten-draft_2024_02_15"
	format32      = "wasm32-unknown-emscripten4"
	format64meter = "wasm64-unknown-emscripten-draft_2024_10_16-metering"
	format32meter = "wasm32-unknown-emscripten-metering"
)

// talk makes the messages of one process.
type talk struct {
	id    string
	nonce int
}

const (
	testOwner  = "sZbTKi69JXQQM6xEiECwhJwvgcp_xCuFTu6P3aOG8xY"
	testModule = "jMaiHuSVEo41VU-6ibE936-8pCp4dS_RBCVAWcPBj1g"
	processTag = `{"name":"Name","value":"test"},{"name":"Data-Protocol","value":"ao"},{"name":"Variant","value":"ao.TN.1"},{"name":"Type","value":"Process"},{"name":"Module","value":"` + testModule + `"}`
)

func newTalk(n int) *talk {
	return &talk{id: fmt.Sprintf("Z4unJU6_T4lVP4awSJOfgjyVJXF9bNf3J6b_yO%05d", n)}
}

func (p *talk) env() []byte {
	return fmt.Appendf(nil, `{"Process":{"Id":%q,"Owner":%q,"Tags":[%s]},"Module":{"Id":%q,"Owner":%q,"Tags":[]}}`,
		p.id, testOwner, processTag, testModule, testOwner)
}

func (p *talk) message(id, tags, data string) vm.Input {
	text, _ := json.Marshal(data)
	m := fmt.Appendf(nil, `{"Id":%q,"Signature":"s","Data":%s,"Owner":%q,"Target":%q,"Anchor":"","From":%q,"Tags":[%s],"Epoch":0,"Nonce":%d,"Timestamp":%d,"Block-Height":1000,"Hash-Chain":"h","Cron":false,"Read-Only":false}`,
		id, text, testOwner, p.id, testOwner, tags, p.nonce, 1700000000000+p.nonce)
	p.nonce++
	return vm.Input{Message: m, Env: p.env()}
}

func (p *talk) send(action, data string) vm.Input {
	return p.message(fmt.Sprintf("2MpuBhVA9ROC7XIoTEr5yL5c1rpWyXcGGyJt%07d", p.nonce), `{"name":"Action","value":"`+action+
		`"},{"name":"Data-Protocol","value":"ao"},{"name":"Variant","value":"ao.TN.1"},{"name":"Type","value":"Message"}`, data)
}

func (p *talk) eval(code string) vm.Input { return p.send("Eval", code) }

// boot is the message that starts the process: its own definition.
func (p *talk) boot() vm.Input { return p.message(p.id, processTag, "") }

// output is what an Eval printed or returned.
func output(tb testing.TB, out vm.Output) string {
	tb.Helper()
	if out.Failure != "" {
		return "failure: " + out.Failure
	}
	var r struct {
		Response struct {
			Error  any
			Output struct{ Data any }
		}
	}
	if err := json.Unmarshal(out.Response, &r); err != nil {
		return string(out.Response)
	}
	if r.Response.Error != nil {
		return fmt.Sprint("error: ", r.Response.Error)
	}
	if m, ok := r.Response.Output.Data.(map[string]any); ok {
		return fmt.Sprint(m["output"])
	}
	return fmt.Sprint(r.Response.Output.Data)
}

type evaluator interface {
	Eval(context.Context, vm.Input) (vm.Output, error)
}

func mustEval(tb testing.TB, i evaluator, in vm.Input) vm.Output {
	tb.Helper()
	out, err := i.Eval(context.Background(), in)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// do evaluates and commits.
func do(tb testing.TB, i vm.Instance, in vm.Input) string {
	tb.Helper()
	out := mustEval(tb, i, in)
	if err := i.Commit(); err != nil {
		tb.Fatal(err)
	}
	return output(tb, out)
}

func undo(tb testing.TB, i vm.Instance) {
	tb.Helper()
	if err := i.Rollback(); err != nil {
		tb.Fatal(err)
	}
}

func aos(tb testing.TB, e *engine, l vm.Limits) (*instance, *talk) {
	return start(tb, e, vm.Module{ID: "aos", Format: format64, Bytes: moduleFile(tb, "aos2_0_6")}, l)
}

func start(tb testing.TB, e *engine, m vm.Module, l vm.Limits) (*instance, *talk) {
	tb.Helper()
	i, err := e.New(context.Background(), m, l)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { i.Close() })
	p := newTalk(0)
	do(tb, i, p.boot())
	return i.(*instance), p
}

// sum is a digest of a linear memory: its length and its pages that are not zero.
type sum struct {
	size  uint64
	pages [32]byte
}

func sumOf(size uint64, content func(i int) []byte) sum {
	h := sha256.New()
	for i := range int(size / pageSize) {
		if p := content(i); p != nil && &p[0] != &zeroPage[0] && !isZero(p) {
			fmt.Fprintf(h, "%d ", i)
			h.Write(p)
		}
	}
	return sum{size, [32]byte(h.Sum(nil))}
}

// stateSum digests the committed memory.
func stateSum(v vm.Instance) sum {
	i := v.(*instance)
	i.catchUp()
	i.image.mu.RLock()
	defer i.image.mu.RUnlock()
	return sumOf(i.image.size, i.image.content)
}

// liveSum digests the memory that the module works on, without touching what nobody touched.
func liveSum(m *machine) sum {
	present := map[int]bool{}
	if err := testScanner().written(m.mem, func(first, n int) {
		for i := first; i < first+n; i++ {
			present[i] = true
		}
	}); err != nil {
		panic(err)
	}
	return sumOf(uint64(len(m.mem)), func(i int) []byte {
		if present[i] || i < m.p.base.imageEnd {
			return m.mem[i*pageSize : (i+1)*pageSize]
		}
		return nil
	})
}

// testScanner looks at memories on its own, so that it does not disturb what an engine's tracks.
var testScanner = sync.OnceValue(func() *scanner {
	s, err := newScanner()
	if err != nil {
		panic(err)
	}
	return s
})

// bothWays runs a test with and without the kernel tracking what is written.
func bothWays(t *testing.T, test func(t *testing.T, e *engine)) {
	t.Run("compared", func(t *testing.T) { test(t, testEngine(t, Config{})) })
	t.Run("tracked", func(t *testing.T) {
		e := testEngine(t, Config{})
		if e.scanner.uffd < 0 {
			t.Skip("this kernel cannot track writes (userfaultfd with asynchronous write protection)")
		}
		e.scanner.from = 1
		test(t, e)
	})
}

func TestRollbackLeavesNoTrace(t *testing.T) { bothWays(t, testRollback) }

func testRollback(t *testing.T, e *engine) {
	i, p := aos(t, e, vm.Limits{})
	do(t, i, p.eval("Count = 1"))
	before, size := stateSum(i), len(i.machine.mem)
	if before != liveSum(i.machine) {
		t.Fatal("the committed memory is not the live one")
	}
	for _, c := range []struct{ name, code string }{
		{"a change", "Count = 2"},
		{"an error", "Count = 3; error('no')"},
		{"much garbage", "local t = {} for k = 1, 50000 do t[k] = {k} end; Count = 4"},
		{"a memory that grows", "Big = string.rep('x', 80 * 1024 * 1024)"},
		{"output", "print('hello'); io.write('there')"},
	} {
		mustEval(t, i, p.eval(c.code))
		undo(t, i)
		if liveSum(i.machine) != before || stateSum(i) != before || len(i.machine.mem) != size {
			t.Errorf("%s left a trace", c.name)
		}
	}
	if e.scanner.from == 1 && i.machine.tracked == 0 {
		t.Error("the kernel does not track, so this test shows nothing")
	}
	if got := do(t, i, p.eval("return Count")); got != "1" {
		t.Errorf("Count is %s", got)
	}
}

func TestTwoInstancesWithTheSameMessagesHaveTheSameState(t *testing.T) {
	e := testEngine(t, Config{})
	a, p := aos(t, e, vm.Limits{})
	b, q := aos(t, e, vm.Limits{})
	for k := range 5 {
		code := fmt.Sprintf("Table = Table or {} Table[#Table+1] = 'row %d' return #Table", k)
		do(t, a, p.eval(code))
		// An evaluation that is undone must not matter.
		mustEval(t, b, q.eval("Table = nil"))
		undo(t, b)
		q.nonce--
		do(t, b, q.eval(code))
	}
	if stateSum(a) != stateSum(b) {
		t.Error("the states differ")
	}
}

func TestAnEvaluationMustBeSettledFirst(t *testing.T) {
	e := testEngine(t, Config{})
	i, p := aos(t, e, vm.Limits{})
	mustEval(t, i, p.eval("return 1"))
	if _, err := i.Eval(context.Background(), p.eval("return 2")); !errors.Is(err, errPending) {
		t.Errorf("got %v", err)
	}
}

func TestForkSeesOneVersionAndLeavesTheInstanceAlone(t *testing.T) { bothWays(t, testForkVersion) }

func testForkVersion(t *testing.T, e *engine) {
	i, p := aos(t, e, vm.Limits{})
	do(t, i, p.eval("Count = 10"))
	made, err := i.Fork(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	f := made.(*fork)
	defer f.Close()
	ask := func(want string) {
		t.Helper()
		for range 2 {
			if got := output(t, mustEval(t, f, p.eval("Count = Count + 1 return Count"))); got != want {
				t.Fatalf("the fork answers %s, want %s", got, want)
			}
		}
	}
	ask("11")
	for k := range 4 {
		do(t, i, p.eval("Count = Count * 2 Garbage = string.rep('g', 100000)"))
		ask("11") // until it is refreshed
		if k == 2 {
			// A dry run that grows the memory is undone as well, also if the instance's memory has grown meanwhile.
			mustEval(t, f, p.eval("Big = string.rep('x', 80 * 1024 * 1024)"))
			do(t, i, p.eval("Big = string.rep('y', 80 * 1024 * 1024)"))
			ask("11")
		}
	}
	if i.image.stashed == 0 {
		t.Error("nothing was kept for the fork, so this test shows nothing")
	}
	before := stateSum(i)
	if err := f.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	ask("161")
	if stateSum(i) != before || liveSum(i.machine) != before {
		t.Error("the fork changed the instance")
	}
	if err := f.clean(); err != nil {
		t.Fatal(err)
	}
	if liveSum(f.machine) != before {
		t.Error("the refreshed copy is not the instance's state")
	}
	f.Close()
	do(t, i, p.eval("return 1"))
	if i.image.stashed != 0 {
		t.Error("pages are kept for a fork that is gone")
	}
}

func TestForksRunWhileTheInstanceEvaluates(t *testing.T) { bothWays(t, testForksRun) }

func testForksRun(t *testing.T, e *engine) {
	i, p := aos(t, e, vm.Limits{})
	do(t, i, p.eval("A, B = 0, 0"))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for n := range 3 {
		f, err := i.Fork(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer f.Close()
			q := &talk{id: p.id, nonce: 1000 * (n + 1)}
			for k := 0; ; k++ {
				select {
				case <-stop:
					return
				default:
				}
				if k%3 == 0 {
					if err := f.Refresh(context.Background()); err != nil {
						t.Error(err)
						return
					}
				}
				out, err := f.Eval(context.Background(), q.eval("A = A + 1 return A - B"))
				if err != nil {
					t.Error(err)
					return
				}
				if got := output(t, out); got != "1" {
					t.Errorf("a fork saw half a message: %s", got)
					return
				}
			}
		}()
	}
	for range 60 {
		do(t, i, p.eval("A = A + 1 for k = 1, 3000 do local t = {k} end B = B + 1"))
	}
	close(stop)
	wg.Wait()
}

func TestSnapshotsGiveTheStateBack(t *testing.T) {
	t.Run("64 bit", func(t *testing.T) {
		testSnapshots(t, vm.Module{ID: "aos", Format: format64, Bytes: moduleFile(t, "aos2_0_6")}, format64meter)
	})
	t.Run("for any host", func(t *testing.T) { testSnapshots(t, standaloneModule(t), format64meter) })
	t.Run("32 bit", func(t *testing.T) {
		testSnapshots(t, vm.Module{ID: "aos", Format: format32, Bytes: moduleFile(t, "aos2_0_4_32")}, format32meter)
	})
}

func testSnapshots(t *testing.T, module vm.Module, otherFormat string) {
	e := testEngine(t, Config{})
	i, p := start(t, e, module, vm.Limits{})
	var snapshots [][]byte
	for k := range 4 {
		do(t, i, p.eval(fmt.Sprintf("Log = Log or {} Log[#Log+1] = os.clock() Text = string.rep('abc', %d)", 20000*k)))
		var b bytes.Buffer
		if err := i.Snapshot(&b, k == 2); err != nil {
			t.Fatal(err)
		}
		t.Logf("snapshot %d: %d bytes", k, b.Len())
		snapshots = append(snapshots, b.Bytes())
	}
	restore := func(m vm.Module, from ...[]byte) (*instance, error) {
		var rs []io.Reader
		for _, b := range from {
			rs = append(rs, bytes.NewReader(b))
		}
		j, err := e.Restore(context.Background(), m, vm.Limits{}, rs...)
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { j.Close() })
		return j.(*instance), nil
	}
	want := stateSum(i)
	j, err := restore(module, snapshots[2:]...)
	if err != nil {
		t.Fatal(err)
	}
	if stateSum(j) != want || liveSum(j.machine) != want {
		t.Fatal("the restored state differs")
	}
	q := *p
	for range 3 {
		a, b := do(t, i, p.eval("return #Log .. ' ' .. os.clock()")), do(t, j, q.eval("return #Log .. ' ' .. os.clock()"))
		if a != b {
			t.Fatalf("the restored one goes on with %q, not %q", b, a)
		}
	}
	if stateSum(j) != stateSum(i) {
		t.Fatal("the restored one goes another way")
	}
	// It goes on with its own sequence of snapshots.
	var b bytes.Buffer
	if err := j.Snapshot(&b, false); err != nil {
		t.Fatal(err)
	}
	k, err := restore(module, snapshots[2], snapshots[3], b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if stateSum(k) != stateSum(i) {
		t.Fatal("the state after a continued sequence differs")
	}

	other := module
	other.Format = otherFormat
	full := snapshots[2]
	refuse := func(name string, m vm.Module, from ...[]byte) {
		t.Helper()
		if j, err := restore(m, from...); !errors.Is(err, ErrSnapshot) && (err != nil || stateSum(j) != want) {
			t.Errorf("%s was accepted: %v", name, err)
		}
	}
	refuse("nothing", module)
	refuse("a difference alone", module, snapshots[1])
	refuse("the wrong order", module, snapshots[2], b.Bytes(), snapshots[3])
	refuse("another format", other, full)
	for _, cut := range []int{0, 3, 20, len(full) / 2, len(full) - 1} {
		refuse(fmt.Sprintf("the first %d bytes", cut), module, full[:cut])
	}
	for at := 0; at < len(full); at += 1 + len(full)/40 {
		bad := bytes.Clone(full)
		bad[at] ^= 0x10
		refuse(fmt.Sprintf("a damaged byte at %d", at), module, bad, snapshots[3])
	}
}

func TestLegacyMemoryGivesTheStateBack(t *testing.T) {
	e := testEngine(t, Config{})
	i, p := aos(t, e, vm.Limits{})
	do(t, i, p.eval("Count = 41"))
	var b bytes.Buffer
	n, err := i.Memory(&b)
	if err != nil {
		t.Fatal(err)
	}
	if int(n) != b.Len() || !bytes.Equal(b.Bytes(), i.machine.mem) {
		t.Fatal("what is written is not the linear memory")
	}
	j, err := e.RestoreMemory(context.Background(), i.module, vm.Limits{}, &b)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if got := do(t, j, p.eval("return Count + 1")); got != "42" {
		t.Errorf("got %s", got)
	}
	if _, err := e.RestoreMemory(context.Background(), i.module, vm.Limits{}, strings.NewReader("short")); !errors.Is(err, ErrSnapshot) {
		t.Errorf("got %v", err)
	}
}

func TestMemoryLimitFailsTheAllocation(t *testing.T) {
	e := testEngine(t, Config{})
	i, p := aos(t, e, vm.Limits{MemoryMax: 128 << 20})
	out := mustEval(t, i, p.eval("local ok, e = pcall(string.rep, 'x', 100 * 1024 * 1024) return tostring(ok) .. ' ' .. tostring(e)"))
	if got := output(t, out); !strings.HasPrefix(got, "false") {
		t.Errorf("got %s", got)
	}
	if n := len(i.machine.mem); n > 128<<20 {
		t.Errorf("the memory has %d bytes", n)
	}
	undo(t, i)
	if got := do(t, i, p.eval("return #string.rep('x', 1000000)")); got != "1000000" {
		t.Errorf("got %s", got)
	}
}

func TestCancellationStopsAndLeavesNoTrace(t *testing.T) {
	e := testEngine(t, Config{})
	i, p := aos(t, e, vm.Limits{})
	before := stateSum(i)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := i.Eval(ctx, p.eval("while true do pcall(function() while true do end end) end"))
	if !errors.Is(err, vm.ErrUnfinished) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	if d := time.Since(began); d > 2*time.Second {
		t.Errorf("it took %v to stop", d)
	}
	if err := i.Commit(); err == nil {
		t.Error("it could be committed")
	}
	undo(t, i)
	if liveSum(i.machine) != before {
		t.Error("it left a trace")
	}
	p.nonce--
	if got := do(t, i, p.eval("return 1 + 1")); got != "2" {
		t.Errorf("got %s", got)
	}
}
