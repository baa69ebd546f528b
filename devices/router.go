package devices

import (
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"ago/device"
	"ago/fault"
	"ago/message"
)

// Router says which nodes answer which paths.
var _ = device.Register(device.Device{
	Name: "router@1.0",
	Doc:  "tells which node answers a path, by a table of routes",
	Keys: device.Keys{
		"routes": {Doc: "the routes of the node, by number. By POST with a request that a route owner or the operator signed: Route added.; 403 for others", Do: routerRoutes},
		"route": {Doc: "where the path is answered: an address, or the route with the nodes that are left; 404 if no route matches",
			Inputs: []device.Input{{Name: "route-path", Doc: "the path", Type: device.TypeText, Max: relayPathMax}}, Do: routerRoute},
		"match": {Doc: "the first of the routes of the message that matches, with its place in reference; 404 if none does",
			Inputs: []device.Input{{Name: "route-path", Doc: "the path", Type: device.TypeText, Max: relayPathMax}}, Do: routerMatch},
	},
	Examples: []device.Example{{Path: "/~router@1.0/route?route-path=http://localhost:1/x", Want: "http://localhost:1/x"}},
})

const (
	routesMax        = 1000
	routePatternMax  = 1024
	routeNodesMax    = 1000
	routePriorityMax = 1 << 31
)

// routeTable is the node's table, in the order in which it is walked.
func routeTable(c *device.Call) []message.Message {
	v, _ := c.Option("routes")
	return routeList(v)
}

func routeList(v message.Value) []message.Message {
	var out []message.Message
	for _, item := range device.Items(v) {
		if m, ok := item.(message.Message); ok && len(out) < routesMax {
			out = append(out, m)
		}
	}
	return out
}

func routerRoutes(c *device.Call, _, req message.Message) (message.Value, error) {
	table := routeTable(c)
	if !posted(c, req) {
		all := make(message.List, len(table))
		for i, r := range table {
			all[i] = r
		}
		return device.Numbered(all), nil
	}
	ask, err := signedAsk(c, req)
	if err != nil {
		return nil, err
	}
	if len(ask.signers) == 0 || !ask.byOperator(c) && !ask.by(listed(c, "route_owners")...) {
		return nil, refused(device.Forbidden, "not_authorized", "operator-only", "sign the request with the key of the node's operator")
	}
	if err := ask.here(c); err != nil {
		return nil, err
	}
	route := meant(ask.message)
	if _, ok := route.Get("template"); !ok || len(table) >= routesMax {
		return nil, fault.New(fault.Malformed, "route-malformed", "a route has a template and a node; a table has up to %d", routesMax)
	}
	if _, err := routeMatches(route, message.Message{}, ""); err != nil {
		return nil, err
	}
	settings, ok := device.Service[Settings](c)
	if !ok {
		return nil, unserved("change of its settings by requests")
	}
	table = append(table, route)
	slices.SortStableFunc(table, func(a, b message.Message) int {
		return int(whole(a, "priority", routePriorityMax) - whole(b, "priority", routePriorityMax))
	})
	all := make(message.List, len(table))
	for i, r := range table {
		all[i] = r
	}
	if _, err := settings.Change(c, message.New(message.Field{Key: "routes", Value: all}), ask.ids()); err != nil {
		return nil, err
	}
	return message.Bytes("Route added."), nil
}

// routePath is the path that is asked about.
func routePath(base, req message.Message) string {
	return first("route-path", req, base)
}

func routerRoute(c *device.Call, base, req message.Message) (message.Value, error) {
	path := routePath(base, req)
	if relayAbsolute(path) {
		return message.Bytes(path), nil
	}
	for _, r := range routeTable(c) {
		ok, err := routeMatches(r, req, path)
		if err != nil {
			return nil, err
		}
		if ok {
			return routeChoose(r, req, path)
		}
	}
	return nil, routeNone("no_matches")
}

func routerMatch(_ *device.Call, base, req message.Message) (message.Value, error) {
	v, _ := base.Get("routes")
	for i, r := range routeList(v) {
		ok, err := routeMatches(r, req, routePath(message.Message{}, req))
		if err != nil {
			return nil, err
		}
		if ok {
			return r.With("reference", message.Bytes("routes/"+strconv.Itoa(i+1))), nil
		}
	}
	return nil, routeNone("no_matching_route")
}

func routeNone(text string) error {
	return refused(device.NotFound, text, "route-unmatched", "/~router@1.0/routes tells which there are")
}

// routeMatches holds a path and the keys of a request against the template of a route.
func routeMatches(route, req message.Message, path string) (bool, error) {
	v, _ := route.Get("template")
	if m, ok := v.(message.Message); ok {
		for key, want := range m.All() {
			if key == "path" || key == "route-path" || key == message.KeyCommitments {
				continue
			}
			got, there := req.Get(key)
			wantText, _ := device.Text(want)
			gotText, _ := device.Text(got)
			if !there || wantText != gotText {
				return false, nil
			}
		}
		text := first("route-path", m)
		if text == "" {
			text = m.Text("path")
		}
		return routePattern(text, path)
	}
	text, _ := device.Text(v)
	return routePattern(text, path)
}

func routePattern(text, path string) (bool, error) {
	if text == "" {
		return true, nil
	}
	if len(text) > routePatternMax {
		return false, fault.New(fault.TooLarge, "route-malformed", "a template has up to %d bytes", routePatternMax)
	}
	p, err := regexp.Compile(text)
	if err != nil {
		return false, fault.Wrap(err, fault.Malformed, "route-malformed", "the template %.100q is no regular expression", text)
	}
	return p.MatchString("/" + strings.TrimLeft(path, "/")), nil
}

// routeChoose gives the address of the one node that is left, or the route with those that are.
func routeChoose(route, req message.Message, path string) (message.Value, error) {
	if v, ok := route.Get("node"); ok {
		return routeAddress(v, path)
	}
	v, _ := route.Get("nodes")
	nodes := device.Items(v)
	if len(nodes) > routeNodesMax {
		nodes = nodes[:routeNodesMax]
	}
	nodes = routeStrategy(nodes, strings.ToLower(strings.ReplaceAll(route.Text("strategy"), "_", "-")), first("route-by", req), path, int(whole(route, "choose", 1)))
	switch len(nodes) {
	case 0:
		return nil, routeNone("no_matches")
	case 1:
		return routeAddress(nodes[0], path)
	}
	left := make(message.List, len(nodes))
	for i, n := range nodes {
		if left[i] = n; relayNested(n) {
			to, err := routeAddress(n, path)
			if err != nil {
				return nil, err
			}
			left[i] = n.(message.Message).With("uri", to)
		}
	}
	return route.With("nodes", left), nil
}

func relayNested(v message.Value) bool {
	_, ok := v.(message.Message)
	return ok
}

// routeStrategy narrows nodes. What chance would decide elsewhere, the path decides here: one request always goes the same way.
func routeStrategy(nodes []message.Value, strategy, by, path string, choose int) []message.Value {
	if by == "" {
		by = path
	}
	at := func(n message.Value, key string) int64 {
		m, _ := n.(message.Message)
		return whole(m, key, 0)
	}
	number, _ := strconv.ParseInt(by, 10, 64)
	out := slices.Clone(nodes)
	switch strings.TrimPrefix(strategy, "shuffled-") {
	case "range":
		return slices.DeleteFunc(out, func(n message.Value) bool { return number < at(n, "min") || number > at(n, "max") })
	case "nearest-integer":
		slices.SortStableFunc(out, func(a, b message.Value) int {
			return routeFar(at(a, "center"), number).Cmp(routeFar(at(b, "center"), number))
		})
	case "by-base", "random", "by-weight", "nearest":
		if len(out) > 0 {
			h := message.HashOf([]byte(by))
			i := int(new(big.Int).Mod(new(big.Int).SetBytes(h[:]), big.NewInt(int64(len(out)))).Int64())
			out = append(out[i:], out[:i]...)
		}
	default:
		return out
	}
	return out[:min(max(choose, 0), len(out))]
}

func routeFar(a, b int64) *big.Int {
	d := new(big.Int).Sub(big.NewInt(a), big.NewInt(b))
	return d.Abs(d)
}

// routeAddress makes the address of a path at a node: a text is the address, a message tells how it is made of the path.
func routeAddress(node message.Value, path string) (message.Value, error) {
	m, ok := node.(message.Message)
	if !ok {
		text, _ := device.Text(node)
		return message.Bytes(text), nil
	}
	for _, key := range []string{"uri", "prefix", "suffix", "match"} {
		text := m.Text(key)
		if text == "" {
			continue
		}
		switch key {
		case "uri":
			return message.Bytes(text), nil
		case "prefix":
			return message.Bytes(text + path), nil
		case "suffix":
			return message.Bytes(path + text), nil
		}
		if len(text) > routePatternMax {
			return nil, fault.New(fault.TooLarge, "route-malformed", "a pattern has up to %d bytes", routePatternMax)
		}
		p, err := regexp.Compile(text)
		if err != nil {
			return nil, fault.Wrap(err, fault.Malformed, "route-malformed", "%.100q is no regular expression", text)
		}
		return message.Bytes(p.ReplaceAllLiteralString(path, m.Text("with"))), nil
	}
	return nil, fault.New(fault.Malformed, "route-malformed", "a node of a route has uri, prefix, suffix, or match and with")
}
