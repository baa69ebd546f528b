package processtest

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ago/builtin"
	"ago/client"
	"ago/clock"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/console"
	"ago/console/source"
	"ago/localnet"
	"ago/message"
	"ago/vm"
)

// begin is the time at which every network starts, so that a test sees the same times in every run.
var begin = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// world is the network of one test, and what the test made on it.
type world struct {
	o       Options
	dir     string // of the test file
	net     *localnet.Network
	agent   *commitment.Agent
	wallets map[string]*commitment.Key
	sent    uint64
	spawned []*spawned
	inboxes map[string][]sentMessage
	bundles []*source.Bundle // of all files, to place errors
}

type spawned struct {
	id    message.ID
	name  string         // of the file, or how it was made
	hits  map[string]int // by handler: what failed, which no state remembers
	owner string
	timed bool   // it has timers, which run
	ticks string // cursor of its last tick
}

func openWorld(ctx context.Context, o Options, engine vm.Engine, dir string) (*world, error) {
	w := &world{o: o, dir: dir, agent: commitment.NewAgent(), wallets: map[string]*commitment.Key{}, inboxes: map[string][]sentMessage{}}
	node, err := w.wallet("node")
	if err != nil {
		return nil, err
	}
	w.net, err = localnet.Start(ctx, localnet.Options{
		Clock: clock.NewPaused(begin), Key: node, CacheDir: o.CacheDir, Engine: engine, Modules: o.Modules, Patience: -1, Log: o.Log,
	})
	return w, err
}

// wallet gives the key of a name. The empty name is the test itself.
func (w *world) wallet(name string) (*commitment.Key, error) {
	if k, ok := w.wallets[name]; ok {
		return k, nil
	}
	seed := sha256.Sum256([]byte("wallet of a test: " + name))
	k, err := w.agent.FromSeed(commitment.Ed25519, seed[:])
	if err == nil {
		w.wallets[name] = k
	}
	return k, err
}

// anchor makes equal messages two, and the same ones in every run.
func (w *world) anchor() []byte {
	w.sent++
	return fmt.Appendf(nil, "%032d", w.sent)
}

// arguments of all calls; each uses some.
type arguments struct {
	Process   string
	Wallet    string
	Tags      []client.Tag
	Data      string
	Code      string
	File      string
	Source    *string
	Blueprint string
	Name      string
	Address   string
	By        string
	Blocks    int
}

// refusal is an error that fails the test where it asked, with more to say about it.
type refusal struct{ text, detail string }

func (r refusal) Error() string { return r.text }

func refused(detail, format string, args ...any) error {
	return refusal{fmt.Sprintf(format, args...), detail}
}

// serve does what a test asks.
func (w *world) serve(ctx context.Context, c call) (any, error) {
	var a arguments
	if err := json.Unmarshal(c.Args, &a); err != nil && string(c.Args) != "[]" {
		return nil, fmt.Errorf("the arguments of %s: %w", c.Op, err)
	}
	switch c.Op {
	case "spawn":
		return w.spawn(ctx, a)
	case "send":
		return w.send(ctx, a)
	case "read":
		return w.read(ctx, a)
	case "eval":
		return w.eval(ctx, a.Process, a.Code, nil)
	case "load":
		b, err := w.load(a.File)
		if err != nil {
			return nil, err
		}
		return w.eval(ctx, a.Process, b.Chunk(), b)
	case "get":
		return w.get(ctx, a.Process, "return require('json').encode({("+a.Code+")})")
	case "wallet":
		k, err := w.wallet("w " + a.Name)
		if err != nil {
			return nil, err
		}
		return k.ProcessAddress(), nil
	case "inbox":
		got := w.inboxes[a.Address]
		if got == nil {
			got = []sentMessage{}
		}
		return got, nil
	case "advance":
		by, err := time.ParseDuration(a.By)
		if err != nil || by <= 0 {
			return nil, fmt.Errorf("%q is no time to move on by; write 1h30m, or seconds", a.By)
		}
		w.net.Clock.Advance(by)
		return nil, w.tick(ctx)
	case "mine":
		if err := w.net.Mine(uint64(max(a.Blocks, 0))); err != nil {
			return nil, err
		}
		w.net.Clock.Advance(time.Second) // blocks have whole seconds, and are there once theirs has passed
		return nil, w.tick(ctx)
	case "now":
		return w.net.Clock.Now().UnixMilli(), nil
	}
	return nil, fmt.Errorf("there is no %s", c.Op)
}

func (w *world) key(name string) (*commitment.Key, error) {
	if name != "" {
		name = "w " + name
	}
	return w.wallet(name)
}

func (w *world) load(file string) (*source.Bundle, error) {
	path := file
	if !filepath.IsAbs(path) {
		path = filepath.Join(w.dir, file)
		if _, err := os.Stat(path); err != nil {
			if _, here := os.Stat(file); here == nil {
				path = file
			}
		}
	}
	b, err := source.Load(path)
	if err == nil {
		w.bundles = append(w.bundles, b)
	}
	return b, err
}

func (w *world) spawn(ctx context.Context, a arguments) (any, error) {
	b, name := (*source.Bundle)(nil), "(empty)"
	var err error
	switch {
	case a.File != "":
		if b, err = w.load(a.File); err != nil {
			return nil, err
		}
		name = b.Files[len(b.Files)-1].Path
	case a.Source != nil:
		name = "(source)"
		b = source.Of("source.lua", *a.Source)
		w.bundles = append(w.bundles, b)
	case a.Blueprint != "":
		text, err := builtin.Blueprint(a.Blueprint)
		if err != nil {
			return nil, err
		}
		name = "blueprint " + a.Blueprint
		b = source.Of(a.Blueprint+".lua", text)
		w.bundles = append(w.bundles, b)
	}
	key, err := w.key(a.Wallet)
	if err != nil {
		return nil, err
	}
	tags := append(tagsOf(a.Tags), ans104.Tag{Name: "Test", Value: string(w.anchor())}) // equal processes are two
	id, err := w.net.Client.Spawn(ctx, key, client.Spawn{Module: w.o.Module, Tags: tags, Data: []byte(a.Data)})
	if err != nil {
		return nil, err
	}
	p := &spawned{id: id, name: name, hits: map[string]int{}, owner: key.Address().String()}
	w.spawned = append(w.spawned, p)
	for _, t := range a.Tags {
		p.timed = p.timed || t.Name == "Cron-Interval"
	}
	if p.timed {
		if err := w.net.Monitor(id); err != nil {
			return nil, err
		}
	}
	if !w.o.NoCoverage {
		if _, err := w.eval(ctx, id.String(), countHandlers, nil); err != nil {
			return nil, err
		}
	}
	if b != nil {
		if _, err := w.eval(ctx, id.String(), b.Chunk(), b); err != nil {
			return nil, err
		}
	}
	return id.String(), nil
}

func tagsOf(tags []client.Tag) []ans104.Tag {
	out := make([]ans104.Tag, len(tags))
	for i, t := range tags {
		out[i] = ans104.Tag{Name: t.Name, Value: t.Value}
	}
	return out
}

// owner is the wallet that made a process; the test's own for those it did not make.
func (w *world) owner(id message.ID) (*commitment.Key, error) {
	for _, p := range w.spawned {
		if p.id != id {
			continue
		}
		for _, k := range w.wallets {
			if k.Address().String() == p.owner {
				return k, nil
			}
		}
	}
	return w.wallet("")
}

// eval evaluates a text in a process of the test. An error fails the test, with its place in the file.
func (w *world) eval(ctx context.Context, process, code string, b *source.Bundle) (any, error) {
	id, err := message.ParseID(process)
	if err != nil {
		return nil, err
	}
	key, err := w.owner(id)
	if err != nil {
		return nil, err
	}
	m := client.Message{Process: id, Tags: []ans104.Tag{{Name: "Action", Value: "Eval"}}, Data: []byte(code), Anchor: w.anchor()}
	r, _, err := w.deliver(ctx, key, m)
	if err != nil {
		return nil, err
	}
	if r.Failed() {
		return nil, w.failed(r.Result, b, "")
	}
	return strings.TrimRight(console.Plain(r.Text()), "\n"), nil
}

// failed makes the refusal of a result that is an error.
func (w *world) failed(r client.Result, b *source.Bundle, what string) error {
	text := r.Text()
	bundles := w.bundles
	if b != nil {
		bundles = []*source.Bundle{b}
	}
	said := console.ErrorText(text, nil)
	for _, b := range bundles {
		if p, ok := b.Locate(text); ok {
			return refused(p.String(), "%s%s", what, said)
		}
	}
	return refused("", "%s%s", what, said)
}

func (w *world) get(ctx context.Context, process, code string) (any, error) {
	id, err := message.ParseID(process)
	if err != nil {
		return nil, err
	}
	key, err := w.owner(id)
	if err != nil {
		return nil, err
	}
	r, err := w.net.Client.DryRun(ctx, client.Message{Process: id, Tags: []ans104.Tag{{Name: "Action", Value: "Eval"}}, Data: []byte(code)}, key.ProcessAddress())
	if err != nil {
		return nil, err
	}
	if r.Failed() {
		return nil, w.failed(r, nil, "")
	}
	return console.Plain(r.Text()), nil
}

func (w *world) read(ctx context.Context, a arguments) (any, error) {
	id, err := message.ParseID(a.Process)
	if err != nil {
		return nil, err
	}
	key, err := w.key(a.Wallet)
	if err != nil {
		return nil, err
	}
	r, err := w.net.Client.DryRun(ctx, client.Message{Process: id, Tags: tagsOf(a.Tags), Data: []byte(a.Data)}, key.ProcessAddress())
	if err != nil {
		return nil, err
	}
	printed := w.ranIn(id, r.Text())
	if r.Failed() {
		return nil, w.failed(r, nil, "")
	}
	out, err := resultOf("", r)
	out.Output = console.Plain(printed)
	return out, err
}

func (w *world) send(ctx context.Context, a arguments) (any, error) {
	id, err := message.ParseID(a.Process)
	if err != nil {
		return nil, fmt.Errorf("%q is no process", a.Process)
	}
	key, err := w.key(a.Wallet)
	if err != nil {
		return nil, err
	}
	r, caused, err := w.deliver(ctx, key, client.Message{Process: id, Tags: tagsOf(a.Tags), Data: []byte(a.Data), Anchor: w.anchor()})
	if err != nil {
		return nil, err
	}
	if r.Failed() {
		w.hit(id, r.Result)
		return nil, w.failed(r.Result, nil, "")
	}
	out, err := resultOf(r.id.String(), r.Result)
	out.Caused = caused
	return out, err
}
