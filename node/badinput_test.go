package node

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"ago/client"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/message"
)

// probe is a small module that does what the text in Data says: count, trap, grow, exit.
const (
	probeFile   = "../test/reference/modules/probe3.wasm"
	probeFormat = "wasm32-unknown-emscripten3"
)

var (
	probeID  = message.HashOf([]byte("probe"))
	oddID    = message.HashOf([]byte("a module of no known format"))
	brokenID = message.HashOf([]byte("a module that is no program"))
	nobody   = message.HashOf([]byte("nobody"))
)

// network is a node in memory with a process on it.
type network struct {
	*Node
	client  *client.Network
	key     *commitment.Key
	process message.ID
}

func startNetwork(t testing.TB, change func(*Config)) *network {
	t.Helper()
	wasm, err := os.ReadFile(probeFile)
	if err != nil {
		t.Fatal(err)
	}
	module := func(id message.ID, format string, data []byte) Module {
		tags, err := ModuleTags(data, Tag{Name: "Module-Format", Value: format})
		if err != nil {
			t.Fatal(err)
		}
		return Module{ID: id, Data: data, Tags: tags}
	}
	c := Config{Patience: -1, CacheDir: modulesCache, Modules: []Module{module(probeID, probeFormat, wasm), module(oddID, "wasm128-unknown", wasm), module(brokenID, probeFormat, []byte("no program"))}}
	if change != nil {
		change(&c)
	}
	n, err := Start(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	key, err := commitment.NewAgent().FromSeed(commitment.Ed25519, []byte(strings.Repeat("u", 32)))
	if err != nil {
		t.Fatal(err)
	}
	net := &network{Node: n, client: client.At(n.Addresses().Node), key: key}
	if net.process, err = net.client.Spawn(context.Background(), key, client.Spawn{Module: probeID}); err != nil {
		t.Fatal(err)
	}
	return net
}

func (n *network) eval(t testing.TB, command string) client.Result {
	t.Helper()
	id, err := n.client.Send(context.Background(), n.key, client.Message{Process: n.process, Data: []byte(command), Anchor: anchor()})
	if err != nil {
		t.Fatal(err)
	}
	r, err := n.client.Result(context.Background(), n.process, id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var anchors atomic.Int64

func anchor() []byte {
	return fmt.Appendf(nil, "%032d", anchors.Add(1))
}

// draft is a message that is right in every way, to be spoilt.
func (n *network) draft(change func(*ans104.Draft)) ans104.Draft {
	d := ans104.Draft{Target: n.process, HasTarget: true, Anchor: anchor(), Data: []byte("echo hello"),
		Tags: []Tag{{Name: "Data-Protocol", Value: "ao"}, {Name: "Variant", Value: "ao.TN.1"}, {Name: "Type", Value: "Message"}}}
	if change != nil {
		change(&d)
	}
	return d
}

// spawn is a Process item that is right in every way; tags replace those of the same name, and an empty value removes one.
func (n *network) spawn(tags ...Tag) ans104.Draft {
	d := ans104.Draft{Anchor: anchor(), Data: []byte(" "), Tags: []Tag{{Name: "Data-Protocol", Value: "ao"}, {Name: "Variant", Value: "ao.TN.1"},
		{Name: "Type", Value: "Process"}, {Name: "Module", Value: probeID.String()}, {Name: "Scheduler", Value: n.Addresses().Scheduler}}}
	for _, tag := range tags {
		d.Tags = slices.DeleteFunc(d.Tags, func(t Tag) bool { return t.Name == tag.Name })
		if tag.Value != "" {
			d.Tags = append(d.Tags, tag)
		}
	}
	return d
}

func (n *network) signed(t testing.TB, d ans104.Draft) []byte {
	t.Helper()
	it, err := ans104.Sign(d, n.key)
	if err != nil {
		t.Fatal(err)
	}
	return it.Raw
}

// bundled is an item within so many bundles.
func (n *network) bundled(t testing.TB, depth int) []byte {
	t.Helper()
	it, err := ans104.Sign(ans104.Draft{Data: []byte("x")}, n.key)
	for range depth {
		if err == nil {
			it, err = ans104.Sign(ans104.Draft{Tags: ans104.BundleTags(), Data: ans104.EncodeBundle([]*ans104.Item{it})}, n.key)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return it.Raw
}

// rawItem writes the bytes of an item without the checks of a careful writer.
func rawItem(tagCount, tagBytes uint64, tags []byte, anchorFlag byte) []byte {
	b := binary.LittleEndian.AppendUint16(nil, uint16(commitment.Ed25519))
	b = append(b, make([]byte, commitment.Ed25519.SignatureSize()+commitment.Ed25519.OwnerSize())...)
	b = append(b, 0, anchorFlag)
	b = binary.LittleEndian.AppendUint64(b, tagCount)
	b = binary.LittleEndian.AppendUint64(b, tagBytes)
	return append(b, tags...)
}

// badRequest is one row of docs/bad-input.md.
type badRequest struct {
	name, method, target string // target begins with the unit
	body                 []byte
	status               int
	code                 string
}

func badRequests(t testing.TB, n *network) []badRequest {
	p, no := n.process.String(), nobody.String()
	good := n.signed(t, n.draft(nil))
	flipped := bytes.Clone(good)
	flipped[len(flipped)-1] ^= 1
	with := func(change func(*ans104.Draft)) []byte { return n.signed(t, n.draft(change)) }
	process := func(name, value string) []byte { return n.signed(t, n.spawn(Tag{Name: name, Value: value})) }
	return []badRequest{
		{"text instead of an item", "POST", "/mu/", []byte("hello, here I am"), 422, "key-type-unknown"},
		{"no body", "POST", "/mu/", nil, 400, "item-truncated"},
		{"an item that was cut off", "POST", "/mu/", good[:60], 400, "item-truncated"},
		{"a flag that is neither 0 nor 1", "POST", "/mu/", rawItem(0, 0, nil, 7), 400, "item-flag"},
		{"more tags declared than there are", "POST", "/mu/", rawItem(9, 1, []byte{0}, 0), 400, "item-tag-count"},
		{"tags that are not the format's", "POST", "/mu/", rawItem(1, 3, []byte{2, 0xff, 0xff}, 0), 400, "item-tags-malformed"},
		{"more tag bytes than an item may have", "POST", "/mu/", rawItem(1, 300<<10, make([]byte, 300<<10), 0), 413, "item-tags-too-large"},
		{"a flipped byte", "POST", "/mu/", flipped, 400, "signature-invalid"},
		{"a flipped byte, to the scheduler", "POST", "/su/", flipped, 400, "signature-invalid"},
		{"a flipped byte, to the bundler", "POST", "/bundler/tx", flipped, 400, "signature-invalid"},
		{"a body over 10 MiB", "POST", "/mu/", make([]byte, 10<<20+1), 413, "body-too-large"},
		{"no Data-Protocol", "POST", "/mu/", with(func(d *ans104.Draft) { d.Tags = d.Tags[1:] }), 400, "data-protocol-missing"},
		{"no Type", "POST", "/mu/", with(func(d *ans104.Draft) { d.Tags = d.Tags[:2] }), 400, "type-unsupported"},
		{"a Type that is neither Process nor Message", "POST", "/mu/", with(func(d *ans104.Draft) { d.Tags[2].Value = "Letter" }), 400, "type-unsupported"},
		{"a Message without a target", "POST", "/mu/", with(func(d *ans104.Draft) { d.HasTarget = false }), 400, "target-missing"},
		{"a tag that is a link", "POST", "/mu/", with(func(d *ans104.Draft) { d.Tags = append(d.Tags, Tag{Name: "x+link", Value: p}) }), 400, "tag-link"},
		{"a Message to an unknown process, to the scheduler", "POST", "/su/", with(func(d *ans104.Draft) { d.Target = nobody }), 404, "process-unknown"},
		{"a Process without Module", "POST", "/mu/", process("Module", ""), 400, "tag-missing"},
		{"a Process without Scheduler", "POST", "/mu/", process("Scheduler", ""), 400, "tag-missing"},
		{"a Process of an unknown Variant", "POST", "/mu/", process("Variant", "ao.XX.9"), 422, "variant-unknown"},
		{"a Process of another scheduler", "POST", "/mu/", process("Scheduler", no), 403, "scheduler-is-another"},
		{"a Process whose Module is no id", "POST", "/mu/", process("Module", "aos"), 400, "module-id-malformed"},
		{"a Process of an unknown module", "POST", "/mu/", process("Module", no), 404, "module-unknown"},
		{"a Process of an item that is no module", "POST", "/mu/", process("Module", p), 422, "module-unsupported"},
		{"a Process of a module in an unknown format", "POST", "/mu/", process("Module", oddID.String()), 422, "module-format-unsupported"},
		{"a Process of a module that is no program", "POST", "/mu/", process("Module", brokenID.String()), 422, "module-broken"},
		{"a Memory-Limit that is no size", "POST", "/mu/", process("Memory-Limit", "a lot"), 400, "memory-limit-malformed"},
		{"a Memory-Limit over this node's", "POST", "/mu/", process("Memory-Limit", "900-tb"), 413, "limit-exceeded"},
		{"a Compute-Limit over this node's", "POST", "/mu/", process("Compute-Limit", "99000000000000000"), 413, "limit-exceeded"},
		{"half an assignment", "POST", "/mu/?process-id=" + p, nil, 400, "query-missing"},
		{"half an assignment, to the scheduler", "POST", "/su/?assign=" + p, nil, 400, "query-missing"},
		{"an assignment to an unknown process", "POST", "/mu/?process-id=" + no + "&assign=" + p, nil, 404, "process-unknown"},
		{"an assignment of an unknown message", "POST", "/mu/?process-id=" + p + "&assign=" + no, nil, 404, "record-unknown"},
		{"an assignment of no id", "POST", "/mu/?process-id=" + p + "&assign=hello", nil, 400, "id-malformed"},
		{"a Process whose timer is in an unknown unit", "POST", "/mu/", process("Cron-Interval", "1-month"), 400, "cron-interval-malformed"},
		{"a Process whose timer is below a second", "POST", "/mu/", process("Cron-Interval", "500-ms"), 400, "cron-interval-too-short"},
		{"a monitor of another process than the item's", "POST", "/mu/monitor/" + no, good, 400, "target-mismatch"},
		{"a result of an unknown message", "GET", "/cu/result/" + no + "?process-id=" + p, nil, 404, "message-unknown"},
		{"a result of an unknown process", "GET", "/cu/result/" + no + "?process-id=" + no, nil, 404, "message-unknown"},
		{"a result without its process", "GET", "/cu/result/" + p, nil, 400, "query-missing"},
		{"a result of no id", "GET", "/cu/result/hello?process-id=" + p, nil, 400, "id-malformed"},
		{"results of an unknown process", "GET", "/cu/results/" + no, nil, 404, "process-unknown"},
		{"results from no cursor", "GET", "/cu/results/" + p + "?from=yesterday", nil, 400, "cursor-malformed"},
		{"results in no order", "GET", "/cu/results/" + p + "?sort=up", nil, 400, "query-malformed"},
		{"a dry run that is no JSON", "POST", "/cu/dry-run?process-id=" + p, []byte("Action=Info"), 400, "dry-run-malformed"},
		{"a dry run without a body", "POST", "/cu/dry-run?process-id=" + p, nil, 400, "dry-run-malformed"},
		{"a dry run over 10 MiB", "POST", "/cu/dry-run?process-id=" + p, make([]byte, 10<<20+1), 413, "body-too-large"},
		{"a dry run with tags that are no text", "POST", "/cu/dry-run?process-id=" + p, []byte(`{"Tags":[{"name":"n","value":7}]}`), 400, "dry-run-malformed"},
		{"a dry run on an unknown process", "POST", "/cu/dry-run?process-id=" + no, []byte("{}"), 404, "process-unknown"},
		{"a state of an unknown process", "GET", "/cu/state/" + no, nil, 404, "process-unknown"},
		{"an unknown id, of the scheduler", "GET", "/su/" + no, nil, 404, "message-unknown"},
		{"an unknown process, of the scheduler", "GET", "/su/processes/" + no, nil, 404, "process-unknown"},
		{"a page of no size", "GET", "/su/" + p + "?limit=0", nil, 400, "query-malformed"},
		{"a page from no number", "GET", "/su/" + p + "?from=now", nil, 400, "query-malformed"},
		{"an upload without a body", "POST", "/bundler/tx", nil, 400, "item-truncated"},
		{"bundles in bundles, nine deep", "POST", "/bundler/tx", n.bundled(t, 9), 413, "bundle-too-deep"},
		{"a bundle that is none", "POST", "/bundler/tx", n.signed(t, ans104.Draft{Tags: ans104.BundleTags(), Data: []byte("none")}), 400, "bundle-malformed"},
		{"a transaction that is none", "POST", "/gateway/tx", []byte("hello"), 400, "transaction-malformed"},
		{"a chunk that is none", "POST", "/gateway/chunk", []byte("hello"), 400, "chunk-malformed"},
		{"a query that is no JSON", "POST", "/gateway/graphql", []byte("hello"), 400, "request-malformed"},
		{"data of an unknown id", "GET", "/gateway/raw/" + no, nil, 404, "record-unknown"},
		{"an unknown trace", "GET", "/trace/" + no, nil, 404, "trace-unknown"},
		{"a task that is none", "POST", "/tasks/hello/retry", nil, 400, "task-key-malformed"},
		{"a state of tasks that is none", "GET", "/tasks?state=lost", nil, 400, "task-state-unknown"},
		{"a clock that cannot be moved", "POST", "/clock", []byte(`{"pause":true}`), 403, "clock-fixed"},
		{"a path with ..", "GET", "/cu/../su/" + p, nil, 400, "path-malformed"},
		{"a path with .., encoded", "GET", "/gateway/%2e%2e/x", nil, 400, "path-malformed"},
		{"a path that no unit serves", "PUT", "/cu/result/" + p, nil, 404, "route-unknown"},
	}
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, nil)
	if r := n.eval(t, "count"); r.Text() != "1" {
		t.Fatalf("the process answers %s", r.JSON)
	}
	before, err := n.scheduler.Head(context.Background(), n.process)
	if err != nil {
		t.Fatal(err)
	}
	processes := n.countProcesses(t)
	for _, c := range badRequests(t, n) {
		status, body := request(t, c.method, n.Addresses().Node+c.target, c.body)
		var e struct{ Error, Code, Hint string }
		if err := json.Unmarshal(body, &e); err != nil || e.Error == "" {
			t.Errorf("%s: %d %q is no JSON error", c.name, status, body)
			continue
		}
		if e.Hint == "" {
			t.Errorf("%s: %s has no hint", c.name, body)
		}
		if status != c.status || e.Code != c.code {
			t.Errorf("%s: %d %s (%s), want %d %s", c.name, status, e.Code, e.Error, c.status, c.code)
		}
	}
	after, err := n.scheduler.Head(context.Background(), n.process)
	if err != nil || after != before || n.countProcesses(t) != processes {
		t.Errorf("bad input changed what is stored: %+v, then %+v, %v", before, after, err)
	}
	if r := n.eval(t, "count"); r.Text() != "2" {
		t.Errorf("afterwards the process answers %s", r.JSON)
	}
}

func (n *network) countProcesses(t testing.TB) int {
	t.Helper()
	count := 0
	for _, err := range n.scheduler.Processes(context.Background(), message.ID{}) {
		if err != nil {
			t.Fatal(err)
		}
		count++
	}
	return count
}

func request(t testing.TB, method, target string, body []byte) (int, []byte) {
	t.Helper()
	r, err := http.NewRequest(method, target, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, got
}

// badModules are the rows about what modules do; the state of before is kept in each.
var badModules = []struct{ name, command, want string }{
	{"a module that traps", "count-then-trap", "unreachable"},
	{"a module that answers an error", "count-then-fail", "failed"},
	{"a module that sets Error", "count-then-error", "an error"},
	{"a module that aborts", "abort", "abort"},
	{"a module that exits", "exit 3", "exit"},
	{"a module that divides by zero", "divide", "divide by zero"},
	{"a module that reads outside its memory", "out-of-bounds", "memory"},
	{"a module that calls itself without end", "recurse 100000000", "out of bounds"},
	{"a module that answers no JSON", "not-json", "JSON"},
}

func TestBadModules(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, nil)
	n.eval(t, "count")
	for _, c := range badModules {
		r := n.eval(t, c.command)
		if !r.Failed() || !strings.Contains(strings.ToLower(r.Text()), strings.ToLower(c.want)) {
			t.Errorf("%s: %s, want an error with %q", c.name, r.JSON, c.want)
		}
	}
	if r := n.eval(t, "count"); r.Text() != "2" {
		t.Errorf("afterwards the process answers %s, want 2", r.JSON)
	}
}

// grows is a row as well: growth past the limit fails as a failed allocation, and the module lives on.
const grows = "a module that grows without end"

func TestBadModuleGrowth(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, nil)
	it, err := ans104.Sign(n.spawn(Tag{Name: "Memory-Limit", Value: "64-mb"}), n.key)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.client.Post(context.Background(), it); err != nil {
		t.Fatal(err)
	}
	n.process = it.ID()
	last := ""
	for range 10 {
		last = n.eval(t, "grow 20000000").Text()
	}
	if last != "no memory" {
		t.Errorf("%s: after 200 MB it answers %q", grows, last)
	}
	if r := n.eval(t, "count"); r.Text() != "1" {
		t.Errorf("afterwards it answers %s", r.JSON)
	}
}

// badClients are the rows about connections.
var badClients = []string{"a client that does not finish its headers", "a client that does not finish its body", "headers without end", "a request that is no HTTP", "a request for a proxy"}

// TestBadInputIsDocumented compares the rows of the table with the tests.
func TestBadInputIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/bad-input.md")
	if err != nil {
		t.Fatal(err)
	}
	tested := map[string]string{}
	for _, c := range badRequests(t, &network{Node: &Node{addresses: Addresses{Scheduler: nobody.String()}}, key: throwaway(t), process: nobody}) {
		tested[c.name] = fmt.Sprintf("%d | `%s`", c.status, c.code)
	}
	for _, c := range badModules {
		tested[c.name] = "result"
	}
	tested[grows] = "result"
	for _, name := range badClients {
		tested[name] = "connection"
	}
	row := regexp.MustCompile(`(?m)^\| ([^|]+) \| (.+?) \|$`)
	elsewhere := regexp.MustCompile("`([a-z0-9/]+) (Test[A-Za-z0-9]+)`")
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		name, rest := m[1], m[2]
		if name == "what comes" || name == "what a start finds" || strings.HasPrefix(name, "---") {
			continue
		}
		want, ok := tested[name]
		if e := elsewhere.FindStringSubmatch(rest); e != nil {
			if !declares(t, filepath.Join("..", e[1]), e[2]) {
				t.Errorf("%q names the test %s of %s, which is not there", name, e[2], e[1])
			}
			continue
		}
		if !ok {
			t.Errorf("the row %q has no test", name)
		} else if strings.Contains(want, "`") && !strings.Contains(rest, want) {
			t.Errorf("the row %q says %q, the test %q", name, rest, want)
		}
		delete(tested, name)
	}
	for name, want := range tested {
		t.Errorf("the table lacks the row %q: %s", name, want)
	}
}

func throwaway(t testing.TB) *commitment.Key {
	t.Helper()
	k, err := commitment.NewAgent().Generate(commitment.Ed25519, nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func declares(t testing.TB, dir, test string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("func "+test+"(")) {
			return true
		}
	}
	return false
}
