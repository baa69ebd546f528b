package node

import (
	"context"
	"strings"

	"ago/codec/ans104"
	"ago/device"
	"ago/fault"
	"ago/message"
	"ago/process"
)

// known are the messages that the units hold, as contents: those that have slots, assignments, and published data items. What
// they do not hold is asked of the contents behind, if there are any.
type known struct {
	n      *Node
	behind device.Contents
}

func (k known) Read(ctx context.Context, path string) (message.Value, error) {
	first, rest, deeper := strings.Cut(path, "/")
	if id, err := message.ParseID(first); err == nil {
		m, err := k.message(ctx, id)
		switch {
		case err == nil && !deeper:
			return m, nil
		case err == nil:
			if v, ok, err := m.Find(strings.Split(rest, "/"), nil); err != nil || ok {
				return v, err
			}
		case fault.KindOf(err) != fault.NotFound && fault.KindOf(err) != fault.Unsupported:
			return nil, err
		}
	}
	if k.behind == nil {
		return nil, fault.New(fault.NotFound, "message-absent", "nothing is kept here under %.100q", path)
	}
	return k.behind.Read(ctx, path)
}

func (k known) message(ctx context.Context, id message.ID) (message.Message, error) {
	m, err := k.n.scheduler.Message(ctx, id)
	if err == nil || fault.KindOf(err) != fault.NotFound {
		return m, err
	}
	raw, err := k.n.gateway.ItemBytes(ctx, id)
	if err != nil {
		return m, err
	}
	it, err := ans104.DecodeItem(raw)
	if err != nil {
		return m, err
	}
	return process.ContentOf(it).Message(), nil
}

func (k known) Write(ctx context.Context, v message.Value) (message.ID, error) {
	if k.behind == nil {
		return message.ID{}, unkept()
	}
	return k.behind.Write(ctx, v)
}

func (k known) Link(ctx context.Context, path string, to message.ID) error {
	if k.behind == nil {
		return unkept()
	}
	return k.behind.Link(ctx, path, to)
}

func unkept() error {
	return fault.New(fault.Unsupported, "contents-missing", "this node keeps no messages but those that its units hold").
		WithHint("schedule the message on a process, or publish it as a data item")
}

func (k known) List(ctx context.Context, path string) ([]string, error) {
	if k.behind == nil {
		return nil, nil
	}
	return k.behind.List(ctx, path)
}

func (k known) Match(ctx context.Context, want message.Message) ([]message.ID, error) {
	if k.behind == nil {
		return nil, nil
	}
	return k.behind.Match(ctx, want)
}

func (k known) Local() device.Contents {
	if k.behind != nil {
		k.behind = k.behind.Local()
	}
	return k
}
