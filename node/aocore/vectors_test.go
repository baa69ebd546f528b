package aocore

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"

	"ago/commitment"
	"ago/message"
)

const wallet = "tRoMoihXGnJ8CGBWTW6501dOeMl1qz-iPWN_Bw__a7A" // of whoever signed the vectors

// sent is a request that a published client made.
type sent struct {
	Call    string
	URL     string
	Method  string
	Headers map[string]any
	Body    any
}

func (s sent) target(t testing.TB) string {
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u.RequestURI()
}

func (s sent) body() string {
	switch b := s.Body.(type) {
	case string:
		return b
	case map[string]any:
		text, _ := b["$b64"].(string)
		raw, _ := base64.StdEncoding.DecodeString(text)
		return string(raw)
	}
	return ""
}

func (s sent) headers() []string {
	var out []string
	for name, v := range s.Headers {
		if text, ok := v.(string); ok && name != "content-length" {
			out = append(out, name, text)
		}
	}
	return out
}

func vectors(t testing.TB, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(recordings + "/" + file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

// clientRequests are what hbsig and aoconnect sent, all signed.
func clientRequests(t testing.TB) []sent {
	var out []sent
	lower := func(s sent) sent {
		headers := map[string]any{}
		for name, v := range s.Headers {
			headers[strings.ToLower(name)] = v
		}
		s.Headers = headers
		return s
	}
	var hbsig struct{ Cases []struct{ Request sent } }
	vectors(t, "genA-hbsig-signed-requests.json", &hbsig)
	for _, c := range hbsig.Cases {
		out = append(out, lower(c.Request))
	}
	var connect struct{ Cases []sent }
	vectors(t, "aoconnect-requests.json", &connect)
	for _, c := range connect.Cases {
		if c.URL != "" {
			out = append(out, lower(c))
		}
	}
	return out
}

func TestRequestsOfPublishedClients(t *testing.T) {
	f := testFace(t, commitment.RSA)
	items, signed := 0, 0
	for _, s := range clientRequests(t) {
		if s.Headers["signature"] == nil && s.Headers["codec-device"] == nil {
			continue
		}
		// Asked of a device that tells who signed: a path that was signed counts before that of the request.
		target := s.target(t)
		_, hasPath := s.Headers["path"]
		if !hasPath {
			target = "/~counter@1.0/signers?accept=application/json&require-codec=application/json"
		}
		w := ask(t, f, s.Method, target, s.body(), s.headers()...)
		if hasPath { // what it asks for is not here, but it was let in
			if w.Code == 400 && w.Header().Get("Code") != "argument-missing" || w.Code == 500 {
				t.Errorf("%s %s: %d %s", s.Call, target, w.Code, w.Body)
			}
		} else if w.Code != 200 || !strings.Contains(w.Body.String(), wallet) {
			t.Errorf("%s %s: %d %s", s.Call, target, w.Code, w.Body)
		}
		signed++
		if s.Headers["codec-device"] != nil {
			items++
		}
		tamper(t, f, s, target)
	}
	if signed < 30 || items < 5 {
		t.Errorf("%d signed requests, %d of them items", signed, items)
	}
}

// tamper changes one thing that was signed, and then the signature itself.
func tamper(t *testing.T, f *Face, s sent, target string) {
	t.Helper()
	refused := func(what string, s sent) {
		t.Helper()
		w := ask(t, f, s.Method, target, s.body(), s.headers()...)
		if w.Code != 400 || w.Header().Get("Code") == "" {
			t.Errorf("%s %s, with %s: %d %s", s.Call, target, what, w.Code, w.Body)
		}
	}
	if s.Headers["codec-device"] != nil {
		raw := []byte(s.body())
		raw[len(raw)-1] ^= 1
		s.Body = map[string]any{"$b64": base64.StdEncoding.EncodeToString(raw)}
		refused("another last byte", s)
		return
	}
	input, _ := s.Headers["signature-input"].(string)
	for name, v := range s.Headers {
		text, ok := v.(string)
		if !ok || !strings.Contains(input, `"`+name+`"`) && !strings.Contains(input, `"@`+name+`"`) || name == "content-length" || name == "content-type" {
			continue // these follow from the body, whatever they say
		}
		other := map[string]any{}
		for k, v := range s.Headers {
			other[k] = v
		}
		other[name] = text + "x"
		refused("another "+name, sent{s.Call, s.URL, s.Method, other, s.Body})
	}
	signature, _ := s.Headers["signature"].(string)
	other := map[string]any{}
	for k, v := range s.Headers {
		other[k] = v
	}
	i := strings.Index(signature, "=:") + 10
	letter := "A"
	if signature[i] == 'A' {
		letter = "B"
	}
	other["signature"] = signature[:i] + letter + signature[i+1:]
	refused("another signature", sent{s.Call, s.URL, s.Method, other, s.Body})
	refused("another signature, with GET", sent{s.Call, s.URL, "GET", other, s.Body})
}

// TestWhatNobodySignedIsGone from a signed request, and what a path that was signed leads to.
func TestWhatNobodySignedIsGone(t *testing.T) {
	f := testFace(t, commitment.Ed25519)
	var hbsig struct{ Cases []struct{ Request sent } }
	vectors(t, "genA-hbsig-signed-requests.json", &hbsig)
	for _, c := range hbsig.Cases {
		s := c.Request
		if s.Headers["path"] != nil {
			delete(s.Headers, "path")
			if strings.Contains(s.Headers["signature-input"].(string), "@path") {
				continue // the path was signed: it is not asked for another
			}
		}
		w := ask(t, f, "POST", "/~counter@1.0/sent?require-codec=application/json", s.body(), append(s.headers(), "x-added", "1", "priv-x", "2")...)
		if w.Code != 200 || strings.Contains(w.Body.String(), "x-added") || strings.Contains(w.Body.String(), "priv") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	w := ask(t, f, "POST", "/~counter@1.0/sent?require-codec=application/json", "", "x-added", "1", "priv-x", "2", "User-Agent", "me")
	if got := w.Body.String(); got != `{"x-added":"1"}` {
		t.Errorf("an unsigned request is read as %s", got)
	}
}

// TestThoseWhoReadRSAGetIt: clients of the first generation and nodes have answers by the key for them, others by the node's own.
func TestThoseWhoReadRSAGetIt(t *testing.T) {
	f := testFace(t, commitment.Ed25519)
	own := f.c.Node.Key
	rsa, err := commitment.NewAgent().Open("../../commitment/testdata/wallet.json")
	if err != nil {
		t.Fatal(err)
	}
	f.c.PeerKey = rsa
	var hbsig struct{ Cases []struct{ Request sent } }
	vectors(t, "genA-hbsig-signed-requests.json", &hbsig)
	var old []string
	for _, c := range hbsig.Cases {
		if input, _ := c.Request.Headers["signature-input"].(string); old == nil && !strings.Contains(input, "@path") && c.Request.body() == "" {
			old = c.Request.headers()
		}
	}
	for _, c := range []struct {
		name    string
		path    string
		headers []string
		key     *commitment.Key
	}{
		{"anybody", "/~message@1.0&a=1/a", nil, own},
		{"a node", "/~message@1.0&a=1/a", []string{"Ao-Peer-Port", "8734"}, rsa},
		{"anybody after it", "/~message@1.0&a=1/a", nil, own},
		{"a client of the first generation", "/~message@1.0&a=1/a", old, rsa},
		{"the same again", "/~message@1.0&a=1/a", old, rsa},
		{"a client of the first generation, for much", "/~counter@1.0/wide", old, rsa},
	} {
		w := ask(t, f, "GET", c.path, "", c.headers...)
		if w.Code != 200 {
			t.Fatalf("%s: %d %s", c.name, w.Code, w.Body)
		}
		size := 0
		for name, values := range w.Header() {
			size += len(name) + len(strings.Join(values, "")) + 4
		}
		if size > 16<<10 {
			t.Errorf("%s: %d bytes of headers", c.name, size)
		}
		m, signers := readBack(t, w)
		if len(signers) != 1 || signers[0].Address() != c.key.Address() {
			t.Errorf("%s: signed by %v", c.name, signers)
		}
		if c.path == "/~counter@1.0/wide" {
			v, _ := m.Get("body")
			if inner, ok := v.(message.Message); !ok || inner.Text("key-99") != wide().Text("key-99") {
				t.Errorf("%s: read back as %v", c.name, v)
			}
		}
	}
}
