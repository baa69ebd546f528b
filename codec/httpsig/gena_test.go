package httpsig

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ago/codec/structured"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/message/messagetest"
)

func TestSignedRequestsOfTheFirstGeneration(t *testing.T) {
	var f struct {
		Cases []struct {
			Message  map[string]any
			SignPath bool   `json:"sign-path"`
			Base     string `json:"signature-base"`
			Request  struct {
				Headers map[string]any
				Body    any
			}
		}
	}
	run := messagetest.Vectors(t, "testdata/genA-hbsig-signed-requests.json", "reads and writes", &f)
	if len(f.Cases) != 26 {
		t.Errorf("%d vectors", len(f.Cases))
	}
	for i, c := range f.Cases {
		run.Case(i)
		w := wireOf(t, c.Request.Headers)
		if body, ok := messagetest.Value(t, c.Request.Body).(message.Bytes); ok {
			w.Body = []byte(body)
		}
		m, err := Decode(w)
		if err != nil {
			t.Errorf("%v: %v", c.Message, err)
			continue
		}
		want := messagetest.Message(t, c.Message).Without("method")
		got := m.Without(message.KeyCommitments).Without("content-length")
		if !message.Equal(got, want) {
			t.Errorf("read as %v, want %v", got, want)
		}
		signers, err := Verify(m)
		if err != nil || len(signers) != 1 {
			t.Errorf("%v: %v, %v", c.Message, signers, err)
		}
		for _, s := range m.Form().(*form).members {
			if got, _ := linesA(s.components, s.raw, w.Get); got != c.Base && c.Base != "" {
				t.Errorf("base\n%s\nwant\n%s", got, c.Base)
			}
		}
		ours, err := EncodeA(want)
		if err != nil {
			t.Fatal(err)
		}
		sent := map[string]any{}
		for name, v := range c.Request.Headers {
			if name != hdrSignature && name != hdrSignatureInput && name != "content-length" {
				sent[name] = v
			}
		}
		if f, ok := sent["f"].(string); ok && f == "1.5e+00" { // the client is short where nodes write twenty digits
			sent["f"] = "1.50000000000000000000e+00"
		}
		if len(w.Body) > 0 {
			sent["body"] = string(w.Body)
		}
		if _, ok := c.Message["nested"]; ok { // the client sorts the lines of a part only if it has types; nodes always do
			if got, err := content(ours, structured.GenA, unbounded); err != nil || !message.Equal(got, want) {
				t.Errorf("written as %v, %v", got, err)
			}
			continue
		}
		sameWire(t, fmt.Sprint(c.Message), ours, sent)
		if again, err := Encode(m, message.Nested); err != nil || len(again.Headers) != len(w.Headers) {
			t.Errorf("written as %v, %v", again, err)
		}
	}
}

func TestTheIDsOfARealNodeOfTheFirstGeneration(t *testing.T) {
	var f struct {
		Vector struct{ Message map[string]any }
	}
	messagetest.Load(t, "../../message/testdata/genA-hbsig-ids.json", &f)
	m := messagetest.Message(t, f.Vector.Message)
	if n := m.Commitments().Len(); n != 2 {
		t.Fatalf("%d commitments", n)
	}
	for id, v := range m.Commitments().All() {
		if _, err := commitment.VerifyEntry(m, id, v.(message.Message)); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	if got := m.SignedID().String(); got != "PDw08yIW-ImV2N3ItIlWQ1wBt2t_H1CGMUOxJjx47HE" {
		t.Errorf("signed id %s", got)
	}
	if got := UnsignedIDA(m); got.String() != "iK__u54zqDWrJpVVbf3uYvgvG1hxWZM6Tq1zusfGYIw" {
		t.Errorf("unsigned id %s", got)
	}
}

func TestIDsAndHashpathsOfAClientOfTheFirstGeneration(t *testing.T) {
	var f struct {
		Cases []struct {
			Message                  any
			ID, Hashpath1, Hashpath2 string
		}
	}
	run := messagetest.Vectors(t, "../../message/testdata/genA-hbsig-ids.json", "reads and writes", &f)
	if len(f.Cases) != 10 {
		t.Errorf("%d vectors", len(f.Cases))
	}
	for i, c := range f.Cases {
		run.Case(i)
		// The client leaves types out of its ids, so that only messages of texts have those of a node.
		if got := UnsignedIDA(messagetest.Message(t, c.Message)); (got.String() == c.ID) != (i == 0) {
			t.Errorf("%v: id %s, want %s", c.Message, got, c.ID)
		}
		_, request, _ := strings.Cut(c.Hashpath2, "/")
		if got, err := message.ExtendHashpath("", c.Hashpath1, request); err != nil || got != c.Hashpath2 {
			t.Errorf("%s, %v, want %s", got, err, c.Hashpath2)
		}
	}
}

func TestCommittedMessagesOfAClientOfTheFirstGeneration(t *testing.T) {
	var f struct {
		Cases []struct{ Message, Committed any }
	}
	run := messagetest.Vectors(t, "testdata/genA-hbsig-commit.json", "reads and writes", &f)
	for i, c := range f.Cases {
		run.Case(i)
		m := messagetest.Message(t, c.Committed)
		for id, v := range m.Commitments().All() {
			if _, err := commitment.VerifyEntry(m, id, v.(message.Message)); err != nil {
				t.Errorf("%d: %v: %v", i, m.Without(message.KeyCommitments), err)
			}
		}
		given := messagetest.Message(t, c.Message).With("path", message.Bytes(m.Text("path"))) // the client has one for every message
		w, err := EncodeA(given)
		if err == nil {
			w, err = SignA(w, wallet(t), "")
		}
		if err != nil {
			t.Fatal(err)
		}
		ours, err := Decode(w)
		if err != nil || !message.Equal(ours.Without(message.KeyCommitments), given) {
			t.Errorf("%d: signed again it is %v, %v, want %v", i, ours.Without(message.KeyCommitments), err, given)
		}
		if got, want := signatureOf(ours), signatureOf(m); got != want {
			t.Errorf("%d: signed again it says\n%s, want\n%s", i, got, want)
		}
	}
	if len(f.Cases) != 5 {
		t.Errorf("%d vectors", len(f.Cases))
	}
}

// signatureOf is what the RSA signature of a message covers, and by whom it is.
func signatureOf(m message.Message) string {
	for _, v := range m.Commitments().All() {
		entry := v.(message.Message)
		if input := entry.Text("signature-input"); entry.Text("alg") == "rsa-pss-sha512" {
			return input
		}
	}
	return ""
}

// clientOddities are conversions that the published client does otherwise than it signs, or than nodes do, by their number.
var clientOddities = map[int]string{
	4:  "the client gives upper-case names to headers, which HTTP lower-cases",
	7:  "the client keeps a text of more than 4096 bytes in a header",
	8:  "the client is given an annotated form that does not note what is empty",
	9:  "the client puts a line break in a header",
	12: "the client gives upper-case names to headers, which HTTP lower-cases",
}

func TestLayoutsOfTheFirstGeneration(t *testing.T) {
	var f struct {
		Structured []struct {
			Rich, Tabm any
			HTTP       map[string]any `json:"httpsig"`
		}
		To []struct {
			Tabm any
			HTTP map[string]any
		} `json:"httpsig-to"`
		From []struct {
			HTTP map[string]any
			Tabm any
		} `json:"httpsig-from"`
	}
	run := messagetest.Vectors(t, "../structured/testdata/genA-hbsig-codecs.json", "reads and writes", &f, "structured", "httpsig-to", "httpsig-from")
	if len(f.Structured) != 60 || len(f.To) != 20 || len(f.From) != 20 {
		t.Errorf("%d, %d and %d vectors", len(f.Structured), len(f.To), len(f.From))
	}
	for i, c := range f.Structured {
		run.Of("structured", i)
		got, err := annotated(wireOf(t, c.HTTP), structured.GenA, unbounded)
		if want := messagetest.Message(t, c.Tabm); err != nil || !message.Equal(got, want) {
			t.Errorf("structured %d: %v, %v, want %v", i, got, err, want)
		}
		if strings.Contains(fmt.Sprint(c.Rich), "ao-types") || i == 9 { // annotated already; keys that HTTP lower-cases
			continue
		}
		ours, err := EncodeA(messagetest.Message(t, c.Rich))
		if err != nil {
			t.Fatal(err)
		}
		if got, err = annotated(ours, structured.GenA, unbounded); err != nil || !message.Equal(got, messagetest.Message(t, c.Tabm)) {
			t.Errorf("structured %d is written %v, %v", i, ours, err)
		}
		for _, h := range ours.Headers {
			if want, ok := c.HTTP[h.Name].(string); h.Name != message.KeyContentType && h.Name != message.KeyContentDigest && (!ok || want != h.Value) {
				t.Errorf("structured %d: header %s is %q, want %q", i, h.Name, h.Value, want)
			}
		}
	}
	for i, c := range f.To {
		if why := clientOddities[i]; why != "" {
			run.LeaveOf("httpsig-to", i, why)
			continue
		}
		run.Of("httpsig-to", i)
		w, err := EncodeA(messagetest.Message(t, c.Tabm))
		if err != nil {
			t.Fatal(err)
		}
		if want, _ := wireOf(t, c.HTTP).Get(message.KeyContentType); strings.HasPrefix(want, "multipart/") {
			// The client sorts the lines of a part only if it has types; nodes always do.
			ours, err := annotated(w, structured.GenA, unbounded)
			theirs, err2 := annotated(wireOf(t, c.HTTP), structured.GenA, unbounded)
			if err != nil || err2 != nil || !message.Equal(ours, theirs) {
				t.Errorf("to %d: %v, %v, want %v, %v", i, ours, err, theirs, err2)
			}
			for _, key := range []string{"body", message.KeyContentType, message.KeyContentDigest} {
				delete(c.HTTP, key)
			}
			w = w.with(message.KeyContentType, "").with(message.KeyContentDigest, "")
			w.Body = nil
		}
		sameWire(t, fmt.Sprint("to ", i), w, c.HTTP)
	}
	for i, c := range f.From {
		run.Of("httpsig-from", i)
		got, err := annotated(wireOf(t, c.HTTP).with(hdrBodyKeys, "x"), structured.GenA, unbounded)
		want := messagetest.Message(t, c.Tabm).Without(hdrBodyKeys).Without(hdrInlineKey) // the client leaves them in
		if strings.HasPrefix(want.Text(message.KeyContentType), "multipart/") {
			want = want.Without(message.KeyContentType)
		}
		if i == 12 { // the vector has headers as no HTTP library gives them
			want = lowerKeys(want)
		}
		if err != nil || !message.Equal(got, want) {
			t.Errorf("from %d: %v, %v, want %v", i, got, err, want)
		}
	}
}

func lowerKeys(m message.Message) message.Message {
	out := message.New()
	for key, v := range m.All() {
		out = out.With(strings.ToLower(key), v)
	}
	return out
}

type side struct {
	Headers    map[string]any
	Body       string
	BodyBase64 string
}

type pair struct {
	Name    string
	Note    string
	Request struct {
		Method, Path string
		side
	}
	Response side
}

func TestAnswersOfARealNodeOfTheFirstGeneration(t *testing.T) {
	files, err := filepath.Glob("testdata/http-genA/*.json")
	if err != nil || len(files) != 8 {
		t.Fatal(files, err)
	}
	signed, held := 0, 0
	var failed []string
	for _, path := range files {
		var pairs []pair
		run := messagetest.Vectors(t, path, "reads", &pairs, "")
		for i, p := range pairs {
			if p.Response.Headers["signature"] == nil {
				run.LeaveOf("", i, "nobody signed the answer")
				continue
			}
			run.Of("", i)
			signed++
			w := wireOf(t, p.Response.Headers)
			w.Body = []byte(p.Response.Body)
			if p.Response.BodyBase64 != "" {
				w.Body, _ = base64.StdEncoding.DecodeString(p.Response.BodyBase64)
			}
			m, err := Decode(w)
			if err == nil {
				_, err = Verify(m)
			}
			if err == nil {
				held++
				continue
			}
			failed = append(failed, p.Name)
		}
	}
	// In one the node wrote a zero byte into a header, which is no HTTP.
	if signed != 128 || held != 127 || !slices.Equal(failed, []string{"slot"}) {
		t.Errorf("of %d answers %d hold, not %v", signed, held, failed)
	}
}

// TestAssignmentsOfARealNodeHoldWithinOthers, where they have no headers of their own: so schedules list them.
func TestAssignmentsOfARealNodeHoldWithinOthers(t *testing.T) {
	files, err := filepath.Glob("testdata/http-genA/*.json")
	if err != nil {
		t.Fatal(err)
	}
	held := map[string]bool{}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var pairs []pair
		if err := json.Unmarshal(text, &pairs); err != nil {
			t.Fatal(err)
		}
		for _, p := range pairs {
			w := wireOf(t, p.Response.Headers)
			w.Body = []byte(p.Response.Body)
			if p.Response.BodyBase64 != "" {
				w.Body, _ = base64.StdEncoding.DecodeString(p.Response.BodyBase64)
			}
			m, err := Decode(w)
			body, _ := m.Get(message.KeyBody)
			if inner, ok := body.(message.Message); err != nil || m.Text("hash-chain") == "" || !ok || len(inner.Committers()) == 0 {
				continue // that node also gave slots to what nobody had signed
			}
			w, err = Encode(message.New(message.Field{Key: "list", Value: message.New(message.Field{Key: "1", Value: m.OnlyCommitted()})}), message.Nested)
			if err != nil {
				t.Errorf("%s: %v", p.Name, err)
				continue
			}
			out, err := Decode(w)
			if err != nil {
				t.Errorf("%s: %v", p.Name, err)
				continue
			}
			v, _ := out.Get("list")
			v, _ = v.(message.Message).Get("1")
			inner := v.(message.Message)
			if signers, err := Verify(inner); err != nil || len(signers) != 1 {
				t.Errorf("%s: %v", p.Name, err)
			}
			if _, err := Verify(inner.With("slot", message.Int(9)).With(message.KeyCommitments, inner.Commitments())); fault.KindOf(err) != fault.Forged {
				t.Errorf("%s holds with another slot: %v", p.Name, err)
			}
			held[p.Name] = true
		}
	}
	if len(held) != 6 {
		t.Errorf("only %v", held)
	}
}

func TestRequestsToARealNodeOfTheFirstGeneration(t *testing.T) {
	files, err := filepath.Glob("testdata/http-genA/*.json")
	if err != nil {
		t.Fatal(err)
	}
	n, nested := 0, 0
	for _, path := range files {
		var pairs []pair
		run := messagetest.Vectors(t, path, "reads", &pairs, "")
		for i, p := range pairs {
			if p.Request.Headers["signature"] == nil {
				run.LeaveOf("", i, "nobody signed the request; the test of recorded requests asks a node")
				continue
			}
			run.Of("", i)
			n++
			w := wireOf(t, p.Request.Headers)
			w.Body = []byte(p.Request.Body)
			if p.Request.BodyBase64 != "" {
				w.Body, _ = base64.StdEncoding.DecodeString(p.Request.BodyBase64)
			}
			m, err := Decode(w)
			if err != nil {
				t.Errorf("%s: %v", p.Name, err)
				continue
			}
			if body, ok := m.Get(message.KeyBody); ok {
				if inner, ok := body.(message.Message); ok && inner.Commitments().Len() > 0 {
					nested++
					if len(inner.Committers()) != 1 || inner.SignedID().String() == strings.ToLower(inner.SignedID().String()) {
						t.Errorf("%s: committed by %v under %s", p.Name, inner.Committers(), inner.SignedID())
					}
				}
			}
			_, err = Verify(m)
			if tampered := strings.Contains(p.Name, "tampered"); tampered != (fault.KindOf(err) == fault.Forged && err != nil) {
				t.Errorf("%s: %v", p.Name, err)
			}
		}
	}
	if n != 34 || nested == 0 {
		t.Errorf("%d requests, %d with a message inside", n, nested)
	}
}

func TestRequestsOfAPublishedClient(t *testing.T) {
	var f struct {
		Cases []struct {
			Call    string
			Headers map[string]any
			Body    any
		}
	}
	run := messagetest.Vectors(t, "testdata/aoconnect-requests.json", "reads", &f)
	n := 0
	for i, c := range f.Cases {
		if !strings.HasPrefix(c.Call, "request-") || c.Headers == nil {
			run.Leave(i, "a data item, a request that nobody signed, or what a call gave")
			continue
		}
		run.Case(i)
		n++
		var hs []message.Header
		for name, v := range c.Headers {
			hs = append(hs, message.Header{Name: name, Value: v.(string)})
		}
		m, err := Decode(NewWire(hs, nil))
		if err != nil {
			t.Errorf("%s: %v", c.Call, err)
			continue
		}
		if v, err := commitment.Verify(m); err != nil || v.Signer().Address() != wallet(t).Address() {
			t.Errorf("%s: %v", c.Call, err)
		}
	}
	if n != 2 {
		t.Errorf("%d requests", n)
	}
}

// TestAContentTypeGivesWayToParts: where the parts of a message take the header, what the message itself says of its content is one
// of them, in both generations.
func TestAContentTypeGivesWayToParts(t *testing.T) {
	said := message.New(message.Field{Key: "content-type", Value: message.Bytes("text/plain")}, message.Field{Key: "set-cookie", Value: message.Bytes("a=b")},
		message.Field{Key: "body", Value: message.Bytes("x")})
	b, err := Encode(said, message.Nested)
	if err != nil {
		t.Fatal(err)
	}
	a, err := EncodeA(said)
	if err != nil {
		t.Fatal(err)
	}
	for name, w := range map[string]Wire{"first": a, "second": b} {
		kind, _ := w.Get("content-type")
		m, err := Decode(w)
		if err != nil || !strings.HasPrefix(kind, "multipart/") || m.Text("content-type") != "text/plain" || m.Text("set-cookie") != "a=b" || m.Text("body") != "x" {
			t.Errorf("%s generation: %q, read as %v (%v)", name, kind, m, err)
		}
	}
}
