package node

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"
	"testing"

	"ago/client"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"

	"github.com/klauspost/compress/gzip"
)

func keyOf(t testing.TB, seed string) *commitment.Key {
	t.Helper()
	k, err := commitment.NewAgent().FromSeed(commitment.Ed25519, []byte(strings.Repeat(seed, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// evaluates starts a compute unit, asks it for a message's result, and tells how many evaluations that took.
func evaluates(t testing.TB, n *network, last message.ID, want string, key *commitment.Key, c Checkpoints) (*Evaluator, uint64) {
	t.Helper()
	a := n.Addresses()
	c.Bundler = a.Bundler
	e, err := StartEvaluator(EvaluatorConfig{CacheDir: modulesCache, Gateway: a.Gateway, SU: a.SU, Key: key, Checkpoints: c})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	r, err := (&client.Network{CU: e.URL()}).Result(context.Background(), n.process, last)
	if err != nil || r.Text() != want {
		t.Fatalf("%s, %v, want %s", r.JSON, err, want)
	}
	return e, e.computer.Stats().Evaluated
}

// TestAPublishedCheckpointIsGoneOnFrom: one unit publishes its memory, others begin with it if they trust it.
func TestAPublishedCheckpointIsGoneOnFrom(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	n := startNetwork(t, nil)
	var last message.ID
	for range 150 {
		last = n.send(t, "count")
	}
	publisher, reader := keyOf(t, "p"), keyOf(t, "r")
	e, all := evaluates(t, n, last, "150", publisher, Checkpoints{Upload: true})
	if all != 151 {
		t.Fatalf("the publisher evaluated %d messages of 151", all)
	}
	for range 2 { // the second time there is nothing new
		if err := e.Checkpoint(ctx); err != nil {
			t.Fatal(err)
		}
	}
	gateway := &client.Network{Gateway: n.Addresses().Gateway}
	published, err := gateway.Checkpoints(ctx, n.process, []string{publisher.Address().String()})
	if err != nil || len(published) != 1 {
		t.Fatalf("%d checkpoints, %v", len(published), err)
	}
	item := published[0]
	edge, err := (&client.Network{SU: n.Addresses().SU}).Latest(ctx, n.process)
	if err != nil {
		t.Fatal(err)
	}
	slot, err := edge.Read()
	if err != nil {
		t.Fatal(err)
	}
	id, err := message.ParseID(item.ID)
	if err != nil {
		t.Fatal(err)
	}
	data, err := gateway.Data(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	memory, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(memory)
	names := ""
	for _, tag := range item.Tags {
		names += tag.Name + " "
	}
	if want := "Data-Protocol Variant Type Module Process Nonce Timestamp Block-Height Content-Type SHA-256 Content-Encoding Unit-Identifier Ordinate Epoch Assignment Hash-Chain "; names != want {
		t.Errorf("tags %s\nwant %s", names, want)
	}
	for name, want := range map[string]string{
		"Process": n.process.String(), "Module": probeID.String(), "Nonce": "150", "Ordinate": "150", "SHA-256": hex.EncodeToString(sum[:]),
		"Assignment": slot.Assignment.String(), "Hash-Chain": slot.HashChain.String(), "Content-Encoding": "gzip", "Type": "Checkpoint",
	} {
		if got := item.Tag(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	trusted := []string{publisher.Address().String()}
	for range 2 {
		last = n.send(t, "count")
	}
	if _, got := evaluates(t, n, last, "152", reader, Checkpoints{Trusted: trusted}); got != 2 {
		t.Errorf("who trusts the publisher evaluated %d messages, want 2", got)
	}
	if _, got := evaluates(t, n, last, "152", reader, Checkpoints{Trusted: []string{nobody.String()}}); got != 153 {
		t.Errorf("who trusts somebody else evaluated %d messages", got)
	}
	if _, got := evaluates(t, n, last, "152", reader, Checkpoints{Trusted: trusted, Ignored: []message.ID{id}}); got != 153 {
		t.Errorf("who ignores the checkpoint evaluated %d messages", got)
	}
	if _, got := evaluates(t, n, last, "152", reader, Checkpoints{Trusted: trusted, IgnoredProcesses: []message.ID{n.process}}); got != 153 {
		t.Errorf("who looks for none evaluated %d messages", got)
	}
	if _, got := evaluates(t, n, last, "152", publisher, Checkpoints{Upload: true}); got != 2 {
		t.Errorf("the publisher, started anew, evaluated %d messages, want 2", got)
	}
	// One with a wrong hash, one of a slot whose assignment is another one, and one that is cut off: newer, and not used.
	for name, change := range map[string]func(*ans104.Draft){
		"hash":       func(d *ans104.Draft) { set(d, "SHA-256", strings.Repeat("ab", 32)) },
		"assignment": func(d *ans104.Draft) { set(d, "Assignment", nobody.String()) },
		"time":       func(d *ans104.Draft) { set(d, "Timestamp", "1") },
		"data":       func(d *ans104.Draft) { d.Data = d.Data[:len(d.Data)/2] },
		"encoding":   func(d *ans104.Draft) { set(d, "Content-Encoding", "") },
	} {
		d := ans104.Draft{Data: bytes.Clone(data)}
		for _, tag := range item.Tags {
			d.Tags = append(d.Tags, Tag(tag))
		}
		change(&d)
		liar := keyOf(t, name[:1])
		it, err := ans104.Sign(d, liar)
		if err != nil {
			t.Fatal(err)
		}
		if err := n.client.Upload(ctx, it); err != nil {
			t.Fatal(err)
		}
		if _, got := evaluates(t, n, last, "152", reader, Checkpoints{Trusted: []string{liar.Address().String()}}); got != 153 {
			t.Errorf("with a checkpoint that is wrong in its %s %d messages were evaluated, want all", name, got)
		}
		if _, got := evaluates(t, n, last, "152", reader, Checkpoints{Trusted: append(trusted, liar.Address().String())}); got != 2 {
			t.Errorf("beside a checkpoint that is wrong in its %s %d messages were evaluated, want 2", name, got)
		}
		if _, got := evaluates(t, n, last, "152", reader, Checkpoints{Trusted: append(trusted, liar.Address().String()), Preferred: trusted}); got != 2 {
			t.Errorf("preferring the right one beside a wrong %s %d messages were evaluated, want 2", name, got)
		}
	}
}

func set(d *ans104.Draft, name, value string) {
	for i := range d.Tags {
		if d.Tags[i].Name == name {
			d.Tags[i].Value = value
		}
	}
}

// TestFilesOfMemories: a unit without its own data begins with the files of another.
func TestFilesOfMemories(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, nil)
	var last message.ID
	for range 120 {
		last = n.send(t, "count")
	}
	dir := t.TempDir()
	e, _ := evaluates(t, n, last, "120", nil, Checkpoints{Files: dir})
	if err := e.Close(); err != nil { // which writes them
		t.Fatal(err)
	}
	last = n.send(t, "count")
	e, got := evaluates(t, n, last, "121", nil, Checkpoints{Files: dir})
	if got != 1 {
		t.Errorf("%d messages were evaluated, want 1", got)
	}
	if _, err := (&client.Network{CU: e.URL()}).Result(context.Background(), n.process, n.process); fault.CodeOf(err) != "result-before-checkpoint" {
		t.Errorf("a result of before: %v", err)
	}
}
