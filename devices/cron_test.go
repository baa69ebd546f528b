package devices_test

import (
	"context"
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
