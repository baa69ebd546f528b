package compute

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
)

// Limits are what an operator may set of a Compute Unit. The zero value limits nothing beyond what Config says.
type Limits struct {
	Workers     int           // evaluations at a time; 0: one for each core
	DryRuns     int           // dry runs at a time; 0: four for each worker
	DryRunQueue int           // dry runs that may wait; 0: any number
	LiveCount   int           // processes that are live at a time; 0: as many as LiveMax holds
	IdleMax     time.Duration // after which a process that nobody uses is not live any more; 0: never
	BehindMax   uint64        // slots a process may be behind what is asked for before the answer is "hydrating"; 0: any

	Formats    []string // Module-Formats that are run; none: all the engine knows
	Extensions []string // module extensions that are run; nil: all that are known
	// Refuse tells why a process is not evaluated here; nil lets all be. It must not block.
	Refuse func(process.Definition) error
}

func (l Limits) workers() int {
	if l.Workers > 0 {
		return l.Workers
	}
	return min(runtime.GOMAXPROCS(0), runtime.NumCPU())
}

func (l Limits) dryRuns() int {
	if l.DryRuns > 0 {
		return l.DryRuns
	}
	return dryPerCore * l.workers()
}

// runs refuses what this unit was told not to run.
func (l Limits) runs(d process.Definition, m process.Module) error {
	if l.Refuse != nil {
		if err := l.Refuse(d); err != nil {
			return err
		}
	}
	if len(l.Formats) > 0 && !slices.Contains(l.Formats, m.Format) {
		return fault.New(fault.Unsupported, "module-format-unsupported", "Module-Format for module %q is not supported: %q", m.ID, m.Format).
			WithHint("this unit runs %s", strings.Join(l.Formats, ", "))
	}
	if l.Extensions != nil {
		for _, t := range m.Tags {
			if t.Name == "Extension" && !slices.Contains(l.Extensions, t.Value) {
				return fault.New(fault.Unsupported, "extension-unsupported", "Module Extensions for module %q is not supported: %q", m.ID, t.Value).
					WithHint("this unit runs the extensions: %s", strings.Join(l.Extensions, ", "))
			}
		}
	}
	return nil
}

// permit refuses questions about a process that is not evaluated here.
func (u *Computer) permit(ctx context.Context, p message.ID) error {
	if u.c.Limits.Refuse == nil {
		return nil
	}
	d, err := u.c.Schedule.Process(ctx, p)
	if err != nil {
		return err
	}
	return u.c.Limits.Refuse(d)
}

// hydrating refuses to wait for a slot that is further away than BehindMax. The process is evaluated towards it all the same.
func (u *Computer) hydrating(ctx context.Context, a *actor, slot slotlog.Slot) error {
	most := u.c.Limits.BehindMax
	if most == 0 {
		return nil
	}
	var behind uint64
	err := a.wait(ctx, func() bool {
		if a.known && slot >= a.stored {
			behind = uint64(slot - a.stored)
		}
		return a.known
	})
	if err != nil || behind <= most {
		return err
	}
	return fault.New(fault.Unavailable, "hydrating",
		"Nonce limit exceeded: process %s is currently hydrating with >%d nonces remaining (%d remaining). Please try again later.", a.id, most, behind).
		WithHint("it is being evaluated; ask again in a while")
}

// queueDryRun counts a dry run among those that wait. It fails if there are too many. Those on the latest state and those on
// earlier ones wait apart.
func (u *Computer) queueDryRun(waiting *atomic.Int64, a *actor) (leave func(), err error) {
	most := u.c.Limits.DryRunQueue
	if n := waiting.Add(1); most > 0 && n > int64(most) {
		waiting.Add(-1)
		return nil, fault.New(fault.TooMany, "dry-runs-waiting", "more than %d dry runs wait, and one of process %s is one too many", most, a.id).
			WithHint("ask again in a moment")
	}
	return func() { waiting.Add(-1) }, nil
}

// retire lets processes go that nobody has used for a while.
func (u *Computer) retire() {
	defer u.wg.Done()
	idle := u.c.Limits.IdleMax
	t := time.NewTicker(min(max(idle/4, 5*time.Millisecond), time.Minute))
	defer t.Stop()
	for {
		select {
		case <-u.stop.Done():
			return
		case <-t.C:
		}
		for _, a := range u.all() {
			if a.resident.Load() > 0 && time.Since(time.Unix(0, a.used.Load())) >= idle && a.idle() && a.work.TryLock() {
				a.letGo()
				a.work.Unlock()
			}
		}
	}
}

// letGo frees the instance of a process that is idle. a.work is held.
func (a *actor) letGo() {
	if !a.idle() {
		return
	}
	if a.spent >= worthSaving {
		a.saveOrSay()
	}
	a.drop()
	a.u.evicted.Add(1)
}
