package builtin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"ago/vm"
)

func own(t testing.TB, blueprints ...string) *world {
	return newWorld(t, ours(t), true, blueprints...)
}

func TestErrorsNameTheirPlace(t *testing.T) {
	w := own(t)
	code := "local function inner(m)\n  error('no ' .. m.Data)\nend\nHandlers.add('outer', 'Go', function(m)\n  inner(m)\nend)"
	if _, out := w.message(object{"From": ownerID, "Owner": ownerID, "Data": code,
		"Tags": tagList("Action", "Eval", "Source-Name", "src/app.lua")}); out != "" {
		t.Fatal(out)
	}
	_, out := w.message(object{"From": id("X"), "Owner": authority, "Data": "way", "Tags": tagList("Action", "Go")})
	for _, want := range []string{"with Action = Go", "handler: outer", "src/app.lua:2: no way", "src/app.lua:5: in field 'handle'"} {
		if !strings.Contains(out, want) {
			t.Errorf("the error does not say %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, ".handlers:") || strings.Contains(out, ".process:") {
		t.Errorf("the traceback shows the runtime's own lines:\n%s", out)
	}
	// A handler that waited is named, not the one that woke it.
	w.eval("Handlers.add('waiter', 'Wait', function(m) local r = Receive({ Action = 'Wake' })\nerror('woken badly') end)")
	w.send(id("X"), "Wait")
	_, out = w.message(object{"From": id("X"), "Owner": authority, "Data": "", "Tags": tagList("Action", "Wake")})
	if !strings.Contains(out, "handler: waiter") || !strings.Contains(out, "woken badly") || !strings.Contains(out, `[string "aos"]:2: in`) {
		t.Errorf("a handler that waited:\n%s", out)
	}
	if _, out := w.message(object{"From": ownerID, "Owner": ownerID, "Data": "x = = 1", "Tags": tagList("Action", "Eval", "Source-Name", "a.lua")}); !strings.HasPrefix(out, "a.lua:1: ") {
		t.Errorf("text that does not compile: %s", out)
	}
}

func TestFailedBootCanBeRepaired(t *testing.T) {
	i := ours(t)
	tags := append(processTags(), tagList("On-Boot", "Data")...)
	env := environment(tags)
	boot, err := json.Marshal(object{"Id": processID, "Owner": ownerID, "From": ownerID, "Target": processID, "Data": "error('bad')",
		"Tags": tags, "Timestamp": 1, "Block-Height": 1})
	if err != nil {
		t.Fatal(err)
	}
	if a := evaluate(t, i, boot, env); !strings.Contains(a.Error, "bad") {
		t.Fatal(a)
	}
	w := &world{t: t, i: i, own: true, env: env}
	if got := w.eval("return Owner .. ' ' .. Name"); got != ownerID+" test" {
		t.Error(got)
	}
}

func TestOwnerStaysGivenUp(t *testing.T) {
	w := own(t)
	w.eval("Owner = nil")
	if _, out := w.message(object{"From": ownerID, "Owner": ownerID, "Data": "return 1", "Tags": tagList("Action", "Eval")}); !strings.Contains(out, "New Message From") {
		t.Errorf("an Eval after the owner was given up: %s", out)
	}
}

func TestTablesInTwoPlacesAreShownTwice(t *testing.T) {
	w := own(t)
	if got := w.eval("local a = { 1 } return { x = a, y = a }"); strings.Count(got, "1\x1b[0m }") != 2 || strings.Contains(got, "circular") {
		t.Errorf("%q", got)
	}
	if got := w.eval("local a = {} a.a = { a } return a"); !strings.Contains(got, "<circular reference>") {
		t.Errorf("%q", got)
	}
}

// What waits is held; what is through with its message is let go.
func TestFinishedHandlersAreForgotten(t *testing.T) {
	w := own(t)
	w.eval("Handlers.add('wait', 'Wait', function() Receive({ Action = 'Wake' }) end)")
	for range 5 {
		w.send(id("X"), "Wait")
	}
	if got := w.eval("return #Handlers.coroutines .. ' ' .. #Handlers.list"); got != "5 8" {
		t.Error(got)
	}
	for range 5 {
		w.send(id("X"), "Wake")
	}
	if got := w.eval("return #Handlers.coroutines .. ' ' .. #Handlers.list"); got != "0 3" {
		t.Error(got)
	}
}

// A handler may change the list while it runs; the others see each message once all the same.
func TestHandlersMayMove(t *testing.T) {
	w := own(t)
	w.eval(`Seen = {}
local function see(name, change)
  Handlers.add(name, function(m) return m.Action == 'Go' and 'continue' end, function()
    Seen[#Seen + 1] = name
    if change then change() end
  end)
end
see('a', function() Handlers.remove('a') end)
see('b', function() Handlers.prepend('first', 'Other', print) end)
see('c', function() Handlers.remove('b') Handlers.remove('c') end)
see('d')
see('e', function() Handlers.remove('d') end)
Handlers.list[#Handlers.list].maxRuns = 1
see('f')`)
	w.send(id("X"), "Go")
	w.send(id("X"), "Go")
	if got := w.eval("return table.concat(Seen)"); got != "abcdeff" {
		t.Error(got)
	}
}

func TestSendersCannotPose(t *testing.T) {
	w := own(t)
	w.message(object{"From": id("X"), "Owner": authority, "Data": "d", "Tags": tagList("From", ownerID, "owner", ownerID, "id", processID,
		"Timestamp", "5", "target", "t", "data", "x", "tags", "y", "From-Process", ownerID, "Tag_Array", "z", "TagArray", "q", "Nonce", "9")})
	got := w.eval("local m = Inbox[#Inbox] return m.From .. m.Owner .. m.Id .. m.Timestamp .. m.Target .. m.Data .. type(m.Tags) .. type(m.TagArray) .. m.Nonce")
	if want := id("X") + authority + id("T") + "1" + processID + "d" + "table" + "table" + "1"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// TestAuthoritiesOfAListAreTrusted however the list is written: with commas, or as HTTP writes a list of texts.
func TestAuthoritiesOfAListAreTrusted(t *testing.T) {
	for text, want := range map[string]string{id("Q") + "," + id("R"): "11", `"` + id("Q") + `", "` + id("R") + `"`: "11", `"` + id("Q") + `"`: "10", `"", ` + id("R"): "01"} {
		w := own(t)
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		w.env = bytes.ReplaceAll(w.env, []byte(`"`+authority+`"`), quoted)
		got := w.eval("local q, r = ao.isTrusted({From='" + id("Q") + "'}), ao.isTrusted({From='" + id("R") + "'}) return (q and 1 or 0) .. '' .. (r and 1 or 0)")
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestInboxForgetsTheOldest(t *testing.T) {
	w := own(t)
	w.eval("for i = 1, 10000 do Inbox[i] = { Data = tostring(i) } end")
	w.send(id("X"), "Hello")
	if got := w.eval("return #Inbox .. ' ' .. Inbox[1].Data .. ' ' .. Inbox[#Inbox].Action"); got != "10000 2 Hello" {
		t.Error(got)
	}
}

func TestPatchKeepsItsStructure(t *testing.T) {
	i := ours(t)
	env := prepared(t, i, "return 'ok'")
	a := evaluate(t, i, message(2, "Eval", "Send({ device = 'patch@1.0', cache = { total = '5' } })"), env)
	if len(a.Messages) != 1 || !strings.Contains(a.Messages[0], `{\"name\":\"cache\",\"value\":{\"total\":\"5\"}}`) ||
		!strings.Contains(a.Messages[0], `{\"name\":\"device\",\"value\":\"patch@1.0\"}`) {
		t.Error(a)
	}
}

// Nothing but the messages decides what a process answers, to the last byte.
func TestAnswersAreReproducible(t *testing.T) {
	for _, s := range sequences(t) {
		a, b := ours(t), ours(t)
		for n := range s.steps {
			in := vm.Input{Message: s.input(n), Env: s.env()}
			x, err := a.Eval(context.Background(), in)
			if err != nil {
				t.Fatal(err)
			}
			y, err := b.Eval(context.Background(), in)
			if err != nil {
				t.Fatal(err)
			}
			if string(x.Response) != string(y.Response) || x.Failure != y.Failure || x.Gas != y.Gas {
				t.Fatalf("%s, message %d: %s and %s, gas %d and %d", s.name, n, x.Response, y.Response, x.Gas, y.Gas)
			}
			keep := func(i vm.Instance) error { return i.Commit() }
			if simplify(x.Response, x.Failure).failed() {
				keep = func(i vm.Instance) error { return i.Rollback() }
			}
			for _, i := range []vm.Instance{a, b} {
				if err := keep(i); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// Whatever a stranger sends, the process answers it and lives on.
func FuzzMessage(f *testing.F) {
	f.Add("Ping", "x_y", "1", "data", "")
	f.Add("Eval", "Content-Type", "application/json", `{"a":[1,{"b":null}]}`, "")
	f.Add("", "", "", "", "")
	f.Add("Transfer", "Quantity", "-1", "\x00\xff", "t")
	f.Add("%", "_-_", "[", "]", "\n")
	f.Add("Info", "Reply-To", "x", strings.Repeat("[", 300), "")
	f.Fuzz(func(t *testing.T, action, name, value, data, target string) {
		w := own(t, "token", "chatroom")
		m := object{"From": id("X"), "Owner": authority, "Data": data, "Tags": tagList("Action", action, name, value, "action", value)}
		if target != "" {
			m["Target"] = target
		}
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		out, err := w.i.Eval(context.Background(), vm.Input{Message: b, Env: w.env})
		if err != nil {
			t.Fatal(err)
		}
		var r struct{ OK bool }
		if err := json.Unmarshal(out.Response, &r); err != nil || !r.OK || out.Failure != "" {
			t.Fatalf("%v: %s%s", err, out.Response, out.Failure)
		}
		if err := w.i.Commit(); err != nil {
			t.Fatal(err)
		}
		if got := w.eval("return 1 + 1"); got != "2" {
			t.Fatalf("afterwards: %s", got)
		}
	})
}
