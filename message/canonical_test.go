package message_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"ago/message"
	"ago/message/messagetest"

	"pgregory.net/rapid"
)

type vector struct {
	Name    string
	Message any
	Flat    map[string]any
	Nested  map[string]any `json:"tabm-bundled"`
	Linked  map[string]any `json:"tabm-linked"`
	Laid    map[string]any `json:"httpsig-linked"`
	ID      string         `json:"unsigned-id"`
	Base    struct {
		Base string
		HMAC string
	} `json:"unsigned-signature-base"`
	Commitments map[string]any `json:"unsigned-commitments"`
}

func vectors(t testing.TB) []vector {
	t.Helper()
	var all []vector
	for _, path := range []string{"testdata/genB-messages.json", "testdata/genB-messages-extra.json"} {
		var f struct{ Cases []vector }
		messagetest.Load(t, path, &f)
		all = append(all, f.Cases...)
	}
	if len(all) != 43 {
		t.Fatalf("%d vectors", len(all))
	}
	return all
}

// hashOrdered are vectors whose components stand in the hash order of another implementation, which beyond 32 keys cannot be
// derived: the ids of these maps, and of what links to them, differ there. What they show is that a listed order is followed.
var hashOrdered = map[string]bool{"forty-keys": true, "forty-keys-typed": true, "nested-forty": true, "list-forty": true, "forty-nested": true}

func TestMessagesHaveTheFormsAndIDsOfAnotherImplementation(t *testing.T) {
	for _, path := range []string{"testdata/genB-messages.json", "testdata/genB-messages-extra.json"} {
		var f struct{ Cases []vector }
		run := messagetest.Vectors(t, path, "writes", &f)
		for i, v := range f.Cases {
			if hashOrdered[v.Name] {
				run.Leave(i, "more than 32 keys stand in a hash order that cannot be derived; TestListedOrdersAreFollowed follows it")
				continue
			}
			run.Case(i)
		}
	}
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			m := messagetest.Message(t, v.Message)
			if got, want := m.Annotate(message.Nested), messagetest.Message(t, v.Nested); !message.Equal(got, want) {
				t.Errorf("annotated %v, want %v", got, want)
			}
			if hashOrdered[v.Name] {
				return
			}
			got := m.Annotate(message.Linked)
			if want := messagetest.Message(t, v.Linked); !message.Equal(got, want) {
				t.Errorf("linked %v, want %v", got, want)
			}
			laid := got.Lay(nil)
			if have, want := asMap(laid), v.Laid; len(have) != len(want) {
				t.Errorf("laid out as %v, want %v", have, want)
			} else {
				for k, w := range want {
					if have[k] != w {
						t.Errorf("header %s is %q, want %q", k, have[k], w)
					}
				}
			}
			base, ok := message.SignatureBase(laid.Components(), message.UnsignedParams(), laid.Get)
			if !ok || base != v.Base.Base {
				t.Errorf("signature base\n%s\nwant\n%s", base, v.Base.Base)
			}
			if id := m.UnsignedID().String(); id != v.ID || m.SignedID().String() != v.ID {
				t.Errorf("id %s, want %s", id, v.ID)
			}
		})
	}
}

func asMap(l message.Laid) map[string]any {
	m := map[string]any{}
	for _, h := range l.Headers {
		m[h.Name] = h.Value
	}
	if l.Body != "" {
		m["body"] = l.Body
	}
	return m
}

// The order of more than 32 components cannot be derived, but it can be followed.
func TestListedOrdersAreFollowed(t *testing.T) {
	n := 0
	for _, v := range vectors(t) {
		if !strings.HasPrefix(v.Name, "forty-keys") {
			continue
		}
		n++
		m := messagetest.Message(t, v.Message)
		laid := m.Annotate(message.Linked).Lay(nil)
		list, _, _ := strings.Cut(v.Base.Base[strings.Index(v.Base.Base, `params": (`)+len(`params": (`):], ")")
		var components []string
		for c := range strings.FieldsSeq(list) {
			components = append(components, strings.Trim(c, `"`))
		}
		base, ok := message.SignatureBase(components, message.UnsignedParams(), laid.Get)
		if !ok || base != v.Base.Base {
			t.Errorf("%s: base\n%s", v.Name, base)
		}
		if got := message.ConstantMAC(base).String(); got != v.ID {
			t.Errorf("%s: id %s, want %s", v.Name, got, v.ID)
		}
		if with := m.With("commitments", messagetest.Value(t, v.Commitments)); with.UnsignedID().String() != v.ID {
			t.Errorf("%s: the id of its commitment is not taken", v.Name)
		}
	}
	if n != 2 {
		t.Errorf("%d vectors", n)
	}
}

func TestPrimitives(t *testing.T) {
	var f struct{ Cases []map[string]any }
	run := messagetest.Vectors(t, "testdata/genB-primitives.json", "writes", &f)
	seen := map[string]int{}
	id := func(v any) message.ID {
		got, err := message.ParseID(v.(string))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for i, c := range f.Cases {
		op := c["op"].(string)
		seen[op]++
		if op == "accumulate-256" || op == "sha-256-chain" || op == "escape-key" {
			run.Case(i)
		}
		switch op {
		case "accumulate-256":
			var ids []message.ID
			for _, in := range c["inputs"].([]any) {
				ids = append(ids, id(in))
			}
			if got := message.SumIDs(ids); got != id(c["output"]) {
				t.Errorf("sum %s, want %s", got, c["output"])
			}
		case "sha-256-chain":
			second := c["id2"].(string)
			if second == "Yg" { // the vector shows raw bytes in base64url
				second = "b"
			}
			got, err := message.ExtendHashpath("", c["id1"].(string)+"/"+second, "x")
			if err != nil || got != c["output"].(string)+"/x" {
				t.Errorf("chain %s, %v, want %s", got, err, c["output"])
			}
		case "escape-key":
			got := message.EscapeKey(c["in"].(string))
			if back, ok := message.UnescapeKey(got); got != c["out"] || !ok || back != c["in"] {
				t.Errorf("%s is escaped as %s, want %s", c["in"], got, c["out"])
			}
		default:
			run.Leave(i, "a value of a message, which the encoding structured runs")
		}
	}
	if seen["accumulate-256"] != 4 || seen["sha-256-chain"] != 2 || seen["escape-key"] < 9 {
		t.Errorf("vectors: %v", seen)
	}
}

func TestHashpathsAreThoseOfAnotherImplementation(t *testing.T) {
	var f struct {
		Cases []struct {
			Base   any
			BaseID string `json:"base-id"`
			Steps  []struct {
				Hashpath, RequestID string
				Previous            string `json:"previous-hashpath"`
				Request             any
			}
		}
	}
	run := messagetest.Vectors(t, "testdata/genB-hashpaths.json", "reads and writes", &f)
	steps := 0
	for i, c := range f.Cases {
		run.Case(i)
		base := messagetest.Message(t, c.Base)
		if got := base.UnsignedID().String(); got != c.BaseID {
			t.Errorf("base %s, want %s", got, c.BaseID)
		}
		previous := ""
		for _, s := range c.Steps {
			steps++
			got, err := message.Hashpath(base, previous, messagetest.Message(t, s.Request))
			if err != nil || got != s.Hashpath {
				t.Errorf("hashpath %s, %v, want %s", got, err, s.Hashpath)
			}
			previous = got
		}
	}
	if steps < 8 {
		t.Errorf("%d steps", steps)
	}
}

func TestHashpathsRefuseWhatIsNone(t *testing.T) {
	id := message.HashOf(nil).String()
	for _, c := range []struct{ function, previous string }{{"", "x"}, {"", id + "/a/b"}, {"md5", id + "/a"}} {
		if got, err := message.ExtendHashpath(c.function, c.previous, "r"); err == nil {
			t.Errorf("%v gives %s", c, got)
		}
	}
	long, err := message.ExtendHashpath(message.HashpathAccumulate, id+"/"+strings.Repeat("x", 100), "r")
	if err != nil || len(long) != message.IDLength+2 {
		t.Errorf("%s, %v", long, err)
	}
}

func TestSeveralCommitmentsAreOneID(t *testing.T) {
	a, b, c := message.HashOf([]byte("a")), message.HashOf([]byte("b")), message.HashOf([]byte("c"))
	entry := func(committer string) message.Message {
		fs := []message.Field{{Key: "commitment-device", Value: message.Bytes("httpsig@1.0")}, {Key: "committed", Value: message.List{message.Bytes("x")}}}
		if committer != "" {
			fs = append(fs, message.Field{Key: "committer", Value: message.Bytes(committer)})
		}
		return message.New(fs...)
	}
	m := message.New(message.Field{Key: "x", Value: message.Int(1)}, message.Field{Key: "y", Value: message.Int(1)}, message.Field{Key: "commitments", Value: message.New(
		message.Field{Key: a.String(), Value: entry("alice")}, message.Field{Key: b.String(), Value: entry("bob")}, message.Field{Key: c.String(), Value: entry("")})})
	if got := m.SignedID(); got != message.SumIDs([]message.ID{a, b}) {
		t.Errorf("signed id %s", got)
	}
	if got := m.UnsignedID(); got != c {
		t.Errorf("unsigned id %s", got)
	}
	if got, err := m.IDBy("bob"); err != nil || got != b {
		t.Errorf("by bob: %s, %v", got, err)
	}
	if got, err := m.IDBy(); err != nil || got != c {
		t.Errorf("by nobody: %s, %v", got, err)
	}
	if _, err := m.IDBy("carol"); err == nil {
		t.Error("somebody who did not commit was found")
	}
	if got := len(m.Committers()); got != 2 {
		t.Errorf("%d committers", got)
	}
	if same := m.With("y", message.Int(2)); same.SignedID() != m.SignedID() {
		t.Error("a key that nobody committed to changed the id")
	}
	if other := m.With("x", message.Int(2)); other.Commitments().Len() != 0 || other.SignedID() == m.SignedID() {
		t.Error("a changed message keeps the commitments to what it was")
	}
	if got := message.JoinIDs([]message.ID{b, a}); got != message.JoinIDs([]message.ID{a, b}) || message.JoinIDs([]message.ID{a}) != a {
		t.Errorf("joined %s", got)
	}
	joined := a.String() + ", " + b.String()
	if a.String() > b.String() {
		joined = b.String() + ", " + a.String()
	}
	if message.JoinIDs([]message.ID{a, b}) != message.HashOf([]byte(joined)) {
		t.Error("ids are joined by a comma and a space in their order")
	}
}

func TestWhatNobodyCommittedToCanBeLeftOut(t *testing.T) {
	entry := func(keys ...string) message.Message {
		l := message.List{}
		for _, k := range keys {
			l = append(l, message.Bytes(k))
		}
		return message.New(message.Field{Key: "committed", Value: l})
	}
	field := func(key string, v message.Value) message.Field { return message.Field{Key: key, Value: v} }
	m := message.New(field("a", message.Int(1)), field("b", message.Int(2)), field("c", message.Int(3)), field("priv-d", message.Int(4)),
		field("commitments", message.New(field("x", entry("c", "a", "ao-types")), field("y", entry("a", "ao-types", "b")))))
	if got := m.Committed(); !slices.Equal(got, []string{"a", "ao-types"}) {
		t.Errorf("covered: %v", got)
	}
	only := m.OnlyCommitted()
	if _, ok := only.Get("a"); !ok || only.Len() != 2 || only.Commitments().Len() != 2 {
		t.Errorf("kept: %v", only)
	}
	if again := only.OnlyCommitted(); !message.Equal(again, only) {
		t.Errorf("again: %v", again)
	}
	plain := m.Without("commitments")
	if got := plain.OnlyCommitted(); !message.Equal(got, plain) || plain.Committed() != nil {
		t.Errorf("without commitments: %v", got)
	}
}

func TestWholeNumbersHaveOneValue(t *testing.T) {
	for in, want := range map[string]message.Value{"0": message.Int(0), "-0": message.Int(0), "007": message.Int(7), "+5": message.Int(5), "9223372036854775807": message.Int(1<<63 - 1),
		"9223372036854775808": message.BigInt("9223372036854775808"), "-00009223372036854775809": message.BigInt("-9223372036854775809"), "000000000000000000000000000012": message.Int(12)} {
		if got, ok := message.Whole(in); !ok || got != want {
			t.Errorf("%s is %v, want %v", in, got, want)
		}
	}
	for _, bad := range []string{"", "-", "1.5", "1e3", "0x1", "1_0", "٣", strings.Repeat("9", 5000)} {
		if got, ok := message.Whole(bad); ok {
			t.Errorf("%q is read as %v", bad, got)
		}
	}
}

func TestIDsFollowTheContentAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := messagetest.Messages(2).Draw(t, "message")
		again := message.New()
		for k, v := range m.All() {
			again = again.With(k, v)
		}
		id := m.UnsignedID()
		if again.UnsignedID() != id || m.UnsignedID() != id {
			t.Fatal("the same message has two ids")
		}
		if m.With("priv-note", message.Int(1)).UnsignedID() != id {
			t.Fatal("a private key changes the id")
		}
		if m.With("zz-other", message.Int(1)).UnsignedID() == id {
			t.Fatal("another key does not change the id")
		}
	})
}

func TestEscapedKeysComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.String().Draw(t, "key")
		if back, ok := message.UnescapeKey(message.EscapeKey(key)); !ok || back != key {
			t.Fatalf("%q came back as %q", key, back)
		}
	})
	for _, bad := range []string{"%", "a%2", "%zz"} {
		if got, ok := message.UnescapeKey(bad); ok {
			t.Errorf("%q is read as %q", bad, got)
		}
	}
}

func BenchmarkUnsignedID(b *testing.B) {
	fs := make([]message.Field, 10)
	for i := range fs {
		fs[i] = message.Field{Key: base64.RawURLEncoding.EncodeToString([]byte{byte(i)}), Value: message.Int(i)}
	}
	for b.Loop() {
		message.New(fs...).UnsignedID()
	}
}

// Ids are computed without writing the signature base out: they are its MAC nonetheless.
func TestIDsAreTheMACOfTheSignatureBase(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := states(2).Draw(t, "message").Without(message.KeyCommitments)
		for i := range rapid.SampledFrom([]int{0, 0, 1, 100}).Draw(t, "long") {
			m = m.With(strings.Repeat("k", 50)+string(rune('a'+i%26))+"-"+strings.Repeat("x", i), message.Bytes(strings.Repeat(`"\`, 400+i)))
		}
		laid := m.Annotate(message.Linked).Lay(nil)
		base, ok := message.SignatureBase(laid.Components(), message.UnsignedParams(), laid.Get)
		if want := message.ConstantMAC(base); !ok || m.UnsignedID() != want {
			t.Fatalf("id %s, want %s", m.UnsignedID(), want)
		}
	})
	at := func(key, value string) message.ID {
		return message.New(message.Field{Key: key, Value: message.Bytes(value)}).UnsignedID()
	}
	if at("@x", "1") == at("@y", "1") || at("@x", "1") == at("@x", "2") || at("@x", "1") == at("x", "1") || at("@path", "1") == at("path", "1") {
		t.Error("messages whose keys begin with @ share an id")
	}
}
