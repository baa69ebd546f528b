package node

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"ago/codec/ans104"
	"ago/codec/httpsig"
	"ago/message"
)

// overHTTP schedules a message that is signed as AO-Core clients do, by the process's path, and gives its slot, or the refusal.
func (n *network) overHTTP(t testing.TB, p string, fields ...message.Field) (code int, slot, body string) {
	t.Helper()
	m, err := httpsig.Commit(message.New(append(fields, message.Field{Key: "type", Value: message.Bytes("Message")},
		message.Field{Key: "target", Value: message.Bytes(p)})...), n.key, httpsig.Terms{})
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
	code, header, body := n.atNode(t, "POST", "/"+p+"~process@1.0/schedule", headers, []byte(w.Body))
	return code, header.Get("slot"), body
}

// logOf lists the messages of a process as its scheduler unit does; slots that do not follow each other are an error.
func (n *network) logOf(t testing.TB, p message.ID) (ids []message.ID) {
	t.Helper()
	for e, err := range n.client.Log(t.Context(), p, -1) {
		if err != nil {
			t.Fatal(err)
		}
		s, err := e.Read()
		if err != nil {
			t.Fatal(err)
		}
		if int(s.Slot) != len(ids) {
			t.Errorf("slot %d stands after %d others", s.Slot, len(ids))
		}
		ids = append(ids, s.Message)
	}
	return ids
}

// read gives what a path answers, which has to be there.
func (n *network) read(t testing.TB, path string) string {
	t.Helper()
	code, _, body := n.atNode(t, "GET", path, nil, nil)
	if code != 200 {
		t.Errorf("%s: %d %s", path, code, body)
	}
	return body
}

// sameJSON says whether two texts hold one value.
func sameJSON(t testing.TB, a, b string) bool {
	t.Helper()
	var values [2]any
	for i, text := range []string{a, b} {
		if err := json.Unmarshal([]byte(text), &values[i]); err != nil {
			t.Errorf("%s: %v", text, err)
			return false
		}
	}
	return fmt.Sprint(values[0]) == fmt.Sprint(values[1])
}

// TestALegacyProcessAtBothFaces: items come by its units and by its path in turn, and there is one log with one result each.
func TestALegacyProcessAtBothFaces(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, nil)
	id := n.spawnLegacy(t)
	p := id.String()
	want := []message.ID{id}
	for i := range 9 {
		it, err := ans104.Sign(ans104.Draft{Target: id, HasTarget: true, Anchor: anchor(), Data: []byte("count"),
			Tags: tagList("Data-Protocol", "ao", "Type", "Message", "Variant", "ao.TN.1", "Number", fmt.Sprint(i))}, n.key)
		if err != nil {
			t.Fatal(err)
		}
		switch a := n.Addresses(); i % 3 {
		case 0:
			if status, body := request(t, "POST", a.MU, it.Raw); status/100 != 2 {
				t.Fatalf("messenger unit: %d %s", status, body)
			}
		case 1:
			if status, body := request(t, "POST", a.SU, it.Raw); status/100 != 2 {
				t.Fatalf("scheduler unit: %d %s", status, body)
			}
		case 2:
			code, header, body := n.atNode(t, "POST", "/"+p+"~process@1.0/schedule", map[string]string{"Content-Type": "application/ans104", "codec-device": "ans104@1.0"}, it.Raw)
			if code != http.StatusOK || header.Get("slot") != fmt.Sprint(i+1) {
				t.Fatalf("by path: %d %v %s", code, header, body)
			}
		}
		want = append(want, it.ID())
	}
	if code, _, body := n.overHTTP(t, p, message.Field{Key: "data", Value: message.Bytes("count")}); code != http.StatusUnprocessableEntity ||
		!strings.Contains(body, "Process resides on legacy scheduler. Message must be signed with ANS-104.") {
		t.Errorf("a message signed as by HTTP: %d %s", code, body)
	}
	if got := n.logOf(t, id); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the log is %v, want %v", got, want)
	}
	if got := n.read(t, "/"+p+"~process@1.0/slot/current"); got != "9" {
		t.Errorf("slot/current is %s", got)
	}
	for slot := 1; slot < len(want); slot++ {
		r, err := n.client.Result(t.Context(), id, want[slot])
		if err != nil {
			t.Fatal(err)
		}
		results := fmt.Sprintf("/%s~process@1.0/compute&slot=%d/results", p, slot)
		if body := n.read(t, results+"/json/body"); r.Text() != fmt.Sprint(slot) || !sameJSON(t, string(r.JSON), body) {
			t.Errorf("slot %d: the compute unit gives %s, the path %s", slot, r.JSON, body)
		}
		if body := n.read(t, results+"/output"); body != fmt.Sprint(slot) {
			t.Errorf("slot %d: the message of results says %q", slot, body)
		}
	}
}

// TestAProcessOfADeviceAtBothFaces: signed items and messages signed as by HTTP stand in one log, and each result has both shapes.
func TestAProcessOfADeviceAtBothFaces(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, nil)
	own := n.scheduler.Address().String()
	module, err := ans104.Sign(ans104.Draft{Data: []byte(luaProgram), Tags: tagList("Content-Type", "application/lua")}, n.key)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.client.Upload(t.Context(), module); err != nil {
		t.Fatal(err)
	}
	header, _ := n.item(t, "/push", 200, "*/*", ans104.Draft{Data: []byte("x"), Tags: tagList("device", "process@1.0", "execution-device", "lua@5.3a",
		"module", module.ID().String(), "Authority", own, "Scheduler", own, "Data-Protocol", "ao", "Type", "Process", "Variant", "ao.N.1")})
	p := header.Get("process")
	id, err := message.ParseID(p)
	if err != nil {
		t.Fatal(err)
	}
	const sent = 8
	for slot := 1; slot <= sent; slot++ {
		got := ""
		if slot%2 == 0 {
			header, _ := n.item(t, "/"+p+"~process@1.0/schedule", 200, "*/*", ans104.Draft{Target: id, HasTarget: true, Anchor: anchor(), Data: []byte("hi"),
				Tags: tagList("Action", "Send", "to", own, "Data-Protocol", "ao", "Type", "Message", "Variant", "ao.N.1")})
			got = header.Get("slot")
		} else {
			code, at, body := n.overHTTP(t, p, message.Field{Key: "action", Value: message.Bytes("Send")}, message.Field{Key: "to", Value: message.Bytes(own)},
				message.Field{Key: "data", Value: message.Bytes(fmt.Sprint(slot))})
			if got = at; code != http.StatusOK {
				t.Fatalf("slot %d: %d %s", slot, code, body)
			}
		}
		if got != fmt.Sprint(slot) {
			t.Fatalf("slot %s, want %d", got, slot)
		}
	}
	ids := n.logOf(t, id)
	if len(ids) != sent+1 || ids[0] != id {
		t.Fatalf("the log is %v", ids)
	}
	for slot := 1; slot <= sent; slot++ {
		total := fmt.Sprint(slot + 1) // the process itself counts
		r, err := n.client.Result(t.Context(), id, ids[slot])
		if err != nil {
			t.Fatal(err)
		}
		var legacy struct {
			Messages []struct{ Target, Data string }
			Output   struct{ Data string }
		}
		if err := json.Unmarshal(r.JSON, &legacy); err != nil || legacy.Output.Data != total || len(legacy.Messages) != 1 ||
			legacy.Messages[0].Target != own || legacy.Messages[0].Data != "from lua" {
			t.Errorf("slot %d: the compute unit gives %s, %v", slot, r.JSON, err)
		}
		results := fmt.Sprintf("/%s~process@1.0/compute&slot=%d/results", p, slot)
		for path, want := range map[string]string{"/output/data": total, "/outbox/1/data": "from lua", "/outbox/1/target": own} {
			if body := n.read(t, results+path); body != want {
				t.Errorf("slot %d: %s is %q, want %q", slot, path, body, want)
			}
		}
	}
}
