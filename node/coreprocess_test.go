package node

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"ago/codec/ans104"
	"ago/codec/httpsig"
	"ago/message"
)

// atNode asks the node's address and gives the status, headers and body.
func (n *network) atNode(t testing.TB, method, path string, header map[string]string, body []byte) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, n.Addresses().Node+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(b)
}

// item posts a data item as aoconnect does.
func (n *network) item(t testing.TB, path string, want int, accept string, d ans104.Draft) (http.Header, string) {
	t.Helper()
	it, err := ans104.Sign(d, n.key)
	if err != nil {
		t.Fatal(err)
	}
	code, header, body := n.atNode(t, "POST", path, map[string]string{"Content-Type": "application/ans104", "codec-device": "ans104@1.0", "accept": accept}, it.Raw)
	if code != want {
		t.Fatalf("POST %s: %d %s", path, code, body)
	}
	return header, body
}

func tagList(pairs ...string) (tags []ans104.Tag) {
	for i := 0; i < len(pairs); i += 2 {
		tags = append(tags, ans104.Tag{Name: pairs[i], Value: pairs[i+1]})
	}
	return tags
}

// deviceProcess spawns a process that a device evaluates.
func (n *network) deviceProcess(t testing.TB) string {
	t.Helper()
	own := n.scheduler.Address().String()
	header, _ := n.item(t, "/push", 200, "*/*", ans104.Draft{Data: []byte("1984"), Tags: tagList("device", "process@1.0", "scheduler-device", "scheduler@1.0",
		"push-device", "push@1.0", "execution-device", "test-device@1.0", "Authority", own, "Scheduler", own, "signing-format", "ans104", "accept-bundle", "true",
		"Data-Protocol", "ao", "Type", "Process", "Variant", "ao.N.1")})
	p := header.Get("process")
	if _, err := message.ParseID(p); err != nil || header.Get("slot") != "0" {
		t.Fatalf("%v, %v", header, err)
	}
	return p
}

// TestAProcessOfADeviceOverHTTP is spawned, sent to, and read as the published clients do.
func TestAProcessOfADeviceOverHTTP(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, nil)
	p := n.deviceProcess(t)
	id, err := message.ParseID(p)
	if err != nil {
		t.Fatal(err)
	}
	_, body := n.item(t, "/"+p+"~process@1.0/push", 200, "application/json", ans104.Draft{Target: id, HasTarget: true, Data: []byte("hi"),
		Tags: tagList("Action", "Eval", "signing-format", "ans104", "require-codec", "application/json", "Data-Protocol", "ao", "Type", "Message", "Variant", "ao.N.1")})
	var pushed struct{ Slot int }
	if err := json.Unmarshal([]byte(body), &pushed); err != nil || pushed.Slot != 1 {
		t.Fatalf("%s, %v", body, err)
	}
	// By HTTP, as a nested message and as the request itself.
	m, err := httpsig.Commit(message.New(message.Field{Key: "type", Value: message.Bytes("Message")}, message.Field{Key: "target", Value: message.Bytes(p)},
		message.Field{Key: "data", Value: message.Bytes("flat")}), n.key, httpsig.Terms{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := httpsig.Encode(m, message.Nested)
	if err != nil {
		t.Fatal(err)
	}
	headers := map[string]string{}
	for _, h := range w.Headers {
		headers[h.Name] = h.Value
	}
	if code, header, body := n.atNode(t, "POST", "/~process@1.0/schedule", headers, []byte(w.Body)); code != 200 || header.Get("slot") != "2" {
		t.Fatalf("%d %v %s", code, header, body)
	}
	for path, want := range map[string]string{
		"/" + p + "~process@1.0/slot/current":                      "2",
		"/" + p + "~process@1.0/now/at-slot":                       "2",
		"/" + p + "~process@1.0/compute/results=1/assignment-slot": "1",
		"/" + p + "/compute&slot=2/already-seen/1":                 "2",
	} {
		if code, _, body := n.atNode(t, "GET", path, nil, nil); code != 200 || body != want {
			t.Errorf("%s: %d %s, want %s", path, code, body, want)
		}
	}
	if code, _, _ := n.atNode(t, "POST", "/"+p+"/schedule", nil, []byte("x")); code != 400 {
		t.Errorf("an unsigned message: %d", code)
	}
}

// TestALegacyProcessByPath has one log and one state, however it is reached.
func TestALegacyProcessByPath(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, nil)
	n.process = n.spawnLegacy(t)
	if r := n.eval(t, "count"); r.Text() != "1" {
		t.Fatalf("%s", r.JSON)
	}
	p := n.process.String()
	header, body := n.item(t, "/"+p+"~process@1.0/push", 200, "application/json", ans104.Draft{Target: n.process, HasTarget: true, Data: []byte("count"),
		Tags: tagList("Data-Protocol", "ao", "Type", "Message", "Variant", "ao.TN.1")})
	var pushed struct{ Slot int }
	if err := json.Unmarshal([]byte(body), &pushed); err != nil || pushed.Slot != 2 {
		t.Fatalf("%v %s, %v", header, body, err)
	}
	if _, _, body := n.atNode(t, "GET", "/"+p+"~process@1.0/compute/results=2/json/body", nil, nil); !bytes.Contains([]byte(body), []byte(`"Messages"`)) {
		t.Errorf("%s", body)
	}
	if r := n.eval(t, "count"); r.Text() != "3" {
		t.Errorf("%s", r.JSON)
	}
	if code, _, body := n.atNode(t, "GET", "/"+p+"~process@1.0/as=execution/compute&Action=count/results/json/body", nil, nil); code != 200 {
		t.Errorf("%d %s", code, body)
	}
	if code, _, body := n.atNode(t, "GET", "/"+p+"~process@1.0/slot/current", nil, nil); code != 200 || body != "3" {
		t.Errorf("%d %s", code, body)
	}
	m, err := httpsig.Commit(message.New(message.Field{Key: "target", Value: message.Bytes(p)}, message.Field{Key: "data", Value: message.Bytes("x")}), n.key, httpsig.Terms{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := httpsig.Encode(m, message.Nested)
	if err != nil {
		t.Fatal(err)
	}
	headers := map[string]string{}
	for _, h := range w.Headers {
		headers[h.Name] = h.Value
	}
	if code, _, body := n.atNode(t, "POST", "/"+p+"~process@1.0/schedule", headers, []byte(w.Body)); code != 422 || !bytes.Contains([]byte(body), []byte("Message must be signed with ANS-104.")) {
		t.Errorf("%d %s", code, body)
	}
}

// TestWhatGrowsIsAskedForAgain: what a process is now, and its log, are other answers after each message.
func TestWhatGrowsIsAskedForAgain(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, nil)
	n.process = n.spawnLegacy(t)
	p := n.process.String()
	growing := []string{"/" + p + "~process@1.0/now/at-slot", "/" + p + "~process@1.0/latest/at-slot", "/" + p + "~process@1.0/compute/at-slot", "/" + p + "~process@1.0/slot/current", "/" + p + "~process@1.0/schedule",
		"/~scheduler@1.0/schedule?target=" + p + "&accept=application/aos-2", "/~scheduler@1.0/slot/current?target=" + p, "/" + p + "~process@1.0/now/results/json/body",
		"/~scheduler@1.0/status", "/" + p + "~process@1.0/now/process/id"}
	before := map[string]string{}
	for i := range 2 {
		n.eval(t, "count")
		for _, path := range growing {
			code, header, body := n.atNode(t, "GET", path, nil, nil)
			if code != 200 || strings.Contains(header.Get("Cache-Control"), "public") {
				t.Errorf("%s: %d %s %.100s", path, code, header.Get("Cache-Control"), body)
			}
			if i > 0 && body == before[path] && !strings.HasSuffix(path, "status") && !strings.HasSuffix(path, "id") {
				t.Errorf("%s is %.100s as before", path, body)
			}
			before[path] = body
		}
	}
}
