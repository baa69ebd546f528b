package devices_test

import (
	"context"
	"crypto/sha256"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ago/clock"
	"ago/codec/ans104"
	"ago/codec/httpsig"
	"ago/commitment"
	"ago/compute"
	"ago/device"
	"ago/devices"
	"ago/devices/execution"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/push"
	"ago/resolve"
	"ago/schedule"
	"ago/slotlog"
	"ago/slotlog/local"
	"ago/store"
	"ago/store/file"
	"ago/store/memory"
	"ago/store/pebble"
)

// counterDevice counts messages in the state, and again in something it holds beside it.
var counterDevice = device.Device{
	Name: "counter-test@1.0",
	Doc:  "Counts messages.",
	Keys: device.Keys{
		"init": {Doc: "begins at 100", Do: func(_ *device.Call, base, _ message.Message) (message.Value, error) {
			return base.With("count", message.Int(100)), nil
		}},
		"snapshot": {Doc: "the count", Do: func(_ *device.Call, base, _ message.Message) (message.Value, error) {
			v, _ := base.Get("count")
			return message.New(message.Field{Key: "counted", Value: v}), nil
		}},
		"compute": {Doc: "counts one message", Do: func(c *device.Call, base, req message.Message) (message.Value, error) {
			body, _ := req.Get("body")
			m, _ := body.(message.Message)
			h, err := c.Session().Hold("counter", openHeld)
			if err != nil {
				return nil, err
			}
			h.(*heldCount).now++
			v, _ := base.Get("count")
			n, _ := device.Whole(v)
			switch m.Text("action") {
			case "fail":
				return nil, fault.New(fault.Unsupported, "test-failed", "the counter was told to fail")
			case "panic":
				return nil, fault.New(fault.Unavailable, "test-away", "not now")
			}
			out := message.Message{}
			if to := m.Text("send-to"); to != "" {
				out = out.With("1", message.New(message.Field{Key: "target", Value: message.Bytes(to)}, message.Field{Key: "action", Value: message.Bytes("count")},
					message.Field{Key: "amount", Value: message.Int(n)}, message.Field{Key: "nested", Value: message.New(message.Field{Key: "a", Value: message.Int(1)})}))
			}
			return base.With("count", message.Int(n+1)).With("held", message.Int(int64(h.(*heldCount).now))).With("from-process", message.Bytes(m.Text("from-process"))).
				With("results", message.New(message.Field{Key: "output", Value: message.Int(n + 1)}, message.Field{Key: "outbox", Value: out})), nil
		}},
	},
}

type heldCount struct{ now, committed int }

func openHeld(rs ...io.Reader) (device.Held, error) {
	h := &heldCount{}
	for _, r := range rs {
		b, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		h.now, h.committed = len(b), len(b)
	}
	return h, nil
}
func (h *heldCount) Commit() error   { h.committed = h.now; return nil }
func (h *heldCount) Rollback() error { h.now = h.committed; return nil }
func (h *heldCount) Close() error    { return nil }
func (h *heldCount) Pin(bool) (func(io.Writer) error, error) {
	text := strings.Repeat("x", h.committed)
	return func(w io.Writer) error { _, err := io.WriteString(w, text); return err }, nil
}
func (h *heldCount) Fork(context.Context) (device.Held, error) {
	return &heldCount{h.committed, h.committed}, nil
}

// units is a node of the units alone.
type units struct {
	t         testing.TB
	user      *commitment.Key
	scheduler *schedule.Scheduler
	computer  *compute.Computer
	pusher    *push.Pusher
	resolver  *resolve.Resolver
	clock     *clock.Adjustable
}

type testBlocks struct{}

func (testBlocks) Tip() (uint64, message.ID, int64) { return 1500007, message.ID{7}, 1_700_000_000_000 }

type testArchive struct{}

func (testArchive) Content(_ context.Context, id message.ID) (process.Content, error) {
	return process.Content{}, fault.New(fault.NotFound, "message-unknown", "no %s", id)
}
func (testArchive) Confirmations(context.Context, message.ID) (int, error) { return 0, nil }
func (testArchive) Upload(context.Context, commitment.Verified) error      { return nil }
func (testArchive) Module(_ context.Context, id message.ID) (process.Module, error) {
	return process.Module{}, fault.New(fault.NotFound, "module-unknown", "no %s", id)
}

// scheduled are the messages that have slots, as contents.
type scheduled struct {
	oneMessage
	s *schedule.Scheduler
}

func (s scheduled) Read(ctx context.Context, path string) (message.Value, error) {
	id, err := message.ParseID(path)
	if err != nil {
		return nil, fault.New(fault.NotFound, "absent", "%s", path)
	}
	m, err := s.s.Message(ctx, id)
	return m, err
}

type slots struct{ *schedule.Scheduler }

func (s slots) Next(ctx context.Context, p message.ID) (slotlog.Slot, error) {
	h, err := s.Head(ctx, p)
	return h.Next, err
}

type target struct{ *schedule.Scheduler }

func (t target) Submit(ctx context.Context, v commitment.Verified) (push.Receipt, error) {
	r, err := t.Scheduler.Submit(ctx, v)
	return push.Receipt(r), err
}

func (t target) Assign(ctx context.Context, p, id message.ID, o push.AssignOptions) (push.Receipt, error) {
	r, err := t.Scheduler.Assign(ctx, p, id, schedule.AssignOptions(o))
	return push.Receipt(r), err
}

func testKey(t testing.TB, seed byte) *commitment.Key {
	t.Helper()
	h := sha256.Sum256([]byte{seed})
	k, err := commitment.NewAgent().FromSeed(commitment.Ed25519, h[:])
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// startUnits opens the units over a store; close ends them as a stop does.
func startUnits(t testing.TB, st store.Store, blobs store.Blobs) (u *units, closeAll func()) {
	t.Helper()
	u = &units{t: t, user: testKey(t, 1), clock: clock.NewPaused(time.UnixMilli(1_700_000_000_000))}
	key := testKey(t, 3)
	node := &device.Node{Registry: device.All().With(device.NewRegistry(counterDevice)), Key: key, Clock: u.clock}
	executions := execution.New(node)
	var err error
	u.scheduler, err = schedule.Open(schedule.Config{Log: local.New(st, blobs), Store: st, Key: key, Clock: u.clock, Blocks: testBlocks{}, Archive: testArchive{},
		Admit: func(ctx context.Context, d process.Definition) error { return u.computer.Admit(ctx, d) }})
	ok(t, err)
	node.Contents = scheduled{s: u.scheduler}
	u.pusher, err = push.Open(push.Config{Store: st, Scheduler: target{u.scheduler}, Archive: testArchive{}, Key: key, Clock: u.clock, Log: slog.New(slog.DiscardHandler)})
	ok(t, err)
	u.computer, err = compute.Open(compute.Config{Store: st, Blobs: blobs, Schedule: slots{u.scheduler}, Modules: testArchive{}, Executions: executions,
		Outbox: u.pusher, Clock: u.clock})
	ok(t, err)
	u.scheduler.OnAppend(u.computer.Advance)
	ok(t, u.pusher.Start())
	device.Provide[devices.Scheduler](node, u.scheduler)
	device.Provide[devices.Computer](node, u.computer)
	device.Provide[devices.Messenger](node, u.pusher)
	u.resolver = resolve.New(node, resolve.Limits{})
	return u, func() {
		u.pusher.Close()
		ok(t, u.computer.Close())
		u.scheduler.Close()
	}
}

// inMemory gives units that end with the test.
func inMemory(t testing.TB) *units {
	u, end := startUnits(t, memory.New(), memory.NewBlobs())
	t.Cleanup(end)
	return u
}

func (u *units) signed(fs ...message.Field) message.Message {
	u.t.Helper()
	m, err := httpsig.Commit(message.New(fs...), u.user, httpsig.Terms{})
	ok(u.t, err)
	return m
}

func text(key, value string) message.Field {
	return message.Field{Key: key, Value: message.Bytes(value)}
}

// ask resolves a path with keys as a request does.
func (u *units) ask(path string, keys message.Message) (message.Value, error) {
	r, err := u.resolver.Resolve(u.t.Context(), resolve.Request{Path: path, Keys: keys})
	return r.Value, err
}

func (u *units) get(path string) message.Value {
	u.t.Helper()
	v, err := u.ask(path, message.New(text("method", "GET")))
	if err != nil {
		u.t.Fatalf("%s: %v", path, err)
	}
	return v
}

// post sends a signed message as the body of a request.
func (u *units) post(path string, m message.Message) message.Message {
	u.t.Helper()
	v, err := u.ask(path, message.New(text("method", "POST"), message.Field{Key: "body", Value: m}))
	if err != nil {
		u.t.Fatalf("%s: %v", path, err)
	}
	out, _ := v.(message.Message)
	return out
}

func (u *units) spawn(name string) string {
	u.t.Helper()
	got := u.post("/~process@1.0/schedule", u.signed(text("device", "process@1.0"), text("type", "Process"), text("name", name),
		text("scheduler", u.scheduler.Address().String()), text("execution-device", "counter-test@1.0")))
	if v, _ := got.Get("slot"); v != message.Int(0) {
		u.t.Fatalf("%v", got)
	}
	return got.Text("process")
}

func want(t testing.TB, what string, got, want message.Value) {
	t.Helper()
	if !message.Equal(got, want) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestAProcessOfADevice(t *testing.T) {
	u := inMemory(t)
	p := u.spawn("one")
	want(t, "count after the definition", u.get("/"+p+"/compute=0/count"), message.Int(101))
	for i := range 5 {
		got := u.post("/"+p+"/schedule", u.signed(text("action", "count"), text("n", string(rune('a'+i)))))
		if v, _ := got.Get("slot"); v != message.Int(i+1) || got.Text("process") != p {
			t.Fatalf("%v", got)
		}
	}
	want(t, "count now", u.get("/"+p+"/now/count"), message.Int(106))
	want(t, "what is held", u.get("/"+p+"/now/held"), message.Int(6))
	want(t, "an earlier state", u.get("/"+p+"/compute&slot=2/count"), message.Int(103))
	want(t, "results of a slot", u.get("/"+p+"/compute/results=1/output"), message.Int(102))
	want(t, "slot", u.get("/"+p+"/slot/current"), message.Int(5))
	want(t, "at-slot", u.get("/"+p+"/latest/at-slot"), message.Int(5))
	want(t, "definition", u.get("/"+p+"/now/process/name"), message.Bytes("one"))
	want(t, "snapshot", u.get("/"+p+"/snapshot/counted"), message.Int(106))

	// A failed slot leaves the state, says why, and the process goes on.
	u.post("/"+p+"/schedule", u.signed(text("action", "fail")))
	want(t, "count after a failure", u.get("/"+p+"/compute=6/count"), message.Int(106))
	want(t, "phase", u.get("/"+p+"/compute=6/results/phase"), message.Bytes("compute"))
	want(t, "attempted slot", u.get("/"+p+"/compute=6/results/attempted-slot"), message.Int(6))
	u.post("/"+p+"/schedule", u.signed(text("action", "after")))
	want(t, "count after that", u.get("/"+p+"/now/count"), message.Int(107))
	want(t, "held after that", u.get("/"+p+"/now/held"), message.Int(7))

	// What is tried out leaves nothing.
	want(t, "tried out", u.get("/"+p+"/as=execution/compute/held"), message.Int(8))
	want(t, "tried out again", u.get("/"+p+"/as=execution/compute/count"), message.Int(108))
	want(t, "count afterwards", u.get("/"+p+"/now/count"), message.Int(107))

	for path, status := range map[string]device.Status{"/" + p + "/compute=99": 404, "/" + p + "/compute=x": 400} {
		if _, err := u.ask(path, message.New(text("method", "GET"))); device.StatusOf(err) != status {
			t.Errorf("%s: %v", path, err)
		}
	}
	id, err := message.ParseID(p)
	ok(t, err)
	e, err := u.computer.At(t.Context(), id, 1)
	if err != nil || string(e.JSON) != `{"Messages":[],"Assignments":[],"Spawns":[],"Output":102}` {
		t.Errorf("legacy units read %s, %v", e.JSON, err)
	}
}

func TestPushesOfAProcessOfADevice(t *testing.T) {
	u := inMemory(t)
	a, b := u.spawn("a"), u.spawn("b")
	got := u.post("/"+a+"/push", u.signed(text("send-to", b)))
	want(t, "slot", at(got, "slot"), message.Int(1))
	want(t, "process", at(got, "process"), message.Bytes(a))
	want(t, "target", at(got, "1", "target"), message.Bytes(b))
	want(t, "slot there", at(got, "1", "slot"), message.Int(1))
	want(t, "sender", u.get("/"+b+"/compute=1/from-process"), message.Bytes(a))
	sent, err := u.scheduler.Message(t.Context(), mustID(t, at(got, "1", "id")))
	ok(t, err)
	want(t, "amount", at(sent, "amount"), message.Int(101))
	want(t, "nested", at(sent, "nested", "a"), message.Int(1))
	want(t, "variant", at(sent, "variant"), message.Bytes("ao.N.1"))
	// The same again is another message.
	again := u.post("/"+a+"/push", u.signed(text("send-to", b), text("x", "2")))
	want(t, "second slot there", at(again, "1", "slot"), message.Int(2))
	// Nobody is there.
	lost := u.post("/"+a+"/push", u.signed(text("send-to", "7")))
	want(t, "lost", at(lost, "1", "response"), message.Bytes("error"))
	if got := u.post("/"+a+"/push&push-mode=async", u.signed(text("x", "3"))); !message.Equal(at(got, "slot"), message.Int(4)) {
		t.Errorf("%v", got)
	}
}

func at(m message.Message, path ...string) message.Value {
	v, _, _ := m.Find(path, nil)
	return v
}

func mustID(t testing.TB, v message.Value) message.ID {
	t.Helper()
	s, _ := v.(message.Bytes)
	id, err := message.ParseID(string(s))
	ok(t, err)
	return id
}

func TestSchedulerRefusals(t *testing.T) {
	u := inMemory(t)
	p := u.spawn("one")
	_, err := u.ask("/"+p+"/schedule", message.New(text("method", "POST"), text("data", "x")))
	if o, is := device.OutcomeOf(err); !is || o.Status != 400 || at(o.Value.(message.Message), "body") != message.Value(message.Bytes("Message is not valid.")) {
		t.Errorf("unsigned: %v", err)
	}
	forged := u.signed(text("data", "x"))
	forged = message.New(text("data", "y"), message.Field{Key: "commitments", Value: forged.Commitments()})
	if _, err := u.ask("/"+p+"/schedule", message.New(text("method", "POST"), message.Field{Key: "body", Value: forged})); device.StatusOf(err) != 400 {
		t.Errorf("forged: %v", err)
	}
	want(t, "slot", u.get("/"+p+"/slot/current"), message.Int(0))
	page, _ := u.get("/" + p + "/schedule").(message.Message)
	want(t, "page", at(page, "assignments", "0", "body", "name"), message.Bytes("one"))
	aos, _ := u.get("/~scheduler@1.0/schedule?target=" + p + "&accept=application/aos-2").(message.Message)
	if body := aos.Text("body"); !strings.Contains(body, `"cursor":0`) {
		t.Errorf("%v", aos)
	}
	u.post("/"+p+"/schedule", u.signed(text("n", "1")))
	want(t, "next", u.get("/"+p+"/compute=0/next~scheduler@1.0/body/slot"), message.Int(1))
	if _, err := u.ask("/"+p+"/compute=1/next~scheduler@1.0", message.New(text("method", "GET"))); device.StatusOf(err) != 404 {
		t.Errorf("a slot that is not given: %v", err)
	}
	status, _ := u.get("/~scheduler@1.0/status").(message.Message)
	want(t, "address", at(status, "address"), message.Bytes(u.scheduler.Address().String()))
}

// TestAnItemSchedules checks that a request which is a data item is scheduled as it came.
func TestAnItemSchedules(t *testing.T) {
	u := inMemory(t)
	own := u.scheduler.Address().String()
	it, err := ans104.Sign(ans104.Draft{Data: []byte("x"), Tags: []ans104.Tag{{Name: "device", Value: "process@1.0"}, {Name: "execution-device", Value: "counter-test@1.0"},
		{Name: "Scheduler", Value: own}, {Name: "Type", Value: "Process"}, {Name: "Variant", Value: "ao.N.1"}}}, u.user)
	ok(t, err)
	v, err := u.ask("/push", process.ContentOf(it).Message().With("method", message.Bytes("POST")))
	ok(t, err)
	spawned := v.(message.Message)
	p := it.ID().String()
	want(t, "process", at(spawned, "process"), message.Bytes(p))
	want(t, "count", u.get("/"+p+"~process@1.0/compute=0/count"), message.Int(101))
	want(t, "owner's signature", at(u.get("/"+p+"/now/process").(message.Message), "commitments", p, "alg"), message.Bytes("ed25519"))
}

// TestAProcessOfADeviceComesBack after a stop, without evaluating anything again, and after a crash.
func TestAProcessOfADeviceComesBack(t *testing.T) {
	dir := t.TempDir()
	open := func() (u *units, end func()) {
		st, err := pebble.Open(pebble.Options{Dir: dir + "/tables", Log: slog.New(slog.DiscardHandler)})
		ok(t, err)
		blobs, err := file.Open(dir + "/blobs")
		ok(t, err)
		u, stop := startUnits(t, st, blobs)
		return u, func() { stop(); ok(t, st.Close()) }
	}
	u, end := open()
	p := u.spawn("one")
	for i := range 20 {
		u.post("/"+p+"/schedule", u.signed(text("n", strings.Repeat("n", i+1))))
	}
	before, _ := u.get("/" + p + "/now").(message.Message)
	third, _ := u.get("/" + p + "/compute=3").(message.Message)
	end()
	u, end = open()
	defer end()
	if after := u.get("/" + p + "/now"); !message.Equal(before, after) {
		t.Errorf("it comes back as %v, want %v", after, before)
	}
	if again := u.get("/" + p + "/compute=3"); !message.Equal(third, again) {
		t.Errorf("an earlier state comes back as %v, want %v", again, third)
	}
	u.post("/"+p+"/schedule", u.signed(text("n", "more")))
	want(t, "count", u.get("/"+p+"/now/count"), message.Int(122))
	want(t, "held", u.get("/"+p+"/now/held"), message.Int(22))
	if s := u.computer.Stats(); s.Evaluated != 1 || s.Restored != 1 {
		t.Errorf("it did not go on from where it was: %+v", s)
	}
}

// copied is what is on a disk at this moment.
func copied(t testing.TB, st store.Store) store.Store {
	t.Helper()
	var b store.Batch
	for kv, err := range st.Scan([]byte{1}, nil, false) {
		ok(t, err)
		b.Set(slices.Clone(kv.Key), slices.Clone(kv.Value))
	}
	out := memory.New()
	ok(t, out.Apply(&b, true))
	return out
}

// TestAProcessOfADeviceAfterACrash: what was not in a checkpoint is evaluated again, and gives the same; nothing is sent twice.
func TestAProcessOfADeviceAfterACrash(t *testing.T) {
	st, blobs := memory.New(), memory.NewBlobs()
	u, end := startUnits(t, st, blobs)
	t.Cleanup(end)
	a, b := u.spawn("a"), u.spawn("b")
	const n = 300 // more than are read for one state
	for i := range n {
		fs := []message.Field{text("n", strconv.Itoa(i))}
		if i%50 == 0 {
			fs = append(fs, text("send-to", b))
		}
		if i%7 == 3 {
			fs = append(fs, text("action", "fail"))
		}
		if i == n/2 {
			ok(t, u.computer.Checkpoint(t.Context()))
		}
		u.post("/"+a+"/schedule", u.signed(fs...))
	}
	u.post("/"+a+"/push", u.signed(text("send-to", b)))
	before := make([]message.Value, n+2)
	for i := range before {
		before[i] = u.get("/" + a + "/compute=" + strconv.Itoa(i))
	}
	sent := u.get("/" + b + "/slot/current")
	// The first units are cut off where they are: nothing of them reaches the store any more.
	crashed, endCrashed := startUnits(t, copied(t, st), blobs)
	t.Cleanup(endCrashed)
	for i := len(before) - 1; i >= 0; i-- {
		if got := crashed.get("/" + a + "/compute=" + strconv.Itoa(i)); !message.Equal(got, before[i]) {
			t.Fatalf("slot %d comes back as %v, want %v", i, got, before[i])
		}
	}
	crashed.post("/"+a+"/push", crashed.signed(text("n", "more")))
	last, _ := before[n+1].(message.Message)
	count, _ := device.Whole(at(last, "count"))
	want(t, "count", crashed.get("/"+a+"/now/count"), message.Int(count+1))
	want(t, "what was sent", crashed.get("/"+b+"/slot/current"), sent)
}
