package content

import (
	"hash/fnv"

	"ago/message"
)

// A record that is large is kept in pieces, each under its hash. Where one ends depends on what is there: after a key whose hash
// has a certain form, after such a member of a list, after such a piece. So two messages that differ in one key differ in one
// piece at each height, and share the others.
const (
	wholeMax      = 64      // fields of a record that is kept in one
	wholeBytesMax = 8 << 10 // and their bytes
	pieceMin      = 4       // fields or pieces in one, of the last on its level less
	pieceMax      = 128
	pieceBytesMax = 16 << 10
	pieceEvery    = 32 // one in so many hashes ends a piece
)

// pieces writes a body in as many pieces as it needs, and gives the level that stays in the record.
func (w *writer) pieces(shape byte, d body) (body, error) {
	for {
		sizes, total := measure(shape, d)
		if len(sizes) <= wholeMax && (total <= wholeBytesMax || len(sizes) < 2*pieceMin) {
			return d, nil
		}
		above := body{height: d.height + 1}
		start, size := 0, 0
		for i := range sizes {
			size += sizes[i]
			n := i + 1 - start
			if i+1 < len(sizes) && n < pieceMax && (size < pieceBytesMax || n < pieceMin) && (n < pieceMin || !d.ends(shape, i)) {
				continue
			}
			p, err := w.piece(shape, d.part(start, i+1))
			if err != nil {
				return d, err
			}
			above.pieces = append(above.pieces, p)
			start, size = i+1, 0
		}
		d = above
	}
}

// measure gives the bytes of each field or piece.
func measure(shape byte, d body) (sizes []int, total int) {
	var b []byte
	for _, f := range d.fields {
		b = f.append(b[:0], shape)
		sizes, total = append(sizes, len(b)), total+len(b)
	}
	for _, p := range d.pieces {
		n := len(p.first) + len(p.hash) + 1
		sizes, total = append(sizes, n), total+n
	}
	return sizes, total
}

// ends tells whether a piece may end behind a field or piece, by its key or what it says.
func (d body) ends(shape byte, i int) bool {
	if d.height > 0 {
		return d.pieces[i].hash[0]%pieceEvery == 0
	}
	h := fnv.New32a()
	if f := d.fields[i]; shape == shapeMessage {
		h.Write([]byte(f.key))
	} else {
		h.Write(f.append(nil, shape))
	}
	return h.Sum32()>>8%pieceEvery == 0
}

func (d body) part(start, end int) body {
	if d.height > 0 {
		return body{height: d.height, pieces: d.pieces[start:end]}
	}
	return body{fields: d.fields[start:end]}
}

// piece writes a part of a level.
func (w *writer) piece(shape byte, d body) (piece, error) {
	b := d.bytes(shape)
	p := piece{hash: message.HashOf(b)}
	if d.height > 0 {
		p.first = d.pieces[0].first
	} else {
		p.first = d.fields[0].key
	}
	key := row(rowPiece, p.hash)
	if there, err := w.has(key); there || err != nil {
		return p, err
	}
	w.set(key, b)
	return p, w.flushLarge()
}
