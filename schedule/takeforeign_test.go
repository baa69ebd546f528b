package schedule

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"ago/codec/httpsig"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
)

// listed gives assignments as a schedule lists them, read from its bytes.
func listed(t testing.TB, as ...message.Message) []message.Message {
	t.Helper()
	fs := make([]message.Field, len(as))
	for i, a := range as {
		fs[i] = message.Field{Key: strconv.Itoa(i), Value: a}
	}
	w, err := httpsig.Encode(message.New(message.Field{Key: "assignments", Value: message.New(fs...)}), message.Nested)
	if err != nil {
		t.Fatal(err)
	}
	m, err := httpsig.Decode(w)
	if err != nil {
		t.Fatal(err)
	}
	v, _ := m.Get("assignments")
	out := make([]message.Message, len(as))
	for i := range as {
		a, _ := v.(message.Message).Get(strconv.Itoa(i))
		out[i] = a.(message.Message)
	}
	return out
}

// recordedLog is the log of two slots that a node of the first generation signed.
func recordedLog(t testing.TB) []message.Message {
	t.Helper()
	text, err := os.ReadFile("../codec/httpsig/testdata/http-genA/process.json")
	if err != nil {
		t.Fatal(err)
	}
	var pairs []struct {
		Name     string
		Response struct {
			Headers    map[string]string
			BodyBase64 string
		}
	}
	if err := json.Unmarshal(text, &pairs); err != nil {
		t.Fatal(err)
	}
	var out []message.Message
	for _, p := range pairs {
		if p.Name != "ans104-spawn" && p.Name != "ans104-message" {
			continue
		}
		var hs []message.Header
		for name, v := range p.Response.Headers {
			hs = append(hs, message.Header{Name: name, Value: v})
		}
		body, err := base64.StdEncoding.DecodeString(p.Response.BodyBase64)
		if err != nil {
			t.Fatal(err)
		}
		m, err := httpsig.Decode(httpsig.NewWire(hs, body))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, m.OnlyCommitted())
	}
	return listed(t, out...)
}

// takenOn takes a log at one scheduler, and from that one at another; both have to show the assignments as they were signed.
func takenOn(t *testing.T, p message.ID, log []message.Message) {
	t.Helper()
	ctx := context.Background()
	for range 2 {
		b := open(t)
		if head, err := b.s.TakeCore(ctx, p, nil, log); err != nil || int(head.Next) != len(log) {
			t.Fatalf("%+v, %v", head, err)
		}
		if _, err := b.s.TakeCore(ctx, p, nil, log); err != nil {
			t.Errorf("read again: %v", err)
		}
		page, err := b.s.Page(ctx, p, 0, 100)
		if err != nil || len(page.Signed) != len(log) {
			t.Fatalf("%d slots, %v", len(page.Signed), err)
		}
		for i, m := range page.Signed {
			want := log[i].OnlyCommitted()
			if m.Without(message.KeyBody).SignedID() != want.Without(message.KeyBody).SignedID() || m.SignedID() != want.SignedID() || m.Len() != want.Len() {
				t.Errorf("slot %d is shown as\n%v, was\n%v", i, m, want)
			}
			core := page.Slots[i].Core()
			for key, v := range want.All() {
				if got, _ := core.Get(key); key != message.KeyBody && key != message.KeyCommitments && !message.Equal(got, v) {
					t.Errorf("slot %d: the process gets %s as %v, want %v", i, key, got, v)
				}
			}
			if body := bodyOf(t, core); process.ContentOfMessage(body).ID != page.Slots[i].Message {
				t.Errorf("slot %d: the process gets %v", i, body)
			}
			if found, err := b.s.Message(ctx, m.SignedID()); err != nil || found.SignedID() != m.SignedID() {
				t.Errorf("slot %d by the id of its assignment: %v, %v", i, found, err)
			}
			if found, err := b.s.Message(ctx, page.Slots[i].Message); err != nil || process.ContentOfMessage(found).ID != page.Slots[i].Message {
				t.Errorf("the message of slot %d: %v", i, err)
			}
			if _, err := b.s.Item(ctx, page.Slots[i]); err != nil {
				t.Errorf("slot %d for legacy units: %v", i, err)
			}
		}
		if again, err := b.again().Page(ctx, p, 0, 100); err != nil || len(again.Signed) != len(log) {
			t.Errorf("after a restart: %v", err)
		}
		log = corePage(t, b.s, p, 0, 100)
	}
}

// refusals are changes of a slot, and what is said of them.
func refusals(t *testing.T, p message.ID, log []message.Message, at slotlog.Slot, names map[string]string) {
	t.Helper()
	with := func(m message.Message, key string, v message.Value) message.Message {
		return m.With(key, v).With(message.KeyCommitments, m.Commitments())
	}
	changes := map[string]func(m message.Message) message.Message{
		"slot": func(m message.Message) message.Message { return with(m, "slot", message.Int(int64(at)+1)) },
		"time": func(m message.Message) message.Message { return with(m, "timestamp", message.Int(1<<50)) },
		"block": func(m message.Message) message.Message {
			return with(m, "block-height", message.Int(77))
		},
		"chain": func(m message.Message) message.Message {
			return with(m, "hash-chain", message.Bytes(message.HashOf(nil).String()))
		},
		"hashpath": func(m message.Message) message.Message { return with(m, "base-hashpath", message.Bytes("x/y")) },
		"unsigned": func(m message.Message) message.Message { return m.Without(message.KeyCommitments) },
		"body":     func(m message.Message) message.Message { return with(m, message.KeyBody, bodyOf(t, log[0])) },
		"signer":   func(m message.Message) message.Message { return resigned(t, m) },
	}
	for name, code := range names {
		b := open(t)
		page := append([]message.Message(nil), log...)
		page[at] = changes[name](page[at])
		head, err := b.s.TakeCore(context.Background(), p, nil, page)
		if fault.CodeOf(err) != "slot-refused" || innermostCode(err) != code || head.Next != at {
			t.Errorf("%s: %d slots, %v (%s), want %s", name, head.Next, err, innermostCode(err), code)
		}
	}
}

func TestTheLogOfARealNodeIsTaken(t *testing.T) {
	log := recordedLog(t)
	p, err := message.ParseID("Nrw7niIKr98lPo0NzKIusKAwFdRC75nMkp-czBpQ97s")
	if err != nil || len(log) != 2 {
		t.Fatal(len(log), err)
	}
	takenOn(t, p, log)
	refusals(t, p, log, 1, map[string]string{"slot": "slot-missing", "time": "signature-invalid", "block": "signature-invalid", "chain": "hash-chain-invalid",
		"unsigned": "scheduler-is-another", "body": "hash-chain-invalid", "signer": "scheduler-is-another"})
}

// TestLogsInTheFormsOfHyperBEAMAreTaken: in each generation's, signed by RSA over the message's id or over the message itself.
func TestLogsInTheFormsOfHyperBEAMAreTaken(t *testing.T) {
	text, err := os.ReadFile("../commitment/testdata/wallet.json")
	if err != nil {
		t.Fatal(err)
	}
	rsa, err := commitment.NewAgent().LoadJWK(text)
	if err != nil {
		t.Fatal(err)
	}
	later := func(nesting message.Nesting) func(m message.Message) (message.Message, error) {
		return func(m message.Message) (message.Message, error) {
			return httpsig.Commit(m, rsa, httpsig.Terms{Nesting: nesting})
		}
	}
	for name, c := range map[string]struct {
		sign    func(m message.Message) (message.Message, error)
		without []string
		refused map[string]string
	}{
		"the first": {func(m message.Message) (message.Message, error) {
			w, err := httpsig.EncodeA(m)
			if err == nil {
				w, err = httpsig.SignA(w, rsa, "")
			}
			if err != nil {
				return m, err
			}
			return httpsig.Decode(w)
		}, []string{"base-hashpath", "type"}, map[string]string{"chain": "hash-chain-invalid", "body": "hash-chain-invalid"}},
		"the second":                      {later(message.Linked), []string{"base-hashpath"}, map[string]string{"chain": "hash-chain-invalid", "body": "hash-chain-invalid"}},
		"the second, over the message":    {later(message.Nested), []string{"base-hashpath"}, map[string]string{"chain": "hash-chain-invalid"}},
		"a later one, with the hashpath":  {later(message.Linked), []string{"hash-chain"}, map[string]string{"hashpath": "hashpath-invalid", "body": "signature-invalid"}},
		"with neither, which proves less": {later(message.Linked), []string{"hash-chain", "base-hashpath"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			a := open(t)
			a.s.c.Key = rsa
			spawned, err := a.s.Submit(context.Background(), a.coreProcess(true, "p"))
			if err != nil {
				t.Fatal(err)
			}
			p := spawned.Process
			for i := range 3 {
				if _, err := a.s.SubmitTo(context.Background(), p, a.http(a.user, field("target", p.String()), field("data", strconv.Itoa(i)))); err != nil {
					t.Fatal(err)
				}
			}
			var log []message.Message
			path := p.String()
			for _, m := range corePage(t, a.s, p, 0, 10) {
				plain := m.Without(message.KeyCommitments).With("block-hash", message.Bytes(strings.Repeat("Az09_-xy", 8))).With("base-hashpath", message.Bytes(path))
				for _, key := range c.without {
					plain = plain.Without(key)
				}
				if path, err = message.ExtendHashpath("", path, plain.UnsignedID().String()); err != nil {
					t.Fatal(err)
				}
				signed, err := c.sign(plain)
				if err != nil {
					t.Fatal(err)
				}
				log = append(log, signed)
			}
			log = listed(t, log...)
			if c.refused == nil {
				b := open(t)
				if _, err := b.s.TakeCore(context.Background(), p, nil, log); innermostCode(err) != "assignment-malformed" {
					t.Errorf("%v", err)
				}
				return
			}
			takenOn(t, p, log)
			for change, code := range map[string]string{"slot": "slot-missing", "time": "signature-invalid", "block": "signature-invalid",
				"unsigned": "scheduler-is-another", "signer": "scheduler-is-another"} {
				c.refused[change] = code
			}
			refusals(t, p, log, 2, c.refused)
		})
	}
}
