//go:build linux && amd64 && cgo

package wasm

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"ago/vm"
)

var rewriteGolden = flag.Bool("rewrite", false, "write testdata anew")

// counting is a module that counts in a global, keeps the count in its memory, and answers it.
func counting(tb testing.TB) vm.Module {
	return small(tb, `(import "env" "emscripten_date_now" (func $now (result f64)))`, `
    (global.set $count (i64.add (global.get $count) (i64.const 1)))
    (i64.store (i64.add (i64.const 70000) (i64.mul (global.get $count) (i64.const 8))) (global.get $count))
    (i64.store8 (i64.const 2048) (i64.add (i64.const 48) (global.get $count)))
    (i64.store8 (i64.const 2049) (i64.add (i64.const 48) (i64.sub (i64.trunc_f64_u (call $now)) (i64.const 10000))))
    (i64.store8 (i64.const 2050) (i64.const 0))
    (i64.const 2048)`, "")
}

// TestGoldenSnapshots reads snapshots written by the first release with this version of the format. If it fails, the
// format has changed: give it a new version number and keep these files readable.
func TestGoldenSnapshots(t *testing.T) {
	e := testEngine(t, Config{})
	m := counting(t)
	names := []string{filepath.Join("testdata", "snapshot-v1-full.bin"), filepath.Join("testdata", "snapshot-v1-delta.bin")}
	if *rewriteGolden {
		i, err := e.New(t.Context(), m, vm.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		defer i.Close()
		for _, name := range names {
			mustEval(t, i, vm.Input{})
			if err := i.Commit(); err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := i.Snapshot(&b, false); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	full, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	delta, err := os.ReadFile(names[1])
	if err != nil {
		t.Fatal(err)
	}
	i, err := e.Restore(t.Context(), m, vm.Limits{}, bytes.NewReader(full), bytes.NewReader(delta))
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	if out := mustEval(t, i, vm.Input{}); string(out.Response) != "36" {
		t.Errorf("the restored one answers %q, want the third count at the clock's sixth reading", out.Response)
	}
	newer := bytes.Clone(full)
	newer[7] = 9
	if _, err := e.Restore(t.Context(), m, vm.Limits{}, bytes.NewReader(newer)); !errors.Is(err, ErrSnapshot) {
		t.Errorf("a later version was accepted: %v", err)
	}
}

func FuzzSnapshot(f *testing.F) {
	e := testEngine(f, Config{})
	m := counting(f)
	for _, name := range []string{"full", "delta"} {
		b, err := os.ReadFile(filepath.Join("testdata", "snapshot-v1-"+name+".bin"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(snapshotMagic))
	p, err := e.program(f.Context(), m, false)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		im := newImage(&e.arena, p.base)
		defer im.close()
		if _, err := im.read(bytes.NewReader(b), p, checksum{}, true); err != nil && !errors.Is(err, ErrSnapshot) {
			t.Errorf("an error of another kind: %v", err)
		}
	})
}

// FuzzSnapshotBody reads bodies that are whole and hashed rightly, so that the fuzzer gets past the checksum.
func FuzzSnapshotBody(f *testing.F) {
	e := testEngine(f, Config{})
	p, err := e.program(f.Context(), counting(f), false)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint64(4*wasmPage), uint16(1), []byte{}, byte(pageRaw), uint32(3), byte(pagesEnd))
	f.Add(uint64(1<<40), uint16(9), []byte{1, 2, 3}, byte(pageXor), uint32(1<<31), byte(7))
	f.Fuzz(func(t *testing.T, size uint64, globals uint16, files []byte, how byte, index uint32, end byte) {
		var b bytes.Buffer
		err := writeFrame(&b, func(out *snapshotWriter) {
			out.byte(snapshotFull)
			out.bytes(p.hash[:])
			out.bytes(p.base.digest[:])
			out.bytes(make([]byte, len(checksum{})))
			out.byte(byte(len(p.abi.format)))
			out.bytes([]byte(p.abi.format))
			out.word(size)
			out.word(1)
			out.word(2)
			out.byte(1)
			out.long(uint32(len(files)))
			out.bytes(files)
			out.long(uint32(globals))
			for range globals {
				out.word(3)
			}
			out.byte(how)
			out.long(index)
			out.bytes(make([]byte, pageSize))
			out.byte(end)
		}, new(checksum))
		if err != nil {
			t.Fatal(err)
		}
		im := newImage(&e.arena, p.base)
		defer im.close()
		_, err = im.read(&b, p, checksum{}, true)
		if err != nil && !errors.Is(err, ErrSnapshot) {
			t.Errorf("an error of another kind: %v", err)
		}
		if err == nil && (im.size != size || size%wasmPage != 0 || uint64(index) >= size/pageSize) {
			t.Errorf("a snapshot with a memory of %d bytes and page %d was accepted", size, index)
		}
	})
}

// TestSnapshotsOfMuchChange: of more pages than are kept for the next snapshot, what changed is written right all the same, and
// nothing stays behind.
func TestSnapshotsOfMuchChange(t *testing.T) { bothWays(t, testMuchChange) }

func testMuchChange(t *testing.T, e *engine) {
	i, p := aos(t, e, vm.Limits{})
	var snapshots [4]bytes.Buffer
	for k := range snapshots {
		do(t, i, p.eval(`Big = Big or {} for k = 1, 48 do Big[k] = string.rep(string.char(64 + (k + `+strconv.Itoa(k)+`) % 60), 262144) end`))
		write, err := i.Pin(k == 0)
		if err != nil {
			t.Fatal(err)
		}
		pinned := stateSum(i)
		if k == 2 {
			do(t, i, p.eval("for k = 1, 48, 2 do Big[k] = string.rep('z', 262144) end")) // between pinning and writing
		}
		if err := write(&snapshots[k]); err != nil {
			t.Fatal(err)
		}
		var from []io.Reader
		for j := range k + 1 {
			from = append(from, bytes.NewReader(snapshots[j].Bytes()))
		}
		back, err := e.Restore(t.Context(), i.module, vm.Limits{}, from...)
		if err != nil {
			t.Fatal(err)
		}
		if stateSum(back) != pinned {
			t.Fatalf("snapshot %d gives another state back", k)
		}
		back.Close()
	}
	if i.image.unswept != 0 || i.image.stashed > 0 && i.image.pins[&i.chain.pin] {
		t.Error("pages stay behind that nothing needs")
	}
	if n := len(e.arena.warm); n > warmMax {
		t.Errorf("%d free pages keep their memory", n)
	}
}

// TestSnapshotsAtOnce: while one is written, another one stands for itself, and the next after both does too.
func TestSnapshotsAtOnce(t *testing.T) {
	e := testEngine(t, Config{})
	i, p := aos(t, e, vm.Limits{})
	var kept [3]bytes.Buffer
	pin := func() func(io.Writer) error {
		write, err := i.Pin(false)
		if err != nil {
			t.Fatal(err)
		}
		return write
	}
	first := pin()
	do(t, i, p.eval("A = 1"))
	second := pin()
	for k, write := range []func(io.Writer) error{first, second} {
		if err := write(&kept[k]); err != nil {
			t.Fatal(err)
		}
	}
	do(t, i, p.eval("A = 2"))
	if err := pin()(&kept[2]); err != nil {
		t.Fatal(err)
	}
	for k, want := range []string{"nil", "1", "2"} {
		back, err := e.Restore(t.Context(), i.module, vm.Limits{}, bytes.NewReader(kept[k].Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if got := do(t, back, p.eval("return tostring(A)")); got != want {
			t.Errorf("snapshot %d has %s, not %s", k, got, want)
		}
		back.Close()
	}
}

func TestSnapshotsAreTakenBesideEvaluations(t *testing.T) { bothWays(t, testSnapshotsBeside) }

func testSnapshotsBeside(t *testing.T, e *engine) {
	i, p := aos(t, e, vm.Limits{})
	seen := map[sum]bool{stateSum(i): true}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for k := 0; ; k++ {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := i.Eval(context.Background(), p.eval("A = (A or 0) + 1 T = string.rep('t', A * 1000)")); err != nil {
				t.Error(err)
				return
			}
			if k%5 == 4 {
				if err := i.Rollback(); err != nil {
					t.Error(err)
				}
				continue
			}
			if err := i.Commit(); err != nil {
				t.Error(err)
				return
			}
			seen[stateSum(i)] = true
		}
	}()
	const count = 12
	var snapshots [count]bytes.Buffer
	var memories [3]bytes.Buffer
	for k := range snapshots {
		if err := i.Snapshot(&snapshots[k], k%5 == 4); err != nil {
			t.Fatal(err)
		}
		if k < len(memories) {
			if _, err := i.Memory(&memories[k]); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(stop)
	<-done
	if len(seen) < 4 {
		t.Fatalf("only %d states were made meanwhile", len(seen))
	}
	last := 0 // the newest full one
	for k := range snapshots {
		if k%5 == 4 {
			last = k
		}
		var from []io.Reader
		for j := last; j <= k; j++ {
			from = append(from, bytes.NewReader(snapshots[j].Bytes()))
		}
		j, err := e.Restore(t.Context(), i.module, vm.Limits{}, from...)
		if err != nil {
			t.Fatalf("snapshot %d: %v", k, err)
		}
		if !seen[stateSum(j)] {
			t.Errorf("snapshot %d is of a state that never was", k)
		}
		j.Close()
	}
	for k := range memories {
		b := memories[k].Bytes()
		if !seen[sumOf(uint64(len(b)), func(i int) []byte { return b[i*pageSize : (i+1)*pageSize] })] {
			t.Errorf("memory %d is of a state that never was", k)
		}
	}
}
