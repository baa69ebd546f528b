package node

import "testing"

// TestRefusalsSayWhatToDo: every one has a code, a reason and what to do next, beside the words that clients know.
func TestRefusalsSayWhatToDo(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, func(c *Config) { c.Closed = true })
	own := "/" + n.process.String() + "~process@1.0"
	for _, c := range []struct {
		method, path string
		status       int
		code         string
	}{
		{"POST", own + "/schedule", 400, "message-unsigned"},
		{"POST", own + "/push", 400, "message-unsigned"},
		{"POST", "/~scheduler@1.0/schedule", 400, "message-unsigned"},
		{"POST", "/~scheduler@1.0/location?url=http://x", 400, "message-unsigned"},
		{"GET", "/~scheduler@1.0/location?address=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 404, "location-unknown"},
		{"POST", "/~meta@1.0/info?a=b", 400, "operator-only"},
		{"POST", "/~local-name@1.0/register?key=a&value=b", 403, "operator-only"},
		{"POST", "/~router@1.0/routes?template=/x", 403, "operator-only"},
		{"GET", "/~router@1.0/match?route-path=/x", 404, "route-unmatched"},
		{"POST", "/~cache@1.0/write?body=x", 403, "writer-unknown"},
		{"POST", "/~cache@1.0/link?source=a&destination=b", 403, "writer-unknown"},
		{"POST", "/~cron@1.0/once?cron-path=/x", 403, "cron-denied"},
		{"POST", "/~cron@1.0/every?interval=soon&cron-path=/x", 400, "interval-malformed"},
		{"POST", "/~cron@1.0/every?interval=5-parsecs&cron-path=/x", 400, "interval-malformed"},
		{"POST", "/~cron@1.0/5-parsecs?cron-path=/x", 400, "interval-malformed"},
		{"POST", "/~cron@1.0/every?cron-path=/x", 400, "argument-missing"},
		{"GET", "/~json-iface@1.0/from&json=x", 400, "json-malformed"},
		{"GET", "/~lua@5.3a/x", 400, "no-modules-found"},
		{"GET", "/~lua@5.3a&module=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/x", 404, "module-unknown"},
		{"GET", "/~lua@5.3a&content-type=%22application/lua%22&body=%22function%20f()%20error('no')%20end%22/f", 500, "lua-failed"},
		{"GET", "/~lua@5.3a&content-type=%22application/lua%22&body=%22function%20f()%20end%22/g", 500, "lua-failed"},
		{"GET", "/~json@1.0/deserialize", 404, "argument-missing"},
		{"GET", own + "/compute=999", 404, "slot-unknown"},
		{"GET", "/~message@1.0/absent", 404, "key-absent"},
		{"GET", "/~absent@1.0/x", 422, "device-unknown"},
	} {
		status, header, body := n.atNode(t, c.method, c.path, nil, nil)
		if status != c.status || header.Get("code") != c.code || header.Get("reason") == "" || header.Get("details") == "" {
			t.Errorf("%s %s: %d %v %.200s", c.method, c.path, status, header, body)
		}
	}
}
