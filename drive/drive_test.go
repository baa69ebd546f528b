package drive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/vm"
)

// chain is an archive in memory.
type chain struct {
	height  uint64
	items   []attested
	data    map[message.ID]string
	records map[message.ID]record
	blocks  map[uint64]string
	down    error // everything fails with it
	asked   int
}

type attested struct {
	owner string
	block uint64
	tags  []process.Tag
}

type record struct {
	height uint64
	text   string
}

var errUnknown = fault.New(fault.NotFound, "unknown", "not here")

func (c *chain) Height(context.Context) (uint64, error) { return c.height, c.down }

func (c *chain) Attested(_ context.Context, owners []string, tags []process.Tag, max uint64) (bool, error) {
	c.asked++
	for _, i := range c.items {
		missing := func(t process.Tag) bool { return !slices.Contains(i.tags, t) }
		if slices.Contains(owners, i.owner) && i.block <= max && !slices.ContainsFunc(tags, missing) {
			return true, c.down
		}
	}
	return false, c.down
}

func (c *chain) Data(_ context.Context, id message.ID) (File, error) {
	if c.down != nil {
		return nil, c.down
	}
	text, ok := c.data[id]
	if !ok {
		return nil, errUnknown
	}
	return held{bytes.NewReader([]byte(text))}, nil
}

func (c *chain) record(id message.ID) ([]byte, uint64, error) {
	r, ok := c.records[id]
	if c.down != nil || !ok {
		return nil, 0, errors.Join(c.down, errUnknown)
	}
	return []byte(r.text), r.height, nil
}

func (c *chain) Transaction(_ context.Context, id message.ID) ([]byte, uint64, error) {
	return c.record(id)
}
func (c *chain) Item(_ context.Context, id message.ID) ([]byte, uint64, error) { return c.record(id) }

func (c *chain) Block(_ context.Context, height uint64) ([]byte, error) {
	text, ok := c.blocks[height]
	if c.down != nil || !ok {
		return nil, errors.Join(c.down, errUnknown)
	}
	return []byte(text), nil
}

func idOf(b byte) message.ID { return message.ID(bytes.Repeat([]byte{b}, 32)) }

func tags(pairs ...string) []process.Tag {
	var out []process.Tag
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, process.Tag{Name: pairs[i], Value: pairs[i+1]})
	}
	return out
}

func attestation(owner string, block uint64, id message.ID) attested {
	return attested{owner, block, tags("Data-Protocol", "ao", "Type", "Attestation", "Message", id.String())}
}

func available(owner string, block uint64, id message.ID) attested {
	return attested{owner, block, tags("Data-Protocol", "WeaveDrive", "Type", "Available", "ID", id.String())}
}

func testChain() *chain {
	c := &chain{height: 100, data: map[message.ID]string{}, records: map[message.ID]record{}, blocks: map[uint64]string{90: `{"height":90}`, 99: `{"height":99}`}}
	for b := byte(1); b <= 9; b++ {
		c.data[idOf(b)] = strings.Repeat(string('a'+rune(b)), int(b))
	}
	c.items = []attested{attestation("scheduler", 50, idOf(1)), attestation("attestor", 50, idOf(2)), attestation("stranger", 50, idOf(3)),
		available("attestor", 50, idOf(4)), attestation("scheduler", 95, idOf(5)), attestation("scheduler", 50, idOf(200))}
	c.records[idOf(7)] = record{80, `{ "format": 2, "id": "x", "owner": "AQAB" }`}
	c.records[idOf(8)] = record{91, `{"owner":""}`}
	c.records[idOf(9)] = record{0, `{"owner":""}`}
	return c
}

const (
	halt       = notFound
	unfinished = "unfinished"
	none       = "none"
)

// kind tells how opening a file ended: its content, the text it was refused with, none, or unfinished.
func kind(v vm.Drive, path string) string {
	ctx := context.Background()
	size, err := v.Open(ctx, path)
	var refused *vm.Refused
	switch {
	case errors.Is(err, vm.ErrNoFile):
		return none
	case errors.As(err, &refused):
		return refused.Text
	case err != nil:
		return unfinished
	}
	b := make([]byte, size+5)
	n, err := v.ReadAt(ctx, path, b, 0)
	if err != nil || int64(n) != size {
		return fmt.Sprint("read: ", n, err)
	}
	return string(b[:n])
}

func TestWhatAProcessMayRead(t *testing.T) {
	extension := tags("Extension", "WeaveDrive")
	module := tags("Extension", "WeaveDrive", "Availability-Type", "Individual")
	data := func(b byte) string { return "/data/" + idOf(b).String() }
	for _, c := range []struct {
		name            string
		process, module []process.Tag
		want            map[string]string
	}{
		{"without the extension", nil, nil, map[string]string{data(6): "gggggg", data(1): halt}},
		{"by assignments", extension, nil, map[string]string{data(6): "gggggg", data(1): "b", data(2): halt, data(3): halt, data(4): halt, data(5): halt, data(8): halt}},
		{"extension of the module", nil, extension, map[string]string{data(1): "b"}},
		{"with an attestor", append(tags("Attestor", "attestor"), extension...), nil, map[string]string{data(2): "cc", data(4): halt}},
		{"individually", append(tags("Attestor", "attestor"), extension...), module, map[string]string{data(1): "b", data(2): "cc", data(4): "eeee", data(3): halt}},
		{"the process decides", append(tags("Attestor", "attestor", "Availability-Type", "Assignments"), extension...), module, map[string]string{data(4): halt}},
		{"the last tag counts", append(tags("Availability-Type", "nonsense", "Availability-Type", "Individual", "Attestor", "attestor"), extension...), nil, map[string]string{data(4): "eeee"}},
		{"library", append(tags("Availability-Type", "Library"), extension...), nil, map[string]string{
			data(1): "b", data(2): "This WeaveDrive implementation does not support Library attestations yet!"}},
		{"unknown mode", append(tags("Availability-Type", "x"), extension...), nil, map[string]string{data(1): "Unsupported WeaveDrive mode: x", data(6): "gggggg"}},
		{"what is attested is missing", extension, nil, map[string]string{data(200): unfinished}},
		{"no ids", extension, nil, map[string]string{"/data/x": halt, "/data/": halt, "/tx/x": halt, "/tx2/x": none, "/other/x": none}},
		{"records", nil, nil, map[string]string{
			"/tx/" + idOf(7).String():  `{"format":2,"id":"x","owner":"AQAB","ownerAddress":"hfkN_qHYAn4UY-XKlxolARCiDfARnSBKdCILxjUW0Vs"}`,
			"/tx2/" + idOf(7).String(): `{"format":3,"format":2,"id":"x","owner":"AQAB"}`,
			"/tx/" + idOf(8).String():  halt, "/tx2/" + idOf(8).String(): none,
			"/tx/" + idOf(9).String(): halt, "/tx/" + idOf(10).String(): halt, "/tx2/" + idOf(10).String(): none}},
		{"blocks", nil, nil, map[string]string{"/block/90": `{"height":90}`, "/block/99": halt, "/block/090": halt, "/block/-1": halt, "/block/80": halt, "/block/": halt}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := process.Definition{Tags: append(tags("Scheduler", "scheduler", "On-Boot", idOf(6).String()), c.process...)}
			m := process.Module{Format: alwaysAttached, Tags: c.module}
			for path, want := range c.want {
				v := Drives{testChain()}.Attach(p, m, 90)
				if got := kind(v, path); got != want {
					t.Errorf("%s: %s, want %s", path, got, want)
				}
				v.Close()
			}
		})
	}
}

func TestNothingIsDecidedWhileTheChainIsUnknown(t *testing.T) {
	p := process.Definition{Tags: tags("Scheduler", "scheduler", "Extension", "WeaveDrive")}
	paths := []string{"/data/" + idOf(1).String(), "/data/" + idOf(3).String(), "/tx/" + idOf(7).String(), "/tx/" + idOf(100).String(), "/tx2/" + idOf(100).String(), "/block/90"}
	for _, c := range []struct {
		name  string
		spoil func(*chain)
	}{
		{"behind", func(c *chain) { c.height = 89 }},
		{"down", func(c *chain) { c.down = fault.New(fault.Unavailable, "down", "no answer") }},
	} {
		for _, path := range paths {
			archive := testChain()
			c.spoil(archive)
			v := Drives{archive}.Attach(p, process.Module{}, 90)
			if got := kind(v, path); got != unfinished {
				t.Errorf("%s %s: %s, want it unfinished", c.name, path, got)
			}
			v.Close()
		}
	}
}

// A file that was opened by an earlier message is read without being admitted again, and what was opened is kept open.
func TestReadingAgain(t *testing.T) {
	c := testChain()
	c.items = nil
	v := Drives{c}.Attach(process.Definition{Tags: tags("Extension", "WeaveDrive")}, process.Module{}, 90)
	defer v.Close()
	b := make([]byte, 3)
	if n, err := v.ReadAt(context.Background(), "/data/"+idOf(5).String(), b, 2); err != nil || n != 3 || string(b) != "fff" {
		t.Fatal(n, err, string(b))
	}
	if c.asked != 0 {
		t.Fatal("an open file was admitted again")
	}
}

func TestWhoHasADrive(t *testing.T) {
	extension := tags("Extension", "WeaveDrive")
	for _, c := range []struct {
		format          string
		process, module []process.Tag
		want            bool
	}{
		{"wasm64-unknown-emscripten-draft_2024_02_15", nil, nil, true},
		{"wasm32-unknown-emscripten4", nil, nil, false},
		{"wasm32-unknown-emscripten4", extension, nil, true},
		{"wasm32-unknown-emscripten4", nil, extension, true},
		{"wasm32-unknown-emscripten4", tags("Extension", "Other"), nil, false},
	} {
		d := Drives{testChain()}.Attach(process.Definition{Tags: c.process}, process.Module{Format: c.format, Tags: c.module}, 1)
		if (d != nil) != c.want {
			t.Errorf("%+v: %v", c, d)
		}
	}
}
