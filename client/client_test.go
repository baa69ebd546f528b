package client

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
)

func key(t testing.TB, kind commitment.KeyType) *commitment.Key {
	t.Helper()
	k, err := commitment.NewAgent().FromSeed(kind, []byte(strings.Repeat("c", 32)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// part shows an item as a scheduler does.
func part(it *ans104.Item) Part {
	p := Part{ID: it.ID().String(), Data: string(it.Data), Signature: base64.RawURLEncoding.EncodeToString(it.Signature)}
	p.Owner.Key, p.Owner.Address = base64.RawURLEncoding.EncodeToString(it.Owner), it.Address().String()
	anchor := string(it.Anchor)
	p.Anchor = &anchor
	if it.HasTarget {
		p.Target = it.Target.String()
	}
	for _, t := range it.Tags {
		p.Tags = append(p.Tags, Tag{t.Name, t.Value})
	}
	return p
}

func TestAPartIsTheItemItShows(t *testing.T) {
	for _, kind := range []commitment.KeyType{commitment.Ed25519, commitment.Ethereum, commitment.Solana} {
		it, err := ans104.Sign(ans104.Draft{Target: message.HashOf([]byte("p")), HasTarget: true, Anchor: []byte(strings.Repeat("7", 32)),
			Tags: []ans104.Tag{{Name: "a", Value: "b"}, {Name: "a", Value: ""}}, Data: []byte("data \u2028")}, key(t, kind))
		if err != nil {
			t.Fatal(err)
		}
		p := part(it)
		got, err := p.Item(nil)
		if err != nil || got.ID() != it.ID() || got.Type != kind || string(got.Raw) != string(it.Raw) {
			t.Errorf("%s: %v", kind, err)
		}
		if err := p.Verify(nil); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		for name, spoil := range map[string]func(*Part){
			"data":      func(p *Part) { p.Data += "x" },
			"a tag":     func(p *Part) { p.Tags = p.Tags[:1] },
			"the id":    func(p *Part) { p.ID = p.Target },
			"signature": func(p *Part) { p.Signature = base64.RawURLEncoding.EncodeToString(make([]byte, len(it.Signature))) },
		} {
			p := part(it)
			spoil(&p)
			if err := p.Verify(nil); err == nil {
				t.Errorf("%s: another %s was accepted", kind, name)
			}
		}
		// Schedulers show data as text; what was signed can be given beside it.
		p.Data = "\ufffd"
		if err := p.Verify(&Exact{Anchor: it.Anchor, Tags: it.Tags, Data: it.Data}); err != nil || !p.Lossy() {
			t.Errorf("%s with its data: %v", kind, err)
		}
	}
}

func TestAnAnchorMayBeShownAsBytes(t *testing.T) {
	it, err := ans104.Sign(ans104.Draft{Anchor: []byte(strings.Repeat("\xfe", 32)), Data: []byte("x")}, key(t, commitment.Ed25519))
	if err != nil {
		t.Fatal(err)
	}
	p := part(it)
	shown := base64.RawURLEncoding.EncodeToString(it.Anchor)
	p.Anchor = &shown
	if err := p.Verify(nil); err != nil {
		t.Error(err)
	}
}

// edge is a slot of a scheduler that a test plays.
func edge(n int) string {
	id := message.HashOf(fmt.Append(nil, n)).String()
	return fmt.Sprintf(`{"node":{"message":{"id":%q,"tags":[],"data":"d"},"assignment":{"id":%q,"tags":[{"name":"Process","value":%q},{"name":"Nonce","value":"%d"},`+
		`{"name":"Timestamp","value":"%d"},{"name":"Block-Height","value":"000000001234"},{"name":"Hash-Chain","value":%q},{"name":"Exclude","value":"Data"}]}},"cursor":"%d"}`,
		id, id, id, n, 1000+n, id, 1000+n)
}

func TestALogIsReadPageByPage(t *testing.T) {
	const all = 2*PageSize + 5
	var asked []string
	su := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Query().Get("from"))
		from := -1
		if f := r.URL.Query().Get("from"); f != "" {
			from, _ = strconv.Atoi(f)
			from -= 1000
		}
		limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
		var edges []string
		for n := from + 1; n < all && len(edges) < limit; n++ {
			edges = append(edges, edge(n))
		}
		fmt.Fprintf(w, `{"page_info":{"has_next_page":%t},"edges":[%s]}`, from+1+limit < all, strings.Join(edges, ","))
	}))
	defer su.Close()
	n := &Network{SU: su.URL + "/"}
	next := 0
	for e, err := range n.Log(context.Background(), message.ID{1}, -1) {
		if err != nil {
			t.Fatal(err)
		}
		s, err := e.Read()
		if err != nil || int(s.Slot) != next || s.Timestamp != int64(1000+next) || s.BlockHeight != 1234 || len(s.Exclude) != 1 {
			t.Fatalf("slot %d: %+v, %v", next, s, err)
		}
		next++
	}
	if next != all || strings.Join(asked, " ") != " 1999 2999" {
		t.Errorf("%d slots by asking from %q", next, asked)
	}
	for range n.Log(context.Background(), message.ID{1}, 1000+all) {
		t.Error("there is nothing after the end")
	}
}

func TestAssignmentsThatCannotBeRead(t *testing.T) {
	var good Edge
	if err := json.Unmarshal([]byte(edge(3)), &struct{ Node *Edge }{&good}); err != nil {
		t.Fatal(err)
	}
	if _, err := good.Read(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Process", "Nonce", "Timestamp", "Block-Height", "Hash-Chain"} {
		e := good
		e.Assignment.Tags = nil
		for _, tag := range good.Assignment.Tags {
			if tag.Name == name {
				tag.Value = "not this"
			}
			e.Assignment.Tags = append(e.Assignment.Tags, tag)
		}
		if _, err := e.Read(); err == nil {
			t.Errorf("an assignment with a wrong %s was read", name)
		}
	}
}

func TestErrorsKeepWhatTheOtherSideSaid(t *testing.T) {
	answer := func(status int, body string) *Network {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}))
		t.Cleanup(s.Close)
		return &Network{CU: s.URL}
	}
	for _, c := range []struct {
		n    *Network
		kind fault.Kind
		code string
		hint string
	}{
		{answer(404, `{"error":"no","code":"message-unknown","hint":"send it"}`), fault.NotFound, "message-unknown", "send it"},
		{answer(503, "Service Unavailable"), fault.Unavailable, "unit-refused", ""},
		{answer(418, "tea"), fault.Internal, "unit-refused", ""},
		{answer(200, "no JSON"), fault.Unavailable, "answer-malformed", ""},
		{&Network{}, fault.Malformed, "address-missing", "name the node or the address of the unit"},
		{&Network{CU: "http://127.0.0.1:1"}, fault.Unavailable, "unit-unreachable", "is it running? `ago dev` starts a network on this machine"},
	} {
		_, err := c.n.Result(context.Background(), message.ID{1}, message.ID{2})
		if fault.KindOf(err) != c.kind || fault.CodeOf(err) != c.code || fault.HintOf(err) != c.hint {
			t.Errorf("%v: %v %s %q", err, fault.KindOf(err), fault.CodeOf(err), fault.HintOf(err))
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := (&Network{CU: "http://127.0.0.1:1"}).Result(ctx, message.ID{1}, message.ID{2}); !errors.Is(err, context.Canceled) {
		t.Errorf("a call nobody waits for: %v", err)
	}
}

func TestTheTextOfAResult(t *testing.T) {
	for body, want := range map[string]string{
		`{"Output":"text"}`:                             "text",
		`{"Output":{"data":"printed","prompt":"> "}}`:   "printed",
		`{"Output":{"data":{"output":"older aos"}}}`:    "older aos",
		`{"Output":{"output":"plain"}}`:                 "plain",
		`{"Output":[]}`:                                 "[]",
		`{"Output":"x","Error":"it failed"}`:            "it failed",
		`{"Output":"x","Error":""}`:                     "x",
		`{"Output":{"data":7}}`:                         `{"data":7}`,
		`{"Messages":[],"Output":"","Error":null}`:      "",
		`{"Output":"a","GasUsed":12345678901234567890}`: "a",
	} {
		r, err := readResult([]byte(body))
		if err != nil || r.Text() != want {
			t.Errorf("%s: %q, %v; want %q", body, r.Text(), err, want)
		}
	}
}

func FuzzEdge(f *testing.F) {
	f.Add([]byte(edge(1)))
	f.Add([]byte(`{"message":null,"assignment":{"tags":null}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var e Edge
		if json.Unmarshal(b, &e) != nil {
			return
		}
		if s, err := e.Read(); err == nil && s.Assignment.String() != e.Assignment.ID {
			t.Fatalf("assignment %s was read as %s", e.Assignment.ID, s.Assignment)
		}
		if e.Message != nil {
			if it, err := e.Message.Item(nil); err == nil && it == nil {
				t.Fatal("neither an item nor an error")
			}
		}
	})
}

func FuzzReadRecord(f *testing.F) {
	id := message.HashOf([]byte("a record"))
	for _, s := range []string{`{"data":{"transactions":{"edges":[{"node":{"id":"` + id.String() + `","block":{"height":5}}}]}}}`, `{"data":{"transactions":{"edges":[{"node":null}]}}}`,
		`{"data":{"transactions":{"edges":[{}]}}}`, `{"errors":[{"message":"no"}]}`, `[]`, `{`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		text, _, err := ReadRecord(answer, id)
		if err == nil && !bytes.Contains(text, []byte(`"`)) {
			t.Fatalf("%q gave the record %q", answer, text)
		}
	})
}
