//go:build linux && amd64 && cgo

package wasm

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"ago/vm"
)

// shelf is a drive of texts by path. It fails with err as long as that is set.
type shelf struct {
	texts map[string]string
	err   error
	calls int
	short bool // reads end early
}

func (s *shelf) Open(_ context.Context, path string) (int64, error) {
	s.calls++
	if s.err != nil {
		return 0, s.err
	}
	text, ok := s.texts[path]
	if !ok {
		return 0, vm.ErrNoFile
	}
	return int64(len(text)), nil
}

func (s *shelf) ReadAt(_ context.Context, path string, b []byte, offset int64) (int, error) {
	s.calls++
	if s.err != nil {
		return 0, s.err
	}
	text := s.texts[path]
	if s.short {
		text = text[:len(text)/2]
	}
	if offset >= int64(len(text)) {
		return 0, nil
	}
	return copy(b, text[offset:]), nil
}

func (s *shelf) Close() error { return nil }

// fileTalk is a process with a drive.
type fileTalk struct {
	*talk
	t     *testing.T
	inst  vm.Instance
	drive *shelf
}

func newFileTalk(t *testing.T, e *engine) *fileTalk {
	t.Helper()
	inst, err := e.New(t.Context(), aos32(t), vm.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	f := &fileTalk{newTalk(3), t, inst, &shelf{texts: map[string]string{"/data/a": "the first file", "/data/b": strings.Repeat("0123456789", 100_000), "/tx/t": `{"t":1}`}}}
	t.Cleanup(func() { f.inst.Close() })
	f.do(f.boot())
	return f
}

func aos32(t *testing.T) vm.Module {
	return vm.Module{ID: "aos32", Format: format32, Bytes: moduleFile(t, "aos2_0_4_32")}
}

// do evaluates and settles as a unit does, and gives the output or the failure.
func (f *fileTalk) do(in vm.Input) string {
	f.t.Helper()
	in.Drive = f.drive
	out, err := f.inst.Eval(f.t.Context(), in)
	if err != nil {
		f.t.Fatal(err)
	}
	if out.Failure != "" {
		if err := f.inst.Rollback(); err != nil {
			f.t.Fatal(err)
		}
		return out.Failure
	}
	if err := f.inst.Commit(); err != nil {
		f.t.Fatal(err)
	}
	return output(f.t, out)
}

func (f *fileTalk) lua(code string) string {
	f.t.Helper()
	return f.do(f.eval(code))
}

const readA = `local f = io.open('/data/a') local s = f:read(f:seek('end')) f:close() return s`

func TestTwoFilesAtATime(t *testing.T) {
	f := newFileTalk(t, testEngine(t, Config{}))
	got := f.lua(`local a, b, c = io.open('/data/a'), io.open('/data/b'), io.open('/tx/t')
		local out = a:read(3) .. b:read(3) .. c:read(c:seek('end')) .. a:read(3)
		b:close() out = out .. a:read(3) a:close() c:close() return out`)
	if want := `the012{"t":1} first`; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := f.lua(`return tostring(io.open('/data/none')) .. tostring(io.open('/data'))`); got != "nilnil" {
		t.Error(got)
	}
	if got := f.lua(`local f = io.open('/data/b') f:seek('set', 500003) local s = f:read(300000) return #s .. s:sub(1, 9) .. f:seek()`); got != "300000345678901800003" {
		t.Error(got)
	}
}

// What cannot be had leaves no result and no trace: afterwards the same message gives what it would have given at once.
func TestAnUnavailableFileLeavesTheEvaluationUnfinished(t *testing.T) {
	e := testEngine(t, Config{})
	want := newFileTalk(t, e)
	f := newFileTalk(t, e)
	in := f.eval("Read = (Read or 0) + 1 " + readA)
	for _, spoil := range []func(*shelf){func(s *shelf) { s.err = errors.New("no answer") }, func(s *shelf) { s.short = true }} {
		spoil(f.drive)
		in.Drive = f.drive
		if out, err := f.inst.Eval(t.Context(), in); !errors.Is(err, vm.ErrUnfinished) {
			t.Fatalf("%+v, %v", out, err)
		}
		if err := f.inst.Rollback(); err != nil {
			t.Fatal(err)
		}
		f.drive.err, f.drive.short = nil, false
	}
	if got := f.do(in); got != "the first file" {
		t.Error(got)
	}
	want.lua("Read = (Read or 0) + 1 " + readA)
	var a, b bytes.Buffer
	if err := errors.Join(f.inst.Snapshot(&a, true), want.inst.Snapshot(&b, true)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("the attempts that were undone show in the state")
	}
}

func TestARefusedFileIsAResult(t *testing.T) {
	f := newFileTalk(t, testEngine(t, Config{}))
	f.drive.err = &vm.Refused{Text: "HALT: FILE NOT FOUND"}
	if got := f.lua("Touched = true " + readA); got != "HALT: FILE NOT FOUND" {
		t.Error(got)
	}
	f.drive.err = nil
	if got := f.lua("return tostring(Touched)"); !strings.HasSuffix(got, "\nnil") {
		t.Error("the failed message left a trace: ", got)
	}
}

// An open file is part of the state: it goes on after a restart. Its content is read from the drive of that message.
func TestOpenFilesSurviveARestart(t *testing.T) {
	e := testEngine(t, Config{})
	f := newFileTalk(t, e)
	if got := f.lua(`A, T = io.open('/data/a'), io.open('/tx/t') return A:read(4) .. T:read(3)`); got != `the {"t` {
		t.Fatal(got)
	}
	var b bytes.Buffer
	if err := f.inst.Snapshot(&b, true); err != nil {
		t.Fatal(err)
	}
	again, err := e.Restore(t.Context(), aos32(t), vm.Limits{}, &b)
	if err != nil {
		t.Fatal(err)
	}
	f.inst.Close()
	f.inst = again
	delete(f.drive.texts, "/tx/t") // a record is kept with the state
	if got := f.lua(`return A:read(5) .. T:read(4)`); got != `first":1}` {
		t.Error(got)
	}
}

// Evaluations that read files are not kept as inputs to be evaluated again: nobody keeps their drive.
func TestReadingIsCommittedAtOnce(t *testing.T) {
	e := testEngine(t, Config{})
	e.lateMax, e.lateAfter = 16, 1
	f := newFileTalk(t, e)
	for range 4 {
		f.lua("return 1")
	}
	if f.inst.(*instance).steady < 3 || len(f.inst.(*instance).image.behind) == 0 {
		t.Fatal("commits do not come late, so nothing is tested")
	}
	if got := f.lua(readA); got != "the first file" {
		t.Error(got)
	}
	if n := len(f.inst.(*instance).image.behind); n != 0 {
		t.Errorf("%d evaluations are behind", n)
	}
	calls := f.drive.calls
	fork, err := f.inst.Fork(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer fork.Close()
	if f.drive.calls != calls {
		t.Error("copying the state read files")
	}
	in := f.eval(readA)
	in.Drive = f.drive
	if out, err := fork.Eval(t.Context(), in); err != nil || output(t, out) != "the first file" {
		t.Error(out, err)
	}
}

func TestOneMessageOpensSoManyFiles(t *testing.T) {
	f := newFileTalk(t, testEngine(t, Config{}))
	f.drive.err = vm.ErrNoFile
	got := f.lua(`for i = 1, 1024 do io.open('/data/' .. i) end return 'done'`)
	more := f.lua(`for i = 1, 1025 do io.open('/data/' .. i) end return 'done'`)
	if got != "done" || more != "HALT: MORE THAN 1024 FILES OPENED" {
		t.Errorf("%q, %q", got, more)
	}
}
