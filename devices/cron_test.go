package devices_test

import (
	"context"
	"strings"
	"testing"

	"ago/clock"
	"ago/cron"
	"ago/device"
	"ago/devices"
	"ago/message"
	"ago/resolve"
	"ago/store/memory"
)

func TestCronAsksForPaths(t *testing.T) {
	node, _ := shelved(t)
	node.Options = texts("cron_writers", "all")
	got := make(chan string, 10)
	tasks, err := cron.OpenTasks(cron.TasksConfig{Store: memory.New(), Clock: clock.System{}, Run: func(ctx context.Context, task cron.Task) error {
		res, err := resolve.New(node, resolve.Limits{}).Resolve(ctx, resolve.Request{Path: task.Path, Keys: task.Keys})
		got <- said(res.Value, err)
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer tasks.Close()
	kept(t, "cron@1.0", node, true) // without tasks yet: nothing hostile is begun
	device.Provide[devices.Tasks](node, tasks)
	if _, err := asked(t, node, "/~cron@1.0/once?cron-path=/~message@1.0%26a=b/a", message.Message{}); err != nil {
		t.Fatal(err)
	}
	v, err := asked(t, node, "/~cron@1.0/every?interval=1-day&cron-path=/~message@1.0%26a=c/a", message.Message{})
	if err != nil {
		t.Fatal(err)
	}
	id := string(v.(message.Bytes))
	for range 2 {
		if s := <-got; s != "b" && s != "c" {
			t.Errorf("a task answers %s", s)
		}
	}
	for _, c := range []struct{ path, want string }{
		{"list/" + id + "/interval", "86400000"},
		{"stop?task=" + id, `{"body":{"message":"Task stopped successfully","task_id":"` + id + `"},"status":200}`},
		{"stop?task=" + id, "!status 400: Task not found."},
		{"stop", "!status 400: No task ID found in message."},
		{"once", "!status 400: No cron path found in message."},
		{"every?cron-path=/x", "!status 400: No interval found in message."},
		{"every?cron-path=/x&interval=5-parsecs", "!status 400: Invalid time unit: parsecs"},
		{"every?cron-path=/x&interval=x-days", "!status 400: Invalid interval value."},
		{"every?cron-path=/x&interval=1-millisecond", "!interval-malformed"},
		{"parsecs", "!key-absent"},
	} {
		if got := said(asked(t, node, "/~cron@1.0/"+c.path, message.Message{})); got != c.want {
			t.Errorf("%s: %s, want %s", c.path, got, c.want)
		}
	}
}

func TestTasksAreForThoseWhoSign(t *testing.T) {
	one, other, operator := newKey(t, 3), newKey(t, 4), newKey(t, 7)
	every := func(path string) message.Message { return texts("method", "POST", "path", path) }
	const add = "/~cron@1.0/every?interval=1-day&cron-path=/~message@1.0%26a=b/a"
	bare := "/~cron@1.0/every"
	process := "/" + message.ID{1}.String() + "~process@1.0/schedule"
	keyed := texts("path", bare, "cron-path", "/~message@1.0&a=b/a", "interval", "1-day")
	for _, c := range []struct {
		name, path string
		writers    []string
		keys       message.Message
		want       string // "" is an id
	}{
		{"signed path", add, nil, signed(t, every(add), one), ""},
		{"signed keys", bare, nil, signed(t, keyed, one), ""},
		{"signed interval as key", "/~cron@1.0/1-day", nil, signed(t, keyed.With("path", message.Bytes("/~cron@1.0/1-day")), one), ""},
		{"nobody", add, nil, every(add), "!status 403: "},
		{"nobody, where all may", add, []string{"all"}, every(add), ""},
		{"a writer", add, []string{one.Address().String()}, signed(t, every(add), one), ""},
		{"the operator", add, []string{one.Address().String()}, signed(t, every(add), operator), ""},
		{"a stranger", add, []string{one.Address().String()}, signed(t, every(add), other), "!status 403: "},
		{"signed for something else", add, nil, signed(t, every("/some/other"), one), "!status 403: "},
		{"signed without the path that is asked for", add, nil, signed(t, every(bare), one), "!status 403: The signature does not cover cron-path."},
		{"a process once a second", bare, nil, signed(t, keyed.With("cron-path", message.Bytes(process)).With("interval", message.Bytes("1-second")), one), ""},
		{"a process more often", bare, nil, signed(t, keyed.With("cron-path", message.Bytes(process)).With("interval", message.Bytes("999-milliseconds")), one), "!status 400: A process is called once a second at most."},
		{"signed with another interval", add, nil, signed(t, every("/~cron@1.0/every?interval=2-days&cron-path=/~message@1.0%26a=b/a"), one), "!status 403: The signature does not cover interval."},
	} {
		node, _ := shelved(t)
		var writers message.List
		for _, w := range c.writers {
			writers = append(writers, message.Bytes(w))
		}
		if writers != nil {
			node.Options = message.New(field("cron_writers", writers))
		}
		tasks, err := cron.OpenTasks(cron.TasksConfig{Store: memory.New(), Clock: clock.System{}, Run: func(context.Context, cron.Task) error { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		device.Provide[devices.Tasks](node, tasks)
		got := said(asked(t, node, c.path, c.keys))
		if _, err := message.ParseID(got); c.want == "" && err != nil || c.want != "" && !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s, want %q", c.name, got, c.want)
		}
		if n := len(tasks.List()); (n == 1) != (c.want == "") {
			t.Errorf("%s: %d tasks", c.name, n)
		}
		if c.want == "" && c.writers == nil {
			stop := "/~cron@1.0/stop?task=" + got
			for _, s := range []struct {
				keys message.Message
				want string
			}{
				{every(stop), "!status 403: "},
				{signed(t, every(stop), other), "!status 403: A task is stopped by"},
				{signed(t, every("/~cron@1.0/stop"), one), "!status 403: The signature does not cover task."},
				{signed(t, every(stop), one), `{"body":`},
				{signed(t, every(stop), one), `{"body":`}, // answered as it was
			} {
				if got := said(asked(t, node, stop, s.keys)); !strings.HasPrefix(got, s.want) {
					t.Errorf("%s: stopping: %s, want %s", c.name, got, s.want)
				}
			}
			for _, path := range []string{c.path, strings.Replace(c.path, "?", "?more=1&", 1)} {
				if got := said(asked(t, node, path, c.keys)); got != "!request-repeated" || len(tasks.List()) != 0 {
					t.Errorf("%s: the same request after that: %s", c.name, got)
				}
			}
			if again := said(asked(t, node, c.path, signed(t, c.keys.Without(message.KeyCommitments).With("nonce", message.Bytes("2")), one))); strings.HasPrefix(again, "!") {
				t.Errorf("%s: signed anew: %s", c.name, again)
			} else if got := said(asked(t, node, stop, signed(t, every(stop), one))); !strings.HasPrefix(got, `{"body":`) || len(tasks.List()) != 1 {
				t.Errorf("%s: the old stop stops the new task, or is refused: %s", c.name, got)
			}
		}
		tasks.Close()
	}
}
