package resolve_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ago/codec/httpsig"
	"ago/commitment"
	"ago/device"
	"ago/device/devicetest"
	_ "ago/devices"
	"ago/fault"
	"ago/message"
	"ago/message/messagetest"
	"ago/resolve"
	"ago/store/content"
	"ago/store/memory"
)

const absentID = "tRoMoihXGnJ8CGBWTW6501dOeMl1qz-iPWN_Bw__a7A"

func text(s string) message.Value { return message.Bytes(s) }

func of(pairs ...any) message.Message {
	m := message.New()
	for i := 0; i < len(pairs); i += 2 {
		switch v := pairs[i+1].(type) {
		case string:
			m = m.With(pairs[i].(string), message.Bytes(v))
		case int:
			m = m.With(pairs[i].(string), message.Int(v))
		case message.Value:
			m = m.With(pairs[i].(string), v)
		}
	}
	return m
}

// lab is a device with a key for each thing that a test looks at.
type lab struct {
	calls atomic.Int64
	gate  chan struct{} // waited for by slow, if not nil
}

func (l *lab) device() device.Device {
	do := func(f func(c *device.Call, base, req message.Message) (message.Value, error)) device.Func {
		return func(c *device.Call, base, req message.Message) (message.Value, error) {
			l.calls.Add(1)
			return f(c, base, req)
		}
	}
	count := do(func(*device.Call, message.Message, message.Message) (message.Value, error) {
		return message.Int(l.calls.Load()), nil
	})
	return device.Device{Name: "lab@1.0", Doc: "is for tests", Keys: device.Keys{
		"count": {Doc: "how often the device was called", Do: count},
		"pure":  {Doc: "as count, and may be kept", CacheControl: "always", Do: count},
		"pure-message": {Doc: "as count, in a message", CacheControl: "always", Do: do(func(*device.Call, message.Message, message.Message) (message.Value, error) {
			return of("n", int(l.calls.Load())), nil
		})},
		"pure-secret": {Doc: "as pure, and says that it is not to be kept", CacheControl: "always", Do: do(func(*device.Call, message.Message, message.Message) (message.Value, error) {
			return of("n", int(l.calls.Load()), "cache-control", "no-store"), nil
		})},
		"self":      {Doc: "the same", Do: do(func(_ *device.Call, base, _ message.Message) (message.Value, error) { return base, nil })},
		"pure-self": {Doc: "the same", CacheControl: "always", Do: do(func(_ *device.Call, base, _ message.Message) (message.Value, error) { return base, nil })},
		"changing": {Doc: "something else each time", Do: do(func(_ *device.Call, base, _ message.Message) (message.Value, error) {
			return base.With("n", message.Int(l.calls.Load())), nil
		})},
		"ahead": {Doc: "what comes next", CacheControl: "always", Do: do(func(c *device.Call, _, _ message.Message) (message.Value, error) {
			if rest := c.Rest(); len(rest) > 0 {
				return of("results", rest[0].Path()+"="+rest[0].Request.Text("results")), nil
			}
			return message.Bytes("nothing"), nil
		})},
		"walk": {Doc: "all that comes next", Do: do(func(c *device.Call, _, _ message.Message) (message.Value, error) {
			var path []string
			for _, s := range c.Rest() {
				path = append(path, s.Path())
			}
			c.Consume(len(path))
			return message.Bytes(strings.Join(path, "/")), nil
		})},
		"again": {Doc: "asks itself", Do: do(func(c *device.Call, base, req message.Message) (message.Value, error) { return c.Resolve(base, req) })},
		"deeper": {Doc: "asks itself of something else", Do: do(func(c *device.Call, base, req message.Message) (message.Value, error) {
			return c.Resolve(of("device", "lab@1.0", "in", base), req)
		})},
		"many": {Doc: "asks very often", Do: do(func(c *device.Call, base, _ message.Message) (message.Value, error) {
			for {
				if _, err := c.Get(base, "count"); err != nil {
					return nil, err
				}
			}
		})},
		"made": {Doc: "makes something", Do: do(func(*device.Call, message.Message, message.Message) (message.Value, error) {
			return nil, device.Created(of("slot", 3))
		})},
		"skip": {Doc: "ends a stack", Do: do(func(*device.Call, message.Message, message.Message) (message.Value, error) {
			return nil, device.Skip(of("skipped", "yes"))
		})},
		"stack": {Doc: "sees the end of a stack", Do: do(func(c *device.Call, base, _ message.Message) (message.Value, error) {
			_, err := c.As("lab@1.0", base, device.Ask("skip").Request)
			o, ok := device.OutcomeOf(err)
			return message.Atom(fmt.Sprint(ok && o.Status == device.Skipped)), nil
		})},
		"unpaid": {Doc: "asks for money", Do: do(func(*device.Call, message.Message, message.Message) (message.Value, error) {
			return nil, device.End(device.Unpaid, of("price", 3))
		})},
		"panic": {Doc: "fails", Do: do(func(*device.Call, message.Message, message.Message) (message.Value, error) { panic("defect") })},
		"args":  {Doc: "says its arguments", Inputs: []device.Input{{Name: "n", Doc: "a number", Type: device.TypeInt}}, Do: do(func(_ *device.Call, _, req message.Message) (message.Value, error) { return req.Without("path"), nil })},
		"origin": {Doc: "who asked", Do: do(func(c *device.Call, _, _ message.Message) (message.Value, error) {
			return message.Bytes(c.Origin.Text("path")), nil
		})},
		"who": {Doc: "the device of the base", Do: do(func(_ *device.Call, base, _ message.Message) (message.Value, error) {
			return message.Bytes(base.Text("device")), nil
		})},
		"slow": {Doc: "waits", Do: do(func(c *device.Call, _, req message.Message) (message.Value, error) {
			select {
			case <-l.gate:
				return message.Int(l.calls.Load()), nil
			case <-c.Done():
				return nil, c.Err()
			}
		})},
		"via": {Doc: "asks for another name in turn", Do: do(func(c *device.Call, base, req message.Message) (message.Value, error) {
			<-l.gate
			return c.Resolve(base, of("path", "via", "group", req.Text("next"), "next", req.Text("group")))
		})},
	}, Group: func(c *device.Call, _, req message.Message) string {
		if c.Key == "slow" || c.Key == "via" {
			return req.Text("group")
		}
		return ""
	}}
}

func newLab(t testing.TB, limits resolve.Limits) (*lab, *device.Node, *resolve.Resolver) {
	t.Helper()
	l := &lab{}
	node := &device.Node{Registry: device.All().With(device.NewRegistry(l.device())), Contents: content.New(content.Options{Tables: memory.New(), Blobs: memory.NewBlobs()})}
	return l, node, resolve.New(node, limits)
}

func ask(t testing.TB, r *resolve.Resolver, path string) (string, error) {
	t.Helper()
	res, err := r.Resolve(t.Context(), resolve.Request{Path: path})
	if err != nil {
		return "", err
	}
	return devicetest.Show(res.Value), nil
}

func TestPathsGiveAnswers(t *testing.T) {
	_, node, r := newLab(t, resolve.Limits{})
	id, _ := node.Contents.Write(t.Context(), of("greeting", "hello", "inner", of("deep", of("er", 1)), "names", message.List{text("x"), text("y")}))
	lists, _ := node.Contents.Write(t.Context(), of("who", id.String(), "link", message.Link{To: id}))
	for path, want := range map[string]string{
		"/~message@1.0&hello=world/hello":                  "world",
		"/~message@1.0&Hello=World/hELLO":                  "World",
		"/~message@1.0&a=1/set&b=2/b":                      "2",
		"/~message@1.0/set/x?1.x=hello":                    "hello",
		"/~message@1.0&n+integer=42/n":                     "42",
		"/~message@1.0&n+list=%22a%22,%22b%22/n/1":         "a",
		"/~message@1.0&n+map=a=%22b%22/n/a":                "b",
		"/(~message@1.0&a=1)/a":                            "1",
		"/~message@1.0/x?x+resolve=/~message@1.0%26y=in/y": "in",
		"/~message@1.0&x=(~message@1.0&y=inner/y)/x":       "inner",
		"/~message@1.0&a=1&k=a/(~message@1.0&p=a/p)":       "1",
		"/hello?hello=query":                               "query",
		"/~message@1.0&n=%22Alice%20%26%20co%22/n":         "Alice & co",
		"//~message@1.0&n=v//n/":                           "v",
		"/~message@1.0&a=1":                                `{"a":"1","device":"message@1.0"}`,
		"/" + id.String() + "/greeting":                    "hello",
		"/" + id.String() + "/inner/deep/er":               "1",
		"/" + id.String() + "/names/2":                     "y",
		"/" + id.String() + "/names":                       `["x","y"]`,
		"/" + id.String() + "~lab@1.0/who":                 "lab@1.0",
		"/" + id.String() + "/~lab@1.0/who":                "lab@1.0",
		"/" + id.String() + "/inner/who~lab@1.0":           "lab@1.0",
		"/" + lists.String() + "/who/greeting":             "hello", // an id stands for its message
		"/" + lists.String() + "/link/greeting":            "hello",
		"/who~lab@1.0":                                     "lab@1.0",
		"/~lab@1.0/args&n=12&t=x":                          `{"n":"12","t":"x"}`,
		"/~lab@1.0/ahead/results=7":                        "results=7",
		"/~lab@1.0/walk/a/b/" + absentID:                   "a/b/" + absentID,
		"/~lab@1.0/made/slot":                              "3",
		"/~lab@1.0/stack":                                  "true",
		"/~lab@1.0/skip":                                   `{"skipped":"yes"}`,
		"/~lab@1.0/skip/skipped":                           "yes",
		"/~message@1.0&a=text/a/body":                      "text",
		"/()/keys":                                         "[]",
		"/":                                                "{}",
	} {
		if got, err := ask(t, r, path); err != nil || got != want {
			t.Errorf("%s\n got %s (%v)\nwant %s", path, got, err, want)
		}
	}
}

func TestPathsEndWithTheirStatus(t *testing.T) {
	_, _, r := newLab(t, resolve.Limits{})
	for path, want := range map[string]struct {
		status device.Status
		code   string
	}{
		"/unknown":                             {404, "key-absent"},
		"/~message@1.0&a=1/nothing":            {404, "key-absent"},
		"/~message@1.0&a=text/a/b":             {404, "key-absent"},
		"/" + absentID:                         {404, "message-absent"},
		"/" + absentID + "/key":                {404, "message-absent"},
		"/~message@1.0&a=" + absentID + "/a/b": {404, "message-absent"},
		"/~nosuch@1.0/x":                       {422, "device-unknown"},
		"/~" + absentID + "/x":                 {422, "device-not-loadable"},
		"/x?0.device+map=a=1":                  {422, "device-not-loadable"},
		"/~lab@1.0/args&n=x":                   {400, "argument-malformed"},
		"/~lab@1.0/unpaid":                     {402, ""},
		"/~lab@1.0/unpaid/price":               {402, ""},
		"/~lab@1.0/panic":                      {500, "device-failed"},
		"/~lab@1.0/again":                      {508, "resolve-loop"},
		"/~lab@1.0/deeper":                     {508, "resolve-too-deep"},
		"/~lab@1.0/many":                       {508, "resolve-too-many-steps"},
		"/~message@1.0&a=1/a?cache-control=only-if-cached": {504, ""},
		"/~message@1.0&priv-a=1/priv-a":                    {404, "key-absent"},
		"/a&k=(b":                                          {400, "path-malformed"},
	} {
		_, err := ask(t, r, path)
		if device.StatusOf(err) != want.status || want.code != "" && fault.CodeOf(err) != want.code {
			t.Errorf("%s ends with %v %s (%.200v), want %v %s", path, device.StatusOf(err), fault.CodeOf(err), err, want.status, want.code)
		}
	}
	res, err := r.Resolve(t.Context(), resolve.Request{Path: "/~lab@1.0/made"})
	if err != nil || res.Status != device.StatusMade || res.Hashpath != nil {
		t.Errorf("what is made ends with %v (%v)", res.Status, err)
	}
}

func TestHashpathsAreThePublishedOnes(t *testing.T) {
	var file struct {
		Cases []struct {
			Algorithm string
			Base      map[string]any
			Steps     []struct {
				Hashpath string
				Request  map[string]any
			}
		}
	}
	run := messagetest.Vectors(t, "testdata/genB-hashpaths.json", "writes", &file)
	any := device.NewRegistry(device.Device{Name: device.Default, Doc: "answers anything", Excludes: []string{}, Default: func(_ *device.Call, base, _ message.Message) (message.Value, error) {
		return of("hashpath-alg", base.Text("hashpath-alg")), nil
	}, DefaultKey: device.Key{Doc: "a message"}})
	r := resolve.New(&device.Node{Registry: any}, resolve.Limits{})
	checked := 0
	for i, c := range file.Cases {
		run.Case(i)
		base, _ := messagetest.Value(t, c.Base).(message.Message)
		for n := range c.Steps {
			var steps []device.Step
			for _, s := range c.Steps[:n+1] {
				req, _ := messagetest.Value(t, s.Request).(message.Message)
				steps = append(steps, device.Step{Request: req})
			}
			res, err := r.Run(t.Context(), base, steps, device.How{})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := res.Hashpath.Text(); err != nil || got != c.Steps[n].Hashpath {
				t.Errorf("%v step %d: %s (%v), want %s", c.Base, n, got, err, c.Steps[n].Hashpath)
			}
			checked++
		}
	}
	if checked < 10 {
		t.Errorf("only %d hashpaths were checked", checked)
	}
}

func TestAnswersAreKeptWhereTheDeviceAllowsIt(t *testing.T) {
	l, node, r := newLab(t, resolve.Limits{})
	calls := func(path string, r *resolve.Resolver, control string) int64 {
		before := l.calls.Load()
		if _, err := r.Resolve(t.Context(), resolve.Request{Path: path, How: device.How{CacheControl: control}}); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		return l.calls.Load() - before
	}
	for _, c := range []struct {
		path, control string
		first, second int64
	}{
		{"/~lab@1.0/count", "always", 1, 1}, // nobody said that it may be kept
		{"/~lab@1.0&x=1/pure", "always", 1, 0},
		{"/~lab@1.0&x=2/pure", "", 1, 0},
		{"/~lab@1.0&x=2/pure", "no-cache", 1, 1},
		{"/~lab@1.0&x=3/pure", "no-store", 1, 1},
		{"/~lab@1.0&x=4/pure?cache-control=no-store", "", 1, 1},
		{"/~lab@1.0&x=5/pure?cache-control=no-store", "always", 1, 0}, // the call's own word counts most
		{"/~lab@1.0&x=6&cache-control=no-store/pure", "", 1, 1},
		{"/~lab@1.0/self/pure", "always", 2, 1}, // what an answer that may change is asked is kept by its content
		{"/~lab@1.0/changing/pure", "always", 2, 2},
		{"/~lab@1.0/pure-self&x=1/pure", "always", 2, 0},
		{"/~lab@1.0&x=7/pure-message", "always", 1, 0},
		{"/~lab@1.0&x=8/pure-secret", "always", 1, 1},
		{"/~lab@1.0/ahead/results=1", "always", 1, 1},
	} {
		if first, second := calls(c.path, r, c.control), calls(c.path, r, c.control); first != c.first || second != c.second {
			t.Errorf("%s %s: called %d, then %d times", c.path, c.control, first, second)
		}
	}
	claimed := of("device", "lab@1.0", "x", of("commitments", of(absentID, of("commitment-device", "httpsig@1.0"))))
	for range 2 {
		before := l.calls.Load()
		if _, err := r.Run(t.Context(), claimed, []device.Step{device.Ask("pure")}, device.How{CacheControl: "always"}); err != nil || l.calls.Load() != before+1 {
			t.Errorf("an answer is kept under an id that somebody claimed (%v)", err)
		}
	}
	session, err := device.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		before := l.calls.Load()
		if _, err := r.Resolve(device.WithSession(t.Context(), session), resolve.Request{Path: "/~lab@1.0&x=1/pure", How: device.How{CacheControl: "always"}}); err != nil || l.calls.Load() != before+1 {
			t.Errorf("an answer that may depend on a session is shared (%v)", err)
		}
	}
	if n := calls("/~lab@1.0&x=1/pure", resolve.New(node, resolve.Limits{}), "always"); n != 1 {
		t.Error("what nobody signed is among the contents")
	}
	key, err := commitment.NewAgent().FromSeed(commitment.Ed25519, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	own := key.Address().String()
	for _, c := range []struct {
		option  string
		writers string
		signed  message.Message
		want    bool
	}{
		{"", own, of("x", 1), false},
		{"", own, of("cache-control", "no-store"), false},
		{"", own, of("cache-control", "store"), true},
		{"", own, of("cache-control", "always"), true},
		{"", "all", of("cache-control", "always"), true},
		{"", "somebody", of("cache-control", "always"), false},
		{"", "", of("cache-control", "always"), false},
		{resolve.KeepWriters, "somebody", of("cache-control", "always"), false},
		{resolve.KeepSigned, "somebody", of("cache-control", "always"), true},
		{resolve.KeepNone, own, of("cache-control", "always"), false},
		{resolve.KeepAll, "somebody", of("x", 1), true},
	} {
		signed, err := httpsig.Commit(c.signed, key, httpsig.Terms{})
		if err != nil {
			t.Fatal(err)
		}
		with := node.Derive()
		with.Options = of(resolve.OptionKeep, c.option, "cache_writers", c.writers)
		r := resolve.New(with, resolve.Limits{})
		if r.Lasting(t.Context(), signed) != c.want || c.option == "" && r.Lasting(t.Context(), c.signed) {
			t.Errorf("%q %s: want %v", c.option, devicetest.Show(c.signed), c.want)
		}
		if c.want && r.Lasting(t.Context(), signed.With("cache-control", message.Bytes("store, forged"))) && c.option == "" {
			t.Error("a forged request fills the disk")
		}
	}
	keeping := node.Derive()
	keeping.Options = of(resolve.OptionKeep, resolve.KeepAll)
	calls("/~lab@1.0&x=1/pure", resolve.New(keeping, resolve.Limits{}), "always")
	if n := calls("/~lab@1.0&x=1/pure", resolve.New(node, resolve.Limits{}), "always"); n != 0 {
		t.Error("an answer among the contents was worked out again")
	}
	if s := r.Stats(); s.Hits < 4 || s.Misses < 4 || s.Entries < 4 || s.Bytes < int64(s.Entries)*100 {
		t.Errorf("counted %+v", s)
	}
	if n := calls("/~lab@1.0&x=1/pure", r, "only-if-cached"); n != 0 {
		t.Error("only-if-cached worked something out")
	}
	// A message that was kept and has a key of the name does not answer for the device.
	shadow := of("device", "lab@1.0", "pure", "of the message")
	if _, err := node.Contents.Write(t.Context(), shadow); err != nil {
		t.Fatal(err)
	}
	if got, err := resolve.New(node, resolve.Limits{}).Resolve(t.Context(), resolve.Request{Path: "/" + shadow.SignedID().String() + "/pure", How: device.How{CacheControl: "always"}}); err != nil || got.Value == message.Bytes("of the message") {
		t.Errorf("a kept message answers for the device: %v, %v", got.Value, err)
	}
	bare := node.Derive()
	bare.Contents = nil
	small := resolve.New(bare, resolve.Limits{CacheBytes: 4096})
	for i := range 200 {
		calls(fmt.Sprintf("/~lab@1.0&i=%d/pure", i), small, "always")
	}
	if first, last := calls("/~lab@1.0&i=0/pure", small, "always"), calls("/~lab@1.0&i=199/pure", small, "always"); first != 1 || last != 0 {
		t.Errorf("a small memory keeps the oldest (%d) and forgets the newest (%d)", first, last)
	}
}

func TestARequestMayBeReplacedOnTheWay(t *testing.T) {
	_, node, r := newLab(t, resolve.Limits{})
	id, _ := node.Contents.Write(t.Context(), of("greeting", "hello"))
	for _, path := range []string{"/~message@1.0&a=(~message@1.0&b=c/b)/a", "/" + id.String() + "/greeting", "/" + id.String() + "~lab@1.0/who", "/(~message@1.0&a=1)/a", "/a/who~lab@1.0?a+map=x=1", "/who~lab@1.0"} {
		steps, err := resolve.Parse(path, message.Message{})
		if err != nil {
			t.Fatal(err)
		}
		back, err := device.Steps(device.Sequence(steps))
		if err != nil {
			t.Fatal(err)
		}
		want, err := ask(t, r, path)
		if err != nil {
			t.Fatal(err)
		}
		res, err := r.Resolve(t.Context(), resolve.Request{Steps: back, Keys: of("path", "signed")})
		if got := devicetest.Show(res.Value); err != nil || got != want {
			t.Errorf("%s comes back as %v and gives %s (%v), want %s", path, back, got, err, want)
		}
	}
	list := message.List{of("device", "lab@1.0"), of("path", "origin")}
	steps, err := device.Steps(device.Numbered(list))
	if err != nil {
		t.Fatal(err)
	}
	if res, err := r.Resolve(t.Context(), resolve.Request{Path: "/x", Steps: steps, Keys: of("path", "signed")}); err != nil || devicetest.Show(res.Value) != "signed" {
		t.Error(res.Value, err)
	}
	if _, err := device.Steps(message.List{message.List{}}); fault.CodeOf(err) != "step-malformed" {
		t.Error(err)
	}
}

func TestWhatWasSignedReachesTheDevice(t *testing.T) {
	_, _, r := newLab(t, resolve.Limits{})
	res, err := r.Resolve(t.Context(), resolve.Request{Path: "/~lab@1.0/origin", Keys: of("path", "signed")})
	if err != nil || devicetest.Show(res.Value) != "signed" {
		t.Error(res.Value, err)
	}
}

func TestCallsOfOneGroupAreMadeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _, r := newLab(t, resolve.Limits{})
		l.gate = make(chan struct{})
		var group sync.WaitGroup
		answers := make([]string, 20)
		for i := range answers {
			group.Go(func() { answers[i], _ = ask(t, r, fmt.Sprintf("/~lab@1.0&i=%d/slow&group=g", i)) })
		}
		group.Go(func() {
			if got, err := ask(t, r, "/~lab@1.0/slow&group=other"); err != nil || got != "2" {
				t.Errorf("another group answers %s (%v)", got, err)
			}
		})
		synctest.Wait()
		close(l.gate)
		group.Wait()
		for _, a := range answers {
			if a != "2" {
				t.Fatalf("answers %v", answers)
			}
		}
		if n := l.calls.Load(); n != 2 {
			t.Errorf("called %d times", n)
		}
		if s := r.Stats(); s.Shared != 19 {
			t.Errorf("%d answers were shared", s.Shared)
		}
	})
}

func TestOneThatGoesAwayDoesNotTakeOthersAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _, r := newLab(t, resolve.Limits{})
		l.gate = make(chan struct{})
		ctx, leave := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() {
			_, err := r.Resolve(ctx, resolve.Request{Path: "/~lab@1.0/slow&group=g"})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("the one that left: %v", err)
			}
		})
		synctest.Wait()
		group.Go(func() {
			if got, err := ask(t, r, "/~lab@1.0/slow&group=g"); err != nil || got != "2" {
				t.Errorf("the one that stayed: %s (%v)", got, err)
			}
		})
		synctest.Wait()
		leave()
		synctest.Wait()
		close(l.gate)
		group.Wait()
	})
}

func TestRequestsNeverWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _, r := newLab(t, resolve.Limits{Depth: 20})
		l.gate = make(chan struct{})
		var group sync.WaitGroup
		for _, path := range []string{"/~lab@1.0/via&group=a&next=b", "/~lab@1.0/via&group=b&next=a"} {
			group.Go(func() {
				if _, err := ask(t, r, path); fault.KindOf(err) != fault.Looped {
					t.Errorf("%s ends with %v", path, err)
				}
			})
		}
		synctest.Wait()
		close(l.gate)
		group.Wait() // a bubble whose requests all wait is reported as a deadlock
	})
}

func TestRequestsHaveAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _, r := newLab(t, resolve.Limits{Time: time.Second})
		l.gate = make(chan struct{})
		began := time.Now()
		_, err := ask(t, r, "/~lab@1.0/slow")
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

func TestAnExplanationSaysWhatWasDone(t *testing.T) {
	_, node, _ := newLab(t, resolve.Limits{})
	id, _ := node.Contents.Write(t.Context(), of("a", "b"))
	var events []device.Event
	seen := node.Derive()
	seen.Observe = func(e device.Event) { events = append(events, e) }
	r := resolve.New(seen, resolve.Limits{})
	for _, want := range [][]string{{"parse", "read " + id.String(), "call lab@1.0 pure -> 200 "}, {"parse", "read", "call lab@1.0 pure -> 200 cached"}} {
		e := &resolve.Explanation{}
		if _, err := r.Resolve(t.Context(), resolve.Request{Path: "/" + id.String() + "~lab@1.0/pure", Explain: e}); err != nil {
			t.Fatal(err)
		}
		t.Logf("\n%s", e)
		lines := strings.Split(strings.TrimSpace(e.String()), "\n")
		if len(lines) != len(want) || len(e.Message()) != len(want) {
			t.Fatalf("%s", e)
		}
		for i, line := range lines {
			if !strings.Contains(line, want[i]) {
				t.Errorf("%q does not say %q", line, want[i])
			}
		}
	}
	e := &resolve.Explanation{}
	if _, err := r.Resolve(t.Context(), resolve.Request{Path: "/~lab@1.0/unpaid", Explain: e}); err == nil || !strings.Contains(e.String(), "-> 402 status-402") {
		t.Errorf("%v\n%s", err, e)
	}
	if len(events) != 3 || events[0].Device != "lab@1.0" || events[0].Cached || !events[1].Cached || events[2].Err == nil {
		t.Errorf("%v", events)
	}
}

func FuzzResolve(f *testing.F) {
	for _, s := range []string{"/~message@1.0&a=1/a", "/a&k=(b/c)?d+resolve=/e", "/~lab@1.0/args&n=1/set&x=2/keys", "/()()/~lab@1.0/walk/x", "/a/id?committers=all", "/a/remove&items=a,b/commit"} {
		f.Add(s)
	}
	l := &lab{}
	r := resolve.New(&device.Node{Registry: device.All().With(device.NewRegistry(l.device()))}, resolve.Limits{Steps: 500})
	f.Fuzz(func(t *testing.T, path string) {
		if strings.Contains(path, "panic") || strings.Contains(path, "slow") || strings.Contains(path, "via") {
			t.Skip("meant to fail or to wait")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		res, err := r.Resolve(ctx, resolve.Request{Path: path})
		if ctx.Err() != nil {
			t.Fatalf("%q has no end", path)
		}
		if _, is := device.OutcomeOf(err); err != nil && !is && fault.KindOf(err) == fault.Internal {
			t.Fatalf("%q: %v", path, err)
		}
		if _, bad := res.Hashpath.Text(); bad != nil {
			t.Fatalf("%q: %v", path, bad)
		}
	})
}

func BenchmarkReadAKey(b *testing.B) {
	r := resolve.New(&device.Node{Registry: device.All()}, resolve.Limits{})
	keys := of("method", "GET")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Resolve(b.Context(), resolve.Request{Path: "/~message@1.0&hello=world/hello", Keys: keys, How: device.How{CacheControl: "always"}}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkKeptAnswer(b *testing.B) {
	_, _, r := newLab(b, resolve.Limits{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Resolve(b.Context(), resolve.Request{Path: "/~lab@1.0&hello=world/pure", How: device.How{CacheControl: "always"}}); err != nil {
			b.Fatal(err)
		}
	}
}

// One read by a device of what it works on, as Lua programs and stacks make them.
func BenchmarkGetWithinACall(b *testing.B) {
	const gets = 100
	reader := device.NewRegistry(device.Device{Name: "reader@1.0", Doc: "reads", Keys: device.Keys{"read": {Doc: "nothing", Do: func(c *device.Call, base, _ message.Message) (message.Value, error) {
		for range gets {
			if _, err := c.Get(base, "in/x"); err != nil {
				return nil, err
			}
		}
		return message.Bytes(""), nil
	}}}})
	r := resolve.New(&device.Node{Registry: device.All().With(reader)}, resolve.Limits{})
	base := of("device", "reader@1.0", "in", of("x", "y"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Run(b.Context(), base, []device.Step{device.Ask("read")}, device.How{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*gets), "ns/get")
}
