// Package drive is WeaveDrive: which files of the permaweb a process may read, and what is in them.
//
// What a message can read is a function of the message: its block height, the tags of process and module, and what the chain
// holds up to that height. What came later is not there, whenever the message is evaluated; what should be there
// but cannot be had now leaves the evaluation unfinished.
package drive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/vm"
)

// Extension is the value of the tag Extension that asks for the drive.
const Extension = "WeaveDrive"

// alwaysAttached is the format whose modules have the drive without asking. They can read their On-Boot data with it, and
// nothing else.
const alwaysAttached = "wasm64-unknown-emscripten-draft_2024_02_15"

// notFound is the text of a message that opened a file it may not read.
const notFound = "HALT: FILE NOT FOUND"

// Archive is the chain as far as a drive needs it. Its errors are faults: NotFound means that the archive knows all up to its
// height, and that there is no such thing.
type Archive interface {
	// Height is the newest block that the archive knows everything of.
	Height(ctx context.Context) (uint64, error)
	// Attested tells whether one of the owners has an item with all of the tags in a block up to a height.
	Attested(ctx context.Context, owners []string, tags []process.Tag, max uint64) (bool, error)
	// Data opens the data of an id, checked against the id.
	Data(ctx context.Context, id message.ID) (File, error)
	// Transaction gives the JSON of GET /tx/<id>, Item that of the node of GraphQL's transactions; both with the height
	// of the block, 0 for none.
	Transaction(ctx context.Context, id message.ID) (text []byte, height uint64, err error)
	Item(ctx context.Context, id message.ID) (text []byte, height uint64, err error)
	// Block gives the JSON of GET /block/height/<height>.
	Block(ctx context.Context, height uint64) ([]byte, error)
}

// File is opened data. Closing it twice is allowed.
type File interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// Drives attaches drives to processes.
type Drives struct{ Archive Archive }

// Attached tells whether a process has a drive.
func Attached(p process.Definition, m process.Module) bool {
	return m.Format == alwaysAttached || asked(p.Tags) || asked(m.Tags)
}

func asked(tags []process.Tag) bool {
	return slices.Contains(tags, process.Tag{Name: "Extension", Value: Extension})
}

// Attach gives what a message at a height may read, nil if its process has no drive. The caller closes it after the evaluation.
func (d Drives) Attach(p process.Definition, m process.Module, height uint64) vm.Drive {
	if !Attached(p, m) {
		return nil
	}
	return &view{archive: d.Archive, process: p, module: m, height: height}
}

// view is the drive of one message.
type view struct {
	archive Archive
	process process.Definition
	module  process.Module
	height  uint64
	files   map[string]File
}

func refuse(format string, args ...any) error { return &vm.Refused{Text: fmt.Sprintf(format, args...)} }

// Open finds a file and checks that the process may read it.
func (v *view) Open(ctx context.Context, path string) (int64, error) {
	if f := v.files[path]; f != nil {
		return f.Size(), nil
	}
	f, err := v.open(ctx, path, true)
	if err != nil {
		return 0, err
	}
	return f.Size(), nil
}

// ReadAt reads from a file. One that an earlier message opened was checked then, and what is admitted once stays so.
func (v *view) ReadAt(ctx context.Context, path string, b []byte, offset int64) (int, error) {
	f := v.files[path]
	if f == nil {
		var err error
		if f, err = v.open(ctx, path, false); err != nil {
			return 0, err
		}
	}
	n, err := f.ReadAt(b, offset)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// Close closes the files.
func (v *view) Close() error {
	for _, f := range v.files {
		_ = f.Close()
	}
	v.files = nil
	return nil
}

// filesMax are the files that one message keeps open.
const filesMax = 16

func (v *view) open(ctx context.Context, path string, check bool) (File, error) {
	folder, name, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	var f File
	var err error
	switch folder {
	case "data":
		f, err = v.data(ctx, name, check)
	case "tx":
		f, err = v.record(ctx, name, v.archive.Transaction, withAddress)
	case "tx2":
		f, err = v.record(ctx, name, v.archive.Item, withFormat)
		if errors.As(err, new(*vm.Refused)) {
			return nil, vm.ErrNoFile
		}
	case "block":
		f, err = v.block(ctx, name)
	default:
		return nil, vm.ErrNoFile
	}
	if err != nil {
		return nil, err
	}
	if len(v.files) >= filesMax {
		_ = v.Close()
	}
	if v.files == nil {
		v.files = map[string]File{}
	}
	v.files[path] = f
	return f, nil
}

func (v *view) data(ctx context.Context, name string, check bool) (File, error) {
	id, err := message.ParseID(name)
	if err != nil {
		return nil, refuse(notFound) // nothing has such an id
	}
	if check {
		if err := v.admit(ctx, name); err != nil {
			return nil, err
		}
	}
	f, err := v.archive.Data(ctx, id)
	if fault.KindOf(err) == fault.NotFound && err != nil {
		// Somebody vouched for it, so it is somewhere.
		return nil, fault.Wrap(err, fault.Unavailable, "drive-data-missing", "the data of %s, which process %s may read, is not here", id, v.process.ID).(*fault.Error).
			WithHint("publish it, or name a gateway that has it as upstream; the process goes on by itself then")
	}
	return f, err
}

// seen makes sure that what the archive does not have does not exist up to the message's height.
func (v *view) seen(ctx context.Context) error {
	newest, err := v.archive.Height(ctx)
	if err != nil {
		return err
	}
	if newest < v.height {
		return fault.New(fault.Unavailable, "drive-behind", "the gateway knows the chain up to block %d, and the message is of block %d", newest, v.height).
			WithHint("wait for the gateway")
	}
	return nil
}

// record gives a transaction's record, as it is read by processes. One of a later block than the message's does not exist yet.
func (v *view) record(ctx context.Context, name string, get func(context.Context, message.ID) ([]byte, uint64, error), form func([]byte) ([]byte, error)) (File, error) {
	id, err := message.ParseID(name)
	if err != nil {
		return nil, refuse(notFound)
	}
	if err := v.seen(ctx); err != nil {
		return nil, err
	}
	text, height, err := get(ctx, id)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return nil, err
	}
	if err != nil || height == 0 || height > v.height {
		return nil, refuse(notFound)
	}
	if text, err = form(text); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "drive-record-malformed", "the gateway's record of %s", id)
	}
	return held{bytes.NewReader(text)}, nil
}

// withAddress adds the address of the owner to the JSON of a transaction.
func withAddress(text []byte) ([]byte, error) {
	fields, err := inner(text)
	if err != nil {
		return nil, err
	}
	var tx struct {
		Owner string `json:"owner"`
	}
	if err := json.Unmarshal(text, &tx); err != nil {
		return nil, err
	}
	key, err := base64.RawURLEncoding.DecodeString(tx.Owner)
	if err != nil {
		return nil, err
	}
	address := sha256.Sum256(key)
	return fmt.Appendf(nil, `{%s,"ownerAddress":"%s"}`, fields, base64.RawURLEncoding.EncodeToString(address[:])), nil
}

// withFormat marks the record of GraphQL as what is no transaction's.
func withFormat(text []byte) ([]byte, error) {
	fields, err := inner(text)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, `{"format":3,%s}`, fields), nil
}

// inner is the text between the braces of a JSON object that has fields, without white space.
func inner(text []byte) ([]byte, error) {
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		return nil, err
	}
	if n := b.Len(); n > 2 && b.Bytes()[0] == '{' {
		return b.Bytes()[1 : n-1], nil
	}
	return nil, fmt.Errorf("%.40s is no object with fields", b.Bytes())
}

func (v *view) block(ctx context.Context, name string) (File, error) {
	height, err := strconv.ParseUint(name, 10, 63)
	if err != nil || strconv.FormatUint(height, 10) != name || height > v.height {
		return nil, refuse(notFound)
	}
	if err := v.seen(ctx); err != nil {
		return nil, err
	}
	text, err := v.archive.Block(ctx, height)
	if fault.KindOf(err) == fault.NotFound && err != nil {
		return nil, refuse(notFound)
	}
	if err != nil {
		return nil, err
	}
	return held{bytes.NewReader(text)}, nil
}

// held is a file of bytes at hand.
type held struct{ *bytes.Reader }

func (held) Close() error { return nil }
