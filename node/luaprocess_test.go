package node

import (
	"context"
	"testing"

	"ago/codec/ans104"
	"ago/message"
)

// luaProgram counts in a global, and answers as programs for AO-Core do.
const luaProgram = `
local total = 0
function compute(base, req, opts)
  total = total + 1
  base.results = { info = "lua", output = { data = tostring(total) }, outbox = {} }
  if req.body.action == "Send" then
    base.results.outbox["1"] = { target = req.body.to, action = "Count", data = "from lua" }
  end
  base.total = total
  return base
end
`

// TestALuaProcessOverHTTP keeps its globals from slot to slot, and what it sends arrives.
func TestALuaProcessOverHTTP(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, nil)
	own := n.scheduler.Address().String()
	module, err := ans104.Sign(ans104.Draft{Data: []byte(luaProgram), Tags: tagList("Content-Type", "application/lua")}, n.key)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.client.Upload(context.Background(), module); err != nil {
		t.Fatal(err)
	}
	spawn := func(name string) (string, message.ID) {
		header, _ := n.item(t, "/push", 200, "*/*", ans104.Draft{Data: []byte("x"), Tags: tagList("device", "process@1.0", "execution-device", "lua@5.3a",
			"module", module.ID().String(), "Name", name, "Authority", own, "Scheduler", own, "Data-Protocol", "ao", "Type", "Process", "Variant", "ao.N.1")})
		id, err := message.ParseID(header.Get("process"))
		if err != nil {
			t.Fatal(err)
		}
		return header.Get("process"), id
	}
	p, id := spawn("one")
	q, _ := spawn("two")
	send := func(tags ...string) string {
		_, body := n.item(t, "/"+p+"~process@1.0/push", 200, "application/json", ans104.Draft{Target: id, HasTarget: true, Data: []byte("hi"),
			Tags: tagList(append(tags, "Data-Protocol", "ao", "Type", "Message", "Variant", "ao.N.1")...)})
		return body
	}
	send("Action", "Count")
	send("Action", "Send", "to", q)
	for path, want := range map[string]string{
		"/" + p + "/now/total": "3", "/" + p + "/compute=0/total": "1", "/" + p + "/compute/results=1/output/data": "2",
		"/" + p + "/as=execution/compute&action=Try/total": "4", "/" + p + "/latest/total": "3",
		"/" + q + "/slot/current": "1", "/" + q + "/now/total": "2",
	} {
		if code, _, body := n.atNode(t, "GET", path, nil, nil); code != 200 || body != want {
			t.Errorf("%s: %d %s, want %s", path, code, body, want)
		}
	}
	send("Action", "Count", "Nth", "4")
	for path, want := range map[string]string{"/" + p + "/now/total": "4", "/" + p + "/latest/total": "4", "/" + p + "/slot/current": "3", "/" + p + "/compute=0/total": "1"} {
		code, header, body := n.atNode(t, "GET", path, nil, nil)
		if code != 200 || body != want || header.Get("Cache-Control") == "no-cache" == (path == "/"+p+"/compute=0/total") {
			t.Errorf("%s after another slot: %d %s %v, want %s", path, code, body, header, want)
		}
	}
}
