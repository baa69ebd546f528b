//go:build linux && amd64 && cgo

package wasm

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// TestFilesBehaveLikeAMap writes, cuts, renames and removes files and compares with a map of contents. Now and then
// the state is kept, as a commit does, and later compared: what is changed afterwards must not show in it.
func TestFilesBehaveLikeAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var f files
		model := map[string][]byte{}
		type state struct {
			files files
			model map[string][]byte
		}
		var kept []state
		name := rapid.SampledFrom([]string{"/a", "/b", "/tmp/a", "/tmp/../tmp/b", "/data/c"})
		check := func(f files, model map[string][]byte) {
			fs := f.look()
			for p, want := range model {
				_, n, e := fs.find(p, true)
				if e != 0 || !bytes.Equal(n.data, want) {
					t.Fatalf("%s: error %d, %v, want %v", p, e, n, want)
				}
			}
			total := 0
			for _, n := range fs.nodes {
				total += len(n.data)
			}
			if total != fs.bytes {
				t.Fatalf("%d bytes are counted, there are %d", fs.bytes, total)
			}
			var g files
			if err := g.decode(f.encode()); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(g.encode(), f.encode()) {
				t.Fatal("reading the written form gives another file system")
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				p := absolute(name.Draw(t, "name"))
				fs := f.edit()
				_, n, e := fs.find(p, true)
				if e == errNotFound {
					n, e = fs.create(p, modeFile|0o666, 7)
				}
				if e != 0 {
					t.Fatalf("error %d", e)
				}
				at := rapid.IntRange(0, 40).Draw(t, "at")
				b := rapid.SliceOfN(rapid.Byte(), 1, 30).Draw(t, "bytes")
				if e := fs.writeAt(n, b, int64(at)); e != 0 {
					t.Fatalf("error %d", e)
				}
				c := bytes.Clone(model[p])
				if len(c) < at+len(b) {
					c = append(c, make([]byte, at+len(b)-len(c))...)
				}
				copy(c[at:], b)
				model[p] = c
			},
			"resize": func(t *rapid.T) {
				p := absolute(name.Draw(t, "name"))
				if model[p] == nil {
					return
				}
				fs := f.edit()
				_, n, _ := fs.find(p, true)
				size := rapid.IntRange(0, 60).Draw(t, "size")
				if e := fs.resize(n, int64(size)); e != 0 {
					t.Fatalf("error %d", e)
				}
				c := make([]byte, size)
				copy(c, model[p])
				model[p] = c
			},
			"rename": func(t *rapid.T) {
				from, to := absolute(name.Draw(t, "from")), absolute(name.Draw(t, "to"))
				e := f.edit().rename(from, to, 8)
				if (e == 0) != (model[from] != nil) {
					t.Fatalf("renaming %s to %s: error %d", from, to, e)
				}
				if e == 0 && from != to {
					model[to] = model[from]
					delete(model, from)
				}
			},
			"remove": func(t *rapid.T) {
				p := absolute(name.Draw(t, "name"))
				e := f.edit().remove(p, false, 9)
				if (e == 0) != (model[p] != nil) {
					t.Fatalf("removing %s: error %d", p, e)
				}
				delete(model, p)
			},
			"keep": func(t *rapid.T) {
				s := state{f.clone(), map[string][]byte{}}
				for p, b := range model {
					s.model[p] = bytes.Clone(b)
				}
				kept = append(kept, s)
			},
			"": func(*rapid.T) {
				check(f, model)
				for _, s := range kept {
					check(s.files, s.model)
				}
			},
		})
	})
}

func TestRemovedFilesStayOpen(t *testing.T) {
	var f files
	fs := f.edit()
	n, _ := fs.create("/x", modeFile|0o666, 1)
	fd, _ := fs.openStream(&stream{node: n.id, flags: 2, path: "/x"}, 0)
	if e := fs.writeAt(n, []byte("abc"), 0); e != 0 {
		t.Fatal(e)
	}
	if e := fs.remove("/x", false, 2); e != 0 || fs.nodes[n.id] == nil {
		t.Fatalf("error %d, or the open file is gone", e)
	}
	fs.closeStream(uint64(fd))
	if fs.nodes[n.id] != nil || fs.bytes != 0 {
		t.Error("the file stays after it was closed")
	}
}

func TestFileErrors(t *testing.T) {
	var f files
	fs := f.edit()
	if _, e := fs.create("/data/f", modeFile|0o666, 1); e != 0 {
		t.Fatal(e)
	}
	for _, c := range []struct {
		name string
		got  func() int
		want int
	}{
		{"a folder that is not there", func() int { _, e := fs.create("/no/x", modeFile, 1); return e }, errNotFound},
		{"a file as a folder", func() int { _, e := fs.create("/data/f/x", modeFile, 1); return e }, errNotFolder},
		{"a name twice", func() int { _, e := fs.create("/data/f", modeFile, 1); return e }, errExists},
		{"removing nothing", func() int { return fs.remove("/nothing", false, 1) }, errNotFound},
		{"removing a folder as a file", func() int { return fs.remove("/tmp", false, 1) }, errIsFolder},
		{"removing a file as a folder", func() int { return fs.remove("/data/f", true, 1) }, errNotFolder},
		{"removing a folder in use", func() int { return fs.remove("/data", true, 1) }, errNotEmpty},
		{"removing all", func() int { return fs.remove("/", true, 1) }, errBusy},
		{"a folder into itself", func() int { return fs.rename("/data", "/data/sub", 1) }, errInvalid},
		{"a folder over a file", func() int { return fs.rename("/tmp", "/data/f", 1) }, errNotFolder},
		{"a file over a folder", func() int { return fs.rename("/data/f", "/tmp", 1) }, errIsFolder},
		{"a file too large", func() int { return fs.writeAt(fs.nodes[fs.names["/data/f"]], []byte("x"), filesBytesMax) }, errNoSpace},
		{"following a standard stream", func() int { _, n, e := fs.find("/dev/stdin", true); _ = n.id; return e }, 0},
	} {
		if got := c.got(); got != c.want {
			t.Errorf("%s: error %d, want %d", c.name, got, c.want)
		}
	}
}

func FuzzFiles(f *testing.F) {
	var g files
	fs := g.edit()
	for i := range 3 {
		n, _ := fs.create(fmt.Sprintf("/f%d", i), modeFile|0o666, 5)
		fs.writeAt(n, []byte("content"), 0)
	}
	f.Add(g.encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var g files
		if g.decode(b) != nil {
			return
		}
		var h files
		if err := h.decode(g.encode()); err != nil {
			t.Fatalf("what was accepted is refused when written again: %v", err)
		}
		// Whatever was accepted can be worked with.
		fs := g.edit()
		fs.create("/new", modeFile|0o666, 1)
		fs.remove("/new", false, 1)
		fs.rename("/tmp", "/data/x", 1)
		for fd := range fs.streams {
			if fs.streams[fd] != nil {
				fs.closeStream(uint64(fd))
			}
		}
	})
}
