package checkpoint

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ago/compute"
	"ago/message"
	"ago/process"
	"ago/slotlog"
)

var (
	aProcess = message.HashOf([]byte("process"))
	aModule  = message.HashOf([]byte("module"))
)

func position(slot slotlog.Slot) compute.Position {
	return compute.Position{Process: aProcess, Module: aModule, Slot: slot, Timestamp: int64(5000 + slot), BlockHeight: 7,
		Assignment: message.HashOf([]byte("assignment")), HashChain: message.HashOf([]byte("chain"))}
}

// memoryOf is a memory that tells its slot at every place.
func memoryOf(slot slotlog.Slot) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "%08d", slot), 8192)
}

func find(t testing.TB, m compute.Memories, before slotlog.Slot) []compute.Memory {
	t.Helper()
	found, err := m.Find(context.Background(), process.Definition{ID: aProcess}, before)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// newest gives the first memory that can be read whole.
func newest(t testing.TB, m compute.Memories) (compute.Position, []byte) {
	t.Helper()
	for _, f := range find(t, m, 1<<40) {
		if b, err := read(f); err == nil {
			return f.Position, b
		}
	}
	return compute.Position{}, nil
}

func read(m compute.Memory) ([]byte, error) {
	r, err := m.Open(context.Background())
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func keep(t testing.TB, m compute.Memories, slot slotlog.Slot) {
	t.Helper()
	if err := m.Keep(context.Background(), position(slot), bytes.NewReader(memoryOf(slot))); err != nil {
		t.Fatal(err)
	}
}

func TestFilesGiveBackTheNewestMemoryAndTheOneBefore(t *testing.T) {
	f := Files{Dir: filepath.Join(t.TempDir(), "made", "when needed")}
	if got := find(t, f, 100); len(got) != 0 {
		t.Fatalf("an absent folder has %v", got)
	}
	for slot := range slotlog.Slot(4) {
		keep(t, f, slot)
		at, b := newest(t, f)
		if at != position(slot) || !bytes.Equal(b, memoryOf(slot)) {
			t.Fatalf("after slot %d: %+v", slot, at)
		}
	}
	older := find(t, f, 3)
	if len(older) == 0 || older[0].Position != position(2) {
		t.Fatalf("before slot 3: %v", older)
	}
	if b, err := read(older[0]); err != nil || !bytes.Equal(b, memoryOf(2)) {
		t.Errorf("the one before: %v", err)
	}
	if got, err := f.Find(context.Background(), process.Definition{ID: aModule}, 100); len(got) != 0 || err != nil {
		t.Errorf("another process: %v, %v", got, err)
	}
	// The names and the bytes are those other units know.
	raw, err := os.ReadFile(filepath.Join(f.Dir, "state-"+aProcess.String()+".dat"))
	if err != nil || !bytes.Equal(raw, memoryOf(3)) {
		t.Errorf("the file: %v", err)
	}
	text, err := os.ReadFile(filepath.Join(f.Dir, "state-"+aProcess.String()+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var r map[string]any
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"processId": aProcess.String(), "moduleId": aModule.String(), "assignmentId": position(3).Assignment.String(),
		"hashChain": position(3).HashChain.String(), "timestamp": 5003.0, "epoch": 0.0, "nonce": 3.0, "blockHeight": 7.0, "ordinate": "3",
		"size": 65536.0, "sha256": fmt.Sprintf("%x", sha256.Sum256(memoryOf(3))),
	} {
		if r[name] != want {
			t.Errorf("%s is %v, want %v", name, r[name], want)
		}
	}
}

func TestDamagedFilesAreNotUsed(t *testing.T) {
	change := func(name string, f func([]byte) []byte) func(*testing.T, Files) {
		return func(t *testing.T, files Files) {
			path := files.path(aProcess, name)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, f(b), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(name string) func(*testing.T, Files) {
		return func(t *testing.T, f Files) {
			if err := os.Remove(f.path(aProcess, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, spoil := range map[string]func(*testing.T, Files){
		"a byte":       change(".dat", func(b []byte) []byte { b[100] ^= 1; return b }),
		"cut off":      change(".dat", func(b []byte) []byte { return b[:len(b)/2] }),
		"empty":        change(".dat", func([]byte) []byte { return nil }),
		"absent":       remove(".dat"),
		"no record":    remove(".json"),
		"record empty": change(".json", func([]byte) []byte { return nil }),
		"record cut":   change(".json", func(b []byte) []byte { return b[:len(b)/2] }),
		"another hash": change(".json", func(b []byte) []byte { return bytes.Replace(b, []byte(`"sha256":"`), []byte(`"sha256":"00`), 1) }),
		"no hash":      change(".json", func(b []byte) []byte { return bytes.Replace(b, []byte(`"sha256"`), []byte(`"was"`), 1) }),
		"encoding":     change(".json", func(b []byte) []byte { return bytes.Replace(b, []byte(`{`), []byte(`{"encoding":"br",`), 1) }),
		"not gzip":     change(".json", func(b []byte) []byte { return bytes.Replace(b, []byte(`{`), []byte(`{"encoding":"gzip",`), 1) }),
		"a cron's":     change(".json", func(b []byte) []byte { return bytes.Replace(b, []byte(`{`), []byte(`{"cron":"0-1-block",`), 1) }),
	} {
		t.Run(name, func(t *testing.T) {
			f := Files{Dir: t.TempDir()}
			keep(t, f, 1)
			keep(t, f, 2)
			spoil(t, f)
			found, _ := f.Find(context.Background(), process.Definition{ID: aProcess}, 100)
			var good []slotlog.Slot
			for _, m := range found {
				if b, err := read(m); err == nil {
					if !bytes.Equal(b, memoryOf(m.Slot)) {
						t.Fatalf("slot %d was read as another", m.Slot)
					}
					good = append(good, m.Slot)
				}
			}
			if len(good) != 1 || good[0] != 1 {
				t.Errorf("usable are %v, want only slot 1", good)
			}
		})
	}
}

// TestKilledWhileWriting kills a program that writes memory after memory, and looks what is left: always a good one, and no
// older than the last but one that was told to be there.
func TestKilledWhileWriting(t *testing.T) {
	if dir := os.Getenv("AGO_TEST_KEEP"); dir != "" {
		for slot := slotlog.Slot(1); ; slot++ {
			keep(t, Files{Dir: dir}, slot)
			fmt.Printf("kept %d\n", slot)
		}
	}
	for round := range 12 {
		dir := t.TempDir()
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledWhileWriting$")
		cmd.Env = append(os.Environ(), "AGO_TEST_KEEP="+dir)
		var out bytes.Buffer
		cmd.Stdout = &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(20 * time.Second); ; { // until it has begun to replace files
			if _, err := os.Stat(filepath.Join(dir, "state-"+aProcess.String()+".json.old")); err == nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("nothing was written")
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(round*1700) * time.Microsecond) // somewhere in the writing; any place is right
		cmd.Process.Kill()
		cmd.Wait()
		told := 0
		for line := range strings.SplitSeq(out.String(), "\n") {
			if n, ok := strings.CutPrefix(line, "kept "); ok {
				if k, err := strconv.Atoi(n); err == nil {
					told = k
				}
			}
		}
		at, b := newest(t, Files{Dir: dir})
		if !bytes.Equal(b, memoryOf(at.Slot)) || at != position(at.Slot) || int(at.Slot) < told {
			t.Fatalf("round %d: the newest is of slot %d after %d were told to be kept", round, at.Slot, told)
		}
		keep(t, Files{Dir: dir}, at.Slot+1000) // what is left does not hinder the next
		if at, _ := newest(t, Files{Dir: dir}); at.Slot < 1000 {
			t.Fatalf("round %d: the next is of slot %d", round, at.Slot)
		}
	}
}

func TestAllKeepsEverywhereAndOneFailureHindersNobody(t *testing.T) {
	a, b := Files{Dir: t.TempDir()}, Files{Dir: t.TempDir()}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	bad := Files{Dir: file}
	err := All{a, bad, b}.Keep(context.Background(), position(3), bytes.NewReader(memoryOf(3)))
	if err == nil {
		t.Error("the failure is not told")
	}
	for _, f := range []Files{a, b} {
		if at, _ := newest(t, f); at.Slot != 3 {
			t.Errorf("%s has slot %d", f.Dir, at.Slot)
		}
	}
	keep(t, b, 9)
	if found := find(t, All{a, b}, 100); len(found) < 2 {
		t.Errorf("found %v", found)
	}
	broken := errors.New("broken")
	if err := (All{a, b}).Keep(context.Background(), position(4), io.MultiReader(strings.NewReader("x"), failing{broken})); !errors.Is(err, broken) {
		t.Errorf("a memory that ends early: %v", err)
	}
	if at, _ := newest(t, a); at.Slot != 3 {
		t.Errorf("a memory that ended early was kept as slot %d", at.Slot)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"processId":"","sha256":"00","nonce":3}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		files := Files{Dir: dir}
		if err := os.WriteFile(files.path(aProcess, ".json"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(files.path(aProcess, ".dat"), memoryOf(1), 0o600); err != nil {
			t.Fatal(err)
		}
		found, _ := files.Find(context.Background(), process.Definition{ID: aProcess}, 100)
		for _, m := range found {
			if b, err := read(m); err == nil && !bytes.Equal(b, memoryOf(1)) && m.Slot < 100 {
				t.Errorf("%q gives %d bytes", text, len(b))
			}
		}
	})
}
