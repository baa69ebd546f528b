package node

import (
	"context"
	"strconv"
	"strings"

	"ago/client"
	"ago/codec/ans104"
	"ago/device"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
	"ago/store/content"
)

// openContents gives what devices read and keep: the node's own table, what the units hold, and what peers and gateways have.
func (n *Node) openContents() device.Contents {
	var remotes []content.Remote
	for _, url := range n.c.Peers {
		remotes = append(remotes, client.Peer{URL: strings.TrimRight(url, "/")})
	}
	if len(n.c.Upstream) > 0 {
		remotes = append(remotes, foreign{n})
	}
	c := content.New(content.Options{
		Tables: n.store, Blobs: n.blobs, Verify: n.verifyContent, Beside: []content.Place{known{n}}, Remotes: remotes, Clock: n.c.Clock, Log: n.c.Log.With("unit", "contents"),
	})
	c.Mount("computed", statesOf{n})
	c.Mount("~scheduler@1.0", assignments{n})
	return c
}

// verifyContent checks a message that is to be kept; data items and transactions that were checked before are not checked again.
func (n *Node) verifyContent(ctx context.Context, m message.Message) error {
	if m.Commitments().Len() > 0 || m.ID().IsZero() {
		return content.VerifyCommitments(ctx, m)
	}
	_, err := n.verifier.Verify(m)
	return err
}

// known are the messages that the units hold: those that have slots, assignments, and published data items.
type known struct{ n *Node }

func (k known) Fetch(ctx context.Context, id message.ID) (message.Value, error) {
	m, err := k.n.scheduler.Message(ctx, id)
	if err == nil || fault.KindOf(err) != fault.NotFound {
		return m, err
	}
	held, heldErr := k.n.gateway.Holds(id)
	if heldErr != nil {
		return nil, heldErr
	}
	if !held {
		return nil, err
	}
	return k.n.published(ctx, id)
}

// published gives a data item that this gateway or another has.
func (n *Node) published(ctx context.Context, id message.ID) (message.Value, error) {
	raw, err := n.gateway.ItemBytes(ctx, id)
	if err != nil {
		if fault.KindOf(err) == fault.Unsupported { // a transaction, whose data is no message
			return nil, fault.Wrap(err, fault.NotFound, "not-an-item", "%s is no message", id)
		}
		return nil, err
	}
	it, err := ans104.DecodeItem(raw)
	if err != nil {
		return nil, err
	}
	return process.ContentOf(it).Message(), nil
}

// foreign are the data items of other gateways, which this one keeps.
type foreign struct{ n *Node }

func (foreign) Name() string { return "the gateways asked" }
func (foreign) Keeps() bool  { return true }

func (f foreign) Fetch(ctx context.Context, id message.ID) (message.Value, error) {
	return f.n.published(ctx, id)
}

// statesOf are the states of processes: <process>/slot/<slot>, as far as they were evaluated.
type statesOf struct{ n *Node }

const listedSlotsMax = 1 << 16

func (c statesOf) Read(ctx context.Context, path []string) (message.Value, int, error) {
	if len(path) < 3 || path[1] != "slot" {
		return nil, 0, fault.New(fault.NotFound, "state-absent", "states are at <process>/slot/<slot>")
	}
	p, newest, err := c.newest(ctx, path[0])
	if err != nil {
		return nil, 0, err
	}
	slot, err := strconv.ParseUint(path[2], 10, 63)
	if err != nil || slotlog.Slot(slot) > newest {
		return nil, 0, fault.New(fault.NotFound, "state-absent", "process %s has no state at %.30q yet", p, path[2])
	}
	m, err := c.n.computer.State(ctx, p, slotlog.Slot(slot))
	return m, 3, err
}

func (c statesOf) newest(ctx context.Context, name string) (p message.ID, newest slotlog.Slot, err error) {
	if p, err = message.ParseID(name); err != nil {
		return p, 0, fault.Wrap(err, fault.NotFound, "state-absent", "%.50q is no process", name)
	}
	newest, ok, err := c.n.computer.Newest(ctx, p)
	if err == nil && !ok {
		err = fault.New(fault.NotFound, "state-absent", "process %s has no state yet", p)
	}
	return p, newest, err
}

func (c statesOf) List(ctx context.Context, path []string) ([]string, error) {
	if len(path) != 2 || path[1] != "slot" {
		return nil, nil
	}
	p, newest, err := c.newest(ctx, path[0])
	if err != nil {
		return nil, err
	}
	return slotNames(p, newest+1)
}

// slotNames gives the slots before one.
func slotNames(p message.ID, next slotlog.Slot) ([]string, error) {
	if next > listedSlotsMax {
		return nil, fault.New(fault.TooLarge, "names-too-many", "process %s has %d slots, more than are listed", p, next).
			WithHint("read one of them by its number")
	}
	names := make([]string, next)
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	return names, nil
}

// assignments are those of the scheduler: assignments/<process>/<slot>.
type assignments struct{ n *Node }

func (a assignments) Read(ctx context.Context, path []string) (message.Value, int, error) {
	if len(path) < 3 || path[0] != "assignments" {
		return nil, 0, fault.New(fault.NotFound, "assignment-absent", "assignments are at assignments/<process>/<slot>")
	}
	p, err := message.ParseID(path[1])
	if err != nil {
		return nil, 0, fault.Wrap(err, fault.NotFound, "assignment-absent", "%.50q is no process", path[1])
	}
	slot, err := strconv.ParseUint(path[2], 10, 63)
	if err != nil {
		return nil, 0, fault.Wrap(err, fault.NotFound, "assignment-absent", "%.30q is no slot", path[2])
	}
	m, err := a.n.scheduler.Assignment(ctx, p, slotlog.Slot(slot))
	return m, 3, err
}

func (a assignments) List(ctx context.Context, path []string) ([]string, error) {
	if len(path) != 2 || path[0] != "assignments" {
		return nil, nil
	}
	p, err := message.ParseID(path[1])
	if err != nil {
		return nil, nil
	}
	head, err := a.n.scheduler.Head(ctx, p)
	if err != nil {
		return nil, err
	}
	return slotNames(p, head.Next)
}
