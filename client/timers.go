package client

import (
	"context"
	"encoding/json"
	"net/http"

	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
)

// Monitor has the messenger run the timers of a process, or, with on false, stop that.
func (n *Network) Monitor(ctx context.Context, key *commitment.Key, process message.ID, on bool) error {
	it, err := ans104.Sign(ans104.Draft{Target: process, HasTarget: true, Data: []byte(" ")}, key)
	if err != nil {
		return err
	}
	method := http.MethodPost
	if !on {
		method = http.MethodDelete
	}
	_, err = n.do(ctx, request{unit: "messenger", base: n.MU, method: method, path: "/monitor/" + process.String(), body: it.Raw, kind: octets})
	return err
}

// Clock is the time of a local network.
type Clock struct {
	Now    int64  `json:"now"` // ms
	Height uint64 `json:"height"`
	Paused bool   `json:"paused"`
}

// ClockChange is what is done to a clock, in the order of the fields. The zero value changes nothing.
type ClockChange struct {
	Pause   bool   `json:"pause,omitempty"`
	Advance string `json:"advance,omitempty"` // like 1h30m
	Mine    uint64 `json:"mine,omitempty"`    // blocks that come now
	Resume  bool   `json:"resume,omitempty"`
}

// SetClock changes the clock of a local network and tells what it shows then.
func (n *Network) SetClock(ctx context.Context, change ClockChange) (Clock, error) {
	var c Clock
	if change == (ClockChange{}) {
		return c, n.get(ctx, "node", n.Node, "/clock", nil, &c)
	}
	body, err := json.Marshal(change)
	if err != nil {
		return c, fault.Wrap(err, fault.Internal, "request-unwritable", "the change of the clock")
	}
	b, err := n.do(ctx, request{unit: "node", base: n.Node, method: http.MethodPost, path: "/clock", body: body, kind: "application/json"})
	if err != nil {
		return c, err
	}
	return c, decode("node", b, &c)
}
