package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"ago/message"
)

// traceCommand shows the way of a message.
type traceCommand struct {
	networkFlags
	Message string `arg:"" help:"Id of the message: any one of the chain."`
}

// Help is shown by ago trace --help.
func (traceCommand) Help() string {
	return `Prints every message of the chain, from the one that began it: its state, the time it got there, sender and target.
The message asked for is marked with *.

States: delivered (it has a slot), uploaded (its target is no process here), pending (on its way), parked (given up; it is
tried again with POST /tasks/KEY/retry on the node's address), dropped (it was no message).`
}

// trace is what a node tells of a chain.
type trace struct {
	Hops  []hop `json:"hops"`
	Whole bool  `json:"whole"`
}

type hop struct {
	Key       string     `json:"key"`
	Kind      string     `json:"kind"`
	State     string     `json:"state"`
	From      int        `json:"from"`
	Process   message.ID `json:"process,omitzero"`
	First     bool       `json:"first,omitempty"`
	Asked     bool       `json:"asked,omitempty"`
	Target    string     `json:"target,omitempty"`
	Action    string     `json:"action,omitempty"`
	Message   message.ID `json:"message,omitzero"`
	Slot      *uint64    `json:"slot,omitempty"`
	Changed   int64      `json:"changed,omitempty"`
	Scheduled int64      `json:"scheduled,omitempty"`
	Evaluated int64      `json:"evaluated,omitempty"`
	Failed    bool       `json:"failed,omitempty"`
	Attempts  uint32     `json:"attempts,omitempty"`
	Reason    string     `json:"reason,omitempty"`
}

// below gives the places of all hops that a message caused.
func (t trace) below(id message.ID) map[int]bool {
	under := map[int]bool{}
	for i, h := range t.Hops { // a hop stands behind the one that caused it
		if h.From >= 0 && (under[h.From] || t.Hops[h.From].Message == id) {
			under[i] = true
		}
	}
	return under
}

func (t trace) caused(id message.ID) []hop {
	hops := []hop{}
	under := t.below(id)
	for i, h := range t.Hops {
		if under[i] {
			hops = append(hops, h)
		}
	}
	return hops
}

// ended tells that something was caused, and that nothing of it is on its way or about to cause more.
func (t trace) ended(id message.ID) bool {
	hops := t.caused(id)
	for _, h := range hops {
		if h.State == "pending" || h.Slot != nil && h.Evaluated == 0 {
			return false
		}
	}
	return len(hops) > 0
}

// Run asks the node.
func (c *traceCommand) Run(o *out) error {
	id, err := parseID("message", c.Message)
	if err != nil {
		return err
	}
	raw, err := c.network().Trace(o, id)
	if err != nil {
		return err
	}
	if o.json {
		_, err := fmt.Fprintf(o.sink(), "%s\n", strings.TrimSpace(string(raw)))
		return err
	}
	var t trace
	if err := json.Unmarshal(raw, &t); err != nil {
		return err
	}
	t.print(o.sink())
	return nil
}

func (t trace) print(w io.Writer) {
	depth := make([]int, len(t.Hops))
	children := map[int][]int{}
	var roots []int
	for i, h := range t.Hops {
		if h.From < 0 {
			roots = append(roots, i)
			continue
		}
		depth[i] = depth[h.From] + 1
		children[h.From] = append(children[h.From], i)
	}
	var walk func(i int)
	walk = func(i int) {
		fmt.Fprintln(w, t.Hops[i].line(depth[i]))
		for _, c := range children[i] {
			walk(c)
		}
	}
	for _, i := range roots {
		walk(i)
	}
	if !t.Whole {
		fmt.Fprintln(w, "… and more than a trace holds")
	}
}

// line is one hop: mark, state, when it got there, message, where to, and the evaluation's end after that.
func (h hop) line(depth int) string {
	mark := " "
	if h.Asked {
		mark = "*"
	}
	state, at := h.State, h.Changed
	if h.First {
		state, at = "first", h.Scheduled
	}
	id := "-"
	if !h.Message.IsZero() {
		id = h.Message.String()
	}
	where := h.Target
	if where == "" && !h.Process.IsZero() {
		where = h.Process.String()
	}
	b := fmt.Sprintf("%s%s %-9s %-12s %s", strings.Repeat("  ", depth), mark, state, clockTime(at), id)
	if where != "" {
		b += " -> " + where
	}
	if h.Slot != nil {
		b += fmt.Sprintf(" slot %d", *h.Slot)
	}
	if h.Action != "" {
		b += " " + h.Action
	}
	switch {
	case h.Failed:
		b += " failed " + clockTime(h.Evaluated)
	case h.Evaluated > 0:
		b += " evaluated " + clockTime(h.Evaluated)
	case h.Slot != nil:
		b += " not yet evaluated"
	}
	if h.Reason != "" {
		b += ": " + h.Reason
	}
	return b
}

func clockTime(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format("15:04:05.000")
}

func printHops(w io.Writer, hops []hop) {
	if len(hops) == 0 {
		return
	}
	fmt.Fprintln(w, "pushed")
	for _, h := range hops {
		fmt.Fprintln(w, h.line(0))
	}
}

// plain takes the colours out of what aos printed, unless a terminal shows them.
func plain(text string) string {
	if info, err := os.Stdout.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == "" {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == 0x1b && i+1 < len(text) && text[i+1] == '[' {
			end := strings.IndexAny(text[i:], "mK")
			if end > 0 {
				i += end
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}
