package checkpoint

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"github.com/klauspost/compress/gzip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"ago/compute"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
)

// Files keeps the two newest memories of each process in a folder:
//
//	state-{process}.dat        the memory, byte for byte
//	state-{process}.json       which state it is, and its SHA-256
//	state-{process}.dat.old    the one before, and
//	state-{process}.json.old   what it is
//
// The .dat files are named and made as the legacy unit's, which has the second file's fields in a table. Files are written
// under another name, synced and renamed; a record counts only with a file that has its hash, whichever of the two that is.
// So whatever is interrupted, one good pair is left.
type Files struct {
	Dir       string
	WriteOnly bool // Find finds nothing
}

// record is what the legacy unit notes of a memory in a file, and its hash.
type record struct {
	Process    message.ID `json:"processId"`
	Module     message.ID `json:"moduleId"`
	Assignment message.ID `json:"assignmentId,omitzero"`
	HashChain  message.ID `json:"hashChain,omitzero"`
	Timestamp  int64      `json:"timestamp"`
	Epoch      uint64     `json:"epoch"`
	Nonce      uint64     `json:"nonce"`
	Height     uint64     `json:"blockHeight"`
	Ordinate   string     `json:"ordinate"`
	Encoding   string     `json:"encoding,omitempty"`
	Cron       string     `json:"cron,omitempty"`
	Size       int64      `json:"size"`   // bytes of the file
	SHA256     string     `json:"sha256"` // of the memory, in hex
}

const recordMax = 1 << 16 // bytes

func (f Files) path(p message.ID, end string) string {
	return filepath.Join(f.Dir, "state-"+p.String()+end)
}

// Find gives the memories in the folder.
func (f Files) Find(_ context.Context, def process.Definition, before slotlog.Slot) ([]compute.Memory, error) {
	if f.WriteOnly {
		return nil, nil
	}
	var found []compute.Memory
	var errs []error
	for _, end := range []string{"", ".old"} {
		r, err := readRecord(f.path(def.ID, ".json"+end))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		at, sum, perr := r.position()
		if err = errors.Join(err, perr); err != nil {
			errs = append(errs, fault.Wrap(err, fault.Malformed, "checkpoint-unreadable", "%s", f.path(def.ID, ".json"+end)))
			continue
		}
		if at.Process != def.ID || at.Slot >= before || r.Cron != "" {
			continue // a state between two slots is no place to go on from
		}
		for _, other := range []string{end, map[string]string{"": ".old", ".old": ""}[end]} {
			path := f.path(def.ID, ".dat"+other)
			if info, err := os.Stat(path); err != nil || r.Size != 0 && info.Size() != r.Size {
				continue
			}
			found = append(found, compute.Memory{Position: at, Source: path, Open: func(context.Context) (io.ReadCloser, error) {
				return openFile(path, r.Encoding, sum)
			}})
		}
	}
	return found, errors.Join(errs...)
}

func readRecord(path string) (record, error) {
	var r record
	f, err := os.Open(path)
	if err != nil {
		return r, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, recordMax))
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(b, &r)
}

// position checks a record.
func (r record) position() (compute.Position, []byte, error) {
	sum, err := hex.DecodeString(r.SHA256)
	if err == nil && len(sum) != sha256.Size {
		err = errors.New("it lacks the memory's sha256")
	}
	return compute.Position{
		Process: r.Process, Module: r.Module, Slot: slotlog.Slot(r.Nonce), Timestamp: r.Timestamp, BlockHeight: r.Height,
		Assignment: r.Assignment, HashChain: r.HashChain,
	}, sum, err
}

func openFile(path, encoding string, sum []byte) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r, err := decoded(f, encoding)
	if err != nil {
		f.Close()
		return nil, err
	}
	return newChecked(r, sum, f), nil
}

// decoded undoes a Content-Encoding.
func decoded(r io.Reader, encoding string) (io.Reader, error) {
	switch encoding {
	case "":
		return r, nil
	case "gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, fault.Wrap(err, fault.Malformed, "checkpoint-damaged", "the memory is no gzip")
		}
		return z, nil
	}
	return nil, fault.New(fault.Unsupported, "checkpoint-encoding-unsupported", "the encoding of the memory is %q: only gzip is known", encoding)
}

// Keep writes a memory beside the one that is there, then puts it in its place.
func (f Files) Keep(ctx context.Context, at compute.Position, memory io.Reader) error {
	wrap := func(err error) error {
		return fault.Wrap(err, fault.Unavailable, "checkpoint-unwritable", "the memory of process %s could not be written to %s", at.Process, f.Dir)
	}
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return wrap(err)
	}
	r := record{
		Process: at.Process, Module: at.Module, Assignment: at.Assignment, HashChain: at.HashChain, Timestamp: at.Timestamp,
		Nonce: uint64(at.Slot), Height: at.BlockHeight, Ordinate: strconv.FormatUint(uint64(at.Slot), 10),
	}
	sum := sha256.New()
	err := writeFile(f.path(at.Process, ".dat.tmp"), func(w io.Writer) (err error) {
		r.Size, err = io.Copy(io.MultiWriter(w, sum), reader{ctx, memory})
		return err
	})
	if err != nil {
		return wrap(err)
	}
	r.SHA256 = hex.EncodeToString(sum.Sum(nil))
	err = writeFile(f.path(at.Process, ".json.tmp"), func(w io.Writer) error { return json.NewEncoder(w).Encode(r) })
	if err != nil {
		return wrap(err)
	}
	for _, move := range [][2]string{{".dat", ".dat.old"}, {".json", ".json.old"}, {".dat.tmp", ".dat"}, {".json.tmp", ".json"}} {
		err := os.Rename(f.path(at.Process, move[0]), f.path(at.Process, move[1]))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return wrap(err)
		}
	}
	d, err := os.Open(f.Dir)
	if err != nil {
		return wrap(err)
	}
	return wrap(errors.Join(d.Sync(), d.Close()))
}

// writeFile writes and syncs a file, and removes it if that fails.
func writeFile(path string, fill func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = fill(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(path)
	}
	return err
}

// reader ends between two reads when ctx does.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

var _ compute.Memories = Files{}
