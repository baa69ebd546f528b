package arweave

import (
	"crypto/sha512"
	"strconv"
)

// DeepHashSize is the length of a deep hash: one SHA-384.
const DeepHashSize = sha512.Size384

// Node is a blob or a list of nodes: what a deep hash is taken of.
type Node struct {
	blob   []byte
	nodes  []Node
	isList bool
}

// Blob is a leaf.
func Blob(b []byte) Node { return Node{blob: b} }

// Text is a leaf of the bytes of a text.
func Text(s string) Node { return Node{blob: []byte(s)} }

// List is a list of nodes, in order.
func List(nodes ...Node) Node { return Node{nodes: nodes, isList: true} }

// DeepHash hashes a tree so that its shape counts too: every leaf and list is hashed with its kind and length.
// The recursion is as deep as the tree, which the caller built.
func DeepHash(n Node) [DeepHashSize]byte {
	if !n.isList {
		return blobHash(n.blob)
	}
	acc := listSeed(len(n.nodes))
	for _, c := range n.nodes {
		acc = join(acc, DeepHash(c))
	}
	return acc
}

// DeepHashBlobs is DeepHash of a flat list of blobs, which is what data items sign, without building the tree.
func DeepHashBlobs(blobs ...[]byte) [DeepHashSize]byte {
	acc := listSeed(len(blobs))
	for _, b := range blobs {
		acc = join(acc, blobHash(b))
	}
	return acc
}

// BlobList hashes flat lists of blobs that have a length and begin alike: what they begin with is hashed once.
type BlobList struct {
	acc [DeepHashSize]byte
}

// NewBlobList is for lists of so many blobs that begin with these.
func NewBlobList(count int, first ...[]byte) BlobList {
	l := BlobList{listSeed(count)}
	return BlobList{l.DeepHash(first...)}
}

// DeepHash is DeepHashBlobs of the list that goes on with the rest.
func (l BlobList) DeepHash(rest ...[]byte) [DeepHashSize]byte {
	acc := l.acc
	for _, b := range rest {
		acc = join(acc, blobHash(b))
	}
	return acc
}

func blobHash(b []byte) [DeepHashSize]byte {
	if len(b) == 0 {
		return emptyBlob
	}
	if len(b) < len(blobHeaders) {
		return join(blobHeaders[len(b)], sha512.Sum384(b))
	}
	return join(header("blob", len(b)), sha512.Sum384(b))
}

// Most blobs are keys, ids and short texts.
var (
	blobHeaders = func() (h [65][DeepHashSize]byte) {
		for n := range h {
			h[n] = header("blob", n)
		}
		return h
	}()
	emptyBlob = join(blobHeaders[0], sha512.Sum384(nil))
)

func listSeed(count int) [DeepHashSize]byte { return header("list", count) }

func header(kind string, n int) [DeepHashSize]byte {
	var buf [24]byte
	return sha512.Sum384(strconv.AppendInt(append(buf[:0], kind...), int64(n), 10))
}

func join(a, b [DeepHashSize]byte) [DeepHashSize]byte {
	var buf [2 * DeepHashSize]byte
	copy(buf[:], a[:])
	copy(buf[DeepHashSize:], b[:])
	return sha512.Sum384(buf[:])
}
