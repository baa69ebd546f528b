package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"ago/client"
	"ago/codec/httpsig"
	"ago/fault"
	"ago/message"
)

// verifyCommand checks signatures.
type verifyCommand struct {
	nodeFlags
	Source  string        `arg:"" help:"File, - for standard input, an id, a path of the node, or a whole address."`
	Against []string      `type:"existingfile" placeholder:"FILE" help:"What the signer is known to have said: tells all that was changed since." toml:"-"`
	Verbose bool          `short:"v" help:"Show each line of what was signed." toml:"-"`
	Timeout time.Duration `default:"1m" help:"How long to wait for an answer." toml:"timeout"`
}

// Help is shown by ago verify --help.
func (verifyCommand) Help() string {
	return `Tells of each commitment whether it holds, and of one that does not what was changed: which component of the signature base
has another value here than when it was signed, as far as that can be found out. Exit code 1 if one does not hold, or nobody signed.

  ago verify signed.http                    what ago sign, ago get --wire or curl -i wrote; also data items and JSON
  ago verify -v /~meta@1.0/info             an answer of the node
  ago verify ID                             a message that the node has
  ago verify broken.http --against sent.http

A name with a file of that name is the file.`
}

// verifiedCommitment is what is told of a commitment.
type verifiedCommitment struct {
	ID         string      `json:"id"`
	Device     string      `json:"device"`
	Type       string      `json:"type"`
	Committer  string      `json:"committer,omitempty"`
	Holds      bool        `json:"holds"`
	Reason     string      `json:"reason,omitempty"`
	Code       string      `json:"code,omitempty"`
	Committed  []string    `json:"committed"`
	Components []component `json:"components,omitempty"`
}

type component struct {
	Name    string  `json:"name"`
	Value   *string `json:"value"`            // here; null if it is not there
	Signed  *string `json:"signed,omitempty"` // if it differs
	Differs bool    `json:"differs,omitempty"`
}

// Run verifies.
func (c *verifyCommand) Run(o *out) error {
	var others []message.Message
	for _, path := range c.Against {
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		m, err := readMessage(raw)
		if err != nil {
			return fault.Wrap(err, fault.Malformed, "message-malformed", "%s", path)
		}
		others = append(others, m)
	}
	m, found, err := c.examine(o, others)
	if err != nil {
		return err
	}
	report := struct {
		Unsigned    message.ID           `json:"unsigned"`
		Signed      *message.ID          `json:"signed,omitempty"`
		Holds       bool                 `json:"holds"`
		Commitments []verifiedCommitment `json:"commitments"`
	}{Unsigned: m.UnsignedID(), Commitments: []verifiedCommitment{}}
	signers, broken := 0, 0
	for _, f := range found {
		v := told(f)
		if v.Committer != "" {
			signers++
		}
		if !v.Holds {
			broken++
		}
		report.Commitments = append(report.Commitments, v)
	}
	slices.SortStableFunc(report.Commitments, func(a, b verifiedCommitment) int { // those of somebody first
		return strings.Compare(b.Committer, a.Committer)
	})
	if len(m.Committers()) > 0 {
		id := m.SignedID()
		report.Signed = &id
	}
	report.Holds = signers > 0 && broken == 0
	if o.json {
		if err := o.encode(report); err != nil {
			return err
		}
	} else {
		for _, v := range report.Commitments {
			v.show(o.sink(), c.Verbose)
		}
	}
	switch {
	case broken > 0:
		return fault.New(fault.Forged, "signature-invalid", "%d of %d commitments do not hold", broken, len(found))
	case signers == 0:
		return fault.New(fault.Unsupported, "not-signed", "nobody has signed this message; it is named %s by what it says", report.Unsigned).
			WithHint("ago sign -f FILE signs it")
	}
	return nil
}

// examine finds the message and what is to be told of its commitments.
func (c *verifyCommand) examine(o *out, others []message.Message) (message.Message, []httpsig.Finding, error) {
	var raw []byte
	_, err := os.Stat(c.Source)
	switch {
	case c.Source == "-":
		raw, err = io.ReadAll(o.stdin)
	case err == nil:
		raw, err = os.ReadFile(c.Source)
	case strings.ContainsAny(c.Source, "/~") || len(strings.TrimSpace(c.Source)) == message.IDLength:
		return c.asked(o, others)
	default:
		err = fault.New(fault.NotFound, "file-absent", "there is no file %q, and it is no id", c.Source).WithHint("a path of the node begins with a slash")
	}
	if err != nil {
		return message.Message{}, nil, err
	}
	return examineBytes(raw, others)
}

func examineBytes(raw []byte, others []message.Message) (message.Message, []httpsig.Finding, error) {
	_, item := itemIn(raw)
	if item || strings.HasPrefix(strings.TrimSpace(string(raw)), "{") {
		m, err := readMessage(raw)
		if err != nil {
			return m, nil, err
		}
		return m, httpsig.Examine(m, others...), nil
	}
	w, err := readWire(raw)
	if err != nil {
		return message.Message{}, nil, err
	}
	return httpsig.ExamineWire(w, others...)
}

// asked examines what a node answers.
func (c *verifyCommand) asked(o *out, others []message.Message) (message.Message, []httpsig.Finding, error) {
	n, path, err := c.at(c.Source)
	if err != nil {
		return message.Message{}, nil, err
	}
	ctx, cancel := context.WithTimeout(o, c.Timeout)
	defer cancel()
	a, err := n.Core(ctx, client.Ask{Path: path}, true)
	if err != nil && fault.CodeOf(err) != "answer-malformed" {
		return message.Message{}, nil, unwaited(err, c.Timeout, "the answer to "+path, "wait longer with --timeout")
	}
	raw, err := a.Wire.Bytes()
	if err != nil {
		return message.Message{}, nil, err
	}
	return examineBytes(raw, others)
}

// told is what an examination says of a commitment.
func told(f httpsig.Finding) verifiedCommitment {
	v := verifiedCommitment{
		ID: f.ID, Device: f.Entry.Text("commitment-device"), Type: f.Entry.Text("type"), Committer: f.Entry.Text("committer"),
		Holds: f.Err == nil, Committed: []string{},
	}
	if v.Type == "" {
		v.Type = f.Entry.Text("alg")
	}
	if f.Signer.Owner != nil {
		v.Committer = f.Signer.Address().String()
	}
	committed, _ := f.Entry.Get("committed")
	keys, _ := committed.(message.List)
	for _, key := range keys {
		if text, ok := key.(message.Bytes); ok {
			v.Committed = append(v.Committed, string(text))
		}
	}
	if f.Err != nil {
		v.Reason, v.Code = f.Err.Error(), fault.CodeOf(f.Err)
	}
	for _, c := range f.Components {
		line := component{Name: c.Name, Differs: c.Differs}
		if !c.Missing {
			line.Value = &c.Value
		}
		if c.Differs {
			line.Signed = &c.Signed
		}
		v.Components = append(v.Components, line)
	}
	return v
}

// show prints it for people.
func (v verifiedCommitment) show(w io.Writer, verbose bool) {
	state, who := "holds", "signed by "+v.Committer
	if !v.Holds {
		state = "DOES NOT HOLD"
	}
	if v.Committer == "" {
		who = "named by its content"
	}
	fmt.Fprintf(w, "%s  %s, %s, %s\n", state, shown(who), v.Type, v.Device)
	fmt.Fprintf(w, "  id      %s\n  covers  %s\n", v.ID, shown(strings.Join(v.Committed, ", ")))
	if v.Reason != "" {
		fmt.Fprintf(w, "  why     %s\n", shown(v.Reason))
	}
	said := false
	for _, c := range v.Components {
		switch {
		case c.Differs && c.Value == nil:
			fmt.Fprintf(w, "  %s was signed as %s, and is not there\n", shown(c.Name), long(*c.Signed))
			said = true
		case c.Differs:
			fmt.Fprintf(w, "  %s was signed as %s, and is %s here\n", shown(c.Name), long(*c.Signed), long(*c.Value))
			said = true
		case c.Value == nil && !v.Holds:
			fmt.Fprintf(w, "  %s was signed, and is not there\n", shown(c.Name))
			said = true
		}
	}
	if !v.Holds && !said && len(v.Components) > 0 {
		fmt.Fprintln(w, "  what was changed could not be found: more than one component, or one that took a value that nothing hints at.")
		fmt.Fprintln(w, "  --against FILE compares with what the signer is known to have said")
	}
	if !verbose {
		return
	}
	for _, c := range v.Components {
		mark, value := " ", "(not there)"
		if c.Value != nil {
			value = long(*c.Value)
		}
		if c.Differs || c.Value == nil {
			mark = "!"
		}
		fmt.Fprintf(w, "  %s %s: %s\n", mark, shown(c.Name), value)
	}
}

// long is a value in quotation marks, its middle left out if it is long.
func long(text string) string {
	if len(text) > 200 {
		text = text[:120] + "…" + text[len(text)-60:]
	}
	b, err := json.Marshal(text)
	if err != nil {
		return shown(text)
	}
	return string(b)
}
