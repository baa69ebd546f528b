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

func blobHash(b []byte) [DeepHashSize]byte {
	return join(header("blob", len(b)), sha512.Sum384(b))
}

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
