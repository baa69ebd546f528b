package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"time"

	"ago/client"
	"ago/codec/ans104"
	"ago/fault"
	"ago/message"
)

// sendCommand sends a message.
type sendCommand struct {
	networkFlags
	signerFlags
	Process string        `arg:"" help:"Id of the process."`
	Tags    []string      `arg:"" optional:"" name:"Name=Value" help:"Tags of the message, e.g. Action=Transfer."`
	Data    string        `placeholder:"TEXT" help:"Data of the message; @FILE reads a file, - standard input."`
	Eval    string        `short:"e" placeholder:"LUA" help:"Lua for an aos process of yours: Action=Eval with this data. @FILE reads a file."`
	NoWait  bool          `help:"Print the id of the message and do not wait for its result."`
	Timeout time.Duration `default:"2m" help:"How long to wait for the result." toml:"timeout"`
	Settle  time.Duration `default:"2s" help:"How long to wait until what the result sent has been delivered." toml:"settle"`
}

// Help is shown by ago send --help.
func (sendCommand) Help() string {
	return `Prints the id of the message, its result, and what was pushed because of it. Exit code 5 if the result is an error.

  ago send PROCESS --eval 'Handlers.list'
  ago send PROCESS Action=Transfer Recipient=ADDRESS Quantity=10
  ago send PROCESS --eval @bank.lua -o json`
}

// Run sends.
func (s *sendCommand) Run(o *out) error {
	process, err := parseID("process", s.Process)
	if err != nil {
		return err
	}
	tags, err := parseTags(s.Tags)
	if err != nil {
		return err
	}
	text := s.Data
	if s.Eval != "" {
		if s.Data != "" {
			return fault.New(fault.Malformed, "settings-malformed", "--eval and --data are two data of one message")
		}
		for _, t := range tags {
			if t.Name == "Action" {
				return fault.New(fault.Malformed, "settings-malformed", "--eval sends Action=Eval, which contradicts Action=%s", t.Value).
					WithHint("send the text of another action with --data")
			}
		}
		tags = append([]ans104.Tag{{Name: "Action", Value: "Eval"}}, tags...)
		text = s.Eval
	}
	data, err := textOrFile(o, text)
	if err != nil {
		return err
	}
	key, err := s.key(o)
	if err != nil {
		return err
	}
	n := s.network()
	id, err := n.Send(o, key, client.Message{Process: process, Tags: tags, Data: data, Anchor: anchor()})
	if err != nil {
		return err
	}
	if s.NoWait {
		return printID(o, "message", id)
	}
	if !o.json {
		fmt.Fprintln(o.sink(), "message", id)
	}
	ctx, cancel := context.WithTimeout(o, s.Timeout)
	defer cancel()
	r, err := n.Result(ctx, process, id)
	if err != nil {
		return unwaited(err, s.Timeout, "the result of "+id.String(), resume(process, id))
	}
	t := settled(o, n, id, len(r.Messages)+len(r.Spawns)+len(r.Assignments), s.Settle)
	if o.json {
		err = o.encode(struct {
			Message message.ID      `json:"message"`
			Process message.ID      `json:"process"`
			Result  json.RawMessage `json:"result"`
			Pushed  []hop           `json:"pushed"`
		}{id, process, r.JSON, t.caused(id)})
	} else {
		printResult(o.sink(), r)
		printHops(o.sink(), t.caused(id))
	}
	if err == nil && r.Failed() {
		err = errEvaluated
	}
	return err
}

// unwaited says what was not there in time, or when somebody pressed Ctrl-C, and how to go on.
func unwaited(err error, timeout time.Duration, what, hint string) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fault.New(fault.Unfinished, "result-unfinished", "%s was not there after %v", what, timeout).WithHint("%s", hint)
	case errors.Is(err, context.Canceled):
		return fault.New(fault.Unfinished, "interrupted", "interrupted before %s was there", what).WithHint("%s", hint)
	}
	return err
}

func resume(process, id message.ID) string {
	return fmt.Sprintf("it goes on being evaluated; ask again with: ago result %s %s", process, id)
}

// anchor makes two equal messages, or processes, two: the time in 32 digits, as processes count theirs.
func anchor() []byte { return fmt.Appendf(nil, "%032d", time.Now().UnixNano()) }

// settled asks for the trace until everything in it came to an end, or for as long as the caller wants to wait. Networks
// without traces give an empty one.
func settled(ctx context.Context, n *client.Network, id message.ID, sent int, wait time.Duration) trace {
	var t trace
	for deadline := time.Now().Add(wait); ; time.Sleep(20 * time.Millisecond) {
		raw, err := n.Trace(ctx, id)
		if err != nil || json.Unmarshal(raw, &t) != nil {
			return trace{}
		}
		if sent == 0 || t.ended(id) || time.Now().After(deadline) {
			return t
		}
	}
}

func printResult(w io.Writer, r client.Result) {
	text := r.Text()
	if text != "" {
		fmt.Fprintln(w, strings.TrimRight(plain(text), "\n"))
	}
	if r.GasUsed != nil && r.GasUsed.String() != "0" {
		fmt.Fprintln(w, "gas", r.GasUsed)
	}
}

// readCommand asks without changing.
type readCommand struct {
	networkFlags
	Process string        `arg:"" help:"Id of the process."`
	Tags    []string      `arg:"" optional:"" name:"Name=Value" help:"Tags of the question, e.g. Action=Balance."`
	Data    string        `placeholder:"TEXT" help:"Data of the question; @FILE reads a file, - standard input."`
	Owner   string        `placeholder:"ADDRESS" help:"Whom the question is said to come from." toml:"owner"`
	Timeout time.Duration `default:"1m" help:"How long to wait for the answer." toml:"timeout"`
}

// Help is shown by ago read --help.
func (readCommand) Help() string {
	return `A dry run: the process answers, and keeps nothing. Prints the data of the first message it would send, else its output.
Nobody signs it, so the owner can be anybody.

  ago read PROCESS Action=Info
  ago read PROCESS Action=Balance Target=ADDRESS -o json`
}

// Run asks.
func (c *readCommand) Run(o *out) error {
	process, err := parseID("process", c.Process)
	if err != nil {
		return err
	}
	tags, err := parseTags(c.Tags)
	if err != nil {
		return err
	}
	data, err := textOrFile(o, c.Data)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(o, c.Timeout)
	defer cancel()
	r, err := c.network().DryRun(ctx, client.Message{Process: process, Tags: tags, Data: data}, strings.TrimSpace(c.Owner))
	if err != nil {
		return unwaited(err, c.Timeout, "the answer of "+process.String(), "wait longer with --timeout; the process may be catching up")
	}
	return showResult(o, r, true)
}

// showResult prints a result alone: of an answer the data of its first message.
func showResult(o *out, r client.Result, answer bool) error {
	if o.json {
		fmt.Fprintf(o.sink(), "%s\n", r.JSON)
	} else {
		var first struct{ Data *string }
		if answer && !r.Failed() && len(r.Messages) > 0 && json.Unmarshal(r.Messages[0], &first) == nil && first.Data != nil {
			fmt.Fprintln(o.sink(), *first.Data)
		} else {
			printResult(o.sink(), r)
		}
	}
	if r.Failed() {
		return errEvaluated
	}
	return nil
}

// resultCommand prints a result.
type resultCommand struct {
	networkFlags
	Process string        `arg:"" help:"Id of the process."`
	Message string        `arg:"" help:"Id of the message, or of an assignment."`
	Timeout time.Duration `default:"2m" help:"How long to wait for the evaluation." toml:"timeout"`
}

// Run asks.
func (c *resultCommand) Run(o *out) error {
	process, err := parseID("process", c.Process)
	if err != nil {
		return err
	}
	id, err := parseID("message", c.Message)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(o, c.Timeout)
	defer cancel()
	r, err := c.network().Result(ctx, process, id)
	if err != nil {
		return unwaited(err, c.Timeout, "the result of "+id.String(), resume(process, id))
	}
	return showResult(o, r, false)
}

// versionCommand tells the version.
type versionCommand struct{}

// Run prints it.
func (versionCommand) Run(o *out) error {
	version, revision := "devel", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		if info.Main.Version != "" && info.Main.Version != "(devel)" {
			version = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	if o.json {
		return o.encode(map[string]string{"version": version, "revision": revision})
	}
	_, err := fmt.Fprintln(o.sink(), strings.TrimSpace("ago "+version+" "+revision))
	return err
}
