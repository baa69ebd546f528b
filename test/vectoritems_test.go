package test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ago/codec/ans104"
	"ago/codec/httpsig"
	"ago/commitment"
	"ago/message"
	"ago/message/messagetest"
)

// signedItems are the data items of the vectors that somebody signed: 13 that another implementation made of messages, and 4 with tags
// in capital letters, or twice.
func signedItems(t *testing.T) map[string]string {
	t.Helper()
	type item struct{ Raw string }
	var f struct {
		Cases []struct {
			Name   string
			Signed struct{ Item item } `json:"signed-bundled"`
			Result item
		}
	}
	messagetest.Load(t, "../codec/httpsig/testdata/genB-ans104.json", &f)
	out := map[string]string{}
	for _, c := range f.Cases {
		out[c.Name] = c.Signed.Item.Raw + c.Result.Raw
	}
	if len(out) != 17 {
		t.Fatalf("%d items", len(out))
	}
	var calls struct{ Cases []map[string]json.RawMessage }
	run := messagetest.Vectors(t, "../codec/httpsig/testdata/aoconnect-requests.json", "reads and writes", &calls)
	for i, c := range calls.Cases {
		var body struct {
			B64 string `json:"$b64"`
		}
		if json.Unmarshal(c["body"], &body) == nil && body.B64 != "" { // other bodies are texts, or none
			run.Case(i)
			out["by a client: "+string(c["call"])+string(c["url"])] = body.B64
		} else {
			run.Leave(i, "no data item: a request signed as one of HTTP, or unsigned, or what a call gave")
		}
	}
	return out
}

// TestSignedItemsOfTheVectors come out of their messages and commitments byte for byte, and their signatures hold.
func TestSignedItemsOfTheVectors(t *testing.T) {
	items := signedItems(t)
	for name, text := range items {
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		it, err := ans104.DecodeItem(raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := it.Verify(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		again, err := ans104.FromCommitment(it.Message().Without(message.KeyCommitments), it.Commitment())
		if err != nil || string(again.Raw) != string(raw) || again.ID() != it.ID() {
			t.Errorf("%s is put together as %v, %v", name, again, err)
		}
		rebuilt, err := ans104.Rebuild(it.Type, it.Signature, it.Owner, it.Draft())
		if err != nil || string(rebuilt.Raw) != string(raw) {
			t.Errorf("%s is rebuilt as %v, %v", name, rebuilt, err)
		}
	}
	if len(items) < 20 {
		t.Errorf("only %d items", len(items))
	}
}

// TestItemsWithOtherTags are read as another implementation reads them, and go over HTTP as it writes them; so do those that it made
// of messages.
func TestItemsWithOtherTags(t *testing.T) {
	type result struct {
		HTTP    map[string]any `json:"httpsig"`
		ID, Raw string
		Message any
	}
	var f struct {
		Cases []struct {
			Name   string
			Result *result
			Signed struct {
				HTTP        map[string]any `json:"httpsig"`
				Item        struct{ Raw, ID string }
				Commitments any
				Decoded     any
			} `json:"signed-bundled"`
		}
	}
	run := messagetest.Vectors(t, "../codec/httpsig/testdata/genB-ans104.json", "reads and writes", &f)
	n := 0
	for i, c := range f.Cases {
		run.Case(i)
		nesting := message.Linked
		if c.Result == nil {
			nesting = message.Nested
			m, _ := c.Signed.Decoded.(map[string]any)
			whole := maps.Clone(m)
			whole["commitments"] = c.Signed.Commitments
			ids, _ := c.Signed.Commitments.(map[string]any)
			c.Result = &result{HTTP: c.Signed.HTTP, Raw: c.Signed.Item.Raw, Message: whole}
			for id := range ids {
				c.Result.ID = id
			}
		}
		n++
		raw, err := base64.StdEncoding.DecodeString(c.Result.Raw)
		if err != nil {
			t.Fatal(err)
		}
		it, err := ans104.DecodeItem(raw)
		if err != nil || it.ID().String() != c.Result.ID {
			t.Errorf("%s: %v, %v", c.Name, it, err)
			continue
		}
		want := messagetest.Message(t, c.Result.Message)
		plain := it.Message().Without(message.KeyCommitments)
		if !message.Equal(plain, want.Without(message.KeyCommitments)) {
			t.Errorf("%s is read as %v, want %v", c.Name, plain, want)
		}
		theirs, _ := want.Commitments().Get(c.Result.ID)
		if ours := it.Commitment(); !message.Equal(ours, theirs) {
			t.Errorf("%s is committed to by %v, want %v", c.Name, ours, theirs)
		}
		w, err := httpsig.Encode(plain.With(message.KeyCommitments, message.New(message.Field{Key: c.Result.ID, Value: it.Commitment()})), nesting)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		got := map[string]string{}
		for _, h := range w.Headers {
			got[h.Name] = h.Value
		}
		if len(w.Body) > 0 {
			got["body"] = string(w.Body)
		}
		wire := map[string]string{}
		for name, v := range c.Result.HTTP {
			if b, ok := messagetest.Value(t, v).(message.Bytes); ok {
				wire[name] = string(b)
			}
		}
		// The other implementation sorts what a signature covers, and has the parameters in an order of its own; here the first keeps
		// the order of the tags, which the item needs to be put together again, and the second is sorted.
		got["signature-input"], wire["signature-input"] = sortedComponents(got["signature-input"]), sortedComponents(wire["signature-input"])
		for name := range wire {
			if got[name] != wire[name] {
				t.Errorf("%s: %s is\n%q, want\n%q", c.Name, name, got[name], wire[name])
			}
		}
		if len(got) != len(wire) {
			t.Errorf("%s is written as\n%v, want\n%v", c.Name, got, wire)
		}
	}
	if n != 17 {
		t.Errorf("%d items", n)
	}
}

func sortedComponents(input string) string {
	head, rest, _ := strings.Cut(input, "(")
	list, tail, _ := strings.Cut(rest, ")")
	components := strings.Fields(list)
	slices.Sort(components)
	params := strings.Split(tail, ";")
	slices.Sort(params)
	return head + "(" + strings.Join(components, " ") + ")" + strings.Join(params, ";")
}

// TestRecordedMessagesAreWrittenAgain: what a real node of the first generation answered, and was asked, is written in its encoding and
// read back as the same.
func TestRecordedMessagesAreWrittenAgain(t *testing.T) {
	type side struct {
		Headers          map[string]any
		Body, BodyBase64 string
	}
	key, err := commitment.NewAgent().FromSeed(commitment.Ed25519, bytes.Repeat([]byte{9}, 32))
	if err != nil {
		t.Fatal(err)
	}
	n, unsendable := 0, 0
	files, err := filepath.Glob("../codec/httpsig/testdata/http-genA/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		var pairs []struct {
			Name              string
			Request, Response side
		}
		run := messagetest.Vectors(t, file, "reads and writes", &pairs, "")
		for i, p := range pairs {
			run.LeaveOf("", i, "nobody signed the request or its answer")
			for _, s := range []side{p.Request, p.Response} {
				if s.Headers["signature"] == nil {
					continue
				}
				var hs []message.Header
				for name, v := range s.Headers {
					if text, ok := v.(string); ok {
						hs = append(hs, message.Header{Name: name, Value: text})
					}
				}
				body := []byte(s.Body)
				if s.BodyBase64 != "" {
					if body, err = base64.StdEncoding.DecodeString(s.BodyBase64); err != nil {
						t.Fatal(err)
					}
				}
				m, err := httpsig.Decode(httpsig.NewWire(hs, body))
				if err != nil {
					run.LeaveOf("", i, "a zero byte in a header, which is no HTTP")
					unsendable++
					continue
				}
				run.Of("", i)
				n++
				w, err := httpsig.EncodeA(m, slices.Collect(maps.Keys(maps.Collect(m.All())))...) // as it was recorded, also what steers HTTP
				if err == nil {
					w, err = httpsig.SignA(w, key, "") // the signature says which generation it is
				}
				if err != nil {
					t.Errorf("%s: %v", p.Name, err)
					continue
				}
				again, err := httpsig.Decode(w)
				if err == nil {
					_, err = httpsig.Verify(again)
				}
				if err != nil || !message.Equal(plainOf(again), plainOf(m)) {
					t.Errorf("%s comes back as %v, %v, want %v", p.Name, plainOf(again), err, plainOf(m))
				}
			}
		}
	}
	if n != 161 || unsendable != 1 { // in one answer a zero byte stands in a header
		t.Errorf("%d messages, and %d that cannot be read", n, unsendable)
	}
}

// plainOf is a message without commitments, its own and those of what is nested.
func plainOf(v message.Value) message.Value {
	switch v := v.(type) {
	case message.List:
		out := make(message.List, len(v))
		for i, e := range v {
			out[i] = plainOf(e)
		}
		return out
	case message.Message:
		var fs []message.Field
		for key, e := range v.All() {
			if key != message.KeyCommitments {
				fs = append(fs, message.Field{Key: key, Value: plainOf(e)})
			}
		}
		return message.New(fs...)
	}
	return v
}
