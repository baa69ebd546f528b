// Package contenttest says what contents have to do, as tests that every implementation runs.
package contenttest

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"ago/codec/httpsig"
	"ago/commitment"
	"ago/device"
	"ago/fault"
	"ago/message"
	"ago/message/messagetest"
)

// Contents makes the contents under test.
type Contents struct {
	Open func(t testing.TB) device.Contents // empty ones
	// Reopen closes contents and opens what is left of them; nil if nothing is meant to be left.
	Reopen func(t testing.TB, c device.Contents) device.Contents
	Key    *commitment.Key // to sign with
}

// Run runs the suite.
func Run(t *testing.T, contents Contents) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Contents)
	}{
		{"what is absent is not found", testAbsent},
		{"every value is read back", testValues},
		{"random messages are read back with their ids", testRandom},
		{"large messages and lists are read back", testLarge},
		{"messages in a message come as links", testChildren},
		{"a signed message is found by each of its ids", testSigned},
		{"each commitment has what it covers", testCoverage},
		{"a forged commitment is refused", testForged},
		{"private keys are not kept", testPrivate},
		{"names lead to messages and into them", testNames},
		{"an id stays what it is", testTaken},
		{"names are listed", testList},
		{"messages are found by their keys", testMatch},
		{"paths that cannot be are refused", testPaths},
		{"many write the same", testParallel},
		{"what was written is there after opening again", testReopen},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, contents) })
	}
}

func of(pairs ...any) message.Message {
	fs := make([]message.Field, 0, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		v, ok := pairs[i+1].(message.Value)
		if text, is := pairs[i+1].(string); is {
			v, ok = message.Bytes(text), true
		}
		if !ok {
			panic("no value")
		}
		fs = append(fs, message.Field{Key: pairs[i].(string), Value: v})
	}
	return message.New(fs...)
}

func write(t testing.TB, c device.Contents, v message.Value) message.ID {
	t.Helper()
	id, err := c.Write(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func read(t testing.TB, c device.Contents, path string) message.Value {
	t.Helper()
	v, err := c.Read(t.Context(), path)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return v
}

// whole follows the links of a value, but not those that were in the message before it was kept.
func whole(t testing.TB, c device.Contents, v message.Value) message.Value {
	t.Helper()
	out, err := message.New(message.Field{Key: "v", Value: v}).Bundle(func(l message.Link) (message.Value, error) {
		v, err := c.Read(t.Context(), l.To.String())
		if err != nil && fault.KindOf(err) == fault.NotFound {
			return message.Bytes("absent:" + l.To.String()), nil
		}
		return v, err
	})
	if err != nil {
		t.Fatal(err)
	}
	v, _ = out.Get("v")
	return v
}

func refused(t testing.TB, err error, kind fault.Kind) {
	t.Helper()
	if err == nil || fault.KindOf(err) != kind {
		t.Fatalf("error %v, want one of kind %v", err, kind)
	}
}

func testAbsent(t *testing.T, contents Contents) {
	c := contents.Open(t)
	id := message.HashOf([]byte("nobody"))
	for _, path := range []string{id.String(), id.String() + "/key", "name", "name/deeper", "data/" + id.String(), id.String() + "/" + id.String()} {
		_, err := c.Read(t.Context(), path)
		refused(t, err, fault.NotFound)
	}
	if names, err := c.List(t.Context(), "name"); err != nil || len(names) > 0 {
		t.Errorf("names %v, %v", names, err)
	}
	if ids, err := c.Match(t.Context(), of("a", "b")); err != nil || len(ids) > 0 {
		t.Errorf("matches %v, %v", ids, err)
	}
}

func testValues(t *testing.T, contents Contents) {
	c := contents.Open(t)
	big, _ := message.Whole(strings.Repeat("9", 60))
	for _, v := range []message.Value{
		message.Bytes(""), message.Bytes("text"), message.Bytes(strings.Repeat("long", 1000)), message.Bytes(strings.Repeat("blob", 100_000)),
		message.Int(-5), big, message.Float(0.1), message.Atom("true"), message.Link{To: message.HashOf(nil)},
		message.List{}, message.List{message.Bytes("a"), message.Int(2), message.Atom("ok")},
		message.List{of("a", "b"), message.List{message.List{}}}, message.List{message.Bytes(strings.Repeat("x", 3000))},
		of(), of("a", "b"), of("", "empty"), of("a", of("b", of("c", message.List{of()}))),
		of("long", strings.Repeat("long", 1000), "blob", strings.Repeat("blob", 100_000)),
	} {
		id := write(t, c, v)
		got := read(t, c, id.String())
		if _, link := v.(message.Link); !link {
			got, v = whole(t, c, got), whole(t, c, v)
		}
		if !message.Equal(got, v) {
			t.Errorf("%.100v was read back as %.100v", v, got)
		}
		switch v := v.(type) {
		case message.Message:
			if id != v.SignedID() {
				t.Errorf("%v has the id %s, not %s", v, v.SignedID(), id)
			}
		case message.List:
			if id != v.ID() {
				t.Errorf("%v has the id %s, not %s", v, v.ID(), id)
			}
		case message.Bytes:
			if id != message.HashOf([]byte(v)) {
				t.Errorf("%.50q is not found by its hash", v)
			}
			if got := read(t, c, "data/"+id.String()); got != v {
				t.Errorf("the data are %.50v", got)
			}
		}
	}
	_, err := c.Write(t.Context(), nil)
	refused(t, err, fault.Malformed)
	_, err = c.Write(t.Context(), message.List{nil})
	refused(t, err, fault.Malformed)
}

func testRandom(t *testing.T, contents Contents) {
	c := contents.Open(t)
	rapid.Check(t, func(r *rapid.T) {
		m := messagetest.Messages(3).Draw(r, "message")
		id, err := c.Write(t.Context(), m)
		if err != nil {
			r.Fatal(err)
		}
		v, err := c.Read(t.Context(), id.String())
		if err != nil {
			r.Fatal(err)
		}
		got, ok := v.(message.Message)
		if !ok || got.SignedID() != m.SignedID() || got.UnsignedID() != m.UnsignedID() {
			r.Fatalf("%v was read back as %v, with another id", m, v)
		}
		if !message.Equal(bodied(whole(t, c, got)), bodied(whole(t, c, m))) {
			r.Fatalf("%v was read back as %v", m, got)
		}
	})
}

// bodied leaves out empty bodies: a message with one has the id of that without, so which of the two is read back is which was
// written first.
func bodied(v message.Value) message.Value {
	switch v := v.(type) {
	case message.List:
		out := make(message.List, len(v))
		for i, part := range v {
			out[i] = bodied(part)
		}
		return out
	case message.Message:
		var out message.Message
		for key, part := range v.All() {
			if part = bodied(part); key != "body" || part != message.Value(message.Bytes("")) {
				out = out.With(key, part)
			}
		}
		return out
	}
	return v
}

func testLarge(t *testing.T, contents Contents) {
	c := contents.Open(t)
	for _, n := range []int{63, 64, 65, 200, 5000} {
		var fs []message.Field
		var list message.List
		for i := range n {
			key := message.HashOf([]byte{byte(i), byte(i >> 8)}).String()
			fs = append(fs, message.Field{Key: key, Value: message.Int(i)})
			list = append(list, message.Bytes(key))
		}
		m := message.New(fs...).With("list", list)
		id := write(t, c, m)
		if contents.Reopen != nil && n == 5000 {
			c = contents.Reopen(t, c)
		}
		if got := whole(t, c, read(t, c, id.String())); !message.Equal(got, m) {
			t.Errorf("a message of %d keys was not read back", n)
		}
		if got := read(t, c, id.String()+"/list/7"); got != list[6] {
			t.Errorf("member 7 is %v", got)
		}
	}
}

func testChildren(t *testing.T, contents Contents) {
	c := contents.Open(t)
	child := of("deep", of("deeper", "text"))
	m := of("child", child, "few", message.List{message.Bytes("a"), message.Int(1)}, "messages", message.List{child})
	got, _ := read(t, c, write(t, c, m).String()).(message.Message)
	if v, _ := got.Get("child"); v != (message.Link{To: child.SignedID()}) {
		t.Errorf("the child is %v", v)
	}
	if v, _ := got.Get("messages"); v != (message.Link{To: message.List{child}.ID(), Type: message.TypeList}) {
		t.Errorf("the list of messages is %v", v)
	}
	if v, _ := got.Get("few"); !message.Equal(v, message.List{message.Bytes("a"), message.Int(1)}) {
		t.Errorf("the list of few is %v", v)
	}
	if v := read(t, c, child.SignedID().String()+"/deep/deeper"); v != message.Bytes("text") {
		t.Errorf("the child's own is %v", v)
	}
	if got.UnsignedID() != m.UnsignedID() {
		t.Error("the message has another id with links")
	}
}

func signed(t testing.TB, k *commitment.Key, m message.Message, terms httpsig.Terms) message.Message {
	t.Helper()
	m, err := httpsig.Commit(m, k, terms)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func testSigned(t *testing.T, contents Contents) {
	c := contents.Open(t)
	m := signed(t, contents.Key, of("a", "b", "n", message.Int(5), "in", of("c", "d")), httpsig.Terms{})
	id := write(t, c, m)
	if id != m.SignedID() {
		t.Fatalf("written as %s, its id is %s", id, m.SignedID())
	}
	ids := []string{id.String(), m.UnsignedID().String()}
	for key := range m.Commitments().All() {
		ids = append(ids, key)
	}
	for _, id := range ids {
		got, _ := read(t, c, id).(message.Message)
		if !message.Equal(whole(t, c, got), m) || got.SignedID() != m.SignedID() {
			t.Errorf("%s is %v", id, got)
		}
		if who, err := commitment.VerifyEntries(got); err != nil || len(who) != 1 {
			t.Errorf("%s is signed by %v, %v", id, who, err)
		}
		write(t, c, got)
	}
	bare := m.Without(message.KeyCommitments)
	got, _ := read(t, c, write(t, c, bare).String()).(message.Message)
	if !message.Equal(whole(t, c, got), bare) {
		t.Errorf("without its commitments it is %v", got)
	}
}

func testCoverage(t *testing.T, contents Contents) {
	c := contents.Open(t)
	m := signed(t, contents.Key, of("a", "1", "b", "2", "c", "3"), httpsig.Terms{Keys: []string{"a", "b"}})
	id := write(t, c, m)
	got, _ := read(t, c, id.String()).(message.Message)
	if _, ok := got.Get("c"); ok || got.Text("b") != "2" {
		t.Errorf("kept is %v", got)
	}
	// Another commitment, over one key more, of the same message.
	more := signed(t, contents.Key, of("a", "1", "b", "2", "c", "3"), httpsig.Terms{})
	all := m.Commitments()
	for key, v := range more.Commitments().All() {
		all = all.With(key, v)
	}
	both := of("a", "1", "b", "2", "c", "3", message.KeyCommitments, all)
	if id = write(t, c, both); id != both.SignedID() {
		t.Errorf("written as %s, its id is %s", id, both.SignedID())
	}
	for key, v := range all.All() {
		entry, _ := v.(message.Message)
		list, _ := entry.Get("committed")
		got, _ := read(t, c, key).(message.Message)
		for _, k := range []string{"a", "b", "c"} {
			_, has := got.Get(k)
			covers := slices.Contains(list.(message.List), message.Value(message.Bytes(k)))
			if has != covers {
				t.Errorf("under the commitment %s, which covers %v, is %v", key, list, got)
			}
		}
		if _, err := commitment.VerifyEntries(got); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func testForged(t *testing.T, contents Contents) {
	c := contents.Open(t)
	m := signed(t, contents.Key, of("a", "b"), httpsig.Terms{})
	forged := of("a", "c", message.KeyCommitments, m.Commitments())
	_, err := c.Write(t.Context(), forged)
	refused(t, err, fault.Forged)
	_, err = c.Write(t.Context(), of("in", message.List{of("deep", forged)}))
	refused(t, err, fault.Forged)
	_, err = c.Read(t.Context(), m.SignedID().String())
	refused(t, err, fault.NotFound)
	write(t, c, m)
	_, err = c.Write(t.Context(), forged) // though the id is known
	refused(t, err, fault.Forged)
}

func testPrivate(t *testing.T, contents Contents) {
	c := contents.Open(t)
	id := write(t, c, of("a", "b", "priv", of("x", "y"), "priv_key", "secret", "in", of("private", "z")))
	got, _ := whole(t, c, read(t, c, id.String())).(message.Message)
	if want := of("a", "b", "in", of()); !message.Equal(got, want) {
		t.Errorf("kept is %v", got)
	}
}

func link(t testing.TB, c device.Contents, path string, to message.ID) {
	t.Helper()
	if err := c.Link(t.Context(), path, to); err != nil {
		t.Fatal(err)
	}
}

func testNames(t *testing.T, contents Contents) {
	c := contents.Open(t)
	base := write(t, c, of("x", of("y", "of the message")))
	result := write(t, c, of("y", "of the result", "list", message.List{of("z", "deep")}))
	link(t, c, base.String()+"/compute", result)
	link(t, c, "computed/p/slot/7", result)
	link(t, c, "local-name@1.0/my", base)
	for path, want := range map[string]string{
		base.String() + "/x/y": "of the message", base.String() + "/compute/y": "of the result", "/computed/p/slot/7/y/": "of the result",
		"computed/p/slot/7/list/1/z": "deep", "local-name@1.0/my/x/y": "of the message",
	} {
		if got := read(t, c, path); got != message.Bytes(want) {
			t.Errorf("%s is %v", path, got)
		}
	}
	link(t, c, base.String()+"/x", result) // a result counts more than a key
	if got := read(t, c, base.String()+"/x/y"); got != message.Bytes("of the result") {
		t.Errorf("the result's is %v", got)
	}
	link(t, c, "local-name@1.0/my", result)
	if got := read(t, c, "local-name@1.0/my/y"); got != message.Bytes("of the result") {
		t.Errorf("linked again it is %v", got)
	}
	for _, path := range []string{"computed/p/slot", "computed/p/slot/7/list/2", "computed/p/slot/7/y/z", "computed/p/slot/7/none"} {
		_, err := c.Read(t.Context(), path)
		refused(t, err, fault.NotFound)
	}
	link(t, c, "to/nothing", message.HashOf([]byte("none")))
	_, err := c.Read(t.Context(), "to/nothing")
	refused(t, err, fault.NotFound)
}

func testTaken(t *testing.T, contents Contents) {
	c := contents.Open(t)
	m := signed(t, contents.Key, of("a", "b"), httpsig.Terms{})
	id, other := write(t, c, m), write(t, c, of("c", "d"))
	link(t, c, id.String(), id)
	link(t, c, m.UnsignedID().String(), id)
	refused(t, c.Link(t.Context(), id.String(), other), fault.Conflict)
	refused(t, c.Link(t.Context(), message.HashOf([]byte("free")).String(), other), fault.Conflict)
	refused(t, c.Link(t.Context(), "data/"+id.String(), other), fault.Conflict)
	if got, _ := read(t, c, id.String()).(message.Message); got.Text("a") != "b" {
		t.Errorf("it is %v now", got)
	}
}

func testList(t *testing.T, contents Contents) {
	c := contents.Open(t)
	id := write(t, c, of("k", "v", "a", "b"))
	for _, name := range []string{"n/b", "n/b/c", "n/a/x/y", "n/ab", "n/b0", "nn/z", "n/é"} {
		link(t, c, name, id)
	}
	link(t, c, id.String()+"/result", id)
	link(t, c, "n/a/k", id)
	for path, want := range map[string][]string{
		"n": {"a", "ab", "b", "b0", "é"}, "n/a": {"k", "x"}, "n/b": {"a", "c", "k"}, id.String(): {"a", "k", "result"}, "none": nil,
	} {
		got, err := c.List(t.Context(), path)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("below %s are %v, %v, want %v", path, got, err, want)
		}
	}
}

func testMatch(t *testing.T, contents Contents) {
	c := contents.Open(t)
	child := of("c", "d")
	x := write(t, c, of("type", "x", "n", message.Int(1), "in", child))
	y := write(t, c, of("type", "y", "n", "1"))
	z := write(t, c, signed(t, contents.Key, of("type", "x", "n", message.Int(2), "long", strings.Repeat("l", 5000)), httpsig.Terms{}))
	sorted := func(ids ...message.ID) []message.ID {
		slices.SortFunc(ids, func(a, b message.ID) int { return slices.Compare(a[:], b[:]) })
		return ids
	}
	for _, test := range []struct {
		want message.Message
		ids  []message.ID
	}{
		{of(), nil}, {of("type", "x"), sorted(x, z)}, {of("n", "1"), sorted(x, y)}, {of("n", message.Int(1), "type", "x"), sorted(x)},
		{of("type", "x", "n", "3"), nil}, {of("in", child), sorted(x)}, {of("long", strings.Repeat("l", 5000)), sorted(z)}, {of("c", "d"), sorted(child.SignedID())},
		{of("type", "x", "n", message.Int(1), "in", message.Link{To: child.SignedID()}), sorted(x)}, {of("none", "x"), nil},
	} {
		got, err := c.Match(t.Context(), test.want)
		if err != nil || !slices.Equal(got, test.ids) {
			t.Errorf("%.100v matches %v, %v, want %v", test.want, got, err, test.ids)
		}
	}
}

func testPaths(t *testing.T, contents Contents) {
	c := contents.Open(t)
	id := write(t, c, of("a", "b"))
	for _, path := range []string{"", "/", "a//b", "a\x00b", strings.Repeat("x", 5000), strings.Repeat("x/", 100) + "x"} {
		_, err := c.Read(t.Context(), path)
		refused(t, err, fault.Malformed)
		refused(t, c.Link(t.Context(), path, id), fault.Malformed)
		_, err = c.List(t.Context(), path)
		refused(t, err, fault.Malformed)
	}
}

func testParallel(t *testing.T, contents Contents) {
	c := contents.Open(t)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for n := range 20 {
				m := of("shared", of("n", message.Int(n), "text", strings.Repeat("s", 2000)), "own", message.Int(i%2))
				id, err := c.Write(t.Context(), m)
				if err != nil {
					t.Error(err)
					return
				}
				v, err := c.Read(t.Context(), id.String()+"/shared/n")
				if err != nil || v != message.Int(n) {
					t.Errorf("%v, %v", v, err)
				}
			}
		})
	}
	group.Wait()
}

func testReopen(t *testing.T, contents Contents) {
	if contents.Reopen == nil {
		t.Skip("nothing is meant to be left")
	}
	c := contents.Open(t)
	m := signed(t, contents.Key, of("a", of("b", "c"), "blob", strings.Repeat("blob", 100_000)), httpsig.Terms{})
	id := write(t, c, m)
	link(t, c, "name/of/it", id)
	c = contents.Reopen(t, c)
	for _, path := range []string{id.String(), m.UnsignedID().String(), "name/of/it"} {
		if got := whole(t, c, read(t, c, path)); !message.Equal(got, m) {
			t.Errorf("%s is %.200v", path, got)
		}
	}
	if write(t, c, m) != id {
		t.Error("it has another id when it is written again")
	}
}
