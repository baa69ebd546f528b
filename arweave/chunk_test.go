package arweave

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"os"
	"testing"
	"testing/iotest"

	"ago/fault"
	"ago/message"

	"pgregory.net/rapid"
)

// pattern is the data the vectors were made of.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + (i>>8)*13)
	}
	return b
}

func load(t testing.TB, path string, v any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestDataIsCutAndProvedAsArweaveDoes(t *testing.T) {
	var vectors []struct {
		Size    int
		Root    message.ID
		Chunks  [][2]int64
		Paths   message.ID // hash of all paths one after the other
		Offsets []int64
	}
	load(t, "testdata/chunks.json", &vectors)
	for _, v := range vectors {
		data := pattern(v.Size)
		for name, r := range map[string]func() (message.ID, []ChunkProof, error){
			"whole": func() (message.ID, []ChunkProof, error) { return MakeChunks(bytes.NewReader(data)) },
			"halves": func() (message.ID, []ChunkProof, error) {
				return MakeChunks(iotest.HalfReader(bytes.NewReader(data)))
			},
			"with error": func() (message.ID, []ChunkProof, error) {
				return MakeChunks(iotest.DataErrReader(bytes.NewReader(data)))
			},
		} {
			root, proofs, err := r()
			if err != nil || root != v.Root || len(proofs) != len(v.Chunks) {
				t.Errorf("%d bytes read %s: root %s with %d chunks, %v; want %s with %d", v.Size, name, root, len(proofs), err, v.Root, len(v.Chunks))
				continue
			}
			h := sha256.New()
			for i, p := range proofs {
				h.Write(p.Path)
				if p.Start != v.Chunks[i][0] || p.End != v.Chunks[i][1] || p.Offset() != v.Offsets[i] {
					t.Errorf("%d bytes: chunk %d is %d to %d, want %v", v.Size, i, p.Start, p.End, v.Chunks[i])
				}
			}
			if message.ID(h.Sum(nil)) != v.Paths {
				t.Errorf("%d bytes: other paths", v.Size)
			}
		}
	}
}

func TestChunksCoverTheDataAndProveThemselves(t *testing.T) {
	whole := pattern(3*ChunkMax + ChunkMin)
	rapid.Check(t, func(t *rapid.T) {
		near := rapid.SampledFrom([]int{1, ChunkMin, ChunkMax - 1, ChunkMax, ChunkMax + 1, ChunkMax + ChunkMin - 1, ChunkMax + ChunkMin, 2 * ChunkMax, 2*ChunkMax + 7})
		size := rapid.OneOf(near, rapid.IntRange(1, len(whole))).Draw(t, "size")
		data := whole[:size]
		root, proofs, err := MakeChunks(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		at := int64(0)
		for _, p := range proofs {
			if p.Start != at || p.End <= p.Start || p.End-p.Start > ChunkMax {
				t.Fatalf("a chunk from %d to %d after %d", p.Start, p.End, at)
			}
			at = p.End
			c := Chunk{DataRoot: root, DataSize: int64(size), DataPath: p.Path, Data: data[p.Start:p.End]}
			for _, offset := range []int64{p.Start, p.Offset()} {
				c.Offset = offset
				back, err := ParseChunk(c.JSON())
				if err != nil {
					t.Fatal(err)
				}
				l, err := back.Verify()
				if err != nil || l.Start != p.Start || l.End != p.End {
					t.Fatalf("offset %d proves %d to %d, %v; want %d to %d", offset, l.Start, l.End, err, p.Start, p.End)
				}
			}
			for _, offset := range []int64{p.Start - 1, p.End} {
				if _, err := ValidatePath(root, offset, int64(size), p.Path); fault.KindOf(err) != fault.Forged {
					t.Fatalf("offset %d is proved by the path of %d to %d", offset, p.Start, p.End)
				}
			}
			i := rapid.IntRange(0, len(p.Path)-1).Draw(t, "byte")
			bad := bytes.Clone(p.Path)
			bad[i] ^= 1
			if _, err := ValidatePath(root, p.Start, int64(size), bad); fault.KindOf(err) != fault.Forged {
				t.Fatalf("a path with byte %d changed holds: %v", i, err)
			}
		}
		if at != int64(size) {
			t.Fatalf("the chunks end at %d of %d", at, size)
		}
		// The last path proves the size; after a full last chunk comes an empty one, whose path nobody has.
		last := proofs[len(proofs)-1]
		if _, err := ValidatePath(root, last.Start, int64(size)+1, last.Path); size%ChunkMax != 0 && fault.KindOf(err) != fault.Forged {
			t.Fatalf("another size holds: %v", err)
		}
	})
}

func TestNoDataHasNoRoot(t *testing.T) {
	root, proofs, err := MakeChunks(bytes.NewReader(nil))
	if err != nil || !root.IsZero() || len(proofs) != 0 {
		t.Fatalf("%s, %d chunks, %v", root, len(proofs), err)
	}
}

func TestReadingErrorsArePassedOn(t *testing.T) {
	broken := errors.New("broken")
	if _, _, err := MakeChunks(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Fatalf("%v", err)
	}
}

func TestWrongChunksAreRefused(t *testing.T) {
	data := pattern(ChunkMax * 2)
	root, proofs, err := MakeChunks(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	good := Chunk{DataRoot: root, DataSize: int64(len(data)), DataPath: proofs[0].Path, Offset: 0, Data: data[:ChunkMax]}
	if _, err := good.Verify(); err != nil {
		t.Fatal(err)
	}
	long := make([]byte, PathMax+1)
	for name, c := range map[string]Chunk{
		"other bytes":       {root, good.DataSize, good.DataPath, 0, data[1 : ChunkMax+1]},
		"fewer bytes":       {root, good.DataSize, good.DataPath, 0, data[:ChunkMax-1]},
		"no path":           {root, good.DataSize, nil, 0, good.Data},
		"a longer path":     {root, good.DataSize, append(bytes.Clone(good.DataPath), 0), 0, good.Data},
		"an endless path":   {root, good.DataSize, long, 0, good.Data},
		"an offset outside": {root, good.DataSize, good.DataPath, good.DataSize, good.Data},
		"below the start":   {root, good.DataSize, good.DataPath, -1, good.Data},
		"no size":           {root, 0, good.DataPath, 0, good.Data},
	} {
		if _, err := c.Verify(); fault.KindOf(err) != fault.Forged && fault.KindOf(err) != fault.TooLarge {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"no JSON": "{", "no root": `{"data_size":"1","offset":"0"}`, "a number": `{"offset":1}`,
		"leading zero": `{"data_root":"` + root.String() + `","data_size":"01","offset":"0"}`,
		"padding":      `{"data_root":"` + root.String() + `","data_size":"1","offset":"0","chunk":"AA=="}`,
	} {
		if _, err := ParseChunk([]byte(text)); fault.KindOf(err) != fault.Malformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzValidatePath(f *testing.F) {
	const whole = 4*ChunkMax + ChunkMin + 7
	root, proofs, err := MakeChunks(bytes.NewReader(pattern(whole)))
	if err != nil {
		f.Fatal(err)
	}
	genuine := map[string]ChunkProof{}
	for _, p := range proofs {
		genuine[string(p.Path)] = p
		f.Add(p.Start, int64(whole), p.Path)
	}
	f.Fuzz(func(t *testing.T, offset, size int64, path []byte) {
		l, err := ValidatePath(root, offset, size, path)
		if err != nil {
			return
		}
		if p, ok := genuine[string(path)]; !ok || size != whole && p.End == whole || l.Start != p.Start || l.End != p.End || offset < l.Start || offset >= l.End {
			t.Fatalf("offset %d of %d proves %+v", offset, size, l)
		}
	})
}

func BenchmarkMakeChunks(b *testing.B) {
	data := pattern(16 << 20)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, _, err := MakeChunks(bytes.NewReader(data)); err != nil {
			b.Fatal(err)
		}
	}
}
