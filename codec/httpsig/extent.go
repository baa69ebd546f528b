package httpsig

import (
	"bytes"

	"ago/codec/structured"
	"ago/fault"
	"ago/message"
)

// What is written of a message has bounds: a short message that is nested deep under long keys has parts whose names are gigabytes,
// and one with many small messages in it costs much for each of them, since each is committed to.
const (
	WrittenPartsMax = 2 * PartsMax // parts of a body that is written
	namesMax        = 16 << 20     // bytes of the names of all parts
)

// extent is how large a message is when it is written with what is nested in place. It stops counting at its bounds.
type extent struct {
	parts int
	names int64
	texts int64

	fields int64 // keys, and members of lists
}

func (e *extent) over() bool { return e.parts > WrittenPartsMax || e.names > namesMax }

// of counts what is in a message, whose path has so many bytes. Nobody commits to what is in commitments.
func (e *extent) of(m message.Message, above int64, entries bool) {
	for key, v := range m.All() {
		if e.over() {
			return
		}
		e.fields++
		e.texts += int64(len(key))
		e.value(v, above+int64(len(key))+1, entries || key == message.KeyCommitments)
	}
}

func (e *extent) value(v message.Value, path int64, entries bool) {
	switch v := v.(type) {
	case message.Message:
		e.part(path)
		if !entries && v.Commitments().Len() == 0 { // it will have one, with the list of its keys
			e.part(path + commitmentPath)
			e.part(path + commitmentPath)
			e.texts += commitmentTexts
		}
		e.of(v, path, entries)
	case message.List:
		e.part(path)
		for _, member := range v {
			if e.over() {
				return
			}
			e.fields++
			e.value(member, path+4, entries)
		}
	case message.Bytes:
		e.texts += int64(len(v))
	case message.BigInt:
		e.texts += int64(len(v))
	case message.Atom:
		e.texts += int64(len(v))
	default:
		e.texts += 20
	}
}

func (e *extent) part(path int64) {
	e.parts++
	e.names += path
}

const (
	commitmentPath  = int64(len(message.KeyCommitments)) + 2 + message.IDLength
	commitmentTexts = 200
	partCost        = 2048 // bytes of memory for each part, while it is written
	fieldCost       = 384  // and for each key and member of a list
)

// Fits tells, before a message is written or committed to with what is nested in place, about how many bytes of memory that takes.
// It refuses one that would have more parts, or longer names of parts, than are written: TooLarge ("answer-too-large").
func Fits(m message.Message) (cost int64, err error) {
	var e extent
	e.of(m, 0, false)
	switch {
	case e.names > namesMax:
		return 0, fault.New(fault.TooLarge, "answer-too-large", "the names of the parts of the answer have more than %d bytes", namesMax).
			WithHint("ask for a part of it by its path, or for JSON")
	case e.parts > WrittenPartsMax:
		return 0, fault.New(fault.TooLarge, "answer-too-large", "the answer has more than %d parts: messages and lists that are nested in it, and commitments to these", WrittenPartsMax).
			WithHint("ask for a part of it by its path, or for JSON")
	}
	return partCost*int64(e.parts) + fieldCost*e.fields + 2*e.names + 2*e.texts, nil
}

// ReadCost tells, before a body that may be multipart is read with so many keys at most, about how many bytes of memory that takes:
// it holds a key for each line of its parts, and a message for each step of their paths. What looks so within data may count too.
func ReadCost(body []byte, most int) int64 {
	if !bytes.HasPrefix(bytes.TrimPrefix(body, []byte("\r\n")), []byte("--")) {
		return 2 * int64(len(body))
	}
	places := min(bytes.Count(body, []byte("\r\n")), most)
	rest := body
	for range PartsMax {
		_, after, ok := bytes.Cut(rest, []byte(`name="`))
		if !ok {
			break
		}
		name, _, _ := bytes.Cut(after, []byte(`"`))
		places += min(bytes.Count(name, []byte("/")), structured.DepthMax)
		rest = after[len(name):]
	}
	return 3*int64(len(body)) + readCost*int64(places)
}

const readCost = 768 // bytes of memory for each key or step of a path that is read
