package aocore

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"ago/codec/httpsig"
	"ago/commitment"
	"ago/device"
	"ago/fault"
	"ago/message"
	"ago/resolve"
)

func TestAnswers(t *testing.T) {
	f := testFace(t, commitment.Ed25519)
	large := strings.Repeat("x", 5000)
	for _, c := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		want                     string            // the body; "*" is any
		wantHeaders              map[string]string // "" is absent, "*" is any
	}{
		{"a text", "GET", "/~message@1.0&hello=world/hello", "", nil, 200, "world", map[string]string{"Ao-Result": "body", "Content-Type": "", "Signature": "*", "Etag": "*"}},
		{"its head", "HEAD", "/~message@1.0&hello=world/hello", "", nil, 200, "", map[string]string{"Content-Length": "5"}},
		{"a number", "GET", "/~message@1.0&a+integer=1/a", "", nil, 200, "1", map[string]string{"Ao-Types": `body="integer", status="integer"`}},
		{"JSON", "GET", "/~message@1.0&a+integer=1/set&b=2", "", []string{"Accept", "application/json"}, 200, `{"a":1,"b":"2","device":"message@1.0"}`, map[string]string{"Codec-Device": "json@1.0", "Content-Type": "application/json", "A": "1"}},
		{"JSON of a value", "GET", "/~message@1.0&a+integer=1/a", "", []string{"Accept", "application/json"}, 200, `{"ao-result":"body","body":1}`, nil},
		{"JSON by the codec that is accepted", "GET", "/~message@1.0&a=1/set", "", []string{"Accept-Codec", "json@1.0"}, 200, `{"a":"1","device":"message@1.0"}`, nil},
		{"JSON whatever else is said", "GET", "/~message@1.0&a=1/set", "", []string{"Require-Codec", "application/json", "Accept", "application/flat"}, 200, `{"a":"1","device":"message@1.0"}`, nil},
		{"a message with its own type", "GET", "/~message@1.0&content-type=\"text/css\"&body=a/set", "", []string{"Accept", "application/json"}, 200, "a", map[string]string{"Content-Type": "text/css"}},
		{"lines", "GET", "/~message@1.0&a=1/set", "", []string{"Accept", "application/flat"}, 200, "a: 1\ndevice: message@1.0", nil},
		{"a data item", "GET", "/~message@1.0&a=1/set", "", []string{"Accept", "application/ans104"}, 200, "*", map[string]string{"Content-Type": "application/ans104", "Codec-Device": "ans104@1.0"}},
		{"an answer that changes", "GET", "/~counter@1.0/next", "", nil, 200, "1", map[string]string{"Cache-Control": "no-cache", "Etag": "*"}},
		{"an answer that does not", "GET", "/~message@1.0&a=1/a", "", nil, 200, "1", map[string]string{"Cache-Control": "public, max-age=86400"}},
		{"an answer by way of one that changes", "GET", "/~message@1.0&a=(~counter@1.0/next)/a", "", nil, 200, "2", map[string]string{"Cache-Control": "no-cache"}},
		{"a post", "POST", "/~counter@1.0/method", "", nil, 200, "method POST", map[string]string{"Etag": ""}},
		{"a get", "GET", "/~counter@1.0/method", "", nil, 200, "method ", nil},
		{"a media type for the device", "GET", "/~counter@1.0/accept", "", []string{"Accept", "application/aos-2"}, 200, "application/aos-2", nil},
		{"a node that asks", "GET", "/~counter@1.0/peer", "", []string{"Ao-Peer-Port", "8734"}, 200, "192.0.2.1:8734", nil},
		{"no key", "GET", "/~message@1.0&a=1/nothing", "", nil, 404, "not_found", map[string]string{"Ao-Types": `body="atom", status="integer"`, "Code": "key-absent", "Request-Id": "*", "Signature": ""}},
		{"no key, for people", "GET", "/nothing", "", []string{"Accept", "text/html,application/xhtml+xml,*/*;q=0.8"}, 404, "*", map[string]string{"Content-Type": "text/html; charset=utf-8"}},
		{"no key, as JSON", "GET", "/nothing", "", []string{"Accept", "application/json", "X-Request-Id", "abc"}, 404, "*", map[string]string{"Content-Type": "application/json", "Request-Id": "*"}},
		{"no device", "GET", "/~nothing@9.9/x", "", nil, 422, "*", map[string]string{"Code": "device-unknown"}},
		{"a bad path", "GET", "/~message@1.0&a=(b/c", "", nil, 400, "*", map[string]string{"Code": "path-malformed"}},
		{"a number that is none", "GET", "/~message@1.0&a+integer=x/a", "", nil, 400, "*", map[string]string{"Code": "value-malformed"}},
		{"what fails", "GET", "/~counter@1.0/fail", "", nil, 500, "counter@1.0 failed at fail", map[string]string{"Code": "device-failed"}},
		{"a status of the device's own", "GET", "/~counter@1.0/end", "", nil, 402, "Insufficient funds", map[string]string{"Price": "7", "Signature": "*"}},
		{"only what is there", "GET", "/~message@1.0&a=1/x", "", []string{"Cache-Control", "only-if-cached"}, 504, "Computed result not available in cache.", map[string]string{"Cache-Status": "miss"}},
		{"preflight", "OPTIONS", "/x", "", []string{"Access-Control-Request-Headers", "x-a"}, 204, "", map[string]string{"Access-Control-Allow-Headers": "x-a", "Access-Control-Allow-Origin": "*"}},
		{"a message as JSON", "POST", "/~counter@1.0/sent?require-codec=application/json", `{"a":1,"l":[1,"x"]}`, []string{"Content-Type", "application/json"}, 200, `{"a":1,"l":[1,"x"]}`, nil},
		{"a message as lines", "POST", "/~counter@1.0/sent?require-codec=application/json", "a/b: 1\n", []string{"Codec-Device", "flat@1.0"}, 200, `{"a":{"b":"1"}}`, nil},
		{"texts as JSON that no header holds", "POST", "/~counter@1.0/sent?require-codec=application/json", `{"Key":"a","lines":"a\nb","spaces":" x "}`, []string{"Content-Type", "application/json"}, 200, `{"Key":"a","lines":"a\nb","spaces":" x "}`, map[string]string{"Content-Type": "application/json"}},
		{"JSON that is none", "POST", "/~counter@1.0/sent", `{`, []string{"Content-Type", "application/json"}, 400, "*", map[string]string{"Code": "json-malformed"}},
		{"a codec that nobody knows", "POST", "/~counter@1.0/sent", `x`, []string{"Codec-Device", "xml@1.0"}, 422, "*", map[string]string{"Code": "codec-unknown"}},
		{"an item that is none", "POST", "/push", "x", []string{"Codec-Device", "ans104@1.0"}, 400, "*", nil},
		{"a digest of another body", "POST", "/~counter@1.0/sent", "x", []string{"Content-Digest", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"}, 400, "*", map[string]string{"Code": "digest-invalid"}},
		{"a large value", "POST", "/~counter@1.0/sent?require-codec=application/json", large, nil, 200, `{"body":"` + large + `"}`, nil},
	} {
		w := ask(t, f, c.method, c.path, c.body, c.headers...)
		if w.Code != c.status {
			t.Errorf("%s: %d %.300s", c.name, w.Code, w.Body)
			continue
		}
		if got := w.Body.String(); c.want != "*" && got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if w.Body.Len() > 0 && strings.Contains(w.Body.String(), "goroutine") || strings.Contains(w.Body.String(), "secret of the machine") {
			t.Errorf("%s tells about the machine: %s", c.name, w.Body)
		}
		for name, want := range c.wantHeaders {
			if got := w.Header().Get(name); got != want && (want != "*" || got == "") {
				t.Errorf("%s: %s is %q, want %q", c.name, name, got, want)
			}
		}
		if w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: pages of other origins cannot read it", c.name)
		}
	}
}

func TestWhatTheClientHasIsNotSentAgain(t *testing.T) {
	f := testFace(t, commitment.Ed25519)
	first := ask(t, f, "GET", "/~message@1.0&hello=world/hello", "")
	etag := first.Header().Get("Etag")
	for _, c := range []struct {
		given  string
		status int
	}{{etag, 304}, {"W/" + etag, 304}, {`"x", ` + etag, 304}, {"*", 304}, {`"x"`, 200}} {
		if w := ask(t, f, "GET", "/~message@1.0&hello=world/hello", "", "If-None-Match", c.given); w.Code != c.status || w.Code == 304 && (w.Body.Len() > 0 || w.Header().Get("Etag") != etag) {
			t.Errorf("%s: %d %s", c.given, w.Code, w.Body)
		}
	}
	if other := ask(t, f, "GET", "/~message@1.0&hello=world/hello", "", "Accept", "application/json"); other.Header().Get("Etag") == etag {
		t.Error("two forms of an answer have one name")
	}
	one, two := ask(t, f, "GET", "/~counter@1.0/next", ""), ask(t, f, "GET", "/~counter@1.0/next", "")
	if one.Header().Get("Etag") == two.Header().Get("Etag") {
		t.Error("two answers have one name")
	}
}

func TestEqualAnswersAreSignedOnce(t *testing.T) {
	f := testFace(t, commitment.RSA)
	a := ask(t, f, "GET", "/~message@1.0&a=1/a", "")
	b := ask(t, f, "GET", "/~message@1.0&a=1//a", "") // not the whole answer again
	if a.Header().Get("Signature") == "" || a.Header().Get("Signature") != b.Header().Get("Signature") {
		t.Error("an equal answer has another signature")
	}
}

func TestHooks(t *testing.T) {
	f := testFace(t, commitment.Ed25519)
	var seen []string
	node := f.c.Node.Derive()
	node.Options = message.New(message.Field{Key: "on", Value: message.New(
		message.Field{Key: "request", Value: message.New(message.Field{Key: "device", Value: message.Bytes("any@1.0")})},
		message.Field{Key: "response", Value: message.New(message.Field{Key: "device", Value: message.Bytes("any@1.0")})})})
	f.c.Hook = func(c *device.Call, name string, m message.Message) (message.Message, error) {
		seen = append(seen, name)
		body, _ := m.Get("body")
		switch {
		case name == "request" && strings.Contains(c.Origin.Text("want"), "refuse"):
			return m, fault.New(fault.Denied, "not-today", "not today")
		case name == "request" && strings.Contains(c.Origin.Text("want"), "other"):
			return m.With("body", message.List{message.New(message.Field{Key: "a", Value: message.Bytes("replaced")}), message.Bytes("a")}), nil
		case name == "response" && strings.Contains(c.Origin.Text("want"), "sign"):
			return m.With("body", body.(message.Message).With("added", message.Bytes("yes"))), nil
		}
		return m, nil
	}
	f.Use(node, resolve.New(node, resolve.Limits{}))
	for _, c := range []struct {
		want   string
		status int
		body   string
		added  string
	}{{"", 200, "1", ""}, {"", 200, "1", ""}, {"refuse", 403, "not today", ""}, {"other", 200, "replaced", ""}, {"sign", 200, "1", "yes"}} {
		w := ask(t, f, "GET", "/~message@1.0&a=1/a", "", "want", c.want)
		if w.Code != c.status || w.Body.String() != c.body || w.Header().Get("Added") != c.added {
			t.Errorf("%s: %d %s %v", c.want, w.Code, w.Body, w.Header())
		}
	}
	if got := strings.Join(seen, " "); got != "request response request response request request response request response" {
		t.Errorf("handlers saw %s", got)
	}
}

// TestHostileRequests end soon and with a reason.
func TestHostileRequests(t *testing.T) {
	f := testFace(t, commitment.Ed25519)
	f.c.BodyMax = 1 << 20
	deep := strings.Repeat("/x", 1000)
	var parts, keys, paths strings.Builder
	for i := range KeysMax {
		fmt.Fprintf(&keys, "k%d: v\r\n", i)
	}
	for i := range 2000 {
		fmt.Fprintf(&paths, "k%d/%s: v\n", i, strings.Repeat("a/", 90))
	}
	for i := range 20_000 {
		fmt.Fprintf(&parts, "--B\r\ncontent-disposition: form-data;name=\"%d\"\r\n\r\nx\r\n", i)
	}
	parts.WriteString("--B--")
	for _, c := range []struct {
		name, path, body string
		headers          []string
		status           int
	}{
		{"a million parts", "/" + strings.Repeat("a/", 1e6), "", nil, 413},
		{"many parts", "/" + strings.Repeat("a/", 1000), "", nil, 413},
		{"many arguments", "/~message@1.0" + strings.Repeat("&a=1", 1000) + "/a", "", nil, 413},
		{"parentheses in parentheses", "/" + strings.Repeat("(", 500) + strings.Repeat(")", 500), "", nil, 413},
		{"a path that asks for itself", "/~message@1.0&a=(~message@1.0&b=(~message@1.0&c=1/c)/b)/a", "", nil, 200},
		{"a percent sign alone", "/~message@1.0&a=%25zz/a", "", nil, 200},
		{"zero bytes", "/~message@1.0&a=%00/a", "", nil, 200},
		{"line breaks", "/~message@1.0&a=%0d%0aset-cookie:x/a", "", nil, 200},
		{"line breaks in a key", "/~message@1.0&a%0d%0ab=1/set", "", nil, 422},
		{"a long key", "/~message@1.0&" + strings.Repeat("k", 1000) + "=1/set", "", nil, 400},
		{"a body over the limit", "/~counter@1.0/sent", strings.Repeat("x", 2<<20), nil, 413},
		{"a part that is deep", "/~counter@1.0/sent", "--B\r\ncontent-disposition: form-data;name=\"a" + deep + "\"\r\n\r\nx\r\n--B--", []string{"Content-Type", `multipart/form-data; boundary="B"`}, 413},
		{"more parts than are read", "/~counter@1.0/sent", parts.String(), []string{"Content-Type", `multipart/form-data; boundary="B"`}, 413},
		{"parts that do not end", "/~counter@1.0/sent", "--B\r\ncontent-disposition: form-data;name=\"a\"\r\n", []string{"Content-Type", `multipart/form-data; boundary="B"`}, 400},
		{"JSON with more keys than are read", "/~counter@1.0/sent", `{"a":[` + strings.Repeat("1,", KeysMax) + `1]}`, []string{"Content-Type", "application/json"}, 413},
		{"a part with more keys than are read", "/~counter@1.0/sent", "--B\r\ncontent-disposition: form-data;name=\"a\"\r\n" + keys.String() + "\r\nx\r\n--B--", []string{"Content-Type", `multipart/form-data; boundary="B"`}, 413},
		{"lines with more places than are read", "/~counter@1.0/sent", paths.String(), []string{"Codec-Device", "flat@1.0"}, 413},
		{"JSON that is deep", "/~counter@1.0/sent", strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000), []string{"Content-Type", "application/json"}, 413},
		{"a signature that is none", "/~message@1.0&a=1/a", "", []string{"Signature", "x", "Signature-Input", "comm-x=y"}, 400},
		{"a signature of nobody", "/~message@1.0&a=1/a", "", []string{"Signature", "comm-x=:AAAA:", "Signature-Input", `comm-x=("a");alg="rsa-pss-sha512";keyid="publickey:AAAA"`}, 400},
		{"a type that is none", "/~message@1.0&a=1/a", "", []string{"Ao-Types", `a="integer`, "A", "x"}, 400},
		{"what is private", "/~message@1.0&priv-x=1/priv-x", "", nil, 404},
		{"commitments as a header", "/~counter@1.0/signers?require-codec=application/json", "", []string{"Commitments", "x"}, 200},
	} {
		method := "GET"
		if c.body != "" {
			method = "POST"
		}
		w := ask(t, f, method, c.path, c.body, c.headers...)
		if w.Code != c.status {
			t.Errorf("%s: %d %.200s", c.name, w.Code, w.Body)
		}
		if w.Code >= 400 && (w.Header().Get("Code") == "" || w.Header().Get("Reason") == "" && w.Body.Len() == 0) {
			t.Errorf("%s: no reason: %v", c.name, w.Header())
		}
		for name, values := range w.Header() {
			if strings.ContainsAny(name+strings.Join(values, ""), "\r\n\x00") {
				t.Errorf("%s: the header %q cannot be written", c.name, name)
			}
		}
	}
}

func FuzzRequest(f *testing.F) {
	face := testFace(f, commitment.Ed25519)
	f.Add("GET", "/~message@1.0&a+integer=1/a?b=(c)", "accept", "application/json", "")
	f.Add("POST", "/x", "content-type", `multipart/form-data; boundary="B"`, "--B\r\ncontent-disposition: form-data;name=\"a/b\"\r\n\r\nx\r\n--B--")
	f.Add("POST", "/x", "codec-device", "ans104@1.0", "\x01\x00")
	f.Add("GET", "/~counter@1.0/sent", "signature-input", `comm-x=("a");alg="hmac-sha256"`, "")
	f.Fuzz(func(t *testing.T, method, path, name, value, body string) {
		r, err := http.NewRequest(method, "http://x/", strings.NewReader(body))
		if err != nil || strings.ContainsAny(path, " \r\n") {
			return
		}
		r.RequestURI = "/" + path
		r.Header.Set(name, value)
		w := ask(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { face.ServeHTTP(w, r.WithContext(t.Context())) }), "GET", "/", "")
		if w.Code < 200 || w.Code == 500 && !strings.Contains(path, "fail") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

// TestWhatAnAnswerSaysSteersNobody: keys that are headers by which browsers and proxies are told what to do come as parts of the
// body, in either generation, signed like all others.
func TestWhatAnAnswerSaysSteersNobody(t *testing.T) {
	f := testFace(t, commitment.Ed25519)
	names := []string{"set-cookie", "location", "refresh", "transfer-encoding", "connection", "upgrade",
		"strict-transport-security", "www-authenticate", "clear-site-data", "x-accel-redirect", "x-sendfile", "alt-svc",
		"service-worker-allowed", "cross-origin-opener-policy"}
	own := []string{"access-control-allow-origin", "access-control-allow-credentials", "content-security-policy", "etag", "vary", "x-content-type-options"} // headers of every answer
	path, rest := "/~message@1.0&plain=said&status=302", ""
	for _, name := range names {
		path += "&" + name + "=said"
	}
	for _, name := range own {
		rest += "&" + name + "=said"
	}
	for _, c := range []struct {
		name    string
		headers []string
	}{{"the second generation", nil}, {"the first generation", []string{"Body-Keys", `"x"`}}, {"JSON", []string{"Accept", "application/json"}}} {
		w := ask(t, f, "GET", path+"/set&b=1", "", c.headers...)
		if w.Code != 302 {
			t.Errorf("%s: %d", c.name, w.Code)
		}
		for _, name := range names {
			if got := w.Header()[http.CanonicalHeaderKey(name)]; slices.Contains(got, "said") {
				t.Errorf("%s: %s is the header %q", c.name, name, got)
			}
		}
		if c.headers != nil && c.headers[0] == "Accept" {
			continue
		}
		m, signers := readBack(t, w)
		if len(signers) != 1 || m.Text("plain") != "said" || w.Header().Get("Plain") != "said" {
			t.Errorf("%s: %v, signed by %v", c.name, m, signers)
		}
		for _, name := range names {
			if m.Text(name) != "said" {
				t.Errorf("%s: the answer has %s as %q", c.name, name, m.Text(name))
			}
		}
		w = ask(t, f, "GET", path+rest+"/set&b=1", "", c.headers...)
		m, _ = readBack(t, w)
		v, _ := m.Get("body")
		inner, _ := v.(message.Message)
		for _, name := range slices.Concat(own, names) {
			if got := w.Header()[http.CanonicalHeaderKey(name)]; slices.Contains(got, "said") || inner.Text(name) != "said" {
				t.Errorf("%s, in the body: %s is the header %q, and %q there", c.name, name, got, inner.Text(name))
			}
		}
	}
	// An answer that somebody else signed comes with what it says, but not as it came.
	signed, err := httpsig.Commit(message.New(message.Field{Key: "set-cookie", Value: message.Bytes("said")}, message.Field{Key: "a", Value: message.Int(1)}), f.c.Node.Key, httpsig.Terms{})
	if err != nil {
		t.Fatal(err)
	}
	wire, err := httpsig.Encode(signed, message.Nested, "set-cookie")
	if err != nil {
		t.Fatal(err)
	}
	var headers []string
	for _, h := range wire.Headers {
		headers = append(headers, h.Name, h.Value)
	}
	w := ask(t, f, "GET", "/~counter@1.0/sent", "", headers...)
	if m, signers := readBack(t, w); w.Header().Get("Set-Cookie") != "" || len(signers) != 1 || m.Text("set-cookie") != "said" {
		t.Errorf("signed by another: %v\n%v, signed by %v", w.Header(), m, signers)
	}
}

// TestPagesDoNotSpeakForTheNode: what a browser may run is kept apart from the node's own address.
func TestPagesDoNotSpeakForTheNode(t *testing.T) {
	f := testFace(t, commitment.Ed25519)
	for kind, apart := range map[string]bool{"": false, "text/plain": false, "application/json": false, "text/html": true, "Text/HTML;charset=utf-8": true,
		"image/svg+xml": true, "application/xhtml+xml": true, "text/xml": true} {
		w := ask(t, f, "GET", "/~message@1.0&body=<script>&content-type="+url.QueryEscape(kind)+"/set&b=1", "", "User-Agent", "Mozilla/5.0")
		if got := w.Header().Get("Content-Security-Policy"); apart != strings.HasPrefix(got, "sandbox") || strings.Contains(got, "same-origin") || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%q: %d %v", kind, w.Code, w.Header())
		}
		if w := ask(t, f, "GET", "/~message@1.0&body=<script>/set&b=1", ""); w.Header().Get("X-Content-Type-Options") != "" {
			t.Errorf("who is no browser gets %v", w.Header())
		}
	}
}

// TestOnlyAnswersToPathsAreEverybodys: an answer that headers had a part in is not kept for those who send none.
func TestOnlyAnswersToPathsAreEverybodys(t *testing.T) {
	f := testFace(t, commitment.Ed25519)
	for _, c := range []struct {
		headers []string
		public  bool
	}{{nil, true}, {[]string{"User-Agent", "x"}, true}, {[]string{"A", "other"}, false}, {[]string{"Device", "json@1.0"}, false}} {
		w := ask(t, f, "GET", "/~message@1.0/set&b=1", "", c.headers...)
		if got := w.Header().Get("Cache-Control"); strings.Contains(got, "public") != c.public {
			t.Errorf("%v: %d %s", c.headers, w.Code, got)
		}
	}
}

// TestSignaturesThatNobodyReadsAreRefused where something is to change; who only reads is nobody, as without them.
func TestSignaturesThatNobodyReadsAreRefused(t *testing.T) {
	f := testFace(t, commitment.Ed25519)
	const signature, input = "sig1=:AAAA:", `sig1=("a");alg="ed25519";keyid="x"`
	for _, c := range []struct {
		name    string
		headers []string
		code    string
	}{
		{"no signature", []string{"Signature-Input", input}, "signature-incomplete"},
		{"no components", []string{"Signature", signature}, "signature-incomplete"},
		{"a name of others", []string{"Signature", signature, "Signature-Input", input}, "signature-unknown"},
		{"nothing in it", []string{"Signature", "x", "Signature-Input", "y"}, "signature-unknown"},
		{"beside JSON", []string{"Codec-Device", "json@1.0", "Signature", signature, "Signature-Input", input}, "signature-unread"},
		{"beside lines", []string{"Codec-Device", "flat@1.0", "Signature", signature}, "signature-unread"},
	} {
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH"} {
			if w := ask(t, f, method, "/~message@1.0&b=1/b", "{}", c.headers...); w.Code != 400 || w.Header().Get("Code") != c.code || w.Header().Get("Details") == "" && c.code != "signature-incomplete" {
				t.Errorf("%s, %s: %d %v", c.name, method, w.Code, w.Header())
			}
		}
		if c.code != "signature-unread" {
			if w := ask(t, f, "GET", "/~message@1.0&b=1/b", "", c.headers...); w.Code != 200 || w.Body.String() != "1" {
				t.Errorf("%s, GET: %d %s", c.name, w.Code, w.Body)
			}
		}
	}
}
