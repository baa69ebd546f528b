package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ago/client"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/message"
	"ago/node"
	"ago/settings"
)

// world is a network that units under test stand beside.
type world struct {
	node      *node.Node
	client    *client.Network
	key       *commitment.Key
	counting  message.ID // a process that counts
	messages  []message.ID
	lua       message.ID // a process of the built-in module, which counts gas
	luaModule message.ID
	other     message.ID // a second process that counts
	long      message.ID // a process of so many messages that checkpoints are looked for
	longs     []message.ID
	last      message.ID // the last of them
	extended  message.ID // a process whose module has an extension
	wallet    string     // a key as JSON
	address   string     // of it
	cache     string
	asNode    bool // a unit that is started is the face of a node that is all units
}

const probeFormat = "wasm32-unknown-emscripten3"

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{cache: filepath.Join(t.TempDir(), "modules")}
	probe, err := os.ReadFile("../../test/reference/modules/probe3.wasm")
	check(t, err)
	module := func(seed string, more ...node.Tag) node.Module {
		tags, err := node.ModuleTags(probe, append(more, node.Tag{Name: "Module-Format", Value: probeFormat})...)
		check(t, err)
		return node.Module{ID: message.HashOf([]byte(seed)), Data: probe, Tags: tags}
	}
	plain, extended := module("probe"), module("extended", node.Tag{Name: "Extension", Value: "WeaveDrive"})
	w.node, err = node.Start(t.Context(), node.Config{CacheDir: w.cache, Modules: []node.Module{plain, extended}, Patience: -1})
	check(t, err)
	t.Cleanup(func() { check(t, w.node.Close()) })
	w.client = client.At(w.node.Addresses().Node)
	agent := commitment.NewAgent()
	w.key, err = agent.FromSeed(commitment.Ed25519, bytes.Repeat([]byte("v"), 32))
	check(t, err)
	jwk, err := agent.MarshalJWK(w.key)
	check(t, err)
	w.wallet, w.address = string(jwk), w.key.Address().String()
	w.counting, w.other, w.extended, w.long = w.spawn(t, plain.ID, "a"), w.spawn(t, plain.ID, "b"), w.spawn(t, extended.ID, "c"), w.spawn(t, plain.ID, "e")
	lua, err := message.ParseID(w.node.Addresses().Module)
	check(t, err)
	w.luaModule = lua
	w.lua = w.spawn(t, lua, "d")
	for range 5 {
		w.messages = append(w.messages, w.send(t, w.counting, "count"))
	}
	for range 110 {
		w.longs = append(w.longs, w.send(t, w.long, "count"))
	}
	w.last = w.longs[len(w.longs)-1]
	return w
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// nextAnchor makes items that are equal otherwise different ones.
func nextAnchor() []byte { return fmt.Appendf(nil, "%032d", anchors.Add(1)) }

var anchors atomic.Int64

func (w *world) spawn(t *testing.T, module message.ID, name string) message.ID {
	t.Helper()
	id, err := w.client.Spawn(t.Context(), w.key, client.Spawn{Module: module, Tags: []node.Tag{{Name: "Name", Value: name}}})
	check(t, err)
	return id
}

func (w *world) send(t *testing.T, p message.ID, data string) message.ID {
	t.Helper()
	id, err := w.client.Send(t.Context(), w.key, client.Message{Process: p, Data: []byte(data), Anchor: nextAnchor()})
	check(t, err)
	return id
}

// item makes a signed message for a process, with more tags.
func (w *world) item(t *testing.T, p message.ID, data string, tags ...node.Tag) []byte {
	t.Helper()
	it, err := ans104.Sign(ans104.Draft{
		Target: p, HasTarget: true, Anchor: nextAnchor(), Data: []byte(data),
		Tags: append(tags, node.Tag{Name: "Data-Protocol", Value: "ao"}, node.Tag{Name: "Type", Value: "Message"}),
	}, w.key)
	check(t, err)
	return it.Raw
}

func itemID(t *testing.T, raw []byte) message.ID {
	t.Helper()
	it, err := ans104.DecodeItem(raw)
	check(t, err)
	return it.ID()
}

// spawnItem makes a process of a scheduler.
func (w *world) spawnItem(t *testing.T, scheduler string) (message.ID, []byte) {
	t.Helper()
	return w.processItem(t, scheduler, message.HashOf([]byte("probe")))
}

func (w *world) processItem(t *testing.T, scheduler string, module message.ID) (message.ID, []byte) {
	t.Helper()
	it, err := ans104.Sign(ans104.Draft{Anchor: nextAnchor(), Data: []byte(" "), Tags: []node.Tag{
		{Name: "Data-Protocol", Value: "ao"}, {Name: "Variant", Value: "ao.TN.1"}, {Name: "Type", Value: "Process"},
		{Name: "Module", Value: module.String()}, {Name: "Scheduler", Value: scheduler},
	}}, w.key)
	check(t, err)
	return it.ID(), it.Raw
}

// running is a unit that was started with an environment.
type running struct {
	w      *world
	said   map[string]string // what it printed: its address and more
	url    string
	log    *lines
	dir    string
	loaded *settings.Loaded
	stop   func()
}

type env map[string]string

// start runs a unit as its command does.
func (w *world) start(t *testing.T, u settings.Unit, e env) *running {
	t.Helper()
	r, err := w.try(t, u, e)
	check(t, err)
	return r
}

func (w *world) try(t *testing.T, u settings.Unit, e env) (*running, error) {
	t.Helper()
	if w.asNode {
		return w.tryNode(t, u, e)
	}
	a := w.node.Addresses()
	dir := t.TempDir()
	base := env{"AGO_DATA": dir, "AGO_CACHE": w.cache, "AGO_" + strings.ToUpper(string(u)) + "_PORT": "0", "GATEWAY_URL": a.Gateway}
	if u == settings.MU {
		maps.Copy(base, env{"CU_URL": a.CU, "AGO_UPLOADER_URL": a.Bundler})
	}
	if u == settings.Gateway {
		base["AGO_BUNDLER_PORT"] = "0"
	}
	if u == settings.UR {
		base = env{"AGO_UR_PORT": "0", "HOSTS": a.CU}
	}
	for own, name := range map[string]string{
		"PORT": "AGO_" + strings.ToUpper(string(u)) + "_PORT", "SU_DATA_DIR": "AGO_DATA", "WASM_BINARY_FILE_DIRECTORY": "AGO_CACHE", "UPLOADER_URL": "AGO_UPLOADER_URL",
	} {
		if _, given := e[own]; given { // ago's own name would count before it
			delete(base, name)
		}
	}
	return w.run(t, u, dir, base, e)
}

// run starts a unit with an environment before which nothing else counts.
func (w *world) run(t *testing.T, u settings.Unit, dir string, base, e env) (*running, error) {
	t.Helper()
	maps.Copy(base, e)
	l, err := settings.Load(u, settings.Sources{Environ: base, Vars: map[string]string{"home": dir}})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	stdout, stderr := &lines{}, &lines{}
	done := make(chan error, 1)
	go func() { done <- runUnit(&out{Context: ctx, stdout: stdout, stderr: stderr, json: true}, l) }()
	r := &running{w: w, said: map[string]string{}, log: stderr, dir: dir, loaded: l}
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(stdout.String(), "\n"); time.Sleep(time.Millisecond) {
		select {
		case err := <-done:
			cancel()
			return nil, err
		default:
		}
		if time.Now().After(deadline) {
			cancel()
			return nil, errors.New("the unit does not start")
		}
	}
	t.Cleanup(r.stop)
	check(t, json.Unmarshal([]byte(stdout.String()), &r.said))
	r.url = r.said[string(u)]
	return r, nil
}

// answer is what a unit answered.
type answer struct {
	status int
	body   string
}

func (r *running) ask(t *testing.T, method, path string, body []byte) answer {
	t.Helper()
	return request(t, method, r.url+path, body)
}

func request(t *testing.T, method, url string, body []byte) answer {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	check(t, err)
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	got, err := c.Do(q)
	check(t, err)
	defer got.Body.Close()
	b, err := io.ReadAll(got.Body)
	check(t, err)
	return answer{got.StatusCode, string(b) + got.Header.Get("Location")}
}

func (a answer) is(t *testing.T, status int, text string) {
	t.Helper()
	if a.status != status || !strings.Contains(a.body, text) {
		t.Errorf("%d %.300s; want %d with %q", a.status, a.body, status, text)
	}
}

func (r *running) result(t *testing.T, n int) answer {
	t.Helper()
	return r.ask(t, "GET", fmt.Sprintf("/result/%s?process-id=%s", r.w.messages[n], r.w.counting), nil)
}

// longResult asks for the last result of the long process, which is not evaluated yet.
func (r *running) longResult(t *testing.T) answer {
	t.Helper()
	return r.ask(t, "GET", fmt.Sprintf("/result/%s?process-id=%s", r.w.last, r.w.long), nil)
}

func (r *running) dryRun(t *testing.T) answer {
	t.Helper()
	return r.ask(t, "POST", "/dry-run?process-id="+r.w.counting.String(), []byte(`{"Id":"1","Target":"x","Owner":"o","Data":"count","Tags":[]}`))
}

// eventually asks until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if so() {
			return
		}
	}
	t.Fatalf("%s did not happen", what)
}

// front stands before a unit and notes what is asked of it.
type front struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
}

// newFront hands everything on to a unit; with "" it answers every request with 200 and {}, with "!" with 500.
func newFront(t *testing.T, to string) *front {
	f := &front{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		f.mu.Lock()
		f.asked = append(f.asked, r.Method+" "+r.URL.RequestURI()+" "+string(body))
		f.mu.Unlock()
		switch to {
		case "":
			io.WriteString(w, "{}")
			return
		case "!":
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		q, err := http.NewRequest(r.Method, to+r.URL.RequestURI(), bytes.NewReader(body))
		if err == nil {
			q.Header.Set("Content-Type", r.Header.Get("Content-Type"))
			var got *http.Response
			if got, err = http.DefaultClient.Do(q); err == nil {
				defer got.Body.Close()
				w.WriteHeader(got.StatusCode)
				_, _ = io.Copy(w, got.Body)
				return
			}
		}
		w.WriteHeader(http.StatusBadGateway)
	}))
	t.Cleanup(f.Close)
	return f
}

// heard tells whether something was asked that holds the text.
func (f *front) heard(text string) bool { return f.count(text) > 0 }

func (f *front) count(text string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.asked {
		if strings.Contains(a, text) {
			n++
		}
	}
	return n
}

// serving gives the address of a JSON text.
func serving(t *testing.T, text string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }))
	t.Cleanup(s.Close)
	return s.URL
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, path)
		}
		return nil
	})
	check(t, err)
	return out
}

func freePort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// TestEveryVariable gives each setting to the unit that has it, by the names of the older units if they had one, and looks at what it changes.
func TestEveryVariable(t *testing.T) {
	w := newWorld(t)
	seen := map[string]bool{}
	look := func(name string, effect func(*testing.T, *world)) {
		seen[name] = true
		if effect == nil {
			t.Errorf("nobody looks at what %s does", name)
			return
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			effect(t, w)
		})
	}
	for _, s := range settings.All() {
		named := map[settings.Unit]bool{}
		for _, l := range s.Legacy {
			for _, u := range l.Units {
				if named[u] = true; u != settings.Node && u != settings.Gateway { // they have those of the units, and load them by the same code
					look(string(u)+"/"+l.Name, effects[string(u)+"/"+l.Name])
				}
			}
		}
		for _, u := range s.Units {
			if !named[u] && u != settings.Node {
				look(string(u)+"/"+s.Flag, ownEffects[string(u)+"/"+s.Flag])
			}
		}
	}
	for _, table := range []map[string]func(*testing.T, *world){effects, ownEffects} {
		for name := range table {
			if !seen[name] {
				t.Errorf("%s is looked at and is no variable", name)
			}
		}
	}
}

// TestVariablesThatChangeNothing: they are accepted, and the reason is told.
func TestVariablesThatChangeNothing(t *testing.T) {
	for _, i := range settings.IgnoredVariables {
		for _, u := range i.Units {
			file, err := settings.ParseEnvFile(".env", i.Name+"=1\n")
			check(t, err)
			src := settings.Sources{EnvFile: file}
			if u == settings.UR {
				src.Environ = env{"HOSTS": "http://a"}
			}
			with, err := settings.Load(u, src)
			check(t, err)
			src.EnvFile = nil
			without, err := settings.Load(u, src)
			check(t, err)
			told := slices.ContainsFunc(with.Notes, func(p settings.Problem) bool {
				return p.Text == i.Name+" changes nothing" && p.Where == ".env:1" && p.Hint == i.Why
			})
			if !told || fmt.Sprint(with.Settings) != fmt.Sprint(without.Settings) {
				t.Errorf("%s for %s: %v", i.Name, u, with.Notes)
			}
		}
	}
}
