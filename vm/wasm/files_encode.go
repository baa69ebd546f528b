//go:build linux && amd64 && cgo

package wasm

import (
	"encoding/binary"
	"errors"
	"maps"
	"path"
	"slices"
)

// The bytes of a file system in a snapshot: nothing if it is as at the start. Otherwise lists of nodes by number, of
// names by text, and of streams by descriptor; numbers as varints, texts and contents with their length in front.

func (f files) encode() []byte {
	fs := f.fs
	if fs == nil {
		return nil
	}
	var b []byte
	number := func(vs ...int) {
		for _, v := range vs {
			b = binary.AppendUvarint(b, uint64(v))
		}
	}
	text := func(s []byte) {
		number(len(s))
		b = append(b, s...)
	}
	number(fs.next, int(fs.entropy), len(fs.nodes))
	for _, id := range slices.Sorted(maps.Keys(fs.nodes)) {
		n := fs.nodes[id]
		number(id, n.mode, n.device, int(n.time))
		text(n.data)
		text([]byte(n.link))
	}
	number(len(fs.names))
	for _, name := range slices.Sorted(maps.Keys(fs.names)) {
		text([]byte(name))
		number(fs.names[name])
	}
	number(len(fs.streams))
	for _, s := range fs.streams {
		if s == nil {
			number(0)
			continue
		}
		number(1, s.node, s.flags, int(s.position))
		text([]byte(s.path))
	}
	return b
}

var errFiles = errors.New("its files are damaged")

func (f *files) decode(b []byte) error {
	if len(b) == 0 {
		f.fs = nil
		return nil
	}
	bad := false
	number := func(limit uint64) int {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > limit {
			bad, b = true, nil
			return 0
		}
		b = b[n:]
		return int(v)
	}
	text := func() []byte {
		n := number(uint64(len(b)))
		if n > len(b) {
			bad, b = true, nil
			return nil
		}
		s := b[:n:n]
		b = b[n:]
		return s
	}
	const any = 1<<62 - 1
	fs := &fileSystem{nodes: map[int]*node{}, names: map[string]int{}}
	fs.next, fs.entropy = number(1<<40), uint64(number(any))
	for k := number(filesCountMax); k > 0 && !bad; k-- {
		n := &node{id: number(1 << 40), mode: number(1 << 20), device: number(1 << 20), time: uint64(number(any))}
		n.data, n.link, n.foreign = text(), string(text()), true
		fs.nodes[n.id] = n
		fs.bytes += len(n.data)
		bad = bad || n.id == 0 || n.id >= fs.next
	}
	for k := number(filesCountMax); k > 0 && !bad; k-- {
		name := string(text())
		id := number(1 << 40)
		bad = bad || fs.nodes[id] == nil || absolute(name) != name
		fs.names[name] = id
	}
	for k := number(filesStreamsMax); k > 0 && !bad; k-- {
		if number(1) == 0 {
			fs.streams = append(fs.streams, nil)
			continue
		}
		s := &stream{node: number(1 << 40), flags: number(1 << 31), position: int64(number(any)), path: string(text())}
		bad = bad || fs.nodes[s.node] == nil
		fs.streams = append(fs.streams, s)
	}
	root := fs.nodes[fs.names["/"]]
	if bad || len(b) > 0 || root == nil || fs.bytes > filesBytesMax {
		return errFiles
	}
	for name := range fs.names {
		if name != "/" && fs.passable(path.Dir(name)) == errNotFound {
			return errFiles
		}
	}
	f.fs = fs
	return nil
}
