package node

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"ago/codec/ans104"
	"ago/codec/httpsig"
	"ago/commitment"
	"ago/message"
)

func get(t testing.TB, c *http.Client, target string, headers ...string) (int, http.Header, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", target, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, body := doBy(t, c, r)
	return answer.StatusCode, answer.Header, body
}

func do(t testing.TB, r *http.Request) (*http.Response, string) {
	t.Helper()
	return doBy(t, http.DefaultClient, r)
}

func doBy(t testing.TB, c *http.Client, r *http.Request) (*http.Response, string) {
	t.Helper()
	answer, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

// TestAOCoreIsBesideTheOtherFaces at the node's own address and the gateway's, over both versions of HTTP, and leaves the others
// what is theirs.
func TestAOCoreIsBesideTheOtherFaces(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, nil)
	a := n.Addresses()
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	two := &http.Client{Transport: &http.Transport{Protocols: protocols}}
	defer two.CloseIdleConnections()
	const world = "/~message@1.0&hello=world/hello"
	for _, c := range []struct {
		client *http.Client
		target string
		status int
		want   string // is part of the body
	}{
		{http.DefaultClient, a.Node + world, 200, "world"},
		{two, a.Node + world, 200, "world"},
		{http.DefaultClient, a.Gateway + world, 200, "world"},
		{two, a.Gateway + world, 200, "world"},
		{http.DefaultClient, a.Node + "/nothing", 404, "not_found"},
		{http.DefaultClient, a.Node + "/", 200, `"scheduler"`},
		{http.DefaultClient, a.Node + "/healthz", 200, "alive"},
		{http.DefaultClient, a.Gateway + "/info", 200, "network"},
		{http.DefaultClient, a.Gateway + "/" + n.process.String(), 200, ""},
		{http.DefaultClient, a.Gateway + "/nothing", 404, ""},
		{http.DefaultClient, a.SU + world, 404, "code"},
	} {
		status, _, body := get(t, c.client, c.target)
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s: %d %.200s", c.target, status, body)
		}
	}
}

// events reads a stream up to n events, without signs of life.
func events(t testing.TB, target string, n int, headers ...string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", target, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if kind := answer.Header.Get("Content-Type"); answer.StatusCode != 200 || kind != "text/event-stream" {
		body, _ := io.ReadAll(answer.Body)
		t.Fatalf("%s: %d %s %s", target, answer.StatusCode, kind, body)
	}
	var out []string
	lines := bufio.NewScanner(answer.Body)
	for len(out) < n && lines.Scan() {
		if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			lines.Scan()
			kind := strings.TrimPrefix(lines.Text(), "event: ")
			lines.Scan()
			out = append(out, id+" "+kind+" "+strings.TrimPrefix(lines.Text(), "data: "))
		}
	}
	if lines.Err() != nil {
		t.Fatal(lines.Err())
	}
	return out
}

func TestSlotsAndResultsAreStreamed(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, nil)
	base := n.Addresses().Node + "/" + n.process.String() + "~process@1.0"
	n.eval(t, "count") // slot 1
	got := events(t, base+"/slot?from=0", 2)
	if len(got) != 2 || !strings.HasPrefix(got[0], `0 slot {"block-height":`) || !strings.HasPrefix(got[1], "1 slot ") || !strings.Contains(got[1], `"process":"`+n.process.String()+`","slot":1,`) {
		t.Errorf("%q", got)
	}
	if got := events(t, base+"/slot", 1, "Last-Event-ID", "0"); len(got) != 1 || !strings.HasPrefix(got[0], "1 slot ") {
		t.Errorf("after slot 0 comes %q", got)
	}
	heard := make(chan []string, 1)
	go func() { heard <- events(t, base+"/results?from=1", 2) }()
	n.eval(t, "count") // slot 2, maybe while the stream is open
	got = <-heard
	if len(got) != 2 || !strings.HasPrefix(got[0], "1 result ") || !strings.HasPrefix(got[1], "2 result ") || !strings.Contains(got[1], `"results":{`) || !strings.Contains(got[1], `"Output"`) {
		t.Errorf("%q", got)
	}
	status, _, body := get(t, http.DefaultClient, strings.Replace(base, n.process.String(), ans104ID(t), 1)+"/slot", "Accept", "text/event-stream")
	if status != 404 {
		t.Errorf("an unknown process: %d %s", status, body)
	}
	if status, _, body := get(t, http.DefaultClient, base+"/slot?from=x", "Accept", "text/event-stream"); status != 400 {
		t.Errorf("from no number: %d %s", status, body)
	}
}

func ans104ID(t testing.TB) string {
	t.Helper()
	it, err := ans104.Unsigned(ans104.Draft{Data: []byte("nobody's")})
	if err != nil {
		t.Fatal(err)
	}
	return it.UnsignedID().String()
}

// TestTheOperatorChangesSettings by a request that the node's own key signed, and nobody else does. What was set is there after a
// restart.
func TestTheOperatorChangesSettings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start := func() *Node {
		n, err := Start(t.Context(), Config{Dir: dir, CacheDir: modulesCache})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { n.Close() })
		return n
	}
	n := start()
	post := func(k *commitment.Key, change func(*http.Request)) int {
		t.Helper()
		m := message.New(message.Field{Key: "path", Value: message.Bytes("/~meta@1.0/info")}, message.Field{Key: "recorded-key", Value: message.Bytes("yes")})
		m, err := httpsig.Commit(m, k, httpsig.Terms{})
		if err != nil {
			t.Fatal(err)
		}
		wire, err := httpsig.Encode(m, message.Linked)
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(t.Context(), "POST", n.Addresses().Node+"/~meta@1.0/info", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range wire.Headers {
			r.Header.Set(h.Name, h.Value)
		}
		change(r)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	recorded := func() string {
		t.Helper()
		_, _, body := get(t, http.DefaultClient, n.Addresses().Node+"/~meta@1.0/info/recorded_key")
		return body
	}
	listed := func() bool {
		t.Helper()
		_, _, body := get(t, http.DefaultClient, n.Addresses().Node+"/~meta@1.0/info", "Accept", "application/json")
		if !strings.Contains(body, n.c.Key.Address().String()) {
			t.Errorf("the settings are %s", body)
		}
		return strings.Contains(body, "recorded_key")
	}
	same := func(*http.Request) {}
	for _, c := range []struct {
		name   string
		key    *commitment.Key
		change func(*http.Request)
		status int
		after  string
	}{
		{"a stranger", throwaway(t), same, 400, "not_found"},
		{"a request that was changed on the way", n.c.Key, func(r *http.Request) { r.Header.Set("recorded-key", "no") }, 400, "not_found"},
		{"nobody", n.c.Key, func(r *http.Request) { r.Header.Del("signature") }, 400, "not_found"},
		{"the operator", n.c.Key, same, 200, "yes"},
	} {
		if status := post(c.key, c.change); status != c.status || recorded() != c.after {
			t.Errorf("%s: %d, and the setting is %s", c.name, status, recorded())
		}
		for range 2 { // an answer that was given before is given again as long as it holds
			if listed() != (c.after == "yes") {
				t.Errorf("%s: the settings list it: %t", c.name, listed())
			}
		}
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	n = start()
	if got := recorded(); got != "yes" {
		t.Errorf("after a restart the setting is %s", got)
	}
}

// TestPeersAreAnsweredByAnotherKey that the node was given for them, and is told to everybody.
func TestPeersAreAnsweredByAnotherKey(t *testing.T) {
	t.Parallel()
	rsa, err := commitment.NewAgent().Open("../commitment/testdata/wallet.json")
	if err != nil {
		t.Fatal(err)
	}
	n := startNetwork(t, func(c *Config) { c.CoreKey = rsa })
	own, other := n.Addresses().Scheduler, rsa.Address().String()
	for _, c := range []struct {
		headers []string
		signer  string
	}{{nil, own}, {[]string{"Ao-Peer-Port", "8734"}, other}} {
		status, header, body := get(t, http.DefaultClient, n.Addresses().Node+"/~meta@1.0/info/core-address", c.headers...)
		if status != 200 || body != other {
			t.Fatalf("%d %s", status, body)
		}
		var hs []message.Header
		for name := range header {
			hs = append(hs, message.Header{Name: name, Value: header.Get(name)})
		}
		m, err := httpsig.Decode(httpsig.NewWire(hs, []byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		if signers, err := httpsig.Verify(m); err != nil || len(signers) != 1 || signers[0].Address().String() != c.signer {
			t.Errorf("with %v it is signed by %v, %v", c.headers, signers, err)
		}
	}
}
