package localnet_test

import (
	"context"
	"os"
	"testing"
	"time"

	"ago/client"
	"ago/clock"
	"ago/commitment"
	"ago/localnet"
	"ago/message"
	"ago/node"
)

// probe is a small module that answers to commands in Data.
func probe(t testing.TB) node.Module {
	t.Helper()
	data, err := os.ReadFile("../test/reference/modules/probe3.wasm")
	if err != nil {
		t.Fatal(err)
	}
	tags, err := node.ModuleTags(data, node.Tag{Name: "Module-Format", Value: "wasm32-unknown-emscripten3"})
	if err != nil {
		t.Fatal(err)
	}
	return node.Module{ID: message.HashOf(data), Data: data, Tags: tags}
}

func TestTwoNetworksInOneProgram(t *testing.T) {
	ctx := context.Background()
	key, err := commitment.NewAgent().Generate(commitment.Ed25519, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := probe(t)
	at := time.UnixMilli(1_900_000_000_000)
	for range 2 { // both run until the test ends
		n, err := localnet.Start(ctx, localnet.Options{CacheDir: t.TempDir(), Clock: clock.NewPaused(at), Modules: []node.Module{m}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		})
		p, err := n.Client.Spawn(ctx, key, client.Spawn{Module: m.ID})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{"1", "2"} {
			n.Clock.Advance(time.Hour)
			id, err := n.Client.Send(ctx, key, client.Message{Process: p, Data: []byte("count"), Anchor: []byte("0123456789012345678901234567890" + want)})
			if err != nil {
				t.Fatal(err)
			}
			r, err := n.Client.Result(ctx, p, id)
			if err != nil || r.Text() != want {
				t.Fatalf("%s, %v, want %s", r.JSON, err, want)
			}
			edge, err := n.Client.Slot(ctx, p, id)
			if err != nil {
				t.Fatal(err)
			}
			if s, err := edge.Read(); err != nil || s.Timestamp != at.Add(time.Duration(i+1)*time.Hour).UnixMilli() {
				t.Errorf("message %d has the time %v, %v", i, time.UnixMilli(s.Timestamp), err)
			}
		}
	}
}
