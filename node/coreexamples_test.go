package node

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ago/codec/ans104"
	"ago/codec/httpsig"
	"ago/commitment"
	"ago/message"
)

// coreExample is a request as the protocol shows it, and what a node answers.
type coreExample struct {
	N                   int
	Method, Path        string
	As                  string // who signs what is sent: operator, user, or nobody
	Send                map[string]string
	Status              int
	Body                *string // "*" is any that is not empty
	Has                 string  // is part of the body
	Headers             map[string]string
	Keep                map[string]string // names for headers of the answer, or its body, in the requests that follow
	Before              []coreExample     // are asked first
	What, Note          string
	Elsewhere, Unserved string // the test that asks it; why no node of ours answers it
}

// examples asks a node.
type examples struct {
	n     *network
	names map[string]string
}

func (x *examples) fill(text string) string {
	for name, v := range x.names {
		text = strings.ReplaceAll(text, "{"+name+"}", v)
	}
	return text
}

// request makes a request of its parts, signed or not.
func (x *examples) request(t *testing.T, e coreExample) *http.Request {
	t.Helper()
	key := map[string]*commitment.Key{"operator": x.n.c.Key, "user": x.n.key}[e.As]
	var body []byte
	headers := map[string]string{}
	if key == nil {
		for name, v := range e.Send {
			headers[name] = x.fill(v)
		}
	} else {
		m := message.Message{}
		for name, v := range e.Send {
			m = m.With(name, message.Bytes(x.fill(v)))
		}
		headers, body = signedHeaders(t, m, key)
	}
	r, err := http.NewRequestWithContext(t.Context(), e.Method, x.n.Addresses().Node+x.fill(e.Path), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range headers {
		r.Header.Set(name, v)
	}
	return r
}

// signedHeaders writes a message with its signature.
func signedHeaders(t testing.TB, m message.Message, k *commitment.Key) (map[string]string, []byte) {
	t.Helper()
	m, err := httpsig.Commit(m, k, httpsig.Terms{Nesting: message.Nested})
	if err != nil {
		t.Fatal(err)
	}
	wire, err := httpsig.Encode(m, message.Nested)
	if err != nil {
		t.Fatal(err)
	}
	headers := map[string]string{}
	for _, h := range wire.Headers {
		headers[h.Name] = h.Value
	}
	return headers, wire.Body
}

func (x *examples) ask(t *testing.T, e coreExample) {
	t.Helper()
	for _, b := range e.Before {
		x.ask(t, b)
	}
	answer, body := do(t, x.request(t, e))
	if answer.StatusCode != e.Status {
		t.Errorf("%d: %s %s: %d %.300s", e.N, e.Method, x.fill(e.Path), answer.StatusCode, body)
		return
	}
	if e.Body != nil && body != x.fill(*e.Body) && (*e.Body != "*" || body == "") {
		t.Errorf("%d: %s %s: %.300q, want %q", e.N, e.Method, e.Path, body, x.fill(*e.Body))
	}
	if !strings.Contains(body, x.fill(e.Has)) {
		t.Errorf("%d: %s %s: %.300q is without %q", e.N, e.Method, e.Path, body, x.fill(e.Has))
	}
	for name, want := range e.Headers {
		if got := answer.Header.Get(name); got != x.fill(want) && (want != "*" || got == "") {
			t.Errorf("%d: %s %s: %s is %q, want %q", e.N, e.Method, e.Path, name, got, x.fill(want))
		}
	}
	for name, header := range e.Keep {
		if x.names[name] = answer.Header.Get(header); header == "body" {
			x.names[name] = body
		}
		if x.names[name] == "" {
			t.Errorf("%d: %s %s: there is no %s: %v %.300s", e.N, e.Method, e.Path, header, answer.Header, body)
		}
	}
}

// TestExamplesOfTheProtocol asks a node the example requests of AO-Core. Those that other tests ask name the test; those that no
// node answers say why.
func TestExamplesOfTheProtocol(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/core-examples.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []coreExample
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) != 60 {
		t.Fatalf("%d examples", len(all))
	}
	n := startNetwork(t, nil)
	a := n.Addresses()
	x := &examples{n, map[string]string{"address": a.Scheduler, "id": n.process.String(), "gateway": a.Gateway, "user": n.key.Address().String()}}
	published := func(data, kind string) string {
		return n.upload(t, ans104.Draft{Data: []byte(data), Tags: tagList("Content-Type", kind)}).String()
	}
	x.names["module"] = published(luaProgram, "application/lua")
	x.names["publisher"] = published("local n = 0 function compute(base) n = n + 1 base.cache = { total = n } return base end", "application/lua")
	file := published("body { color: red }", "text/css")
	x.names["file"] = file
	x.names["manifest"] = published(`{"manifest":"arweave/paths","version":"0.2.0","index":{"path":"a.css"},"paths":{"a.css":{"id":"`+file+`"}}}`,
		"application/x.arweave-manifest+json")
	asked := 0
	for i, e := range all {
		if e.N != i+1 {
			t.Fatalf("example %d stands in place %d", e.N, i+1)
		}
		switch {
		case e.Unserved != "":
		case e.Elsewhere != "":
			if !testExists(t, e.Elsewhere) {
				t.Errorf("%d: there is no %s", e.N, e.Elsewhere)
			}
		default:
			asked++
			x.ask(t, e)
		}
	}
	t.Logf("%d of %d asked here", asked, len(all))
	if asked < 53 {
		t.Errorf("only %d examples are asked", asked)
	}
}

// testExists finds a test of this package or of the devices.
func testExists(t *testing.T, name string) bool {
	t.Helper()
	for _, pattern := range []string{"*_test.go", "../devices/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if regexp.MustCompile(`(?m)^func ` + regexp.QuoteMeta(name) + `\(`).Match(text) {
				return true
			}
		}
	}
	return false
}
