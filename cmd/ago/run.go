package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"ago/client"
	"ago/commitment"
	"ago/console"
	"ago/console/source"
	"ago/fault"
	"ago/localnet"
	"ago/message"
	"ago/node"
)

// runCommand evaluates a file.
type runCommand struct {
	signerFlags
	processFlags
	File    string        `arg:"" help:"Lua file; - is standard input."`
	Args    []string      `arg:"" optional:"" help:"Given to the file as ... and in the table arg."`
	Node    string        `placeholder:"URL" help:"Node to run it on; without it a network in memory that ends with the file." toml:"node"`
	Timeout time.Duration `default:"2m" help:"How long to wait for each result." toml:"timeout"`
	Settle  time.Duration `default:"5s" help:"How long to wait for what the file's messages cause." toml:"settle"`
}

// Help is shown by ago run --help.
func (runCommand) Help() string {
	return `A fresh process evaluates the file, with the local files it requires. What it prints, and its last value, go to standard
output, and so does what it prints on answers to the messages it sends. An error goes to standard error with its file and
line, and the exit code is 5.

  ago run hello.lua
  ago run bank.lua alice 10
  ago run bank.lua --node http://127.0.0.1:8734 -o json`
}

// ran is what ago run -o json prints.
type ran struct {
	Process message.ID      `json:"process"`
	Message message.ID      `json:"message"`
	Output  string          `json:"output"`
	Error   *ranError       `json:"error,omitempty"`
	Later   []ranLater      `json:"later"`
	Result  json.RawMessage `json:"result"`
}

type ranError struct {
	Text string `json:"text"`
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
}

type ranLater struct {
	Message message.ID `json:"message"`
	From    string     `json:"from"`
	Action  string     `json:"action,omitempty"`
	Output  string     `json:"output,omitempty"`
	Error   *ranError  `json:"error,omitempty"`
}

// Run evaluates.
func (r *runCommand) Run(o *out) error {
	for i, a := range r.Args {
		if len(a) == message.IDLength+1 { // see shielded
			r.Args[i] = strings.TrimPrefix(a, " ")
		}
	}
	b, err := r.bundle(o)
	if err != nil {
		return err
	}
	n, key, stop, err := r.network(o)
	if err != nil {
		return err
	}
	defer stop()
	p, err := r.spawn()
	if err != nil {
		return err
	}
	s, err := console.Create(o, n, key, b.Files[len(b.Files)-1].Path, p)
	if err != nil {
		return err
	}
	s.Timeout = r.Timeout
	later, err := s.From(o)
	if err != nil {
		return err
	}
	a, err := s.Eval(o, b.Chunk(r.Args...))
	if err != nil {
		return err
	}
	done := ran{Process: s.Process, Message: a.Message, Later: []ranLater{}, Result: a.Result.JSON}
	if a.Failed {
		done.Error = errorIn(a.Text, b)
		printed, _ := console.SplitError(a.Text)
		done.Output = console.Plain(printed)
	} else {
		done.Output = console.Plain(a.Text)
	}
	r.print(o, a.Text, done.Error)
	failed := a.Failed
	if sent := len(a.Result.Messages) + len(a.Result.Spawns) + len(a.Result.Assignments); sent > 0 && !a.Failed {
		settled(o, n, a.Message, sent, r.Settle)
		err = later.Next(o, func(e console.Event) {
			l := ranLater{Message: e.Message, From: e.From, Action: e.Action}
			if e.Failed {
				l.Error, failed = errorIn(e.Text, b), true
			} else {
				l.Output = console.Plain(e.Text)
			}
			r.print(o, e.Text, l.Error)
			done.Later = append(done.Later, l)
		})
		if err != nil {
			return err
		}
	}
	if o.json {
		if err := o.encode(done); err != nil {
			return err
		}
	}
	if failed {
		return errEvaluated
	}
	return nil
}

func (r *runCommand) print(o *out, text string, failure *ranError) {
	switch {
	case o.json:
	case failure != nil:
		if printed, _ := console.SplitError(text); printed != "" {
			fmt.Fprintln(o.stdout, plainFor(o.stdout, printed))
		}
		fmt.Fprintln(o.stderr, failure.Text)
	case text != "":
		fmt.Fprintln(o.stdout, strings.TrimRight(plainFor(o.stdout, text), "\n"))
	}
}

func errorIn(text string, b *source.Bundle) *ranError {
	e := &ranError{Text: console.ErrorText(text, b)}
	if p, ok := b.Locate(text); ok {
		e.File, e.Line = p.Path, p.Line
	}
	return e
}

func (r *runCommand) bundle(o *out) (*source.Bundle, error) {
	if r.File != "-" {
		return source.Load(r.File)
	}
	text, err := textOrFile(o, "-")
	if err != nil {
		return nil, fault.Wrap(err, fault.Malformed, "input-unreadable", "the input")
	}
	return source.Of("stdin.lua", string(text)), nil
}

// network gives the node that was named, with the user's wallet; or one in memory, with a key of its own.
func (r *runCommand) network(o *out) (*client.Network, *commitment.Key, func(), error) {
	if r.Node != "" {
		key, err := r.key(o)
		return client.At(r.Node), key, func() {}, err
	}
	key, err := commitment.NewAgent().Generate(commitment.Ed25519, nil)
	if err != nil {
		return nil, nil, nil, err
	}
	modules, err := r.modules()
	if err != nil {
		return nil, nil, nil, err
	}
	n, err := localnet.Start(context.WithoutCancel(o), localnet.Options{CacheDir: cacheFolder(), Modules: modules, Log: o.log})
	if err != nil {
		return nil, nil, nil, err
	}
	return n.Client, key, func() { n.Close() }, nil
}

// modules reads --module ID=FILE for a network that does not have it yet, and leaves the id in its place.
func (f *processFlags) modules() ([]node.Module, error) {
	if !strings.Contains(f.Module, "=") {
		return nil, nil
	}
	m, err := moduleFile(f.Module)
	if err != nil {
		return nil, err
	}
	f.Module = m.ID.String()
	return []node.Module{m}, nil
}
