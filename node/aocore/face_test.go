package aocore

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ago/clock"
	"ago/codec/httpsig"
	"ago/commitment"
	"ago/device"
	_ "ago/devices"
	"ago/message"
	"ago/resolve"
)

// testFace is a face with the devices that there are, and one whose answers are never the same.
func testFace(t testing.TB, kind commitment.KeyType) *Face {
	t.Helper()
	agent := commitment.NewAgent()
	if kind == commitment.RSA { // takes long to make
		key, err := agent.Open("../../commitment/testdata/wallet.json")
		if err != nil {
			t.Fatal(err)
		}
		return faceOf(key)
	}
	key, err := agent.Generate(kind, nil)
	if err != nil {
		t.Fatal(err)
	}
	return faceOf(key)
}

func faceOf(key *commitment.Key) *Face {
	n := 0
	counter := device.Device{Name: "counter@1.0", Doc: "counts how often it is asked", Keys: device.Keys{
		"next": {Doc: "the number of this call", Do: func(*device.Call, message.Message, message.Message) (message.Value, error) {
			n++
			return message.Int(n), nil
		}},
		"method": {Doc: "how it was asked", Do: func(_ *device.Call, _, req message.Message) (message.Value, error) {
			return message.Bytes("method " + req.Text("method")), nil
		}},
		"signers": {Doc: "who asked", Do: func(c *device.Call, _, _ message.Message) (message.Value, error) {
			signers, err := c.Signers(c.Origin)
			var out message.List
			for _, s := range signers {
				out = append(out, message.Bytes(s.Address().String()))
			}
			return out, err
		}},
		"sent": {Doc: "what was sent", Do: func(c *device.Call, _, _ message.Message) (message.Value, error) { return c.Origin, nil }},
		"fail": {Doc: "fails", Do: func(*device.Call, message.Message, message.Message) (message.Value, error) {
			panic("secret of the machine")
		}},
		"end": {Doc: "ends with a status of its own", Do: func(*device.Call, message.Message, message.Message) (message.Value, error) {
			return nil, device.End(device.Unpaid, message.New(message.Field{Key: "body", Value: message.Bytes("Insufficient funds")}, message.Field{Key: "price", Value: message.Int(7)}))
		}},
		"peer": {Doc: "which node asked", Do: func(_ *device.Call, _, req message.Message) (message.Value, error) {
			return message.Bytes(req.Text("ao-peer")), nil
		}},
		"wide": {Doc: "more than headers hold", Do: func(*device.Call, message.Message, message.Message) (message.Value, error) {
			return wide(), nil
		}},
		"accept": {Doc: "the media type asked for", Do: func(_ *device.Call, _, req message.Message) (message.Value, error) {
			return message.Bytes(req.Text("accept")), nil
		}},
	}}
	encodings, err := device.All().Only("structured@1.0", "httpsig@1.0", "json@1.0", "flat@1.0", "ans104@1.0")
	if err != nil {
		panic(err)
	}
	node := &device.Node{Registry: encodings.With(device.NewRegistry(counter)), Key: key, Clock: clock.System{}}
	return New(Config{Node: node, Resolver: resolve.New(node, resolve.Limits{})})
}

// wide is a message that is more than the headers of an answer hold.
func wide() message.Message {
	m := message.New(message.Field{Key: "n", Value: message.Int(7)})
	for i := range 100 {
		m = m.With(fmt.Sprintf("key-%d", i), message.Bytes(strings.Repeat("v", 200)))
	}
	return m
}

func ask(t testing.TB, f http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r := httptest.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w
}

// readBack reads an answer as a client does, and gives who signed it.
func readBack(t testing.TB, w *httptest.ResponseRecorder) (message.Message, []commitment.Signer) {
	t.Helper()
	var hs []message.Header
	for name, values := range w.Header() {
		hs = append(hs, message.Header{Name: name, Value: strings.Join(values, ", ")})
	}
	m, err := httpsig.Decode(httpsig.NewWire(hs, w.Body.Bytes()))
	if err != nil {
		t.Fatalf("%v\n%v\n%s", err, w.Header(), w.Body)
	}
	signers, err := httpsig.Verify(m)
	if err != nil {
		t.Fatalf("the answer's signature: %v", err)
	}
	return m.OnlyCommitted(), signers
}

func TestAnswersAreReadBackAndSigned(t *testing.T) {
	for _, kind := range []commitment.KeyType{commitment.Ed25519, commitment.RSA} {
		f := testFace(t, kind)
		for _, c := range []struct {
			path string
			key  string
			want message.Value
		}{
			{"/~message@1.0&hello=world/hello", "body", message.Bytes("world")},
			{"/~message@1.0&a+integer=1/a", "body", message.Int(1)},
			{"/~message@1.0&a/a", "body", message.Atom("true")},
			{"/~message@1.0&a=1&b=2/keys", "body", message.List{message.Bytes("a"), message.Bytes("b"), message.Bytes("device")}},
			{"/~message@1.0&a=1/set&b=2", "b", message.Bytes("2")},
			{"/~counter@1.0/next", "body", message.Int(1)},
		} {
			w := ask(t, f, "GET", c.path, "")
			if w.Code != 200 {
				t.Errorf("%s: %d %s", c.path, w.Code, w.Body)
				continue
			}
			m, signers := readBack(t, w)
			if v, _ := m.Get(c.key); !message.Equal(v, c.want) {
				t.Errorf("%s: %v, want %v", c.path, v, c.want)
			}
			if v, _ := m.Get("status"); !message.Equal(v, message.Int(200)) {
				t.Errorf("%s: status %v", c.path, v)
			}
			if len(signers) != 1 || signers[0].Address() != f.c.Node.Key.Address() {
				t.Errorf("%s: signed by %v", c.path, signers)
			}
		}
	}
}

// TestWideAnswersFitIntoHeaders of clients that take few.
func TestWideAnswersFitIntoHeaders(t *testing.T) {
	f := testFace(t, commitment.Ed25519)
	w := ask(t, f, "GET", "/~counter@1.0/wide", "")
	size := 0
	for name, values := range w.Header() {
		size += len(name) + len(strings.Join(values, ""))
	}
	if size > 16<<10 {
		t.Errorf("%d bytes of headers", size)
	}
	m, _ := readBack(t, w)
	v, _ := m.Get(m.Text("ao-result"))
	inner, ok := v.(message.Message)
	if inner = inner.Without(message.KeyCommitments); !ok || !message.Equal(inner, wide()) {
		t.Errorf("it is read back as %v", v)
	}
}
