package process

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ago/codec/ans104"
	"ago/codec/httpsig"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/slotlog"
)

// observed is one request to a node of the first generation, and its answer.
type observed struct {
	Name    string
	Request struct {
		Path             string
		Headers          map[string]string
		Body, BodyBase64 string
	}
	Response struct {
		Headers          map[string]string
		Body, BodyBase64 string
	}
}

func observe(t testing.TB, name string) observed {
	t.Helper()
	text, err := os.ReadFile("../codec/httpsig/testdata/http-genA/process.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []observed
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for _, o := range all {
		if o.Name == name {
			return o
		}
	}
	t.Fatalf("no observation is named %s", name)
	return observed{}
}

func wireOf(headers map[string]string, body, body64 string) httpsig.Wire {
	var hs []message.Header
	for name, value := range headers {
		hs = append(hs, message.Header{Name: name, Value: value})
	}
	raw := []byte(body)
	if body64 != "" {
		raw, _ = base64.StdEncoding.DecodeString(body64)
	}
	return httpsig.NewWire(hs, raw)
}

// decoded reads headers and body as a message.
func decoded(t testing.TB, headers map[string]string, body, body64 string) message.Message {
	t.Helper()
	m, err := httpsig.Decode(wireOf(headers, body, body64))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// scheduled is the message that a client of the first generation has scheduled: the body of the request.
func scheduled(t testing.TB, name string) message.Message {
	t.Helper()
	o := observe(t, name)
	if o.Request.Headers["codec-device"] == ans104.Codec {
		raw, _ := base64.StdEncoding.DecodeString(o.Request.BodyBase64)
		m, err := ans104.Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	v, _ := decoded(t, o.Request.Headers, o.Request.Body, o.Request.BodyBase64).Get("body")
	m, ok := v.(message.Message)
	if !ok {
		t.Fatalf("%s has no message in its body", name)
	}
	return m
}

func key(t testing.TB, seed byte) *commitment.Key {
	t.Helper()
	k, err := commitment.NewAgent().FromSeed(commitment.Ed25519, slices.Repeat([]byte{seed}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func committed(t testing.TB, k *commitment.Key, fs ...message.Field) message.Message {
	t.Helper()
	m, err := httpsig.Commit(message.New(fs...), k, httpsig.Terms{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func field(k, v string) message.Field { return message.Field{Key: k, Value: message.Bytes(v)} }

// received is a message as it comes over HTTP, with what transport adds.
func received(t testing.TB, m message.Message, extra ...message.Header) message.Message {
	t.Helper()
	w, err := httpsig.Encode(m, message.Nested)
	if err != nil {
		t.Fatal(err)
	}
	m, err = httpsig.Decode(httpsig.NewWire(append(w.Headers, extra...), w.Body))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestKeptMessagesAreReadAsTheyWere(t *testing.T) {
	k := key(t, 1)
	inner := committed(t, key(t, 2), field("deep", "value"), message.Field{Key: "n", Value: message.Int(5)})
	nested := committed(t, k, field("type", "Message"), message.Field{Key: "child", Value: inner},
		message.Field{Key: "list", Value: message.List{message.Int(1), message.Bytes("two")}})
	bundled, err := httpsig.Commit(nested.Without(message.KeyCommitments), k, httpsig.Terms{Nesting: message.Nested})
	if err != nil {
		t.Fatal(err)
	}
	transport := []message.Header{{Name: "host", Value: "localhost"}, {Name: "cookie", Value: "secret"}}
	for _, c := range []struct {
		name string
		m    message.Message
		form slotlog.Form
	}{
		{"an item", scheduled(t, "ans104-message"), slotlog.FormItem},
		{"a definition by hbsig", scheduled(t, "spawn"), slotlog.FormBody},
		{"a message by hbsig", scheduled(t, "schedule"), slotlog.FormBody},
		{"a signed request", received(t, committed(t, k, field("type", "Message"), field("data", "1 + 1")), transport...), slotlog.FormWire},
		{"a signed request with parts", received(t, bundled, transport...), slotlog.FormWire},
		{"a signed request with parts that it names", received(t, nested, transport...), slotlog.FormBody},
		{"a request by hbsig", decoded(t, observe(t, "schedule").Request.Headers, observe(t, "schedule").Request.Body, ""), slotlog.FormWire},
		{"a message made here", nested, slotlog.FormBody},
		{"a message with two signers", committedTwice(t), slotlog.FormBody},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := commitment.Verify(c.m); err != nil {
				t.Fatal(err)
			}
			form, raw, kept, err := Keep(c.m)
			if err != nil || form != c.form {
				t.Fatalf("form %d, %v, want %d", form, err, c.form)
			}
			if strings.Contains(string(raw), "secret") {
				t.Error("the cookie of a client was kept")
			}
			back, err := Kept(form, raw)
			if err != nil || !message.Equal(back, kept) {
				t.Fatalf("%v, %v, want %v", back, err, kept)
			}
			v, err := commitment.Verify(back)
			if err != nil {
				t.Fatalf("what was read back does not verify: %v", err)
			}
			want := ContentOfMessage(c.m.OnlyCommitted())
			if got := ContentOfMessage(back); got.ID != want.ID || got.Owner != want.Owner || v.ID() != want.ID || !cmp.Equal(got.Tags, want.Tags) {
				t.Errorf("%s by %s with %v, want %s by %s with %v", got.ID, got.Owner, got.Tags, want.ID, want.Owner, want.Tags)
			}
			ids := []message.ID{want.ID, c.m.OnlyCommitted().UnsignedID()}
			if strings.Contains(c.name, "hbsig") {
				ids = append(ids, httpsig.UnsignedIDA(c.m))
			}
			for text := range c.m.Commitments().All() {
				id, _ := message.ParseID(text)
				ids = append(ids, id)
			}
			for _, id := range ids {
				if !slices.Contains(IDs(back), id) {
					t.Errorf("%s is not among %v", id, IDs(back))
				}
			}
		})
	}
}

// tampered replaces a key of a message and leaves its commitments as they are.
func tampered(m message.Message, f message.Field) message.Message {
	return m.With(f.Key, f.Value).With(message.KeyCommitments, m.Commitments())
}

func TestSignaturesOfNestedMessagesMustHold(t *testing.T) {
	inner := committed(t, key(t, 2), field("from", "alice"))
	for _, c := range []struct {
		name  string
		value message.Value
		code  string
	}{
		{"one that holds", inner, ""},
		{"one that does not", tampered(inner, field("from", "bob")), "signature-invalid"},
		{"deeper", message.New(message.Field{Key: "deep", Value: tampered(inner, field("from", "bob"))}), "signature-invalid"},
		{"in a list", message.List{inner, tampered(inner, field("from", "bob"))}, "signature-invalid"},
		{"too many", slices.Repeat(message.List{inner}, nestedMax+1), "signatures-too-many"},
	} {
		m := committed(t, key(t, 1), message.Field{Key: "x", Value: c.value})
		if _, err := commitment.Verify(m); err != nil {
			t.Fatal(err)
		}
		if err := Vouched(m); err != nil != (c.code != "") || c.code != "" && fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %q", c.name, err, c.code)
		}
	}
	if _, err := commitment.Verify(tampered(inner, field("from", "bob"))); fault.KindOf(err) != fault.Forged {
		t.Errorf("a message that was changed verifies: %v", err)
	}
	if _, err := commitment.Verify(message.New(field("a", "b"))); fault.CodeOf(err) != "not-signed" {
		t.Errorf("a message of nobody: %v", err)
	}
}

func committedTwice(t testing.TB) message.Message {
	m, err := httpsig.Commit(committed(t, key(t, 1), field("a", "b")), key(t, 2), httpsig.Terms{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestKeptRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, c := range []struct {
		form slotlog.Form
		raw  string
	}{{slotlog.FormItem, "x"}, {slotlog.FormWire, "a: b"}, {slotlog.FormBody, "a: b\r\n\r\ntext"}, {slotlog.FormBody, ""}, {9, ""}} {
		if m, err := Kept(c.form, []byte(c.raw)); err == nil {
			t.Errorf("form %d of %q gives %v", c.form, c.raw, m)
		}
	}
}

func FuzzKept(f *testing.F) {
	for _, name := range []string{"spawn", "schedule", "ans104-message"} {
		form, raw, _, err := Keep(scheduled(f, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(byte(form), raw)
	}
	form, raw, _, err := Keep(received(f, committed(f, key(f, 1), field("type", "Process"), field("scheduler", "x"))))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(byte(form), raw)
	f.Fuzz(func(t *testing.T, form byte, raw []byte) {
		m, err := Kept(slotlog.Form(form), raw)
		if err != nil {
			return
		}
		if f, again, _, err := Keep(m); err == nil {
			back, err := Kept(f, again)
			if err != nil || !message.Equal(back, m.OnlyCommitted()) {
				t.Fatalf("%v: %v is not %v", err, back, m)
			}
		}
		_, _ = Define(m)
		if c := ContentOfMessage(m); c.ID.IsZero() {
			t.Fatal("no id")
		}
	})
}

func TestOnlyWhatEverySignerCoversIsKept(t *testing.T) {
	k := key(t, 1)
	m := committed(t, k, field("a", "1")).With("b", message.Bytes("unsigned"))
	_, _, got, err := Keep(m)
	if _, there := got.Get("b"); err != nil || there || got.Text("a") != "1" || Vouched(m) != nil {
		t.Errorf("%v, %v", got, err)
	}
	both, err := httpsig.Commit(message.New(field("a", "1"), field("b", "2")), k, httpsig.Terms{Keys: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	if both, err = httpsig.Commit(both, key(t, 2), httpsig.Terms{Keys: []string{"a", "b"}}); err != nil {
		t.Fatal(err)
	}
	if err := Vouched(both); fault.CodeOf(err) != "commitments-disagree" {
		t.Errorf("commitments that cover different keys: %v", err)
	}
	if err := Vouched(message.New()); fault.CodeOf(err) != "message-empty" {
		t.Errorf("an empty message: %v", err)
	}
}

func TestDefinitionsOfAOCore(t *testing.T) {
	own := message.ID{1}.String()
	base := func(fs ...message.Field) message.Message {
		all := append([]message.Field{field("device", "process@1.0"), field("type", "Process"), field("scheduler", own),
			field("execution-device", "test-device@1.0")}, fs...)
		return committed(t, key(t, 1), all...)
	}
	type summary struct {
		Variant, Scheduler, Scheduling, Execution, Push string
		Schedulers, Authorities, Stack                  []string
		Module                                          message.ID
		Memory                                          uint64
		Legacy                                          bool
	}
	sum := func(d Definition) summary {
		return summary{d.Variant, d.Scheduler, d.SchedulerDevice, d.ExecutionDevice, d.PushDevice, d.Schedulers, d.Authorities,
			d.DeviceStack, d.Module, d.MemoryLimit, d.Legacy()}
	}
	plain := summary{VariantCore, own, DeviceScheduler, "test-device@1.0", DevicePush, []string{own}, nil, nil, message.ID{}, 0, false}
	wallet := "tRoMoihXGnJ8CGBWTW6501dOeMl1qz-iPWN_Bw__a7A"
	walletID, _ := message.ParseID(wallet)
	for _, c := range []struct {
		name string
		m    message.Message
		want func(s *summary)
		code string
	}{
		{name: "as it is", m: base()},
		{name: "lists", m: base(message.Field{Key: "scheduler", Value: message.List{message.Bytes(own), message.Bytes("b")}},
			field("authority", `x, "y"`), message.Field{Key: "device-stack", Value: message.List{message.Bytes("wasi@1.0"), message.Bytes("patch@1.0")}},
			field("execution-device", "stack@1.0"), field("memory-limit", "1-kb")),
			want: func(s *summary) {
				s.Schedulers, s.Authorities, s.Stack = []string{own, "b"}, []string{"x", "y"}, []string{"wasi@1.0", "patch@1.0"}
				s.Execution, s.Memory = "stack@1.0", 1024
			}},
		{name: "commas and capitals", m: committed(t, key(t, 1), field("Type", "Process"), field("Scheduler", own+",b"), field("Module", wallet),
			field("variant", VariantLegacy)),
			want: func(s *summary) {
				s.Schedulers, s.Execution, s.Module = []string{own, "b"}, DeviceLegacy, walletID
			}},
		{name: "by hbsig", m: scheduled(t, "spawn"), want: func(s *summary) {
			s.Scheduler = "wCKEK4ZVXgSQ6tNbeB4SxEqU7BeEZzReZ20tcJ1V0s0"
			s.Schedulers = []string{s.Scheduler}
		}},
		{name: "by hbsig as an item", m: scheduled(t, "ans104-spawn"), want: func(s *summary) {
			s.Scheduler = "wCKEK4ZVXgSQ6tNbeB4SxEqU7BeEZzReZ20tcJ1V0s0"
			s.Schedulers = []string{s.Scheduler}
		}},
		{name: "by aoconnect", m: aoconnectSpawn(t), want: func(s *summary) {
			s.Scheduler, s.Schedulers, s.Authorities, s.Module, s.Execution = wallet, []string{wallet}, []string{wallet}, walletID, DeviceLegacy
		}},
		{name: "no scheduler", m: committed(t, key(t, 1), field("type", "Process")), code: "scheduler-missing"},
		{name: "no module for legacy code", m: base(field("execution-device", DeviceLegacy)), code: "tag-missing"},
		{name: "a module that is no id", m: base(field("execution-device", DeviceLegacy), field("module", "x")), code: "module-id-malformed"},
		{name: "another type", m: committed(t, key(t, 1), field("type", "Message")), code: "type-unsupported"},
		{name: "nobody's", m: message.New(field("type", "Process"), field("scheduler", own)), code: "process-unsigned"},
		{name: "another variant", m: base(field("variant", "ao.X.1")), code: "variant-unknown"},
		{name: "an unknown hashpath function", m: base(field("hashpath-alg", "md5")), code: "hashpath-alg-unknown"},
		{name: "a limit that is none", m: base(field("memory-limit", "much")), code: "memory-limit-malformed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := Define(c.m)
			if c.code != "" {
				if fault.CodeOf(err) != c.code {
					t.Fatalf("%v, want %s", err, c.code)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := plain
			if c.want != nil {
				c.want(&want)
			}
			if diff := cmp.Diff(want, sum(d)); diff != "" {
				t.Error(diff)
			}
			whole := d.Message()
			if whole.SignedID() != d.ID || len(whole.Committers()) != 1 || d.Owner == "" {
				t.Errorf("the definition of %s is %s by %v", d.ID, whole.SignedID(), whole.Committers())
			}
			if _, err := commitment.VerifyEntries(whole); err != nil {
				t.Errorf("the whole definition does not verify: %v", err)
			}
		})
	}
}

func aoconnectSpawn(t testing.TB) message.Message {
	t.Helper()
	file, err := os.ReadFile("../codec/httpsig/testdata/aoconnect-requests.json")
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Cases []struct {
			Call string
			Body json.RawMessage
		}
	}
	if err := json.Unmarshal(file, &f); err != nil {
		t.Fatal(err)
	}
	for _, c := range f.Cases {
		var body struct {
			B64 []byte `json:"$b64"`
		}
		if c.Call == "spawn" && json.Unmarshal(c.Body, &body) == nil && len(body.B64) > 0 {
			m, err := ans104.Decode(body.B64)
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
	}
	t.Fatal("no spawn")
	return message.Message{}
}

// TestContentOfHTTPMessages compares what a legacy module would see with what a node of the first generation shows of the same
// messages to a compute unit. That node has ids as the client wrote them, in lower case.
func TestContentOfHTTPMessages(t *testing.T) {
	var page struct {
		Edges []struct {
			Node struct {
				Message struct {
					Id, From, Owner, Target, Data string
					Tags                          []Tag
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(observe(t, "schedule-aos2").Response.Body), &page); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"spawn", "schedule"} {
		want, got := page.Edges[i].Node.Message, ContentOfMessage(scheduled(t, name))
		if !strings.EqualFold(got.ID.String(), want.Id) || got.Owner != want.Owner || got.From() != want.From || got.Target != want.Target || string(got.Data) != want.Data {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
		if diff := cmp.Diff(want.Tags, got.Tags); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestAssignmentsAreThoseOfARealNode makes the assignments again that a node of the first generation made.
func TestAssignmentsAreThoseOfARealNode(t *testing.T) {
	var previous *message.ID
	for slot, name := range []string{"spawn", "schedule"} {
		o := observe(t, name)
		answer := decoded(t, o.Response.Headers, o.Response.Body, o.Response.BodyBase64)
		m := scheduled(t, name)
		id := message.HashOf(nil)
		for text := range m.Commitments().All() { // the node kept ids in lower case and made the chain of them
			if entry, _ := m.Commitments().Get(text); entry.(message.Message).Text("committer") != "" {
				id, _ = message.ParseID(text)
			}
		}
		timestamp, _ := answer.Get("timestamp")
		a := Assigned{Content: ContentOfMessage(m), Entry: slotlog.Entry{Slot: slotlog.Slot(slot), Message: id, Timestamp: int64(timestamp.(message.Int)), Hashpath: "x"}}
		got := a.Core()
		for key, want := range answer.OnlyCommitted().All() {
			switch key {
			case message.KeyCommitments, "process", "hash-chain", "body": // made of an id in lower case, or holding one
			default:
				if v, _ := got.Get(key); !message.Equal(v, want) {
					t.Errorf("%s: %s is %v, want %v", name, key, v, want)
				}
			}
		}
		want, _ := answer.Get("body")
		if body, _ := got.Get("body"); !message.Equal(body.(message.Message).Without(message.KeyCommitments), want.(message.Message).Without(message.KeyCommitments)) {
			t.Errorf("%s: the body is %v, want %v", name, body, want)
		}
		chain := Chain(previous, strings.ToLower(id.String()))
		if chain.String() != answer.Text("hash-chain") {
			t.Errorf("%s: chain %s, want %s", name, chain, answer.Text("hash-chain"))
		}
		previous = &chain
		if a.CoreID() != got.UnsignedID() {
			t.Errorf("%s: the id over a link is %s, over the message %s", name, a.CoreID(), got.UnsignedID())
		}
	}
}
