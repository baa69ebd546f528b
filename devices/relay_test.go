package devices_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"ago/device"
	"ago/devices"
	"ago/message"
)

// lane sends to a server of the test, and runs what nobody waits for at once.
type lane struct {
	*http.Client
	full bool
}

func (l lane) Go(do func()) bool {
	if !l.full {
		do()
	}
	return !l.full
}

func relaying(t *testing.T) (*device.Node, string, *[]string) {
	t.Helper()
	var seen []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var names []string
		for name := range r.Header {
			names = append(names, strings.ToLower(name))
		}
		slices.Sort(names)
		seen = append(seen, r.Method+" "+r.URL.String())
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Set-Cookie", "a=b")
		w.Header().Set("X-From", "upstream")
		if strings.HasPrefix(r.URL.Path, "/missing") {
			w.WriteHeader(http.StatusNotFound)
		}
		fmt.Fprintf(w, "%s %s %q %v", r.Method, r.URL, body, names)
	}))
	t.Cleanup(server.Close)
	node, _ := shelved(t)
	device.Provide[devices.Outbound](node, lane{Client: server.Client()})
	return node, server.URL, &seen
}

func TestNetworkDevicesKeepTheRulesOfDevices(t *testing.T) {
	node, _, _ := relaying(t)
	for _, name := range []string{"relay@1.0", "wao@1.0"} {
		kept(t, name, node, true, texts("target", "x"))
	}
}

func TestRelaysSendAndAnswer(t *testing.T) {
	node, at, seen := relaying(t)
	keys := texts("host", "h", "cookie", "secret", "x-mine", "m", "authorization", "secret")
	for _, c := range []struct{ path, want string }{
		{"/~relay@1.0/call/body?relay-path=" + at + "/some", `GET /some "" [accept-encoding ao-relay-hops user-agent x-mine]`},
		{"/~relay@1.0/call/status?relay-path=" + at + "/some", "200"},
		{"/~relay@1.0/call/status?relay-path=" + at + "/missing", "404"},
		{"/~relay@1.0/call/set-cookie?relay-path=" + at + "/some", "!key-absent"},
		{"/~relay@1.0/call/x-from?relay-path=" + at + "/some", "upstream"},
		{"/~relay@1.0/call/body?relay-method=POST&relay-body=b&relay-path=" + at + "/p", `POST /p "b" [accept-encoding ao-relay-hops content-length user-agent x-mine]`},
		{"/~relay@1.0/call/status?relay-path=/p/q&peer=" + at, "200"},
		{"/~relay@1.0/cast?relay-path=" + at + "/cast", "OK"},
		{"/~relay@1.0/call?relay-path=http://127.0.0.1:1/x", "!relay-unanswered"},
		{"/~relay@1.0/call?relay-path=http://u:p@localhost/x", "!address-malformed"},
		{"/~relay@1.0/call?relay-path=/x&peer=file://etc", "!address-malformed"},
		{"/~relay@1.0/call", "!argument-missing"},
		{"/~relay@1.0/call?ao-relay-hops=4&relay-path=" + at + "/x", "!relay-loop"},
	} {
		got := said(asked(t, node, c.path, keys))
		if !strings.Contains(c.want, "content-length") {
			got = strings.Replace(got, "content-length ", "", 1)
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.path, got, c.want)
		}
	}
	if !slices.Contains(*seen, "GET /cast") {
		t.Errorf("the cast did not arrive: %v", *seen)
	}
	device.Provide[devices.Outbound](node, lane{full: true})
	if got := said(asked(t, node, "/~relay@1.0/cast?relay-path="+at+"/cast", keys)); got != "!relay-busy" {
		t.Errorf("a cast too many: %s", got)
	}
}

func TestModulesAreKeptForWriters(t *testing.T) {
	key := newKey(t, 3)
	ask := texts("method", "POST", "path", "/~wao@1.0/cache_module", "data", "x", "type", "application/lua")
	for _, c := range []struct {
		name    string
		keys    message.Message
		writers string
		want    bool
	}{
		{"a writer", signed(t, ask, key), key.Address().String(), true},
		{"a stranger", signed(t, ask, newKey(t, 4)), key.Address().String(), false},
		{"nobody", ask, key.Address().String(), false},
		{"nobody, where all may", ask, "all", true},
		{"nobody, where none may", ask, "", false},
	} {
		node, s := shelved(t)
		node.Options = texts("cache_writers", c.writers)
		v, err := asked(t, node, "/~wao@1.0/cache_module", c.keys)
		kept, failed := s.Match(t.Context(), texts("data", "x"))
		if failed != nil {
			t.Fatal(failed)
		}
		if (err == nil) != c.want || (len(kept) > 0) != c.want {
			t.Errorf("%s: %v (%v), kept %v", c.name, v, err, kept)
		}
		if err != nil {
			continue
		}
		if got := said(asked(t, node, "/"+v.(message.Message).Text("id")+"/data", message.Message{})); got != "x" {
			t.Errorf("%s: %s", c.name, got)
		}
	}
}
