package node

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"ago/clock"
	"ago/codec/httpsig"
	"ago/codec/json"
	"ago/message"
)

// said has the node say what somebody asks it to, in the given generation, and gives its signed answer.
func (n *network) said(t *testing.T, m message.Message, old bool) httpsig.Wire {
	t.Helper()
	text, err := json.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Encode(message.New(message.Field{Key: "target", Value: message.Bytes("inner")}, message.Field{Key: "inner", Value: message.Bytes(text)}))
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), "POST", n.Addresses().Node+"/~json@1.0/deserialize", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "*/*")
	if old {
		r.Header.Set("Body-Keys", `"x"`)
	}
	answer, got := do(t, r)
	if answer.StatusCode != 200 {
		t.Fatalf("%d %s", answer.StatusCode, got)
	}
	var headers []message.Header
	for name, values := range answer.Header {
		switch name {
		case "Date", "Content-Length", "Vary", "Etag", "Cache-Control", "X-Content-Type-Options":
			continue
		}
		if !strings.HasPrefix(name, "Access-Control-") {
			headers = append(headers, message.Header{Name: name, Value: strings.Join(values, ", ")})
		}
	}
	return httpsig.NewWire(headers, []byte(got))
}

// TestAnswersGiveNoRights: what a node signed because somebody asked for it is not what the node means, however it comes back. The
// same, signed by the node as a request, has its rights.
func TestAnswersGiveNoRights(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, func(c *Config) { c.Clock = clock.NewPaused(time.UnixMilli(1_800_000_000_000)) })
	own := n.Addresses().Scheduler
	keys := func(pairs ...string) message.Message {
		m := message.Message{}
		for i := 0; i < len(pairs); i += 2 {
			m = m.With(pairs[i], message.Bytes(pairs[i+1]))
		}
		return m
	}
	post := func(path string, headers map[string]string, body []byte) (int, string) {
		t.Helper()
		status, _, text := n.atNode(t, "POST", path, headers, body)
		return status, text
	}
	change := func(m message.Message) {
		t.Helper()
		headers, body := signedHeaders(t, m.With("path", message.Bytes("/~meta@1.0/info")), n.c.Key)
		if status, text := post("/~meta@1.0/info", headers, body); status != 200 {
			t.Fatalf("%d %s", status, text)
		}
	}
	change(keys("cache_writers", own))
	change(keys("cron_writers", own))
	definition := keys("device", "process@1.0", "type", "Process", "variant", "ao.N.1", "scheduler", own, "authority", own, "execution-device", "test-device@1.0")
	spawned, err := httpsig.Commit(definition, n.key, httpsig.Terms{})
	if err != nil {
		t.Fatal(err)
	}
	wire, err := httpsig.Encode(spawned, message.Nested)
	if err != nil {
		t.Fatal(err)
	}
	headers := map[string]string{}
	for _, h := range wire.Headers {
		headers[h.Name] = h.Value
	}
	if status, text := post("/~process@1.0/schedule", headers, wire.Body); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	p := spawned.SignedID().String()
	kept := func() string { return n.digest(t) + n.read(t, "/~cron@1.0/list") }
	for _, c := range []struct {
		path string
		says message.Message
	}{
		{"/~meta@1.0/info", keys("recorded-key", "evil")},
		{"/~local-name@1.0/register", keys("key", "bank", "value", p)},
		{"/~router@1.0/routes", keys("template", "/x.*", "node", "http://127.0.0.1:1")},
		{"/~scheduler@1.0/location", keys("url", "http://127.0.0.1:1")},
		{"/~scheduler@1.0/location", keys("type", "scheduler-location", "url", "http://127.0.0.1:1", "nonce", "1900000000000", "codec-device", "httpsig@1.0")},
		{"/~scheduler@1.0/schedule", definition.With("name", message.Bytes("by an answer"))},
		{"/" + p + "~process@1.0/schedule", keys("type", "Message", "target", p, "from-process", strings.Repeat("v", 43), "data", "mint")},
		{"/" + p + "~process@1.0/push", keys("type", "Message", "target", p, "from-process", strings.Repeat("v", 43), "data", "mint more")},
		{"/~cache@1.0/write", keys("body", "kept", "type", "single")},
		{"/~cron@1.0/every", keys("cron-path", "/~test-device@1.0/index", "interval", "1-hour")},
		{"/~wao@1.0/cache_module", keys("type", "application/lua", "data", "return 1")},
	} {
		before := kept()
		tried := func(what string, headers map[string]string, body []byte) {
			t.Helper()
			status, text := post(c.path, headers, body)
			after := kept()
			if status < 400 || status >= 500 || after != before {
				t.Errorf("%s, %s: %d %.200s, kept is %s, was %s", c.path, what, status, text, after, before)
			}
			before = after
		}
		for _, old := range []bool{false, true} {
			for _, says := range []message.Message{c.says, c.says.With("path", message.Bytes(c.path))} {
				name := "an answer"
				if old {
					name = "an answer of the first generation"
				}
				wire := n.said(t, says, old)
				headers := map[string]string{}
				for _, h := range wire.Headers {
					headers[h.Name] = h.Value
				}
				tried(name, headers, wire.Body)
				m, err := httpsig.Decode(wire)
				if err != nil {
					t.Fatal(err)
				}
				signed := 0
				for id, v := range m.Commitments().All() {
					entry := v.(message.Message)
					if entry.Text("committer") == "" {
						continue
					}
					signed++
					list, _ := entry.Get("committed")
					for what, entry := range map[string]message.Message{
						"as JSON": entry, "without its tag": entry.Without("tag"), "with another tag": entry.With("tag", message.Bytes("x")), "without its committer": entry.Without("committer"),
						"without tag and committer": entry.Without("tag").Without("committer"), "of another committer": entry.With("committer", message.Bytes(n.key.Address().String())),
						"of another device": entry.With("commitment-device", message.Bytes("ans104@1.0")), "with more keys": entry.With("committed", append(list.(message.List), message.Bytes("more"))),
					} {
						text, err := json.Encode(m.With("more", message.Bytes("evil")).With(message.KeyCommitments, message.New(message.Field{Key: id, Value: entry})))
						if err != nil {
							t.Fatal(err)
						}
						tried(name+" "+what, map[string]string{"Content-Type": "application/json"}, text)
					}
				}
				if signed != 1 {
					t.Errorf("%s: %s has %d signatures", c.path, name, signed)
				}
			}
		}
		says := c.says
		if !strings.Contains(c.path, "/schedule") && !strings.Contains(c.path, "/push") && says.Text("nonce") == "" {
			says = says.With("path", message.Bytes(c.path))
			headers, body := signedHeaders(t, c.says, n.c.Key)
			if !strings.Contains(c.path, "cron") {
				tried("a request without its path", headers, body)
			}
		}
		headers, body := signedHeaders(t, says, n.c.Key)
		if status, text := post(c.path, headers, body); status >= 300 || kept() == before {
			t.Errorf("%s, as a request of the node's: %d %.200s", c.path, status, text)
		}
	}
}
