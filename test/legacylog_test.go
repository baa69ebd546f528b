package test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"testing"

	"ago/client"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/message"
)

// legacyLog is the log of one process of a network that is not ours: every message and every assignment is signed, and the
// same arguments give the same bytes.
type legacyLog struct {
	kind      string
	scheduler *commitment.Key
	module    *ans104.Item
	process   *ans104.Item
	slots     []legacySlot
}

type legacySlot struct {
	message, assignment *ans104.Item
	timestamp           int64
}

const (
	legacyStart  = 1_750_000_000_000 // milliseconds, of slot 0
	legacyHeight = 1_690_000         // such blocks are of a time when schedulers kept a hash chain
	legacyFormat = "wasm64-unknown-emscripten-draft_2024_02_15"
)

// people of the log: the scheduler, who owns the process, somebody whose address processes see in another form, a messenger.
type people struct{ scheduler, owner, stranger, messenger *commitment.Key }

func legacyPeople(t testing.TB) people {
	t.Helper()
	agent := commitment.NewAgent()
	key := func(kind commitment.KeyType, name string) *commitment.Key {
		seed := sha256.Sum256([]byte("a person of the log: " + name))
		k, err := agent.FromSeed(kind, seed[:])
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	return people{key(commitment.Ed25519, "scheduler"), key(commitment.Ed25519, "owner"), key(commitment.Ethereum, "stranger"), key(commitment.Ed25519, "messenger")}
}

func signed(t testing.TB, k *commitment.Key, d ans104.Draft) *ans104.Item {
	t.Helper()
	it, err := ans104.SignDeterministic(d, k, nil)
	if err != nil {
		t.Fatal(err)
	}
	return it
}

func itemTags(pairs ...string) []ans104.Tag {
	out := []ans104.Tag{{Name: "Data-Protocol", Value: "ao"}, {Name: "Variant", Value: "ao.TN.1"}}
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, ans104.Tag{Name: pairs[i], Value: pairs[i+1]})
	}
	return out
}

func anchorOf(i int) []byte { return fmt.Appendf(nil, "%032d", i) }

// makeLog makes the log of n messages behind the process itself. Of a shorter one of the same kind it is the continuation.
func makeLog(t testing.TB, kind string, n int) *legacyLog {
	t.Helper()
	wasm, err := os.ReadFile(aosFile(t))
	if err != nil {
		t.Fatal(err)
	}
	who := legacyPeople(t)
	l := &legacyLog{kind: kind, scheduler: who.scheduler}
	l.module = signed(t, who.owner, ans104.Draft{Data: wasm, Tags: itemTags("Type", "Module", "Module-Format", legacyFormat,
		"Input-Encoding", "JSON-1", "Output-Encoding", "JSON-1", "Memory-Limit", "1-gb", "Compute-Limit", "9000000000000")})
	l.process = signed(t, who.owner, ans104.Draft{Data: []byte("1984"), Anchor: anchorOf(0), Tags: itemTags("Type", "Process",
		"Module", l.module.ID().String(), "Scheduler", who.scheduler.Address().String(), "Authority", who.messenger.Address().String(), "Name", "log-"+kind)})
	for i := range n + 1 {
		it := l.process
		if i > 0 {
			key, d := legacyMessage(kind, i, who)
			d.Target, d.HasTarget, d.Anchor = l.process.ID(), true, anchorOf(i)
			it = signed(t, key, d)
		}
		l.add(t, it, nil)
	}
	return l
}

// add gives a message the next slot; change may do something to the assignment that no honest scheduler does.
func (l *legacyLog) add(t testing.TB, it *ans104.Item, change func(*assigning)) {
	t.Helper()
	i := len(l.slots)
	a := assigning{nonce: i, timestamp: legacyStart + int64(i)*1000, message: it.ID(), chain: l.chainAt(i), by: l.scheduler}
	if change != nil {
		change(&a)
	}
	l.slots = append(l.slots, legacySlot{message: it, timestamp: a.timestamp, assignment: a.sign(t, l.process.ID())})
}

// assigning is what an assignment says.
type assigning struct {
	nonce     int
	timestamp int64
	message   message.ID
	chain     message.ID
	by        *commitment.Key
}

func (a assigning) sign(t testing.TB, process message.ID) *ans104.Item {
	anchor := sha256.Sum256(anchorOf(a.nonce)) // no text, as those of schedulers are
	return signed(t, a.by, ans104.Draft{Anchor: anchor[:], Tags: itemTags("Type", "Assignment",
		"Process", process.String(), "Epoch", "0", "Nonce", strconv.Itoa(a.nonce), "Hash-Chain", a.chain.String(),
		"Block-Height", fmt.Sprintf("%012d", legacyHeight+(a.timestamp-legacyStart)/120_000), "Timestamp", strconv.FormatInt(a.timestamp, 10), "Message", a.message.String())})
}

// chainAt is the hash chain that slot i has.
func (l *legacyLog) chainAt(i int) message.ID {
	if i == 0 {
		id := l.process.ID()
		return sha256.Sum256(id[:])
	}
	before := l.slots[i-1].assignment
	id := before.ID()
	text, _ := before.Tag("Hash-Chain")
	was, _ := message.ParseID(text)
	return sha256.Sum256(append(id[:], was[:]...))
}

// part is an item as schedulers and gateways show it.
func part(it *ans104.Item) map[string]any {
	tags := make([]client.Tag, len(it.Tags))
	for i, t := range it.Tags {
		tags[i] = client.Tag(t)
	}
	target := ""
	if it.HasTarget {
		target = it.Target.String()
	}
	return map[string]any{"id": it.ID().String(), "owner": map[string]string{"address": it.Address().String(), "key": encode(it.Owner)}, "data": string(it.Data),
		"tags": tags, "signature": encode(it.Signature), "anchor": string(it.Anchor), "target": target}
}

// edge is a slot as its scheduler shows it.
func (s legacySlot) edge() json.RawMessage {
	as := part(s.assignment)
	delete(as, "data")
	as["anchor"] = encode(s.assignment.Anchor) // none of these is text
	b, err := json.Marshal(map[string]any{"message": part(s.message), "assignment": as})
	if err != nil {
		panic(err)
	}
	return b
}

// hash names the whole log: recorded results are those of these bytes.
func (l *legacyLog) hash() string {
	h := sha256.New()
	h.Write(l.module.Raw)
	for _, s := range l.slots {
		h.Write(s.message.Raw)
		h.Write(s.assignment.Raw)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}
