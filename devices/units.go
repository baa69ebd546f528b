package devices

import (
	"context"
	"iter"

	"ago/commitment"
	"ago/compute"
	"ago/device"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/push"
	"ago/schedule"
	"ago/slotlog"
)

// The units as the devices of processes reach them. A node gives each with device.Provide; one that is missing is Unsupported
// ("unit-missing").

// Scheduler gives slots and reads them.
type Scheduler interface {
	Address() message.ID
	SubmitTo(ctx context.Context, p message.ID, v commitment.Verified) (schedule.Receipt, error)
	Process(ctx context.Context, p message.ID) (process.Definition, error)
	Head(ctx context.Context, p message.ID) (slotlog.Head, error)
	Page(ctx context.Context, p message.ID, from, to slotlog.Slot) (process.Page, error)
	Assignment(ctx context.Context, p message.ID, slot slotlog.Slot) (message.Message, error)
	Processes(ctx context.Context, after message.ID) iter.Seq2[message.ID, error]
	Tip() (height uint64, hash message.ID, timeMS int64)
}

// Computer evaluates slots and reads what they gave.
type Computer interface {
	State(ctx context.Context, p message.ID, slot slotlog.Slot) (message.Message, error)
	Newest(ctx context.Context, p message.ID) (slot slotlog.Slot, ok bool, err error)
	Try(ctx context.Context, p message.ID, do func(ctx context.Context, state message.Message) error) error
	DryRun(ctx context.Context, p message.ID, to *message.ID, d process.DryMessage) (process.Result, error)
}

// Messenger delivers what results send; Sent waits until it tried all that a slot sends.
type Messenger interface {
	Sent(ctx context.Context, p message.ID, slot slotlog.Slot) ([]push.Task, error)
}

// Locations tells where the schedulers of processes answer.
type Locations interface {
	// Record gives the signed record of a scheduler's address. It fails with NotFound.
	Record(ctx context.Context, address string) (message.Message, error)
	// Put keeps a signed record.
	Put(ctx context.Context, record message.Message) error
	// Hint notes where a process may be found: text is its id and what stands behind it, such as ?hint=<url>.
	Hint(p message.ID, text string)
	// Announce signs and keeps the record of the node itself; at "" it answers where it listens.
	Announce(ctx context.Context, url string) (message.Message, error)
}

// Forwarder brings messages to the schedulers of other nodes.
type Forwarder interface {
	// Forward has a message scheduled on a process, or spawns the process that it defines, and gives the assignment, which a
	// scheduler of the process signed. It fails with NotFound if nobody told where one is.
	Forward(ctx context.Context, p message.ID, v commitment.Verified) (message.Message, error)
}

// Verifier checks messages once and remembers.
type Verifier interface {
	Verify(m message.Message) (commitment.Verified, error)
}

// unit finds a unit of the node.
func unit[T any](c *device.Call, what string) (T, error) {
	u, ok := device.Service[T](c)
	if !ok {
		return u, fault.New(fault.Unsupported, "unit-missing", "this node has no %s", what).WithHint("ask a node that runs all units")
	}
	return u, nil
}

func schedulerOf(c *device.Call) (Scheduler, error) { return unit[Scheduler](c, "scheduler") }
func computerOf(c *device.Call) (Computer, error)   { return unit[Computer](c, "compute unit") }

func verified(c *device.Call, m message.Message) (commitment.Verified, error) {
	if v, ok := device.Service[Verifier](c); ok {
		return v.Verify(m)
	}
	return commitment.Verify(m)
}

var (
	_ Scheduler = (*schedule.Scheduler)(nil)
	_ Computer  = (*compute.Computer)(nil)
	_ Messenger = (*push.Pusher)(nil)
	_ Verifier  = (*commitment.Verifier)(nil)
)
