package arweave

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"strconv"

	"ago/fault"
	"ago/message"
)

// Data is cut into chunks of ChunkMax bytes. If that would leave a last one below ChunkMin, the last two are balanced.
const (
	ChunkMax = 256 << 10
	ChunkMin = 32 << 10
)

// A path is a branch for every step down (the hashes of both sides, the end of the left one), then the leaf (the hash of the
// chunk, its end). PathMax is what Arweave nodes take; a tree over all there is fits into a tenth of it.
const (
	hashSize   = sha256.Size
	noteSize   = 32 // offsets are 32 bytes, big-endian
	leafSize   = hashSize + noteSize
	branchSize = 2*hashSize + noteSize
	PathMax    = 256 << 10
)

// ChunkProof places one chunk in its data: Path leads from the root of the data to the chunk that begins at Start and ends
// before End, in bytes.
type ChunkProof struct {
	Start, End int64
	Path       []byte
}

// Offset is the position by which Arweave names the chunk: its last byte.
func (p ChunkProof) Offset() int64 { return p.End - 1 }

// node of the tree over the chunks: a leaf has no children.
type node struct {
	id          message.ID
	dataHash    [hashSize]byte
	start, end  int64
	left, right *node
}

// MakeChunks reads the data once and gives its root with the proof of every chunk, in order. No data has the zero root and no
// chunks. It fails only if reading does.
func MakeChunks(r io.Reader) (root message.ID, proofs []ChunkProof, err error) {
	leaves, err := cut(r)
	if err != nil || len(leaves) == 0 {
		return message.ID{}, nil, err
	}
	top := tree(leaves)
	proofs = prove(make([]ChunkProof, 0, len(leaves)), top, nil)
	// Data that ends with a full chunk has an empty one after it in the tree, which nobody stores.
	if last := proofs[len(proofs)-1]; last.Start == last.End {
		proofs = proofs[:len(proofs)-1]
	}
	return top.id, proofs, nil
}

// DataRoot is the root of the tree over the chunks of the data.
func DataRoot(data []byte) message.ID {
	root, _, err := MakeChunks(bytes.NewReader(data))
	if err != nil {
		panic("arweave: reading from memory failed: " + err.Error())
	}
	return root
}

// cut looks ChunkMin bytes beyond a full chunk, since how much follows decides where it ends.
func cut(r io.Reader) ([]*node, error) {
	var leaves []*node
	buf := make([]byte, ChunkMax+ChunkMin)
	have, at, ended := 0, int64(0), false
	take := func(n int) {
		leaves = append(leaves, leaf(buf[:n], at, at+int64(n)))
		at += int64(n)
		have = copy(buf, buf[n:have])
	}
	for {
		if !ended {
			n, err := io.ReadFull(r, buf[have:])
			have += n
			if ended = errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF); err != nil && !ended {
				return nil, err
			}
		}
		switch follows := have - ChunkMax; {
		case have == 0 && at == 0:
			return nil, nil
		case follows < 0:
			take(have)
			return leaves, nil
		case follows > 0 && follows < ChunkMin:
			take((have + 1) / 2)
		default:
			take(ChunkMax)
		}
	}
}

func leaf(chunk []byte, start, end int64) *node {
	n := &node{dataHash: sha256.Sum256(chunk), start: start, end: end}
	n.id = hashAll(n.dataHash[:], note(end))
	return n
}

// tree joins neighbours, layer by layer; an odd one goes up as it is.
func tree(layer []*node) *node {
	for len(layer) > 1 {
		next := make([]*node, 0, (len(layer)+1)/2)
		for i := 0; i+1 < len(layer); i += 2 {
			l, r := layer[i], layer[i+1]
			next = append(next, &node{id: hashAll(l.id[:], r.id[:], note(l.end)), start: l.start, end: r.end, left: l, right: r})
		}
		if len(layer)%2 == 1 {
			next = append(next, layer[len(layer)-1])
		}
		layer = next
	}
	return layer[0]
}

func prove(proofs []ChunkProof, n *node, path []byte) []ChunkProof {
	path = path[:len(path):len(path)]
	if n.left == nil {
		return append(proofs, ChunkProof{Start: n.start, End: n.end, Path: append(append(path, n.dataHash[:]...), note(n.end)...)})
	}
	path = append(append(append(path, n.left.id[:]...), n.right.id[:]...), note(n.left.end)...)
	return prove(prove(proofs, n.left, path), n.right, path)
}

func note(offset int64) []byte {
	b := make([]byte, noteSize)
	binary.BigEndian.PutUint64(b[noteSize-8:], uint64(offset))
	return b
}

// hashAll is the hash of the hashes of the parts.
func hashAll(parts ...[]byte) message.ID {
	h := sha256.New()
	for _, p := range parts {
		sum := sha256.Sum256(p)
		h.Write(sum[:])
	}
	return message.ID(h.Sum(nil))
}

func badPath(format string, args ...any) *fault.Error {
	return fault.New(fault.Forged, "chunk-proof-invalid", format, args...).
		WithHint("cut the data into chunks again, and send each with the path of the transaction's own root")
}

// Leaf is what a path proves: where a chunk lies and what it hashes to.
type Leaf struct {
	DataHash   [sha256.Size]byte
	Start, End int64
}

// ValidatePath follows the path from the root of data of that size to the chunk with the byte at offset, and gives where the
// chunk starts, where it ends and what it hashes to. It fails with Forged and "chunk-proof-invalid".
//
// The end in the leaf must be where the branches put it, and a chunk is not longer than ChunkMax: a tree that says otherwise
// was not made by cutting the data.
func ValidatePath(root message.ID, offset, size int64, path []byte) (Leaf, error) {
	if size <= 0 || offset < 0 || offset >= size {
		return Leaf{}, badPath("offset %d is outside of data of %d bytes", offset, size)
	}
	if len(path) > PathMax {
		return Leaf{}, fault.New(fault.TooLarge, "chunk-path-too-long", "the path has %d bytes, at most %d are read", len(path), PathMax).
			WithHint("cut the data into chunks of %d bytes", ChunkMax)
	}
	start, end := int64(0), size
	for len(path) >= branchSize {
		left, right, rest := path[:hashSize], path[hashSize:2*hashSize], path[branchSize:]
		if hashAll(left, right, path[2*hashSize:branchSize]) != root {
			return Leaf{}, badPath("a branch does not hash to its parent")
		}
		middle, ok := readNote(path[2*hashSize : branchSize])
		// Only the empty last chunk lies beyond all bytes, so a left side may end with its parent.
		if !ok || middle <= start || middle > end {
			return Leaf{}, badPath("a branch divides outside of its range")
		}
		if offset < middle {
			root, end = message.ID(left), middle
		} else {
			root, start = message.ID(right), middle
		}
		path = rest
	}
	if len(path) != leafSize || hashAll(path[:hashSize], path[hashSize:]) != root {
		return Leaf{}, badPath("the leaf does not hash to its parent")
	}
	if at, ok := readNote(path[hashSize:]); !ok || at != end {
		return Leaf{}, badPath("the chunk does not end where the branches say")
	}
	if end-start > ChunkMax {
		return Leaf{}, badPath("the chunk has %d bytes, more than %d", end-start, ChunkMax)
	}
	return Leaf{DataHash: [sha256.Size]byte(path[:hashSize]), Start: start, End: end}, nil
}

func readNote(b []byte) (int64, bool) {
	for _, c := range b[:noteSize-8] {
		if c != 0 {
			return 0, false
		}
	}
	v := binary.BigEndian.Uint64(b[noteSize-8:])
	return int64(v), v < 1<<63
}

// Chunk is a part of the data of a transaction as it is sent to a node.
type Chunk struct {
	DataRoot message.ID
	DataSize int64
	DataPath []byte
	Offset   int64 // of a byte in the chunk
	Data     []byte
}

// Verify checks that the chunk is the part of the data it says, and gives where. It fails as ValidatePath does.
func (c Chunk) Verify() (Leaf, error) {
	l, err := ValidatePath(c.DataRoot, c.Offset, c.DataSize, c.DataPath)
	if err != nil {
		return Leaf{}, err
	}
	if int64(len(c.Data)) != l.End-l.Start || sha256.Sum256(c.Data) != l.DataHash {
		return Leaf{}, badPath("the bytes are not those of the chunk at %d", l.Start)
	}
	return l, nil
}

// chunkJSON has base64url texts and numbers as decimal texts.
type chunkJSON struct {
	DataRoot string `json:"data_root"`
	DataSize string `json:"data_size"`
	DataPath string `json:"data_path"`
	Offset   string `json:"offset"`
	Chunk    string `json:"chunk"`
}

// JSON writes the chunk as nodes take it.
func (c Chunk) JSON() []byte {
	return mustJSON(chunkJSON{c.DataRoot.String(), strconv.FormatInt(c.DataSize, 10), encode64(c.DataPath), strconv.FormatInt(c.Offset, 10), encode64(c.Data)})
}

// ParseChunk reads a chunk without checking its proof. It fails with Malformed, or TooLarge for more than ChunkMax bytes.
func ParseChunk(text []byte) (Chunk, error) {
	var j chunkJSON
	if err := json.Unmarshal(text, &j); err != nil {
		f := fault.New(fault.Malformed, "chunk-malformed", "a chunk is a JSON object of texts")
		f.Cause = err
		if len(text) == 0 {
			f.Text, f.Cause = "the body is empty", nil
		}
		return Chunk{}, f.WithHint("%s", hintChunk)
	}
	var c Chunk
	p := fields{code: "chunk-malformed", hint: hintChunk}
	c.DataRoot = p.id("data_root", j.DataRoot)
	c.DataSize = p.number("data_size", j.DataSize)
	c.Offset = p.number("offset", j.Offset)
	c.DataPath = p.bytes("data_path", j.DataPath)
	c.Data = p.bytes("chunk", j.Chunk)
	if p.err != nil {
		return Chunk{}, p.err
	}
	if len(c.Data) > ChunkMax {
		return Chunk{}, fault.New(fault.TooLarge, "chunk-too-large", "a chunk has at most %d bytes, this has %d", ChunkMax, len(c.Data)).
			WithHint("cut the data into chunks of %d bytes", ChunkMax)
	}
	return c, nil
}

func encode64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// mustJSON writes a value that has only texts, numbers and lists of them, which cannot fail.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("arweave: " + err.Error())
	}
	return b
}
