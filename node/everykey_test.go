package node

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"ago/clock"
	"ago/device"
	"ago/message"
)

// changesForStrangers are the keys by which whoever signs may change what a node keeps, and why.
var changesForStrangers = map[string]string{
	"cron@1.0":         "who signs for a task has one",
	"scheduler@1.0":    "records of schedulers are everybody's, and so are messages",
	"push@1.0":         "messages are everybody's",
	"process@1.0":      "messages are everybody's",
	"genesis-wasm@1.0": "messages are everybody's",
}

// TestNoKeyOfADeviceChangesAnythingForNobody: every key that a device of this node has, asked with every input it describes, leaves all
// that is kept as it was, if nobody signed, or the signature does not hold, or a stranger signed. A new device is asked as well.
func TestNoKeyOfADeviceChangesAnythingForNobody(t *testing.T) {
	n := startNetwork(t, func(c *Config) { c.Clock, c.Closed = clock.NewPaused(time.UnixMilli(1_800_000_000_000)), true })
	n.eval(t, "count")
	p := n.process.String()
	values := map[string]string{
		"cron-path": "/~message@1.0/keys", "once": "/~message@1.0/keys", "every": "/~message@1.0/keys", "interval": "5-minutes", "target": p, "process": p, "source": p, "destination": "elsewhere",
		"key": "name", "value": "x", "type": "single", "url": "http://127.0.0.1:1", "template": "/x", "node": "http://127.0.0.1:1", "path": "", "slot": "0", "from": "0", "to": "1",
	}
	client := &http.Client{Timeout: time.Minute}
	ask := func(method, path string, headers map[string]string, body []byte) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, method, n.Addresses().Node+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range headers {
			r.Header.Set(name, v)
		}
		answer, err := client.Do(r)
		if err != nil {
			t.Errorf("%s %s: %v", method, path, err)
			return
		}
		defer answer.Body.Close()
		io.Copy(io.Discard, answer.Body)
	}
	// What the node says about itself and its slots it signs when it is first asked, and keeps.
	ask(http.MethodGet, "/~scheduler@1.0/location", nil, nil)
	ask(http.MethodGet, "/"+p+"~process@1.0/schedule", nil, nil)
	before, asked := n.digest(t), 0
	stayed := func(what string) {
		t.Helper()
		if after := n.digest(t); after != before {
			t.Errorf("%s: what is kept was %s and is %s", what, before, after)
			before = after
		}
	}
	stranger := throwaway(t)
	for _, name := range device.All().Names() {
		d, _ := device.All().Find(name)
		keys := append(device.MessageKeys(), "anything")
		for key := range d.Keys {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, key := range slices.Compact(keys) {
			_, doc, _ := d.Find(key)
			query, sent := url.Values{}, message.Message{}
			for _, in := range append(slices.Clone(doc.Inputs), device.Input{Name: "body"}, device.Input{Name: "type"}) {
				v, ok := values[in.Name]
				if !ok {
					v = "x"
				}
				if v != "" {
					query.Set(in.Name, v)
					sent = sent.With(in.Name, message.Bytes(v))
				}
			}
			path := "/~" + name + "/" + key
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				ask(method, path+"?"+query.Encode(), nil, nil)
				ask(method, "/"+p+path[1:]+"?"+query.Encode(), nil, nil)
				asked += 2
			}
			stayed(path + ", of nobody")
			headers, body := signedHeaders(t, sent.With("path", message.Bytes(path)), n.c.Key)
			if i := strings.Index(headers["signature"], "=:") + 10; headers["signature"][i] == 'A' {
				headers["signature"] = headers["signature"][:i] + "B" + headers["signature"][i+1:]
			} else {
				headers["signature"] = headers["signature"][:i] + "A" + headers["signature"][i+1:]
			}
			ask(http.MethodPost, path, headers, body)
			ask(http.MethodPost, "/"+p+path[1:], headers, body)
			stayed(path + ", with a signature that does not hold")
			if changesForStrangers[name] == "" {
				headers, body := signedHeaders(t, sent.With("path", message.Bytes(path)), stranger)
				ask(http.MethodPost, path, headers, body)
				stayed(path + ", of a stranger")
			}
		}
	}
	if asked < 500 {
		t.Errorf("only %d were asked", asked)
	}
}
