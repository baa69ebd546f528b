package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"ago/client"
	"ago/fault"
	"ago/message"
)

// nodeFlags name the node that a command asks by paths.
type nodeFlags struct {
	Node string `default:"http://127.0.0.1:8734" placeholder:"URL" env:"AGO_NODE" help:"Address of the node." toml:"node"`
}

// at takes a path, an id, or a whole address, and gives the node and the path there.
func (f nodeFlags) at(text string) (*client.Network, string, error) {
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "http://") && !strings.HasPrefix(text, "https://") {
		return client.At(f.Node), "/" + strings.TrimPrefix(text, "/"), nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return nil, "", fault.New(fault.Malformed, "settings-malformed", "%q is no address", text).WithHint("write a path like /~meta@1.0/info, or http://HOST/PATH")
	}
	node := u.Scheme + "://" + u.Host
	path := strings.TrimPrefix(text, node)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return client.At(node), path, nil
}

// getCommand reads a path.
type getCommand struct {
	nodeFlags
	Path      string        `arg:"" help:"Path, e.g. /PROCESS~process@1.0/now; an id; or a whole address."`
	Args      []string      `arg:"" optional:"" name:"Name=Value" help:"Arguments for all keys of the path."`
	Explain   bool          `help:"Tell the stages: what was called, with which status, in what time, and what was at hand." toml:"-"`
	Bundle    bool          `help:"Have what the answer links to in it." toml:"-"`
	Fresh     bool          `help:"Have it worked out anew, whatever is kept." toml:"-"`
	Bytes     bool          `help:"Print the bytes of the value alone, as they are." toml:"-"`
	Wire      bool          `help:"Print the answer as it came: headers, an empty line, the body. ago verify reads it." toml:"-"`
	Unchecked bool          `help:"Take an answer even if a signature of it does not hold." toml:"-"`
	Timeout   time.Duration `default:"1m" help:"How long to wait for the answer." toml:"timeout"`
}

// Help is shown by ago get --help.
func (getCommand) Help() string {
	return `A path is a message, then the keys that it is asked for, one after the other. The signature of the answer is checked.
Values are printed with their types, name+type = value; text has none.

  ago get '/~message@1.0&hello=world/hello'
  ago get /~meta@1.0/info                             what the node is
  ago get /PROCESS~process@1.0/now                    what the last message of a process gave
  ago get /PROCESS~process@1.0/compute slot=3         what the message of slot 3 gave
  ago get /PROCESS~process@1.0/schedule -o json       its log
  ago get ID -o json                                  a message that the node has, or finds, as JSON
  ago get ID/data --bytes > photo.png
  ago get /PROCESS~process@1.0/now --explain          where the time goes

A process that was spawned with device process@1.0 needs no ~process@1.0 behind its id. ago devices tells what there is to ask.`
}

// Run asks.
func (g *getCommand) Run(o *out) error {
	n, path, err := g.at(g.Path)
	if err != nil {
		return err
	}
	if path, err = withArguments(path, g.Args); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(o, g.Timeout)
	defer cancel()
	a, err := n.Core(ctx, client.Ask{Path: path, Explain: g.Explain, Bundle: g.Bundle, Fresh: g.Fresh}, g.Unchecked || g.Wire)
	if g.Wire && len(a.Wire.Headers) > 0 {
		raw, err := a.Wire.Bytes()
		if err != nil {
			return err
		}
		o.sink().Write(raw)
		return nil
	}
	if err != nil {
		return unwaited(err, g.Timeout, "the answer to "+path, "wait longer with --timeout; a process may be catching up")
	}
	switch {
	case g.Bytes:
		text, ok := a.Value.(message.Bytes)
		if !ok {
			return fault.New(fault.Malformed, "value-no-bytes", "the value of %s is no bytes but has a type or keys", path).
				WithHint("ask for one of its keys, or leave out --bytes")
		}
		o.sink().Write([]byte(text))
	case o.json:
		text, err := valueJSON(a.Value)
		if err != nil {
			return err
		}
		fmt.Fprintf(o.sink(), "%s\n", text)
		if g.Explain {
			return a.Failed()
		}
	case g.Explain:
		m, _ := a.Value.(message.Message)
		explained(o, m)
		if body, ok := m.Get(message.KeyBody); ok && a.Failed() == nil {
			showValue(o.sink(), body)
		}
		return a.Failed()
	default:
		showValue(o.sink(), a.Value)
	}
	return nil
}

// withArguments adds name=value pairs to a path as its query.
func withArguments(path string, pairs []string) (string, error) {
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return "", fault.New(fault.Malformed, "settings-malformed", "%q is no NAME=VALUE", pair).WithHint("write arguments like slot=3, or from+integer=0")
		}
		path += sep + url.PathEscape(name) + "=" + strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
		sep = "&"
	}
	return path, nil
}

// explained prints the stages of a request to standard error.
func explained(o *out, m message.Message) {
	v, _ := m.Get("stages")
	stages, _ := v.(message.List)
	if nested, ok := v.(message.Message); ok {
		for _, stage := range nested.All() {
			stages = append(stages, stage)
		}
	}
	fmt.Fprintln(o.stderr, "       µs  stage")
	for _, v := range stages {
		s, _ := v.(message.Message)
		text := func(key string) string {
			v, _ := s.Get(key)
			if b, ok := v.(message.Bytes); ok {
				return shown(string(b))
			}
			if v == nil {
				return ""
			}
			_, text := scalar(v)
			return text
		}
		depth, _ := s.Get("depth")
		n, _ := depth.(message.Int)
		line := strings.Join(strings.Fields(text("stage")+" "+text("device")+" "+text("key")), " ")
		if status := text("status"); status != "" {
			line += " -> " + status
		}
		for _, mark := range []string{"cached", "shared"} {
			if text(mark) == "true" {
				line += " " + mark
			}
		}
		for _, key := range []string{"error", "hashpath"} {
			if t := text(key); t != "" {
				line += " " + t
			}
		}
		fmt.Fprintf(o.stderr, "%9s  %s%s\n", text("took-us"), strings.Repeat("  ", int(min(max(n, 0), 40))), line)
	}
}
