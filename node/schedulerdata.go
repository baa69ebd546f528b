package node

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"

	"ago/clock"
	"ago/commitment"
	"ago/fault"
	"ago/gateway"
	"ago/message"
	"ago/schedule"
	"ago/slotlog"
	"ago/store"
)

// SchedulerData is the data of a scheduler alone that does not run. Nothing listens, evaluates, pushes or uploads.
type SchedulerData struct {
	transfer
	store store.Store
}

// rowAlone is the second byte of the row that tells of data which is, or will be, that of a scheduler alone -> nothing.
const rowAlone byte = 'z'

// ofScheduler tells whether data is that of a scheduler alone. A store that cannot be read says so by itself.
func ofScheduler(s store.Store) bool {
	for _, row := range []byte{rowTip, rowAlone} {
		if _, err := s.Get([]byte{store.TableNode, row}); err == nil {
			return true
		}
	}
	return false
}

// OpenSchedulerData opens the folder of a scheduler alone, or makes one. It fails with Conflict ("store-locked") while the
// scheduler runs, and ("data-of-a-node") if the folder is that of a node.
func OpenSchedulerData(ctx context.Context, dir string, log *slog.Logger) (*SchedulerData, error) {
	opened, err := openData(ctx, dir, Database{}, log)
	d := &SchedulerData{store: opened.store, transfer: transfer{log: opened.log, verifier: commitment.NewVerifier(verifiedMax)}}
	if err == nil {
		err = d.open(opened, log)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *SchedulerData) open(opened data, log *slog.Logger) error {
	if !ofScheduler(d.store) {
		if _, err := d.store.Get([]byte{store.TableNode, rowKey}); err == nil {
			return fault.New(fault.Conflict, "data-of-a-node", "the data is that of a node").WithHint("leave --for-su out")
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		var b store.Batch
		b.Set([]byte{store.TableNode, rowAlone}, nil)
		if err := d.store.Apply(&b, true); err != nil {
			return err
		}
	}
	where := func(ctx context.Context, id message.ID) ([]schedule.Place, error) { return d.scheduler.Where(ctx, id) }
	var err error
	d.gateway, err = gateway.Open(gateway.Config{
		Store: d.store, Blobs: opened.blobs, Items: items{d.log, where}, Clock: clock.System{}, Closed: true, Verify: d.verifier.Verify, Log: log,
	})
	if err != nil {
		return err
	}
	// What comes from another scheduler is found here and uploaded by that one: the gateway is the index.
	d.scheduler, err = schedule.Open(schedule.Config{
		Log: d.log, Store: d.store, Clock: clock.System{}, Index: d.gateway, Archive: archive{d.gateway}, Logger: log,
	})
	return err
}

// Export writes everything that the scheduler has of a process into a new folder, the manifest last.
func (d *SchedulerData) Export(ctx context.Context, p message.ID, dir string) (Exported, error) {
	return d.export(ctx, p, dir)
}

// HandOver is Export, after the scheduler's term for the process has ended: from then on it takes no messages of it, and sends
// every client to the scheduler at the address. Repeated with a folder that is whole, it answers what that one says.
func (d *SchedulerData) HandOver(ctx context.Context, p message.ID, dir, to string) (Exported, error) {
	whole, manifestErr := readManifest(dir)
	if _, err := os.Lstat(filepath.Join(dir, manifestFile)); manifestErr != nil && err == nil {
		return whole, fault.Wrap(manifestErr, fault.Conflict, "export-unwritable", "the folder has a manifest that cannot be read").(*fault.Error).WithHint("name a folder that is not there yet")
	}
	if manifestErr == nil && (whole.Process != p || whole.HandedOver == nil || whole.HandedOver.To != to) {
		return whole, fault.New(fault.Conflict, "export-unwritable", "the folder %s has another export", dir).WithHint("name a folder that is not there yet")
	}
	def, err := d.scheduler.Process(ctx, p)
	if err != nil {
		return whole, err
	}
	if !def.Legacy() { // before the term ends: it could not be imported anywhere
		return whole, fault.New(fault.Unsupported, "variant-unsupported", "processes of Variant %s cannot be handed over yet", def.Variant)
	}
	h, err := d.scheduler.HandOver(ctx, p, to)
	if err != nil {
		return whole, err
	}
	if manifestErr != nil {
		return d.export(ctx, p, dir)
	}
	if whole.HandedOver.Term != h.Term || whole.Slots != h.Slots {
		return whole, fault.New(fault.Conflict, "export-unwritable", "the folder %s is that of an earlier move", dir).WithHint("name a folder that is not there yet")
	}
	for name, want := range whole.Files {
		if err := checkFile(filepath.Join(dir, filepath.Base(name)), want); err != nil {
			return whole, err
		}
	}
	return whole, nil
}

// Import reads a process that was exported, as the import of a node does. This scheduler goes on with it only if the one before
// handed it over.
func (d *SchedulerData) Import(ctx context.Context, dir string, o ImportOptions) (Exported, error) {
	if e, err := readManifest(dir); err == nil && o.Continue && e.HandedOver == nil {
		return e, fault.New(fault.Conflict, "export-not-handed-over", "the scheduler of process %s did not hand it over: it may give further slots", e.Process).
			WithHint("export it with --hand-over URL; if that scheduler is gone for ever, import without --continue, then ago adopt")
	}
	return d.take(ctx, dir, o)
}

// Adopt makes this scheduler the one that gives a process its next slots, and tells the first of them.
func (d *SchedulerData) Adopt(ctx context.Context, p message.ID) (slotlog.Slot, error) {
	return d.scheduler.Adopt(ctx, p)
}

// Current tells how many slots of a process are here.
func (d *SchedulerData) Current(ctx context.Context, p message.ID) (slotlog.Slot, error) {
	head, err := d.scheduler.Head(ctx, p)
	return head.Next, err
}

// Close closes the data.
func (d *SchedulerData) Close() error {
	var errs []error
	if d.scheduler != nil {
		d.scheduler.Close()
	}
	if d.log != nil {
		errs = append(errs, d.log.Close())
	}
	if d.store != nil {
		errs = append(errs, d.store.Close())
	}
	return errors.Join(errs...)
}
