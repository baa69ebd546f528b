package luabridge

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"testing"

	"ago/devices/running"
	"ago/message"
	"ago/message/messagetest"
	"ago/vm"
	"ago/vm/lua"

	"pgregory.net/rapid"
)

// engine is one for all tests: compiling the machine takes longer than they do.
var engine vm.Engine

func TestMain(m *testing.M) {
	var err error
	if engine, err = lua.New(lua.Config{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	engine.Close()
	os.Exit(code)
}

func open(t testing.TB, text string, snapshots ...io.Reader) *running.Program {
	t.Helper()
	s, err := start(t.Context(), Program([]Source{{"test", []byte(text)}}, nil), snapshots...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func start(ctx context.Context, text []byte, snapshots ...io.Reader) (*running.Program, error) {
	p, err := running.Open(ctx, SourceOf(engine, vm.Limits{}, func() ([]byte, error) { return text, nil }), snapshots...)
	return p, Started(err)
}

func one(t testing.TB, s running.Evaluator, function string, args ...message.Value) message.Value {
	t.Helper()
	out, err := Call(t.Context(), s, nil, function, args)
	if err != nil {
		t.Fatalf("%s: %v", function, err)
	}
	if len(out) == 0 {
		return nil
	}
	return out[0]
}

func field(key string, v message.Value) message.Field { return message.Field{Key: key, Value: v} }

const identity = "function same(...) return ... end"

func TestAnyMessageComesBackFromLua(t *testing.T) {
	s := open(t, identity)
	rapid.Check(t, func(rt *rapid.T) {
		m := crossing(messagetest.Messages(3).Draw(rt, "message")).(message.Message)
		out, err := Call(t.Context(), s, nil, "same", []message.Value{m})
		if err != nil {
			rt.Fatal(err)
		}
		if !message.Equal(out[0], m) {
			rt.Fatalf("%v comes back as %v", m, out[0])
		}
	})
}

// crossing leaves out what never crosses: links, which are loaded before, and private keys.
func crossing(v message.Value) message.Value {
	switch v := v.(type) {
	case message.Link:
		return message.Bytes(v.To.String())
	case message.List:
		out := make(message.List, len(v))
		for i, e := range v {
			out[i] = crossing(e)
		}
		return out
	case message.Message:
		var fs []message.Field
		for key, e := range v.All() {
			if !hidden(key, e) {
				fs = append(fs, field(key, crossing(e)))
			}
		}
		return message.New(fs...)
	}
	return v
}

func TestValuesKeepTheirKinds(t *testing.T) {
	s := open(t, identity+`
function kinds(m)
  local out = {}
  for k, v in pairs(m) do out[k] = math.type(v) or type(v) end
  return out
end
function made()
  return {int = 3, whole = 3.0, half = 0.5, text = "a\0b\255", yes = true, list = {1, "b", {c = 1}}, map = {["1"] = "x"}, empty = {},
    sparse = {[1] = "a", [3] = "c"}, zero = {[0] = "z", "a"}}
end
function loop() local t = {} t.t = t return t end
function fn() return {f = print} end
function key() return {[1.5] = 1} end`)
	in := message.New(field("int", message.Int(math.MinInt64)), field("float", message.Float(2)), field("atom", message.Atom("ok")),
		field("yes", message.Atom("true")), field("big", message.BigInt("123456789012345678901")), field("list", message.List{}),
		field("commitments", message.New(field("x", message.New(field("type", message.Bytes("rsa-pss-sha512")))))))
	want := `float "float" int "integer" atom "string" yes "boolean" big "string" list "table"`
	kinds := one(t, s, "kinds", in).(message.Message)
	for i := strings.Fields(want); len(i) > 0; i = i[2:] {
		if kinds.Text(i[0]) != strings.Trim(i[1], `"`) {
			t.Errorf("%s is a %s in Lua, want %s", i[0], kinds.Text(i[0]), i[1])
		}
	}
	if back := one(t, s, "same", in); !message.Equal(back, in) {
		t.Errorf("%v comes back as %v", in, back)
	}
	made := message.New(field("int", message.Int(3)), field("whole", message.Float(3)), field("half", message.Float(0.5)),
		field("text", message.Bytes("a\x00b\xff")), field("yes", message.Atom("true")),
		field("list", message.List{message.Int(1), message.Bytes("b"), message.New(field("c", message.Int(1)))}),
		field("map", message.New(field("1", message.Bytes("x")))), field("empty", message.New()),
		field("sparse", message.New(field("1", message.Bytes("a")), field("3", message.Bytes("c")))),
		field("zero", message.New(field("0", message.Bytes("z")), field("1", message.Bytes("a")))))
	if got := one(t, s, "made"); !message.Equal(got, made) {
		t.Errorf("Lua made %v", got)
	}
	for function, want := range map[string]string{"loop": "contains itself", "fn": "cannot hold a function", "key": "cannot have a key"} {
		if _, err := Call(t.Context(), s, nil, function, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", function, err)
		}
	}
	private := message.New(field("a", message.Int(1)), field("private", message.Int(2)))
	if got := one(t, s, "kinds", private).(message.Message); got.Len() != 1 {
		t.Errorf("Lua sees %v", got)
	}
}

func TestCommitmentsHaveBothNames(t *testing.T) {
	s := open(t, `function names(m) local out = {} for id, c in pairs(m.commitments) do out[id] = c.alg .. " " .. c.type end return out end`)
	c := func(key, name string) message.Value { return message.New(field(key, message.Bytes(name))) }
	got := one(t, s, "names", message.New(field("commitments", message.New(
		field("a", c("type", "rsa-pss-sha512")), field("b", c("alg", "hmac-sha256")), field("c", c("type", "rsa-pss-sha256")))))).(message.Message)
	for id, want := range map[string]string{"a": "rsa-pss-sha512 rsa-pss-sha512", "b": "hmac-sha256 hmac-sha256", "c": "rsa-pss-sha512 rsa-pss-sha256"} {
		if got.Text(id) != want {
			t.Errorf("%s: %s", id, got.Text(id))
		}
	}
}

const counting = `local n = 0
setmetatable(_G, {__index = function(t, k) if k == "twice" then return n * 2 end end})
function count(by) n = n + (by or 1) return n end
function double() return twice end
function fail(by) n = n + by error({status = 400, body = "no more"}) end
function deep() local t = nil; return t.x end`

func TestStateIsCommittedUndoneAndKept(t *testing.T) {
	s := open(t, counting)
	is := func(want int64, got message.Value) {
		t.Helper()
		if got != message.Value(message.Int(want)) {
			t.Fatalf("%v, want %d", got, want)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	is(1, one(t, s, "count"))
	must(s.Rollback())
	is(1, one(t, s, "count"))
	must(s.Commit())
	var full, change, third, fourth bytes.Buffer
	must(snapshot(s, &full, true))
	is(2, one(t, s, "count"))
	must(s.Commit())
	must(snapshot(s, &change, false))
	if change.Len() > full.Len()/2 {
		t.Errorf("a change takes %d bytes, all %d", change.Len(), full.Len())
	}

	f, err := s.Fork(t.Context())
	must(err)
	is(102, one(t, f.(*running.Trial), "count", message.Int(100)))
	must(f.Close())

	// Several calls of one message are undone together.
	is(3, one(t, s, "count"))
	is(4, one(t, s, "count"))
	must(snapshot(s, &third, false)) // while it is under way
	half, err := s.Fork(t.Context())
	must(err)
	is(3, one(t, half.(*running.Program), "count"))
	must(half.Close())
	must(s.Rollback())
	is(3, one(t, s, "count"))
	must(s.Commit())
	must(snapshot(s, &fourth, false))
	must(s.Commit())

	for want, buffers := range map[int64][]*bytes.Buffer{1: {&full}, 2: {&full, &change}, 4: {&full, &change, &third, &fourth}} {
		var readers []io.Reader
		for _, b := range buffers {
			readers = append(readers, bytes.NewReader(b.Bytes()))
		}
		r, err := start(t.Context(), nil, readers...)
		must(err)
		if want == 4 {
			want = 3
		}
		is(2*want, one(t, r, "double"))
		must(r.Close())
	}

	_, err = Call(t.Context(), s, nil, "fail", []message.Value{message.Int(5)})
	thrown, ok := err.(*Thrown)
	if !ok || thrown.Error() != "no more" || len(thrown.Trace) == 0 || !strings.Contains(strings.Join(thrown.Trace, "\n"), "test:5: in function 'fail'") {
		t.Errorf("%#v", err)
	}
	must(s.Rollback())
	_, err = Call(t.Context(), s, nil, "deep", nil)
	if err == nil || !strings.HasPrefix(err.Error(), "test:6: attempt to index a nil value") {
		t.Error(err)
	}
	must(s.Rollback())
	is(6, one(t, s, "double"))
}

func TestTextsThatFailSayWhere(t *testing.T) {
	for text, want := range map[string]string{"x = = 1": "m.lua:1: unexpected symbol near '='", "\nerror('boom')": "m.lua:2: boom", "while true do end": "out of gas"} {
		_, err := start(t.Context(), Program([]Source{{"m.lua", []byte(text)}}, nil))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestASandboxReplaces(t *testing.T) {
	s, err := start(t.Context(), Program([]Source{{"m", []byte(`function see() return {type(load), os.exit, os.time and "time"} end`)}}, DefaultBarred()))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := one(t, s, "see"); !message.Equal(got, message.List{message.Bytes("string"), message.Bytes("sandboxed"), message.Bytes("time")}) {
		t.Error(got)
	}
	if got := one(t, s, FunctionNames); !message.Equal(got, message.List{message.Bytes("see")}) {
		t.Error(got)
	}
}

func FuzzReadList(f *testing.F) {
	b, err := AppendList(nil, []message.Value{message.New(field("a", message.List{message.Int(1), message.Float(2)}), field("b", message.Atom("true")))})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		vs, err := ReadList(b, nil)
		if err != nil {
			return
		}
		again, err := AppendList(nil, vs)
		if err != nil {
			return
		}
		back, err := ReadList(again, vs)
		if err != nil || len(back) != len(vs) {
			t.Fatal(back, err)
		}
	})
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte{1, 1, 'x', 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := start(t.Context(), nil, bytes.NewReader(b)); err == nil {
			s.Close()
		}
	})
}

func BenchmarkCall(b *testing.B) {
	s := open(b, `function compute(base, req) base.count = (base.count or 0) + 1 base.results = {output = req.body.data} return base end`)
	base := message.New(field("process", message.New(field("authority", message.Bytes("x")))))
	req := message.New(field("body", message.New(field("data", message.Bytes("hello")))))
	b.ReportAllocs()
	for b.Loop() {
		base = one(b, s, "compute", base, req).(message.Message)
		if err := s.Commit(); err != nil {
			b.Fatal(err)
		}
	}
}

// snapshot pins and writes.
func snapshot(s interface {
	Pin(full bool) (func(io.Writer) error, error)
}, w io.Writer, full bool) error {
	write, err := s.Pin(full)
	if err != nil {
		return err
	}
	return write(w)
}
