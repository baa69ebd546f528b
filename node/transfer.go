package node

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"

	"ago/codec/ans104"
	"ago/commitment"
	"ago/compute"
	"ago/fault"
	"ago/gateway"
	"ago/message"
	"ago/schedule"
	"ago/slotlog"
)

// Files of an exported process.
const (
	manifestFile  = "manifest.json"  // what the others are, with their hashes
	manifestPart  = "manifest.part"  // while it is written
	processFile   = "process.item"   // the Process item
	logFile       = "log.ndjson"     // a line for each slot
	messagesFile  = "messages.bin"   // the messages in the order of their slots, each after its length in 4 bytes, little-endian
	assignedFile  = "assigned.bin"   // likewise, messages that were assigned by their ids
	moduleItem    = "module.item"    // the module, if it is known with its signature
	moduleData    = "module.bin"     // its bytes otherwise
	stateFile     = "state.snapshot" // the state after the last slot that was evaluated
	exportVersion = 1
	exportedMax   = 1 << 30 // bytes of one message or line
)

// Exported is what a folder of an exported process says of itself.
type Exported struct {
	Version   int            `json:"version"`
	Process   message.ID     `json:"process"`
	Scheduler string         `json:"scheduler"` // whom the process names
	Slots     slotlog.Slot   `json:"slots"`
	Last      message.ID     `json:"lastAssignment"`
	HashChain message.ID     `json:"hashChain"` // of the last slot
	Module    ExportedModule `json:"module"`
	State     *ExportedState `json:"state,omitempty"`
	Missing   []message.ID   `json:"missing,omitempty"` // assigned by their ids, and not here as items
	// HandedOver says that the scheduler gives no slots any more: whoever imports it may go on with it.
	HandedOver *ExportedHandover       `json:"handedOver,omitempty"`
	Files      map[string]ExportedFile `json:"files"`
}

// ExportedModule is the program of an exported process. Owner and tags are those of a module without its signature.
type ExportedModule struct {
	ID    message.ID `json:"id"`
	Owner message.ID `json:"owner,omitzero"`
	Tags  []Tag      `json:"tags,omitempty"`
}

// ExportedState is the position of the state.
type ExportedState struct {
	Slot        slotlog.Slot `json:"slot"`
	Timestamp   int64        `json:"timestamp"`
	BlockHeight uint64       `json:"blockHeight"`
}

// ExportedHandover is the scheduler that an exported process was handed over to, and how often the process was handed over.
type ExportedHandover struct {
	To   string `json:"to"`
	Term uint64 `json:"term"`
}

// ExportedFile is what a file has to be.
type ExportedFile struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// exportedSlot is a line of the log. Its message follows in messages.bin unless it was assigned by its id.
type exportedSlot struct {
	Slot       slotlog.Slot `json:"slot"`
	Message    message.ID   `json:"message"`
	ByID       bool         `json:"byId,omitempty"`
	Assignment []byte       `json:"assignment"` // signed item, base64
}

// hashed is a file that is written.
type hashed struct {
	to   *bufio.Writer
	f    *os.File
	hash hash.Hash
	size int64
}

func (h *hashed) Write(p []byte) (int, error) {
	n, err := h.to.Write(p)
	h.hash.Write(p[:n])
	h.size += int64(n)
	return n, err
}

func createHashed(path string) (*hashed, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return &hashed{to: bufio.NewWriterSize(f, 1<<16), f: f, hash: sha256.New()}, nil
}

func (h *hashed) finish() (ExportedFile, error) {
	err := h.to.Flush()
	if err == nil {
		err = h.f.Sync()
	}
	return ExportedFile{h.size, hex.EncodeToString(h.hash.Sum(nil))}, errors.Join(err, h.f.Close())
}

// transfer is what a process is exported from and imported into.
type transfer struct {
	scheduler *schedule.Scheduler
	log       itemLog
	gateway   *gateway.Gateway
	verifier  *commitment.Verifier
	computer  *compute.Computer // nil: nothing is evaluated
}

func (n *Node) transfer() transfer {
	return transfer{n.scheduler, n.log, n.gateway, n.verifier, n.computer}
}

// Export writes everything about a process into a new folder, the manifest last.
func (n *Node) Export(ctx context.Context, p message.ID, dir string) (Exported, error) {
	return n.transfer().export(ctx, p, dir)
}

func (n transfer) export(ctx context.Context, p message.ID, dir string) (Exported, error) {
	e := Exported{Version: exportVersion, Process: p, Files: map[string]ExportedFile{}}
	def, err := n.scheduler.Process(ctx, p)
	if err != nil {
		return e, err
	}
	if !def.Legacy() {
		return e, fault.New(fault.Unsupported, "variant-unsupported", "processes of Variant %s cannot be exported yet", def.Variant)
	}
	head, err := n.scheduler.Head(ctx, p)
	if err != nil {
		return e, err
	}
	e.Scheduler, e.Slots, e.Last, e.HashChain, e.Module.ID = def.Scheduler, head.Next, head.Assignment, head.HashChain, def.Module
	if h := n.scheduler.HandedOver(p); h.To != "" && h.Slots == head.Next {
		e.HandedOver = &ExportedHandover{h.To, h.Term}
	}
	if err := makeFolder(dir); err != nil {
		return e, err
	}
	file := func(name string, fill func(io.Writer) error) error {
		h, err := createHashed(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		err = fill(h)
		done, ferr := h.finish()
		e.Files[name] = done
		return errors.Join(err, ferr)
	}
	if err := n.exportLog(ctx, &e, file); err != nil {
		return e, err
	}
	if err := n.exportModule(ctx, &e, file); err != nil {
		return e, err
	}
	if n.computer != nil && n.computer.Evaluated(p) > 0 {
		err := file(stateFile, func(w io.Writer) error {
			at, err := n.computer.Snapshot(ctx, p, w)
			e.State = &ExportedState{at.Slot, at.Timestamp, at.BlockHeight}
			return err
		})
		if err != nil {
			return e, err
		}
	}
	return e, writeManifest(dir, e)
}

// exportFiles are all that an export writes.
var exportFiles = []string{manifestFile, manifestPart, processFile, logFile, messagesFile, assignedFile, moduleItem, moduleData, stateFile}

// makeFolder makes the folder of an export. One that an interrupted export left, which has no manifest and may be empty, is used.
func makeFolder(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		return nil
	}
	left, readErr := os.ReadDir(dir)
	for _, f := range left {
		if f.Name() == manifestFile || !f.Type().IsRegular() || !slices.Contains(exportFiles, f.Name()) {
			readErr = errors.Join(readErr, os.ErrExist)
		}
	}
	if readErr != nil {
		return fault.Wrap(err, fault.Conflict, "export-unwritable", "the folder is made by the export").(*fault.Error).WithHint("name a folder that is not there yet")
	}
	for _, f := range left {
		if err := os.Remove(filepath.Join(dir, f.Name())); err != nil {
			return fault.Wrap(err, fault.Conflict, "export-unwritable", "what an interrupted export left in %s cannot be removed", dir)
		}
	}
	return nil
}

// writeManifest makes a folder whole: a manifest is there as a whole or not at all.
func writeManifest(dir string, e Exported) error {
	text, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	part := filepath.Join(dir, manifestPart)
	h, err := createHashed(part)
	if err != nil {
		return err
	}
	_, err = h.Write(append(text, '\n'))
	_, finishErr := h.finish()
	if err = errors.Join(err, finishErr); err != nil {
		return err
	}
	if err := os.Rename(part, filepath.Join(dir, manifestFile)); err != nil {
		return err
	}
	return errors.Join(syncFolder(dir), syncFolder(filepath.Dir(dir)))
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func writeItem(w io.Writer, raw []byte) error {
	_, err := w.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(raw))), raw...))
	return err
}

func (n transfer) exportLog(ctx context.Context, e *Exported, file func(string, func(io.Writer) error) error) error {
	return file(logFile, func(log io.Writer) error {
		return file(messagesFile, func(messages io.Writer) error {
			return file(assignedFile, func(assigned io.Writer) error {
				lines := json.NewEncoder(log)
				for s, err := range n.log.Range(ctx, e.Process, 0, e.Slots) {
					if err != nil {
						return err
					}
					if err := lines.Encode(exportedSlot{s.Slot, s.Message, s.ByID, s.Assignment}); err != nil {
						return err
					}
					switch {
					case s.Slot == 0:
						if err := file(processFile, func(w io.Writer) error { _, err := w.Write(s.Item); return err }); err != nil {
							return err
						}
					case s.ByID:
						raw, err := n.gateway.ItemBytes(ctx, s.Message)
						if err != nil {
							e.Missing = append(e.Missing, s.Message)
							continue
						}
						if err := writeItem(assigned, raw); err != nil {
							return err
						}
					default:
						if err := writeItem(messages, s.Item); err != nil {
							return err
						}
					}
				}
				return nil
			})
		})
	})
}

func (n transfer) exportModule(ctx context.Context, e *Exported, file func(string, func(io.Writer) error) error) error {
	if raw, err := n.gateway.ItemBytes(ctx, e.Module.ID); err == nil {
		return file(moduleItem, func(w io.Writer) error { _, err := w.Write(raw); return err })
	}
	rec, err := n.gateway.Record(ctx, e.Module.ID)
	if n.computer == nil && fault.KindOf(err) == fault.NotFound {
		return nil // who evaluates nothing needs no modules
	}
	if err != nil {
		return err
	}
	e.Module.Tags, e.Module.Owner = rec.Tags, rec.Address
	blob, _, err := n.gateway.Data(ctx, e.Module.ID)
	if err != nil {
		return err
	}
	defer blob.Close()
	return file(moduleData, func(w io.Writer) error { _, err := io.Copy(w, blob); return err })
}

// ImportOptions say what becomes of an imported process.
type ImportOptions struct {
	Signers  []string // addresses whose assignments count besides those of the scheduler that the process names
	Replay   bool     // evaluate from the first message, instead of from the state in the folder
	Continue bool     // this node becomes its scheduler
}

// Import reads a process that Export wrote. Every file has to have its hash, and every slot is checked as if it came from a
// scheduler. What is here already is left as it is, so that an import that was interrupted can be done again.
func (n *Node) Import(ctx context.Context, dir string, o ImportOptions) (Exported, error) {
	return n.transfer().take(ctx, dir, o)
}

func (n transfer) take(ctx context.Context, dir string, o ImportOptions) (Exported, error) {
	e, err := readManifest(dir)
	if err != nil {
		return e, err
	}
	for name, want := range e.Files {
		if err := checkFile(filepath.Join(dir, filepath.Base(name)), want); err != nil {
			return e, err
		}
	}
	if err := n.importModule(ctx, e, dir); err != nil {
		return e, err
	}
	if err := n.importItems(ctx, filepath.Join(dir, assignedFile)); err != nil {
		return e, err
	}
	if e.State != nil && n.computer != nil && !o.Replay && n.computer.Evaluated(e.Process) == 0 {
		// Before the log, since each slot that is there is evaluated at once.
		f, err := os.Open(filepath.Join(dir, stateFile))
		if err != nil {
			return e, err
		}
		at := compute.Position{Process: e.Process, Module: e.Module.ID, Slot: e.State.Slot, Timestamp: e.State.Timestamp, BlockHeight: e.State.BlockHeight}
		if err := errors.Join(n.computer.TakeSnapshot(ctx, at, f), f.Close()); err != nil {
			return e, err
		}
	}
	head, err := n.importLog(ctx, e, dir, o.Signers)
	if err != nil {
		return e, err
	}
	if head.Next < e.Slots || head.Next == e.Slots && (head.Assignment != e.Last || head.HashChain != e.HashChain) {
		return e, fault.New(fault.Forged, "export-incomplete", "the log in %s has %d slots, its manifest says %d with another end", dir, head.Next, e.Slots)
	}
	switch {
	case !o.Continue:
	case e.HandedOver != nil:
		_, err = n.scheduler.AdoptTerm(ctx, e.Process, schedule.Handover{To: e.HandedOver.To, Slots: e.Slots, Term: e.HandedOver.Term})
	default:
		_, err = n.scheduler.Adopt(ctx, e.Process)
	}
	return e, err
}

func readManifest(dir string) (Exported, error) {
	var e Exported
	text, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if err == nil {
		err = json.Unmarshal(text, &e)
	}
	if err != nil {
		return e, fault.Wrap(err, fault.Malformed, "export-unreadable", "%s is no folder of an exported process", dir)
	}
	if e.Version != exportVersion {
		return e, fault.New(fault.Unsupported, "export-version", "the export has version %d, and this node reads version %d", e.Version, exportVersion)
	}
	if e.HandedOver != nil && (e.HandedOver.Term == 0 || e.HandedOver.To == "" || e.Slots == 0) {
		return e, fault.New(fault.Malformed, "export-unreadable", "the manifest in %s does not say to whom the process was handed over", dir)
	}
	for _, name := range []string{processFile, logFile, messagesFile, assignedFile} {
		if _, ok := e.Files[name]; !ok {
			return e, fault.New(fault.Malformed, "export-unreadable", "the manifest in %s lacks %s", dir, name)
		}
	}
	return e, nil
}

func checkFile(path string, want ExportedFile) error {
	f, err := os.Open(path)
	if err != nil {
		return fault.Wrap(err, fault.Malformed, "export-incomplete", "a file of the export is missing")
	}
	defer f.Close()
	h := sha256.New()
	size, err := io.Copy(h, f)
	if err == nil && (size != want.Size || hex.EncodeToString(h.Sum(nil)) != want.SHA256) {
		return fault.New(fault.Forged, "export-damaged", "%s is not the file that was exported: its SHA-256 is %x, and the manifest says %s", path, h.Sum(nil), want.SHA256).WithHint("copy the folder again; nothing of it was taken")
	}
	return err
}

func (n transfer) importModule(ctx context.Context, e Exported, dir string) error {
	if _, ok := e.Files[moduleItem]; ok {
		raw, err := os.ReadFile(filepath.Join(dir, moduleItem))
		if err != nil {
			return err
		}
		return n.importItem(ctx, raw)
	}
	if _, ok := e.Files[moduleData]; !ok {
		return nil // a gateway has it
	}
	if known, err := n.gateway.Known(e.Module.ID); known || err != nil {
		return err
	}
	data, err := os.ReadFile(filepath.Join(dir, moduleData))
	if err != nil {
		return err
	}
	return n.gateway.Import(ctx, e.Module.ID, e.Module.Tags, data, e.Module.Owner)
}

func (n transfer) importItem(ctx context.Context, raw []byte) error {
	it, err := ans104.DecodeItem(raw)
	if err != nil {
		return err
	}
	v, err := n.verifier.Verify(it.Message())
	if err != nil {
		return err
	}
	_, err = n.gateway.Upload(ctx, v)
	return err
}

func (n transfer) importItems(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<16)
	for {
		raw, err := readItem(r)
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = n.importItem(ctx, raw)
		}
		if err != nil {
			return err
		}
	}
}

// readItem reads what writeItem wrote.
func readItem(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	k := binary.LittleEndian.Uint32(size[:])
	if k > exportedMax {
		return nil, fault.New(fault.TooLarge, "export-unreadable", "a message of %d bytes is too large", k)
	}
	var raw []byte
	for uint32(len(raw)) < k { // not at once: a damaged length is no reason to take a gigabyte
		part := make([]byte, min(k-uint32(len(raw)), 1<<20))
		if _, err := io.ReadFull(r, part); err != nil {
			return nil, fault.Wrap(err, fault.Malformed, "export-unreadable", "a message is cut off")
		}
		raw = append(raw, part...)
	}
	return raw, nil
}

func (n transfer) importLog(ctx context.Context, e Exported, dir string, signers []string) (slotlog.Head, error) {
	head, err := n.scheduler.Head(ctx, e.Process)
	if err != nil {
		return head, err
	}
	if head.Next > 0 && !n.scheduler.Followed(e.Process) {
		return head, nil // it is this node's own: nothing in the folder can be newer
	}
	first, err := os.ReadFile(filepath.Join(dir, processFile))
	if err != nil {
		return head, err
	}
	log, err := os.Open(filepath.Join(dir, logFile))
	if err != nil {
		return head, err
	}
	defer log.Close()
	items, err := os.Open(filepath.Join(dir, messagesFile))
	if err != nil {
		return head, err
	}
	defer items.Close()
	lines, messages := json.NewDecoder(bufio.NewReaderSize(log, 1<<16)), bufio.NewReaderSize(items, 1<<16)
	var batch []schedule.Foreign
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		var err error
		head, err = n.scheduler.Take(ctx, e.Process, signers, batch)
		batch = batch[:0]
		return err
	}
	for {
		var s exportedSlot
		if err := lines.Decode(&s); err == io.EOF {
			return head, flush()
		} else if err != nil {
			return head, fault.Wrap(err, fault.Malformed, "export-unreadable", "the log in %s", dir)
		}
		var f schedule.Foreign
		raw := first
		if f.Assignment, err = ans104.DecodeItem(s.Assignment); err != nil {
			return head, err
		}
		if !s.ByID {
			if s.Slot > 0 {
				if raw, err = readItem(messages); err != nil {
					return head, err
				}
			}
			if f.Message, err = ans104.DecodeItem(raw); err != nil {
				return head, err
			}
		}
		if batch = append(batch, f); len(batch) == takeAtOnce {
			if err := flush(); err != nil {
				return head, err
			}
		}
	}
}

// Current waits until all slots of a process that are here are evaluated.
func (n *Node) Current(ctx context.Context, p message.ID) (slotlog.Slot, error) {
	head, err := n.scheduler.Head(ctx, p)
	if err != nil || head.Next == 0 {
		return head.Next, err
	}
	if n.computer.Evaluated(p) >= head.Next {
		return head.Next, nil
	}
	_, err = n.computer.At(ctx, p, head.Next-1)
	return head.Next, err
}
