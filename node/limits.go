package node

import (
	"net/http"
	"slices"
	"time"

	"ago/clock"
	"ago/compute"
	"ago/fault"
	"ago/message"
	"ago/node/legacy"
	"ago/process"
	"ago/store/file"
)

// ComputeLimits are what an operator may set of a compute unit, alone or in a node. The zero value limits nothing beyond the
// defaults.
type ComputeLimits struct {
	MemoryMax, GasMax   uint64 // largest limits a process may ask for
	Formats, Extensions []string

	Restrict, Allow []message.ID // processes that are not evaluated, and the only ones that are
	AllowOwners     []string     // owners whose processes are evaluated; none: all

	Workers, DryRuns, DryRunQueue, LiveCount int
	IdleMax                                  time.Duration
	BehindMax                                uint64
	StateDir                                 string // folder of states that are not live; "" is in the data folder

	DryRunLimit  int // dry runs of one address in DryRunWindow; 0: any number
	DryRunWindow time.Duration
}

// apply hands them to a compute unit.
func (l ComputeLimits) apply(c *compute.Config) error {
	c.MemoryMax, c.GasMax = l.MemoryMax, l.GasMax
	c.Limits = compute.Limits{
		Workers: l.Workers, DryRuns: l.DryRuns, DryRunQueue: l.DryRunQueue, LiveCount: l.LiveCount, IdleMax: l.IdleMax, BehindMax: l.BehindMax,
		Formats: l.Formats, Extensions: l.Extensions,
	}
	if len(l.Restrict)+len(l.Allow)+len(l.AllowOwners) > 0 {
		c.Limits.Refuse = l.refuse
	}
	if l.StateDir != "" {
		blobs, err := file.Open(l.StateDir)
		if err != nil {
			return fault.Wrap(err, fault.Malformed, "settings-malformed", "the folder of states cannot be used").(*fault.Error).
				WithHint("--state-dir is a folder that this program may write to")
		}
		c.Blobs = blobs
	}
	return nil
}

// refuse tells why a process is not evaluated.
func (l ComputeLimits) refuse(d process.Definition) error {
	if slices.Contains(l.Restrict, d.ID) || len(l.Allow) > 0 && !slices.Contains(l.Allow, d.ID) {
		return fault.New(fault.Denied, "process-denied", "Access denied for process %s", d.ID).WithHint("this unit evaluates other processes: ask another one")
	}
	if len(l.AllowOwners) > 0 && !slices.Contains(l.AllowOwners, d.Owner) {
		return fault.New(fault.Denied, "owner-denied", "Access denied for process owner %s", d.Owner).WithHint("this unit evaluates processes of chosen owners: ask another one")
	}
	return nil
}

// face puts the limits of requests before a compute unit's address.
func (l ComputeLimits) face(h http.Handler, c clock.Clock) http.Handler {
	return limitDryRuns(h, l.DryRunLimit, l.DryRunWindow, c, legacy.Fail)
}

// readOnly answers dry runs and nothing else of a compute unit.
func readOnly(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" && r.URL.Path != "/dry-run" {
			legacy.Fail(w, fault.New(fault.NotFound, "route-unknown", "this unit answers dry runs only").WithHint("ask another compute unit for %s", r.URL.Path))
			return
		}
		h.ServeHTTP(w, r)
	})
}
