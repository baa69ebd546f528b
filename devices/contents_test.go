package devices_test

import (
	"context"

	"ago/device"
	"ago/fault"
	"ago/message"
)

// oneMessage is a store of contents that holds one message.
type oneMessage struct{ m message.Message }

func (o oneMessage) Read(_ context.Context, path string) (message.Value, error) {
	if path == o.m.SignedID().String() {
		return o.m, nil
	}
	return nil, fault.New(fault.NotFound, "absent", "%s", path)
}

func (o oneMessage) Write(context.Context, message.Value) (message.ID, error) {
	return o.m.SignedID(), nil
}
func (o oneMessage) Linked(_ context.Context, path string) (message.ID, error) {
	return message.ID{}, fault.New(fault.NotFound, "absent", "%s", path)
}

func (o oneMessage) Lend(context.Context, message.Value) (message.ID, error) {
	return message.ID{}, nil
}
func (o oneMessage) Link(context.Context, string, message.ID) error               { return nil }
func (o oneMessage) List(context.Context, string) ([]string, error)               { return nil, nil }
func (o oneMessage) Match(context.Context, message.Message) ([]message.ID, error) { return nil, nil }
func (o oneMessage) Local() device.Contents                                       { return o }
