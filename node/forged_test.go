package node

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"ago/clock"
	"ago/codec/ans104"
	"ago/codec/httpsig"
	"ago/commitment"
	"ago/message"
	"ago/store"
)

// followsLater are the tables of what follows from slots, and is worked out whenever the node likes.
var followsLater = []byte{store.TableAssignments, store.TableResults, store.TableCursors, store.TableCheckpoints, store.TableStates, store.TableTasks, store.TablePushed, store.TablePushIndex}

// digest names all that a node keeps but what follows from slots.
func (n *network) digest(t testing.TB) string {
	t.Helper()
	h, rows := sha256.New(), map[byte]int{}
	for row, err := range n.store.Scan(nil, nil, false) {
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(followsLater, row.Key[0]) >= 0 {
			continue
		}
		rows[row.Key[0]]++
		fmt.Fprintf(h, "%d %x %x\n", row.Key[0], row.Key, row.Value)
	}
	return fmt.Sprintf("%x %v", h.Sum(nil), rows)
}

// TestARequestThatWasForgedChangesNothing of what a node keeps, whatever it asks for; nor does one that nobody signed or somebody
// without the right, where it takes one. The request as it should be does change something.
func TestARequestThatWasForgedChangesNothing(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, func(c *Config) { c.Clock = clock.NewPaused(time.UnixMilli(1_800_000_000_000)) })
	n.eval(t, "count")
	own := n.Addresses().Scheduler
	post := func(path string, headers map[string]string, body []byte) (int, string, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "POST", n.Addresses().Node+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range headers {
			r.Header.Set(name, v)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, answer.Header.Get("Code"), string(text)
	}
	keys := func(pairs ...string) message.Message {
		m := message.Message{}
		for i := 0; i < len(pairs); i += 2 {
			m = m.With(pairs[i], message.Bytes(pairs[i+1]))
		}
		return m
	}
	process := func(name string) message.Message {
		return keys("device", "process@1.0", "type", "Process", "variant", "ao.N.1", "scheduler", own, "authority", own, "execution-device", "test-device@1.0", "name", name)
	}
	setting := func(m message.Message) {
		t.Helper()
		headers, body := signedHeaders(t, m.With("path", message.Bytes("/~meta@1.0/info")), n.c.Key)
		if status, _, text := post("/~meta@1.0/info", headers, body); status != 200 {
			t.Fatalf("%d %s", status, text)
		}
	}
	user := n.key.Address().String()
	setting(keys("cache_writers", user))
	setting(message.New(message.Field{Key: "node_processes", Value: message.New(message.Field{Key: "own", Value: process("of the node")})}))
	spawned, err := httpsig.Commit(process("target"), n.key, httpsig.Terms{Nesting: message.Nested})
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
	if status, _, text := post("/~process@1.0/schedule", headers, wire.Body); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	p := spawned.SignedID().String()
	if status, _, text := get(t, http.DefaultClient, n.Addresses().Node+"/"+p+"~process@1.0/now/at-slot"); status != 200 {
		t.Fatalf("%d %s", status, text)
	}

	for _, c := range []struct {
		name, path string
		key        *commitment.Key
		sent       message.Message
		free       bool // takes no right, and so no signature
	}{
		{"a setting", "/~meta@1.0/info", n.c.Key, keys("recorded-key", "yes"), false},
		{"a location", "/~scheduler@1.0/location", n.c.Key, keys("type", "scheduler-location", "url", "http://127.0.0.1:1", "nonce", "7"), false},
		{"a location by its other name", "/~scheduler@1.0/register", n.c.Key, keys("type", "scheduler-location", "url", "http://127.0.0.1:2", "nonce", "8"), false},
		{"what is kept", "/~cache@1.0/write", n.key, keys("body", "kept", "type", "single"), false},
		{"a process", "/~scheduler@1.0/schedule", n.key, process("forged"), false},
		{"a message", "/" + p + "~process@1.0/schedule", n.key, keys("type", "Message", "target", p, "data", "scheduled"), false},
		{"a message that is pushed", "/" + p + "~process@1.0/push", n.key, keys("type", "Message", "target", p, "data", "pushed"), false},
		{"a name", "/~local-name@1.0/register", n.c.Key, keys("key", "here", "value", p), false},
		{"a route", "/~router@1.0/routes", n.c.Key, keys("template", "/somewhere.*", "node", "http://127.0.0.1:1"), false},
		{"a process of the node", "/~node-process@1.0/own", n.key, keys("a", "b"), true},
		{"a task", "/~cron@1.0/every?interval=5-minutes&cron-path=/~test-device@1.0/index", n.key, keys("a", "b"), true}, // the last one: it runs by itself and keeps when
	} {
		if !c.free && !strings.Contains(c.path, "process@1.0") && !strings.HasSuffix(c.path, "/schedule") {
			c.sent = c.sent.With("path", message.Bytes(c.path)) // no right without it
		}
		before := n.digest(t)
		refused := func(what, path string, headers map[string]string, body []byte, forged bool) {
			t.Helper()
			status, code, text := post(path, headers, body)
			if status < 400 || status >= 500 || forged && (status > 401 || code == "") {
				t.Errorf("%s, %s: %d %s %.200s", c.name, what, status, code, text)
			}
			if after := n.digest(t); after != before {
				t.Errorf("%s, %s: what is kept was %s and is %s", c.name, what, before, after)
				before = after
			}
		}
		headers, body := signedHeaders(t, c.sent, c.key)
		with := func(name, v string) map[string]string {
			out := map[string]string{}
			for k, v := range headers {
				out[k] = v
			}
			if out[name] = v; v == "" {
				delete(out, name)
			}
			return out
		}
		for name, v := range headers {
			switch name {
			case "signature":
				i := strings.Index(v, "=:") + 10
				other := byte('A')
				if v[i] == other {
					other = 'B'
				}
				refused("another signature", c.path, with(name, v[:i]+string(other)+v[i+1:]), body, true)
			case "signature-input":
				refused("another signer", c.path, with(name, strings.ReplaceAll(v, base64.StdEncoding.EncodeToString(c.key.Owner()), base64.StdEncoding.EncodeToString(throwaway(t).Owner()))), body, true)
			case "content-digest", "content-length", "ao-types", "ao-body-key", "content-type", "inline-body-key":
			default:
				refused("another "+name, c.path, with(name, v+"x"), body, true)
			}
		}
		if len(body) > 0 {
			refused("another body", c.path, headers, append([]byte("x"), body...), true)
		}
		draft := ans104.Draft{Data: []byte("item")}
		for key := range c.sent.All() {
			if key != "target" && key != "data" {
				draft.Tags = append(draft.Tags, Tag{Name: key, Value: c.sent.Text(key)})
			}
		}
		it, err := ans104.Sign(draft, c.key)
		if err != nil {
			t.Fatal(err)
		}
		raw := bytes.Clone(it.Raw)
		raw[len(raw)-1] ^= 1
		refused("a data item with another last byte", c.path, map[string]string{"Codec-Device": "ans104@1.0", "Content-Type": "application/ans104"}, raw, true)
		if !c.free {
			unsigned := with("signature", "")
			delete(unsigned, "signature-input")
			refused("nobody's", c.path, unsigned, body, false)
			if c.key == n.c.Key && !strings.Contains(c.path, "scheduler@1.0") { // records of schedulers are everybody's
				headers, body := signedHeaders(t, c.sent, throwaway(t))
				refused("a stranger's", c.path, headers, body, false)
			}
		}
		status, code, text := post(c.path, headers, body)
		if code == "unit-missing" {
			continue // this node takes none from anybody
		}
		if status != 200 {
			t.Errorf("%s, as it should be: %d %s %.200s", c.name, status, code, text)
		}
		if n.digest(t) == before {
			t.Errorf("%s, as it should be, changes nothing", c.name)
		}
	}
}
