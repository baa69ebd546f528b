package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/term"

	"ago/builtin"
	"ago/client"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/console"
	"ago/console/source"
	"ago/fault"
	"ago/localnet"
	"ago/message"
)

// processFlags say what process is made if there is none yet. The names are those of aos, so that fingers keep working.
type processFlags struct {
	Module    string   `placeholder:"ID" env:"AGO_MODULE,AOS_MODULE" help:"Module of a new process; without it the built-in one." toml:"module"`
	Tag       []string `placeholder:"NAME=VALUE" sep:"none" help:"Tag of a new process. May be repeated." toml:"tag"`
	TagName   []string `placeholder:"NAME" sep:"none" help:"Name of a further tag; its value is the --tag-value at the same place." toml:"-"`
	TagValue  []string `placeholder:"VALUE" sep:"none" help:"Value of a further tag." toml:"-"`
	Scheduler string   `placeholder:"ADDRESS" env:"AGO_SCHEDULER,SCHEDULER" help:"Scheduler of a new process; without it the network's." toml:"scheduler"`
	Authority string   `placeholder:"ADDRESS" help:"Whose pushed messages a new process trusts; without it the network's messenger." toml:"authority"`
}

func (f processFlags) spawn() (client.Spawn, error) {
	s := client.Spawn{Scheduler: f.Scheduler, Authority: f.Authority}
	var err error
	if s.Module, err = moduleID(f.Module); err != nil {
		return s, err
	}
	if s.Tags, err = parseTags(f.Tag); err != nil {
		return s, err
	}
	if len(f.TagName) != len(f.TagValue) {
		return s, fault.New(fault.Malformed, "settings-malformed", "%d --tag-name, but %d --tag-value", len(f.TagName), len(f.TagValue))
	}
	for i, name := range f.TagName {
		s.Tags = append(s.Tags, ans104.Tag{Name: name, Value: f.TagValue[i]})
	}
	return s, nil
}

func moduleID(text string) (message.ID, error) {
	if text == "" {
		return builtin.ID(), nil
	}
	return parseID("module", text)
}

// consoleCommand talks to a process.
type consoleCommand struct {
	networkFlags
	signerFlags
	processFlags
	Process    string   `arg:"" optional:"" default:"default" help:"Name or id of the process; a name you have no process of makes one."`
	GatewayURL string   `name:"gateway-url" placeholder:"URL" env:"AGO_CONSOLE_GATEWAY_URL" help:"Gateway, if it is not the node's." toml:"gateway-url"`
	SuURL      string   `name:"su-url" placeholder:"URL" env:"AGO_SU_URL,SU_URL" help:"Scheduler, if it is not the node's." toml:"su-url"`
	Memory     bool     `help:"Run a network of its own, in memory." toml:"-"`
	Load       []string `sep:"none" type:"path" placeholder:"FILE" help:"Lua file to evaluate first. May be repeated." toml:"-"`
	Line       string   `name:"run" placeholder:"LUA" help:"Evaluate this, print what it gives, and leave." toml:"-"`
	Data       string   `type:"path" placeholder:"FILE" help:"Lua file that a new process runs as its first act." toml:"-"`
	Cron       string   `placeholder:"TIME" help:"Make a new process with a timer: 10-seconds, 5-minutes, ..." toml:"-"`
	List       bool     `help:"List your processes, and leave." toml:"-"`
	Legacy     bool     `hidden:"" help:"Accepted for aos's sake: all units are spoken to like this." toml:"-"`
	NoHistory  bool     `help:"Neither read nor write the file of the lines typed." toml:"no-history"`
}

// Help is shown by ago console --help.
func (consoleCommand) Help() string {
	return `Lines are Lua that your process evaluates; a text that is not whole yet goes on in the next line. Lines that begin with a
dot are commands: .help lists them. What the process gets is shown as it comes in.

  ago console                      your process "default"
  ago console bank --load bank.lua
  ago console PROCESS              by id; one that is not yours is asked, not changed
  ago console --memory             a network of its own, gone afterwards
  ago console bank --run 'Balances'
  echo '1 + 1' | ago console       for scripts: stops at the first error with exit code 5`
}

// Run opens or makes the process and talks to it.
func (c *consoleCommand) Run(o *out) error {
	c.Process = strings.TrimSpace(c.Process)
	n := c.network()
	if c.GatewayURL != "" {
		n.Gateway = c.GatewayURL
	}
	if c.SuURL != "" {
		n.SU = c.SuURL
	}
	if c.Memory {
		own, err := localnet.Start(o, localnet.Options{CacheDir: cacheFolder(), Log: o.log})
		if err != nil {
			return err
		}
		defer own.Close()
		n = own.Client
	}
	key, err := c.key(o)
	if err != nil {
		return err
	}
	if c.List {
		return listProcesses(o, n, key.Address())
	}
	s, made, err := c.open(o, n)
	if err != nil {
		return err
	}
	if c.Line != "" {
		return runLine(o, s, c.Load, c.Line)
	}
	in, inFile := o.stdin.(*os.File)
	to, outFile := o.stdout.(*os.File)
	if !inFile || !outFile {
		return fault.New(fault.Unsupported, "terminal-missing", "the console needs files for input and output")
	}
	greeting := ""
	if term.IsTerminal(int(in.Fd())) {
		greeting = greet(s, n, made)
	}
	every := console.EveryDefault
	if !near(n.CU) {
		every = farEvery
	}
	err = console.Run(o, console.Options{
		Session: s, Every: every, In: in, Out: to, Err: o.stderr, Colours: coloured(to), History: c.history(), Load: c.Load, Greeting: greeting,
		Blueprint: builtin.Blueprint, Blueprints: builtin.Blueprints(),
		Trace: func(ctx context.Context, id message.ID) (string, error) { return traceText(ctx, n, id) },
	})
	if errors.Is(err, console.ErrFailed) {
		return errEvaluated
	}
	return err
}

// locate finds the scheduler of the process by its tags, as on networks of others, where only gateway, messenger and compute
// unit are known by their addresses.
func (c *consoleCommand) locate(ctx context.Context, n *client.Network, key *commitment.Key) error {
	if c.GatewayURL == "" || c.SuURL != "" {
		return nil
	}
	id, err := message.ParseID(c.Process)
	if err != nil {
		found, err := n.Processes(ctx, key.Address(), c.Process)
		if err != nil || len(found) == 0 {
			return err
		}
		if id, err = message.ParseID(found[0].ID); err != nil {
			return fault.Wrap(err, fault.Unavailable, "answer-malformed", "the gateway's answer")
		}
	}
	_, base, err := n.Locate(ctx, id)
	if err != nil {
		return err
	}
	n.SU = base
	return nil
}

func (c *consoleCommand) open(o *out, n *client.Network) (s *console.Session, made bool, err error) {
	key, err := c.key(o)
	if err != nil {
		return nil, false, err
	}
	if err := c.locate(o, n, key); err != nil {
		return nil, false, err
	}
	s, err = console.Open(o, n, key, c.Process)
	if err == nil || fault.CodeOf(err) != "process-unknown" {
		return s, false, err
	}
	if _, is := message.ParseID(c.Process); is == nil {
		return nil, false, err
	}
	p, err := c.spawn()
	if err != nil {
		return nil, false, err
	}
	if c.Data != "" {
		if p.Data, err = os.ReadFile(c.Data); err != nil {
			return nil, false, fault.Wrap(err, fault.Malformed, "settings-malformed", "--data")
		}
		p.Tags = append(p.Tags, ans104.Tag{Name: "On-Boot", Value: "Data"})
	}
	if c.Cron != "" {
		p.Tags = append(p.Tags, ans104.Tag{Name: "Cron-Interval", Value: c.Cron}, ans104.Tag{Name: "Cron-Tag-Action", Value: "Cron"})
	}
	s, err = console.Create(o, n, key, c.Process, p)
	return s, true, err
}

// farEvery is how often units of others are asked for what came in.
const farEvery = 2 * time.Second

// near tells an address on this machine.
func near(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

func (c *consoleCommand) history() string {
	if c.NoHistory {
		return ""
	}
	return filepath.Join(dataHome(), "console-history")
}

func coloured(f *os.File) bool {
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}

func greet(s *console.Session, n *client.Network, made bool) string {
	how := "opened"
	if made {
		how = "made"
	}
	text := fmt.Sprintf("%s %s  %s", how, s.Name, s.Process)
	if n.Node != "" {
		text += "  at " + n.Node
	}
	if !s.Own() {
		text += "\nIt belongs to " + s.Owner + ": lines are asked, and change nothing."
	}
	return text + "\n.help lists the commands, Ctrl-D leaves."
}

func traceText(ctx context.Context, n *client.Network, id message.ID) (string, error) {
	raw, err := n.Trace(ctx, id)
	if err != nil {
		return "", err
	}
	var t trace
	if err := json.Unmarshal(raw, &t); err != nil {
		return "", err
	}
	var b strings.Builder
	t.print(&b)
	return b.String(), nil
}

func runLine(o *out, s *console.Session, load []string, text string) error {
	for _, path := range load {
		b, err := source.Load(path)
		if err != nil {
			return err
		}
		a, err := s.Eval(o, b.Chunk())
		if err != nil {
			return err
		}
		if a.Failed {
			return showAnswer(o, a, b)
		}
	}
	a, err := s.Eval(o, text)
	if err != nil {
		return err
	}
	return showAnswer(o, a, nil)
}

// showAnswer prints what a text gave: errors to standard error.
func showAnswer(o *out, a console.Answer, b *source.Bundle) error {
	switch {
	case o.json:
		if err := o.encode(map[string]any{"message": a.Message, "result": json.RawMessage(a.Result.JSON)}); err != nil {
			return err
		}
	case a.Failed:
		if printed, _ := console.SplitError(a.Text); printed != "" {
			fmt.Fprintln(o.stdout, plainFor(o.stdout, printed))
		}
		fmt.Fprintln(o.stderr, console.ErrorText(a.Text, b))
	case a.Text != "":
		fmt.Fprintln(o.stdout, strings.TrimRight(plainFor(o.stdout, a.Text), "\n"))
	}
	if a.Failed {
		return errEvaluated
	}
	return nil
}

func plainFor(w io.Writer, text string) string {
	if f, ok := w.(*os.File); ok && coloured(f) {
		return text
	}
	return console.Plain(text)
}

func listProcesses(o *out, n *client.Network, owner message.ID) error {
	found, err := n.Processes(o, owner, "")
	if err != nil {
		return err
	}
	type listed struct {
		Process string `json:"process"`
		Name    string `json:"name"`
		Module  string `json:"module"`
	}
	list := []listed{}
	for _, t := range found {
		list = append(list, listed{t.ID, t.Tag("Name"), t.Tag("Module")})
	}
	if o.json {
		return o.encode(list)
	}
	for _, l := range list {
		if _, err := fmt.Fprintf(o.stdout, "%s  %s\n", l.Process, l.Name); err != nil {
			return err
		}
	}
	return nil
}
