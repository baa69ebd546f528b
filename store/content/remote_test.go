package content_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ago/codec/httpsig"
	"ago/fault"
	"ago/message"
	"ago/store/content"
	"ago/store/memory"
)

// place is one that a test fills.
type place struct {
	by    map[message.ID]message.Value
	err   error         // given for what it has not; NotFound if nil
	waits time.Duration // before it answers
	asked atomic.Int64
	keeps bool
}

func (p *place) Keeps() bool { return p.keeps }

func (p *place) Name() string { return "a place" }

func (p *place) Fetch(ctx context.Context, id message.ID) (message.Value, error) {
	p.asked.Add(1)
	if p.waits > 0 {
		select {
		case <-time.After(p.waits):
		case <-ctx.Done():
			return nil, fault.Wrap(ctx.Err(), fault.Unavailable, "slow", "too slow")
		}
	}
	if v, ok := p.by[id]; ok {
		return v, nil
	}
	if p.err != nil {
		return nil, p.err
	}
	return nil, fault.New(fault.NotFound, "none", "none")
}

func inMemory(o content.Options) *content.Contents {
	o.Tables, o.Blobs = memory.New(), memory.NewBlobs()
	return content.New(o)
}

func text(key, value string) message.Field {
	return message.Field{Key: key, Value: message.Bytes(value)}
}

func sign(t testing.TB, fs ...message.Field) message.Message {
	t.Helper()
	m, err := httpsig.Commit(message.New(fs...), key(), httpsig.Terms{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func wants(t *testing.T, c *content.Contents, path string, kind fault.Kind) {
	t.Helper()
	if v, err := c.Read(t.Context(), path); err == nil || fault.KindOf(err) != kind {
		t.Errorf("%s: %v, %v; want an error of kind %v", path, v, err, kind)
	}
}

func TestRemotesAreAskedInOrderAndOnce(t *testing.T) {
	child := message.New(text("deep", "text"))
	m := sign(t, text("a", "b"), message.Field{Key: "in", Value: message.Link{To: child.SignedID()}})
	first := &place{}
	second := &place{by: map[message.ID]message.Value{m.SignedID(): m, child.SignedID(): child}}
	third := &place{}
	c := inMemory(content.Options{Remotes: []content.Remote{first, second, third}})
	for range 3 {
		v, err := c.Read(t.Context(), m.SignedID().String()+"/in/deep")
		if err != nil || v != message.Bytes("text") {
			t.Fatalf("%v, %v", v, err)
		}
	}
	if first.asked.Load() != 2 || second.asked.Load() != 2 || third.asked.Load() != 0 {
		t.Errorf("asked %d, %d and %d times", first.asked.Load(), second.asked.Load(), third.asked.Load())
	}
	if _, err := c.Local().Read(t.Context(), m.UnsignedID().String()); err != nil {
		t.Errorf("what was imported is not here: %v", err)
	}
	other := message.HashOf([]byte("bytes"))
	second.by[other] = message.Bytes("bytes")
	if _, err := c.Local().Read(t.Context(), other.String()); fault.KindOf(err) != fault.NotFound {
		t.Errorf("here alone: %v", err)
	}
	if v, err := c.Read(t.Context(), other.String()); err != nil || v != message.Bytes("bytes") {
		t.Errorf("%v, %v", v, err)
	}
}

func TestWhatAPlaceKeepsIsCheckedAndNotCopied(t *testing.T) {
	m := message.New(text("a", "b"))
	liar := &place{keeps: true, by: map[message.ID]message.Value{m.SignedID(): message.New()}}
	near := &place{keeps: true, by: map[message.ID]message.Value{m.SignedID(): m}}
	c := inMemory(content.Options{Remotes: []content.Remote{liar, near}})
	for range 2 {
		if v, err := c.Read(t.Context(), m.SignedID().String()); err != nil || !message.Equal(v, m) {
			t.Fatalf("%v, %v", v, err)
		}
	}
	if near.asked.Load() != 2 {
		t.Errorf("asked %d times", near.asked.Load())
	}
	if _, err := c.Local().Read(t.Context(), m.SignedID().String()); fault.KindOf(err) != fault.NotFound {
		t.Errorf("it was copied: %v", err)
	}
}

func TestLinksLeadToRemotes(t *testing.T) {
	m := message.New(text("a", "b"))
	far := &place{by: map[message.ID]message.Value{m.SignedID(): m}}
	c := inMemory(content.Options{Remotes: []content.Remote{far}})
	if err := c.Link(t.Context(), "a/name", m.SignedID()); err != nil {
		t.Fatal(err)
	}
	if v, err := c.Read(t.Context(), "a/name/a"); err != nil || v != message.Bytes("b") {
		t.Errorf("%v, %v", v, err)
	}
	wants(t, c, "another/name", fault.NotFound)
	if far.asked.Load() != 1 {
		t.Errorf("asked %d times", far.asked.Load())
	}
}

func TestLiesAreRefused(t *testing.T) {
	m := sign(t, text("a", "b"))
	forged := message.New(text("a", "c"), message.Field{Key: message.KeyCommitments, Value: m.Commitments()})
	claimed := message.New(text("a", "c")).Decoded(m.SignedID(), "nothing", nil, nil)
	for name, lie := range map[string]message.Value{
		"a forged signature": forged, "another message": message.New(text("x", "y")), "an id that is only claimed": claimed, "bytes": message.Bytes("other"),
		"a list": message.List{message.Int(1)}, "a number": message.Int(1), "nothing": nil,
	} {
		t.Run(name, func(t *testing.T) {
			liar := &place{by: map[message.ID]message.Value{m.SignedID(): lie}}
			c := inMemory(content.Options{Remotes: []content.Remote{liar}})
			wants(t, c, m.SignedID().String(), fault.Unavailable)
			if _, err := c.Local().Read(t.Context(), m.SignedID().String()); fault.KindOf(err) != fault.NotFound {
				t.Errorf("it was kept: %v", err)
			}
			honest := &place{by: map[message.ID]message.Value{m.SignedID(): m}}
			c = inMemory(content.Options{Remotes: []content.Remote{liar, honest}})
			if v, err := c.Read(t.Context(), m.SignedID().String()+"/a"); err != nil || v != message.Bytes("b") {
				t.Errorf("behind the liar: %v, %v", v, err)
			}
		})
	}
}

func TestAbsentIsNotUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		id := message.HashOf([]byte("x"))
		down := &place{err: fault.New(fault.Unavailable, "down", "it is down")}
		none := &place{}
		c := inMemory(content.Options{Remotes: []content.Remote{down, none}})
		wants(t, c, id.String(), fault.Unavailable)
		wants(t, c, id.String(), fault.Unavailable)
		if none.asked.Load() != 2 {
			t.Errorf("asked %d times while one was down", none.asked.Load())
		}
		down.err = nil
		for range 3 {
			wants(t, c, id.String(), fault.NotFound)
		}
		if none.asked.Load() != 3 {
			t.Errorf("asked %d times", none.asked.Load())
		}
		none.by = map[message.ID]message.Value{id: message.Bytes("x")}
		wants(t, c, id.String(), fault.NotFound)
		time.Sleep(10 * time.Second)
		if v, err := c.Read(t.Context(), id.String()); err != nil || v != message.Bytes("x") {
			t.Errorf("after a while: %v, %v", v, err)
		}
	})
}

func TestManyAskersAreOneQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := message.New(text("a", "b"))
		far := &place{by: map[message.ID]message.Value{m.SignedID(): m}, waits: time.Second}
		c := inMemory(content.Options{Remotes: []content.Remote{far}})
		gaveUp, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		var group sync.WaitGroup
		group.Go(func() { // the first asker
			if _, err := c.Read(gaveUp, m.SignedID().String()); fault.KindOf(err) != fault.Unavailable {
				t.Errorf("who gave up has %v", err)
			}
		})
		synctest.Wait()
		for range 8 {
			group.Go(func() {
				if v, err := c.Read(t.Context(), m.SignedID().String()); err != nil || !message.Equal(v, m) {
					t.Errorf("%v, %v", v, err)
				}
			})
		}
		group.Wait()
		if far.asked.Load() != 1 {
			t.Errorf("asked %d times", far.asked.Load())
		}
	})
}

func TestSlowRemotesAreLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := message.New(text("a", "b"))
		slow := &place{by: map[message.ID]message.Value{m.SignedID(): m}, waits: time.Hour}
		quick := &place{by: slow.by}
		c := inMemory(content.Options{Remotes: []content.Remote{slow, quick}, Patience: time.Second})
		start := time.Now()
		if _, err := c.Read(t.Context(), m.SignedID().String()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// Two answers that each claim to be checked by way of the other must not wait for each other for ever.
func TestLiesInACircleEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good := sign(t, text("a", "b"))
		a, b := message.HashOf([]byte("a")), message.HashOf([]byte("b"))
		lie := func(to message.ID) message.Value {
			return message.New(message.Field{Key: "in", Value: message.Link{To: to}}, message.Field{Key: message.KeyCommitments, Value: good.Commitments()})
		}
		liar := &place{by: map[message.ID]message.Value{a: lie(b), b: lie(a)}}
		c := inMemory(content.Options{Remotes: []content.Remote{liar}, Patience: time.Second})
		wants(t, c, a.String(), fault.Unavailable)
		synctest.Wait()
	})
}

func TestPlacesBesideAreLocalAndNotCopied(t *testing.T) {
	m := message.New(text("a", "b"))
	near := &place{by: map[message.ID]message.Value{m.SignedID(): m}}
	c := inMemory(content.Options{Beside: []content.Place{near}})
	outer := message.New(message.Field{Key: "in", Value: message.Link{To: m.SignedID()}})
	id, err := c.Write(t.Context(), outer)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if v, err := c.Local().Read(t.Context(), id.String()+"/in/a"); err != nil || v != message.Bytes("b") {
			t.Fatalf("%v, %v", v, err)
		}
	}
	if near.asked.Load() != 2 {
		t.Errorf("asked %d times", near.asked.Load())
	}
	near.by, near.err = nil, fault.New(fault.Internal, "broken", "broken")
	wants(t, c, m.SignedID().String(), fault.Internal)
}

func TestSourcesGiveWhatIsComputed(t *testing.T) {
	c := inMemory(content.Options{})
	c.Mount("computed", states{})
	m := message.New(text("pinned", "yes"))
	id, err := c.Write(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Link(t.Context(), "computed/p/slot/5", id); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"computed/p/slot/7/at": "7", "computed/p/slot/7/results/data": "of 7", "computed/p/slot/5/pinned": "yes"} {
		if v, err := c.Read(t.Context(), path); err != nil || v != message.Bytes(want) {
			t.Errorf("%s: %v, %v", path, v, err)
		}
	}
	wants(t, c, "computed/p/slot/8", fault.NotFound)
	wants(t, c, "computed/p/slot/7/none", fault.NotFound)
	wants(t, c, "computed/broken", fault.Unavailable)
	if names, err := c.List(t.Context(), "computed/p/slot"); err != nil || strings.Join(names, " ") != "5 7" {
		t.Errorf("%v, %v", names, err)
	}
}

// states are those after slot 7.
type states struct{}

func (states) Read(_ context.Context, path []string) (message.Value, int, error) {
	switch strings.Join(path[:min(3, len(path))], "/") {
	case "p/slot/7":
		return message.New(text("at", "7"), message.Field{Key: "results", Value: message.New(text("data", "of 7"))}), 3, nil
	case "broken":
		return nil, 0, fault.New(fault.Unavailable, "broken", "broken")
	}
	return nil, 0, fault.New(fault.NotFound, "none", "none")
}

func (states) List(_ context.Context, path []string) ([]string, error) {
	if strings.Join(path, "/") == "p/slot" {
		return []string{"7"}, nil
	}
	return nil, nil
}
