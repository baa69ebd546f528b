package console_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ago/builtin"
	"ago/client"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/console"
	"ago/fault"
	"ago/localnet"
)

func network(t *testing.T) *client.Network {
	t.Helper()
	n, err := localnet.Start(context.Background(), localnet.Options{Patience: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n.Client
}

func wallet(t *testing.T) *commitment.Key {
	t.Helper()
	k, err := commitment.NewAgent().Generate(commitment.Ed25519, nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func create(t *testing.T, n *client.Network, k *commitment.Key, name string) *console.Session {
	t.Helper()
	s, err := console.Create(t.Context(), n, k, name, client.Spawn{Module: builtin.ID()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func eval(t *testing.T, s *console.Session, text string) console.Answer {
	t.Helper()
	a, err := s.Eval(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestASessionEvaluatesAndAsks(t *testing.T) {
	n, k := network(t), wallet(t)
	s := create(t, n, k, "mine")
	if a := eval(t, s, "x = 1 print('set') return x"); a.Failed || console.Plain(a.Text) != "set\n1" || !strings.Contains(a.Prompt, "Inbox") || a.Message.IsZero() {
		t.Errorf("%+v", a)
	}
	a, err := s.Ask(t.Context(), "x = 2 return x")
	if err != nil || console.Plain(a.Text) != "2" || !a.Message.IsZero() {
		t.Errorf("%+v, %v", a, err)
	}
	if a := eval(t, s, "x"); console.Plain(a.Text) != "1" {
		t.Errorf("a question changed the state: %+v", a)
	}
	if a := eval(t, s, "error('no')"); !a.Failed || console.ErrorText(a.Text, nil) != "line 1: no" {
		t.Errorf("%+v", a)
	}
	if a := eval(t, s, "x ="); !a.Failed || !strings.Contains(a.Text, "<eof>") {
		t.Errorf("%+v", a)
	}
}

func TestProcessesAreOpenedByNameAndID(t *testing.T) {
	n, k := network(t), wallet(t)
	made := create(t, n, k, "bank")
	for _, name := range []string{"bank", made.Process.String()} {
		s, err := console.Open(t.Context(), n, k, name)
		if err != nil {
			t.Fatal(err)
		}
		if s.Process != made.Process || s.Name != "bank" || !s.Own() {
			t.Errorf("%s: %+v", name, s)
		}
	}
	if _, err := console.Open(t.Context(), n, k, "nothing"); fault.CodeOf(err) != "process-unknown" {
		t.Errorf("an unknown name: %v", err)
	}
	if _, err := console.Open(t.Context(), n, wallet(t), "bank"); fault.CodeOf(err) != "process-unknown" {
		t.Errorf("the name of somebody else's process: %v", err)
	}
	// By id it is opened, and only asked.
	s, err := console.Open(t.Context(), n, wallet(t), made.Process.String())
	if err != nil || s.Own() {
		t.Fatalf("%+v, %v", s, err)
	}
	if a := eval(t, s, "y = 5 return y"); console.Plain(a.Text) != "5" {
		t.Errorf("%+v", a)
	}
	if a := eval(t, made, "tostring(y)"); console.Plain(a.Text) != "nil" {
		t.Errorf("a stranger set y to %s", a.Text)
	}
	// The child of a process belongs to the process.
	eval(t, made, "Spawn(ao._module, {Name = 'child'})")
	var child string
	for range 100 {
		if child = console.Plain(eval(t, made, "Inbox[#Inbox].Process or ''").Text); len(child) == 43 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	s, err = console.Open(t.Context(), n, k, child)
	if err != nil || s.Own() || s.Owner != made.Process.String() {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestAFollowerTellsWhatComesIn(t *testing.T) {
	n, k := network(t), wallet(t)
	s := create(t, n, k, "me")
	eval(t, s, `Handlers.add('say', 'Say', function(m) print('said ' .. m.Data) end)
Handlers.add('quiet', 'Quiet', function() end)
Handlers.add('bad', 'Bad', function() error('broken') end)`)
	f, err := s.From(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	post := func(k *commitment.Key, action, data string) {
		t.Helper()
		m := client.Message{Process: s.Process, Tags: []ans104.Tag{{Name: "Action", Value: action}}, Data: []byte(data)}
		id, err := n.Send(t.Context(), k, m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.Result(t.Context(), s.Process, id); err != nil {
			t.Fatal(err)
		}
	}
	other := wallet(t)
	post(other, "Say", "one")
	post(other, "Quiet", "two")
	post(k, "Eval", "print('own line')")
	post(other, "Bad", "three")
	post(other, "Other", "4")
	var got []string
	tell := func(e console.Event) {
		if e.From != other.Address().String() || e.Message.IsZero() {
			t.Errorf("%+v", e)
		}
		text := console.Plain(e.Text)
		if e.Failed {
			text = "failed in " + console.FailedHandler(e.Text) + ": " + console.ErrorText(e.Text, nil)
		}
		got = append(got, e.Action+": "+text)
	}
	if err := f.Next(t.Context(), tell); err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got[0] != "Say: said one" || got[1] != "Bad: failed in bad: line 3: broken" || !strings.HasPrefix(got[2], "Other: New Message From") {
		t.Errorf("%q", got)
	}
	got = nil
	if err := f.Next(t.Context(), tell); err != nil || len(got) != 0 {
		t.Errorf("told again: %q, %v", got, err)
	}
	post(other, "Say", "four")
	if err := f.Next(t.Context(), tell); err != nil || len(got) != 1 || got[0] != "Say: said four" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestAConsoleGivenLinesByAProgram(t *testing.T) {
	n, k := network(t), wallet(t)
	s := create(t, n, k, "robot")
	run := func(lines string) (string, string, error) {
		t.Helper()
		dir := t.TempDir()
		in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
		if err := os.WriteFile(in, []byte(lines), 0o600); err != nil {
			t.Fatal(err)
		}
		from, err := os.Open(in)
		if err != nil {
			t.Fatal(err)
		}
		defer from.Close()
		to, err := os.Create(out)
		if err != nil {
			t.Fatal(err)
		}
		defer to.Close()
		var errs strings.Builder
		failed := console.Run(t.Context(), console.Options{Session: s, In: from, Out: to, Err: &errs})
		said, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return string(said), errs.String(), failed
	}
	for _, c := range []struct{ name, in, out, errs string }{
		{"expressions and blocks", "1+1\nif true then\n  x = 3\nend\n=x\n", "2\n3\n", ""},
		{"leaving early", "1\n.exit\n2\n", "1\n", ""},
		{"an unfinished end", "f(", "", "line 1: unexpected symbol near <eof>\n"},
		{"the first error is the last line", "error('x')\n2\n", "", "line 1: x\n"},
		{"empty lines", "\n\n  \n7\n", "7\n", ""},
		{"questions", "a = 1\n.ask a + 1\n", "2\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, errs, err := run(c.in)
			if out != c.out || errs != c.errs || (err != nil) != (c.errs != "") {
				t.Errorf("got %q, %q, %v", out, errs, err)
			}
		})
	}
	for _, bad := range []string{".nothing\n", ".load\n", ".load missing.lua\n", ".load-blueprint x\n", ".trace\n", ".inbox none\n"} {
		if _, _, err := run(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestABusyProcessIsFollowedFromAfar(t *testing.T) {
	n, k := network(t), wallet(t)
	s := create(t, n, k, "busy")
	eval(t, s, "Handlers.add('say', 'Say', function(m) print('said ' .. m.Data) end)")
	const many = 600
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	events := make(chan console.Event, 2*many)
	done := make(chan struct{})
	release := make(chan struct{})
	go func() {
		defer close(done)
		first := true
		s.Follow(ctx, time.Millisecond, func(e console.Event) {
			events <- e
			if first {
				first = false
				<-release // the terminal is slow
			}
		})
	}()
	say := func(text string) {
		t.Helper()
		m := client.Message{Process: s.Process, Tags: []ans104.Tag{{Name: "Action", Value: "Say"}}, Data: []byte(text)}
		if _, err := n.Send(t.Context(), wallet(t), m); err != nil {
			t.Fatal(err)
		}
	}
	await := func(text string) {
		t.Helper()
		for {
			select {
			case e := <-events:
				if strings.Contains(e.Text, text) {
					return
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("%q is not told", text)
			}
		}
	}
	for len(events) == 0 { // until it follows
		say("begin")
		time.Sleep(20 * time.Millisecond)
	}
	await("said begin")
	for range many {
		say("noise")
	}
	close(release)
	await("messages went by unseen")
	say("end")
	await("said end")
	stop()
	<-done
}
