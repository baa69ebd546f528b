package httpsig

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"ago/codec/ans104"
	"ago/codec/flat"
	"ago/codec/json"
	"ago/codec/structured"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/message/messagetest"

	"pgregory.net/rapid"
)

func field(key string, v message.Value) message.Field { return message.Field{Key: key, Value: v} }

func fastKey(t testing.TB, fill byte) *commitment.Key {
	t.Helper()
	k, err := commitment.NewAgent().FromSeed(commitment.Ed25519, bytes.Repeat([]byte{fill}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// overHTTP sends the wire through what HTTP does to headers.
func overHTTP(t interface{ Fatalf(string, ...any) }, w Wire) Wire {
	h := http.Header{}
	for _, e := range w.Headers {
		h.Add(e.Name, e.Value)
	}
	var b bytes.Buffer
	if err := h.Write(&b); err != nil {
		t.Fatalf("%v", err)
	}
	var hs []message.Header
	for line := range strings.SplitSeq(strings.TrimSuffix(b.String(), "\r\n"), "\r\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			hs = append(hs, message.Header{Name: name, Value: strings.TrimSpace(value)})
		}
	}
	return NewWire(hs, w.Body)
}

func TestMessagesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := messagetest.Messages(3).Draw(t, "message")
		if m.Text("body") == "" {
			m = m.Without("body") // an empty body is none
		}
		n := rapid.SampledFrom([]message.Nesting{message.Nested, message.Linked}).Draw(t, "nesting")
		w, err := Encode(m, n)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(overHTTP(t, w))
		if err != nil {
			t.Fatal(err)
		}
		if got.UnsignedID() != m.UnsignedID() {
			t.Fatalf("came back with another id: %v, was %v", got, m)
		}
		if back := withoutUnsigned(got); n == message.Nested && !message.Equal(back, m) {
			t.Fatalf("came back as %v, was %v", back, m)
		}
		if raw := got.Raw(); raw != nil {
			again, err := Read(raw)
			if err != nil || !message.Equal(again, got) || !bytes.Equal(again.Raw(), raw) {
				t.Fatalf("read again as %v, %v", again, err)
			}
		}
	})
}

// Whatever a message came in, it has the same id.
func TestEveryEncodingNamesAMessageAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := messagetest.Messages(2).Draw(t, "message").Without("body").Without("target")
		id := m.UnsignedID()
		check := func(encoding string, got message.Message, err error) {
			if err != nil || got.UnsignedID() != id {
				t.Fatalf("%s: %v, %v, was %v", encoding, got, err, m)
			}
		}
		for _, g := range []structured.Generation{structured.GenA, structured.GenB} {
			got, err := structured.Decode(structured.Encode(m, g, message.Nested), g)
			check(structured.Codec, got, err)
		}
		if w, err := Encode(m, message.Linked); err == nil {
			got, err := Decode(w)
			check(Codec, got, err)
		}
		if text, err := json.Encode(m); err == nil && !some(m, typedMember) {
			got, err := json.Decode(text)
			check(json.Codec, got, err)
		}
		if !some(m, emptyMap) {
			lines, err := flat.Encode(m)
			if err != nil {
				t.Fatal(err)
			}
			got, err := flat.Decode(lines)
			check(flat.Codec, got, err)
		}
		if d, err := ans104.DraftOf(m); err == nil && m.Text("data") != "" {
			it, err := ans104.Unsigned(d)
			if err != nil {
				t.Fatal(err)
			}
			check(ans104.Codec, it.Message(), nil)
		}
	})
}

// some tells whether anything in the value, or it itself, is so.
func some(v message.Value, is func(message.Value) bool) bool {
	if is(v) {
		return true
	}
	switch v := v.(type) {
	case message.List:
		return slices.ContainsFunc(v, func(e message.Value) bool { return some(e, is) })
	case message.Message:
		for _, e := range v.All() {
			if some(e, is) {
				return true
			}
		}
	}
	return false
}

// typedMember tells lists with members whose type JSON cannot note.
func typedMember(v message.Value) bool {
	l, _ := v.(message.List)
	return slices.ContainsFunc(l, func(e message.Value) bool {
		switch e := e.(type) {
		case message.Link:
			return true
		case message.Atom:
			return e != "true" && e != "false" && e != "null"
		}
		return false
	})
}

func emptyMap(v message.Value) bool {
	m, ok := v.(message.Message)
	return ok && m.Len() == 0
}

func TestMessagesOfTheFirstGenerationComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := messagetest.Messages(3).Draw(t, "message")
		w, err := EncodeA(m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := content(overHTTP(t, w), structured.GenA, unbounded)
		if err != nil || !message.Equal(got, m) {
			t.Fatalf("%v came back as %v, %v", m, got, err)
		}
	})
}

func TestCommittedMessagesVerifyHoweverTheyTravel(t *testing.T) {
	keys := []*commitment.Key{fastKey(t, 1), wallet(t)}
	rapid.Check(t, func(t *rapid.T) {
		m := messagetest.Messages(2).Draw(t, "message")
		if m.Text("body") == "" {
			m = m.Without("body")
		}
		terms := Terms{Nesting: rapid.SampledFrom([]message.Nesting{message.Linked, message.Nested}).Draw(t, "nesting"), Salt: []byte("test")}
		k := keys[0]
		if rapid.IntRange(0, 9).Draw(t, "rsa") == 0 {
			k = keys[1]
		}
		c, err := Commit(m, k, terms)
		if err != nil {
			t.Fatal(err)
		}
		check := func(where string, m message.Message) {
			signers, err := Verify(m)
			if err != nil || len(signers) != 1 || signers[0].Address() != k.Address() {
				t.Fatalf("%s: %v, %v", where, signers, err)
			}
			if m.SignedID() != c.SignedID() {
				t.Fatalf("%s: another id", where)
			}
		}
		check("here", c)
		w, err := Encode(c, terms.Nesting)
		if err != nil {
			t.Fatal(err)
		}
		far, err := Decode(overHTTP(t, w))
		if err != nil {
			t.Fatal(err)
		}
		check("over HTTP", far)
		loose := message.New(slices.Collect(fields(far))...)
		check("taken apart", loose)
		for key := range m.All() {
			if changed := loose.With("commitments", loose.Commitments()).Without(key); changed.Commitments().Len() > 0 {
				t.Fatalf("without %s the commitments stay", key)
			}
			forged := loose.Without(key).With(message.KeyCommitments, loose.Commitments())
			if _, err := Verify(forged); fault.KindOf(err) != fault.Forged {
				t.Fatalf("without %s: %v", key, err)
			}
			forged = loose.With(key, message.Bytes("forged")).With(message.KeyCommitments, loose.Commitments())
			if _, err := Verify(forged); fault.KindOf(err) != fault.Forged {
				t.Fatalf("with another %s: %v", key, err)
			}
		}
	})
}

func fields(m message.Message) func(func(message.Field) bool) {
	return func(yield func(message.Field) bool) {
		for k, v := range m.All() {
			if !yield(message.Field{Key: k, Value: v}) {
				return
			}
		}
	}
}

func TestManyKeysKeepTheirOrder(t *testing.T) {
	m := message.New()
	for i := range 60 {
		m = m.With(fmt.Sprintf("key-%d", i), message.Int(i))
	}
	m = m.With("body", message.Bytes("b")).With("nested", message.New(field("x", message.Int(1))))
	c, err := Commit(m, fastKey(t, 1), Terms{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(c); err != nil {
		t.Error(err)
	}
	w, err := Encode(c, message.Linked)
	if err != nil {
		t.Fatal(err)
	}
	far, err := Decode(w)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := commitment.Verify(far); err != nil {
		t.Error(err)
	}
}

func TestOtherUnsignedKeysAreLeftOut(t *testing.T) {
	m := message.New(field("a", message.Int(1)), field("b", message.Bytes("x")), field("priv-c", message.Bytes("secret")))
	c, err := Commit(m, fastKey(t, 1), Terms{Keys: []string{"a"}, Tag: "path"})
	if err != nil {
		t.Fatal(err)
	}
	if changed := c.With("b", message.Bytes("y")); changed.SignedID() != c.SignedID() {
		t.Error("a key outside changes the id")
	} else if _, err := Verify(changed); err != nil {
		t.Error(err)
	}
	again, err := Commit(c, fastKey(t, 2), Terms{})
	if err != nil {
		t.Fatal(err)
	}
	signers, err := Verify(again)
	if err != nil || len(signers) != 2 || again.Commitments().Len() != 3 || len(again.Committers()) != 2 {
		t.Errorf("%v, %v, %v", signers, err, again.Commitments())
	}
	for _, v := range again.Commitments().All() {
		if got := committedKeys(v.(message.Message)); !slices.Equal(got, []string{"a", "ao-types"}) {
			t.Errorf("covers %v", got)
		}
	}
	if _, err := Commit(m, fastKey(t, 1), Terms{Keys: []string{"none"}}); fault.CodeOf(err) != "key-absent" {
		t.Errorf("an absent key: %v", err)
	}
	k, err := commitment.NewAgent().FromSeed(commitment.Ethereum, bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Commit(m, k, Terms{}); fault.CodeOf(err) != "key-cannot-sign" {
		t.Errorf("another kind of key: %v", err)
	}
}

func TestTextsThatNoHeaderHoldsAreCommittedTo(t *testing.T) {
	for name, c := range map[string]struct {
		m    message.Message
		keys []string
	}{
		"empty data":           {message.New(field("data", message.Bytes(""))), nil},
		"empty data and space": {message.New(field("data", message.Bytes("")), field("a", message.Bytes(" "))), nil},
		"data and space":       {message.New(field("data", message.Bytes("x")), field("a", message.Bytes(" ")), field("B", message.Bytes("x"))), nil},
		"data of both":         {message.New(field("data", message.Bytes("x")), field("a", message.Bytes(" "))), []string{"data"}},
		"space of both":        {message.New(field("data", message.Bytes("x")), field("a", message.Bytes(" "))), []string{"a"}},
		"a body beside a map":  {message.New(field("n", message.New(field("body", message.Bytes("x")), field("m", message.New(field("y", message.Bytes("z"))))))), nil},
	} {
		for _, n := range []message.Nesting{message.Linked, message.Nested} {
			signed, err := Commit(c.m, fastKey(t, 1), Terms{Keys: c.keys, Nesting: n})
			if err != nil {
				t.Fatal(err)
			}
			w, err := Encode(signed, n)
			if err != nil {
				t.Fatal(err)
			}
			far, err := Decode(overHTTP(t, w))
			if err != nil || !message.Equal(far.Commitments(), signed.Commitments()) {
				t.Errorf("%s: %v, %v, was %v", name, far, err, signed)
			}
			if n == message.Nested && !message.Equal(withoutUnsigned(far), c.m) {
				t.Errorf("%s came back as %v", name, far)
			}
			if _, err := Verify(far); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := Verify(message.New(slices.Collect(fields(far))...)); err != nil {
				t.Errorf("%s, taken apart: %v", name, err)
			}
		}
	}
}

func TestTextsBeyondAHeaderBecomeParts(t *testing.T) {
	for size, part := range map[int]bool{4096: false, 4097: true} {
		w, err := Encode(message.New(field("k", message.Bytes(strings.Repeat("x", size)))), message.Linked)
		if err != nil {
			t.Fatal(err)
		}
		if _, header := w.Get("k"); header == part {
			t.Errorf("%d bytes: in a header %v", size, header)
		}
	}
}

// A node or a stranger between signer and reader adds what nobody signed.
func TestHeadersThatNobodySignedDoNotSteer(t *testing.T) {
	sign := func(m message.Message) Wire {
		c, err := Commit(m, fastKey(t, 1), Terms{})
		if err != nil {
			t.Fatal(err)
		}
		w, err := Encode(c, message.Linked)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	plain, withBody := sign(message.New(field("n", message.Bytes("1")))), sign(message.New(field("body", message.Bytes("b")), field("n", message.Bytes("1"))))
	verdict := func(w Wire) error {
		m, err := Decode(w)
		if err == nil {
			_, err = Verify(m)
		}
		return err
	}
	for _, w := range []Wire{plain, withBody} {
		if err := verdict(w); err != nil {
			t.Fatal(err)
		}
	}
	part := "--B\r\ncontent-disposition: form-data;name=\"n\"\r\n\r\n2\r\n--B--"
	for name, w := range map[string]Wire{
		"a type":      plain.with("ao-types", `n="integer"`),
		"a body key":  withBody.with("ao-body-key", "action"),
		"parts":       withBody.with("content-type", "multipart/form-data; boundary=b"),
		"a part":      {Headers: plain.with("content-type", `multipart/form-data; boundary="B"`).Headers, Body: []byte(part)},
		"a value":     plain.with("n", "2"),
		"no value":    plain.with("n", ""),
		"a body":      {Headers: withBody.Headers, Body: []byte("c")},
		"no body":     {Headers: withBody.Headers},
		"a digest":    {Headers: withBody.with("content-digest", message.ContentDigest("c")).Headers, Body: []byte("c")},
		"a committer": plain.with("signature-input", strings.ReplaceAll(mustGet(t, plain, "signature-input"), base64.StdEncoding.EncodeToString(fastKey(t, 1).Owner()), base64.StdEncoding.EncodeToString(fastKey(t, 2).Owner()))),
		"components":  plain.with("signature-input", strings.ReplaceAll(mustGet(t, plain, "signature-input"), `("n")`, `()`)),
	} {
		if err := verdict(w); fault.KindOf(err) != fault.Forged && fault.KindOf(err) != fault.Malformed || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := verdict(plain.with("other", "x").with("ao-types", `other="atom"`)); err != nil {
		t.Errorf("a key that nobody signed: %v", err)
	}
}

func mustGet(t *testing.T, w Wire, name string) string {
	t.Helper()
	v, ok := w.Get(name)
	if !ok {
		t.Fatalf("no %s", name)
	}
	return v
}

func TestOfTwoGenerationsWhatHoldsIsKept(t *testing.T) {
	m := message.New(field("a", message.Bytes("b")))
	c, err := Commit(m, fastKey(t, 1), Terms{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := Encode(c, message.Linked)
	if err != nil {
		t.Fatal(err)
	}
	old, err := SignA(NewWire([]message.Header{{Name: "a", Value: "b"}}, nil), wallet(t), "")
	if err != nil {
		t.Fatal(err)
	}
	join := func(header string) Wire {
		return w.with(header, mustGet(t, w, header)+", "+mustGet(t, old, header))
	}
	both := join(hdrSignature).with(hdrSignatureInput, mustGet(t, join(hdrSignatureInput), hdrSignatureInput))
	got, err := Decode(both)
	if err != nil {
		t.Fatal(err)
	}
	if signers, err := Verify(got); err != nil || len(signers) != 2 {
		t.Fatalf("%v, %v", signers, err)
	}
	spoilt := both.with(hdrSignatureInput, strings.Replace(mustGet(t, both, hdrSignatureInput), `("a");alg="rsa`, `();alg="rsa`, 1))
	if got, err = Decode(spoilt); err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(got); fault.KindOf(err) != fault.Forged {
		t.Errorf("half of it forged: %v", err)
	}
	kept, signers := Holding(got)
	if len(signers) != 1 || signers[0].Address() != fastKey(t, 1).Address() {
		t.Errorf("%v", signers)
	}
	if v, err := commitment.Verify(kept); err != nil || v.ID() != kept.SignedID() {
		t.Errorf("%v", err)
	}
	if w, ok := WireOf(kept); !ok || strings.Contains(mustGet(t, w, hdrSignature), memberA) {
		t.Error("the signature that does not hold is sent on")
	}
	if same, _ := Holding(kept); !bytes.Equal(same.Raw(), kept.Raw()) {
		t.Error("a message that holds is changed")
	}
}

func TestNestedMessagesKeepOnlyCommitmentsThatHold(t *testing.T) {
	inner, err := Commit(message.New(field("x", message.Int(1))), fastKey(t, 2), Terms{})
	if err != nil {
		t.Fatal(err)
	}
	stolen := message.New(field("x", message.Int(2)), field(message.KeyCommitments, inner.Commitments()))
	c, err := Commit(message.New(field("good", inner), field("bad", message.List{stolen})), fastKey(t, 1), Terms{Nesting: message.Nested})
	if err != nil {
		t.Fatal(err)
	}
	w, err := Encode(c, message.Nested)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Decode(w)
	if err != nil {
		t.Fatal(err)
	}
	kept, signers := Holding(m)
	if len(signers) != 1 || signers[0].Address() != fastKey(t, 1).Address() || kept.ID() != m.ID() || !bytes.Equal(kept.Raw(), m.Raw()) {
		t.Errorf("%v, %s, was %s", signers, kept.ID(), m.ID())
	}
	good, _ := kept.Get("good")
	bad, _ := kept.Get("bad")
	if got := good.(message.Message); len(got.Committers()) != 1 || got.SignedID() != inner.SignedID() {
		t.Errorf("what holds is gone: %v", got)
	}
	if got := bad.(message.List)[0].(message.Message); got.Commitments().Len() != 0 || got.SignedID() == inner.SignedID() {
		t.Errorf("a message keeps the id of another: %v", got)
	}
	if _, err := commitment.Verify(kept); err != nil {
		t.Error(err)
	}
}

func TestSecretsCommitForThoseWhoKnowThem(t *testing.T) {
	m := message.New(field("a", message.Int(1)), field("data", message.Bytes("x")))
	c, err := CommitSecret(m, []byte("secret"), Terms{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := Encode(c, message.Linked)
	if err != nil {
		t.Fatal(err)
	}
	far, err := Decode(overHTTP(t, w))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []message.Message{c, far} {
		if err := VerifySecret(m, []byte("secret")); err != nil {
			t.Error(err)
		}
		if err := VerifySecret(m, []byte("other")); fault.CodeOf(err) != "not-signed" {
			t.Errorf("with another secret: %v", err)
		}
		if who := m.Committers(); len(who) != 1 || !strings.HasPrefix(who[0], "secret:") || strings.Contains(who[0], "secret:secret") {
			t.Errorf("committers %v", who)
		}
		if _, err := commitment.Verify(m.Decoded(message.ID{}, Codec, nil, nil)); fault.KindOf(err) != fault.Unsupported {
			t.Errorf("without the secret: %v", err)
		}
		forged := m.With("a", message.Int(2)).With(message.KeyCommitments, m.Commitments())
		if err := VerifySecret(forged, []byte("secret")); fault.KindOf(err) != fault.Forged {
			t.Errorf("another value: %v", err)
		}
	}
	if _, err := CommitSecret(m, []byte("secret"), Terms{Keys: []string{"none"}}); fault.CodeOf(err) != "key-absent" {
		t.Errorf("an absent key: %v", err)
	}
}

func TestManyCommitmentsAreNotAllChecked(t *testing.T) {
	inner, err := Commit(message.New(field("x", message.Int(1))), fastKey(t, 2), Terms{})
	if err != nil {
		t.Fatal(err)
	}
	l := message.List{}
	for range checksMax {
		l = append(l, inner)
	}
	kept, _ := Holding(message.New(field("l", l)))
	v, _ := kept.Get("l")
	held := 0
	for _, e := range v.(message.List) {
		held += e.(message.Message).Commitments().Len()
	}
	if held != checksMax {
		t.Errorf("%d hold", held)
	}
}

// A commitment by a data item comes in the headers too, with what it takes to put the item together again.
func TestCommitmentsOfDataItems(t *testing.T) {
	var f struct {
		Cases []struct {
			Name   string
			Signed struct {
				Commitments, Decoded any
				HTTP                 map[string]any `json:"httpsig"`
				Item                 struct{ Raw string }
			} `json:"signed-bundled"`
		}
	}
	run := messagetest.Vectors(t, "testdata/genB-ans104.json", "reads and writes", &f)
	n := 0
	for i, c := range f.Cases {
		if c.Signed.HTTP == nil {
			run.Leave(i, "an item that was decoded, which TestItemsWithOtherTags runs")
			continue
		}
		run.Case(i)
		n++
		m, err := Decode(wireOf(t, c.Signed.HTTP))
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		if want := messagetest.Message(t, c.Signed.Commitments); m.Commitments().Len() != want.Len() {
			t.Errorf("%s: %v", c.Name, m.Commitments())
		}
		if v, err := commitment.Verify(m); err != nil || v.Signer().Address() != wallet(t).Address() {
			t.Errorf("%s: %v", c.Name, err)
		}
		raw, err := base64.StdEncoding.DecodeString(c.Signed.Item.Raw)
		if err != nil {
			t.Fatal(err)
		}
		it, err := ans104.DecodeItem(raw)
		if err != nil {
			t.Fatal(err)
		}
		sent := it.Message().With(message.KeyCommitments, message.New(field(it.ID().String(), it.Commitment())))
		w, err := Encode(sent, message.Nested)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		if back, err := Decode(w); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		} else if _, err := commitment.Verify(back); err != nil || back.SignedID() != it.ID() {
			t.Errorf("%s sent on: %v", c.Name, err)
		}
	}
	if n != 13 {
		t.Errorf("%d vectors", n)
	}
}

func TestOriginalTagsTravel(t *testing.T) {
	tags := message.New(field("1", message.New(field("name", message.Bytes("Data-Protocol")), field("value", message.Bytes("ao, \"x\"")))),
		field("2", message.New(field("name", message.Bytes("a:b")), field("value", message.Bytes("")))))
	if got := tagsOf(tagsText(tags)); !message.Equal(got, tags) {
		t.Errorf("%v", got)
	}
}

// A signature of the first generation on a message that was taken apart still goes with it.
func TestOldSignaturesAreSentOn(t *testing.T) {
	w, err := SignA(NewWire([]message.Header{{Name: "a", Value: "b"}, {Name: "path", Value: "/x"}}, nil), wallet(t), "")
	if err != nil {
		t.Fatal(err)
	}
	m, err := Decode(w)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Encode(message.New(slices.Collect(fields(m))...), message.Linked)
	if err != nil {
		t.Fatal(err)
	}
	sent, err := Decode(again)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := commitment.Verify(sent); err != nil || v.ID() != m.ID() || mustGet(t, again, hdrSignatureInput) != mustGet(t, w, hdrSignatureInput) {
		t.Errorf("%v, %v", again, err)
	}
}

func TestAKeyThatWouldLeaveTheSignatureEmptyIsRefused(t *testing.T) {
	m := message.New(field("@x", message.Bytes("1")))
	if _, err := Commit(m, wallet(t), Terms{}); fault.CodeOf(err) != "key-unsignable" {
		t.Errorf("signed: %v", err)
	}
	if _, err := CommitSecret(m, []byte("secret"), Terms{}); fault.CodeOf(err) != "key-unsignable" {
		t.Errorf("under a secret: %v", err)
	}
	if _, err := Commit(m.With("x", message.Bytes("2")), wallet(t), Terms{Keys: []string{"x"}}); err != nil {
		t.Errorf("beside it: %v", err)
	}
}
