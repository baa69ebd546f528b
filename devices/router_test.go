package devices_test

import (
	"fmt"
	"testing"

	"ago/device"
	"ago/devices"
	"ago/message"
)

func TestRoutersKeepTheRulesOfDevices(t *testing.T) {
	node, _ := shelved(t)
	kept(t, "router@1.0", node, false, message.New(field("routes", message.List{texts("template", "/a", "node", "n")})))
}

func TestRoutesAreWalkedInOrder(t *testing.T) {
	var many message.List
	for i := range 12 { // by number, not by text: 2 before 10
		many = append(many, texts("template", fmt.Sprintf("^/r%d/", i+1), "node", fmt.Sprint(i+1)))
	}
	many = append(many, texts("template", "^/rest", "node", "last"),
		message.New(field("template", texts("path", "^/keyed", "kind", "k")), field("node", message.Bytes("keyed"))),
		message.New(field("template", message.Bytes("^/made")), field("node", texts("prefix", "http://n"))),
		message.New(field("template", message.Bytes("^/turned")), field("node", texts("match", "^/turned", "with", "http://n"))),
		message.New(field("template", message.Bytes("^/near")), field("strategy", message.Bytes("Nearest_Integer")), field("nodes", message.List{
			message.New(field("uri", message.Bytes("far")), field("center", message.Int(100))), message.New(field("uri", message.Bytes("close")), field("center", message.Int(10)))})),
		message.New(field("template", message.Bytes("^/range")), field("strategy", message.Bytes("range")), field("nodes", message.List{
			message.New(field("uri", message.Bytes("low")), field("min", message.Int(0)), field("max", message.Int(5)))})))
	node := plainNode(t)
	node.Options = message.New(field("routes", many))
	for path, want := range map[string]string{
		"route-path=/r2/x":                 "2",
		"route-path=/r10/x":                "10",
		"route-path=r1/x":                  "1",
		"route-path=/rest":                 "last",
		"route-path=/keyed&kind=k":         "keyed",
		"route-path=/keyed&kind=other":     "!status 404: no_matches",
		"route-path=/made/x":               "http://n/made/x",
		"route-path=/turned/x":             "http://n/x",
		"route-path=/near&route-by=12":     "close",
		"route-path=/range&route-by=3":     "low",
		"route-path=/range&route-by=7":     "!status 404: no_matches",
		"route-path=https://elsewhere.x/y": "https://elsewhere.x/y",
	} {
		if got := said(asked(t, node, "/~router@1.0/route?"+path, message.Message{})); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestOnlyOwnersAddRoutes(t *testing.T) {
	owner := newKey(t, 5)
	add := texts("method", "POST", "path", "/~router@1.0/routes", "template", "/recorded/.*", "node", "near", "priority", "1")
	here := add.With("for-node", message.Bytes(newKey(t, 7).Address().String()))
	for _, c := range []struct {
		name string
		keys message.Message
		want string
	}{
		{"an owner", signed(t, here, owner), "Route added."},
		{"an owner, for any node", signed(t, add, owner), "!node-unnamed"},
		{"the operator", signed(t, add, newKey(t, 7)), "Route added."},
		{"a stranger", signed(t, add, newKey(t, 6)), "!status 403: not_authorized"},
		{"nobody", add, "!status 403: not_authorized"},
		{"no pattern", signed(t, here.With("template", message.Bytes("(")), owner), "!route-malformed"},
	} {
		node, into := plainNode(t), &changes{}
		node.Options = message.New(field("route_owners", message.List{message.Bytes(owner.Address().String())}), field("routes", message.List{texts("template", "/old", "node", "o")}))
		device.Provide[devices.Settings](node, into)
		if got := said(asked(t, node, "/~router@1.0/routes", c.keys)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if (len(into.all) > 0) != (c.want[0] != '!') {
			t.Errorf("%s: changed %v", c.name, into.all)
		}
		if len(into.all) > 0 {
			v, _ := into.all[0].Get("routes")
			if l, _ := v.(message.List); len(l) != 2 || l[0].(message.Message).Text("node") != "near" {
				t.Errorf("%s: table %v", c.name, v)
			}
		}
	}
}
