package node

import (
	"bytes"
	"context"
	"encoding/base64"
	"regexp"
	"strings"
	"testing"

	"ago/client"
	"ago/codec/ans104"
	"ago/codec/httpsig"
	"ago/commitment"
	"ago/fault"
	"ago/message"
)

// spawnCore makes an AO-Core process that is evaluated as legacy units do.
func (n *network) spawnCore(t testing.TB) message.ID {
	t.Helper()
	own := n.scheduler.Address().String()
	it, err := ans104.Sign(ans104.Draft{Data: []byte("core"), Tags: []ans104.Tag{{Name: "device", Value: "process@1.0"}, {Name: "Type", Value: "Process"},
		{Name: "Variant", Value: "ao.N.1"}, {Name: "Data-Protocol", Value: "ao"}, {Name: "execution-device", Value: "genesis-wasm@1.0"},
		{Name: "Module", Value: probeID.String()}, {Name: "scheduler", Value: own}, {Name: "Authority", Value: own}}}, n.key)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.client.Post(context.Background(), it); err != nil {
		t.Fatal(err)
	}
	return it.ID()
}

// TestAnAOCoreProcessIsEvaluated with items and HTTP messages in its log, by this node and, from its legacy faces, by another unit.
func TestAnAOCoreProcessIsEvaluated(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, nil)
	n.process = n.spawnCore(t)
	ctx := context.Background()
	if r := n.eval(t, "count"); r.Text() != "1" {
		t.Fatalf("%s", r.JSON)
	}
	m, err := httpsig.Commit(message.New(message.Field{Key: "data", Value: message.Bytes("count")}, message.Field{Key: "target", Value: message.Bytes(n.process.String())}),
		n.key, httpsig.Terms{})
	if err != nil {
		t.Fatal(err)
	}
	v, err := commitment.Verify(m)
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := n.scheduler.Submit(ctx, v)
	if err != nil || receipt.Slot != 2 {
		t.Fatalf("%+v, %v", receipt, err)
	}
	if r, err := n.client.Result(ctx, n.process, receipt.ID); err != nil || r.Text() != "2" {
		t.Fatalf("%s, %v", r.JSON, err)
	}
	if _, err := n.scheduler.SubmitTo(ctx, n.spawnLegacy(t), v); fault.CodeOf(err) != "target-is-another" {
		t.Errorf("%v", err)
	}
	meddler := newMeddler(t, n)
	_, unit := startEvaluator(t, meddler, t.TempDir(), false)
	if r, err := unit.Result(ctx, n.process, receipt.ID); err != nil || r.Text() != "2" {
		t.Fatalf("another unit: %s, %v", r.JSON, err)
	}
	edge, err := n.client.Slot(ctx, n.process, receipt.ID)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := edge.Read(); err != nil || s.Slot != 2 || s.Message != receipt.ID {
		t.Errorf("%+v, %v", s, err)
	}
	// A log with another chain is refused.
	chain := base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	change := func(path string, body []byte) []byte {
		return regexp.MustCompile(`("Hash-Chain","value":")[^"]*`).ReplaceAll(body, []byte("${1}"+chain))
	}
	meddler.change.Store(&change)
	_, unit = startEvaluator(t, meddler, t.TempDir(), false)
	if r, err := unit.Result(ctx, n.process, receipt.ID); err == nil || !strings.Contains(err.Error(), "HashChain invalid") {
		t.Errorf("a log with another chain gives %s, %v", r.JSON, err)
	}
}

func (n *network) spawnLegacy(t testing.TB) message.ID {
	t.Helper()
	p, err := n.client.Spawn(context.Background(), n.key, client.Spawn{Module: probeID})
	if err != nil {
		t.Fatal(err)
	}
	return p
}
