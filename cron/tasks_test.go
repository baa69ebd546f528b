package cron

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ago/clock"
	"ago/fault"
	"ago/message"
	"ago/store/memory"
)

func TestTasksRunAndGoOnAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := memory.New()
		var mu sync.Mutex
		ran := map[string]int{}
		open := func() *Tasks {
			tasks, err := OpenTasks(TasksConfig{Store: kept, Clock: clock.System{}, Run: func(_ context.Context, task Task) error {
				mu.Lock()
				defer mu.Unlock()
				ran[task.ID+task.Path+task.Keys.Text("k")]++
				return errors.New("is only noted")
			}})
			if err != nil {
				t.Fatal(err)
			}
			return tasks
		}
		expect := func(name string, n int) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if ran[name] != n {
				t.Errorf("%s ran %d times, not %d", name, ran[name], n)
			}
		}
		tasks := open()
		keys := message.New(message.Field{Key: "k", Value: message.Bytes("v")})
		for _, task := range []Task{{ID: "once", Path: "/a"}, {ID: "every", Path: "/b", Keys: keys, Every: time.Minute, By: []string{"somebody"}}, {ID: "every", Path: "/c", Every: time.Second}} {
			if _, err := tasks.Add(task); err != nil {
				t.Fatal(err)
			}
		}
		expect("once/a", 1)
		expect("every/bv", 1)
		time.Sleep(150 * time.Second)
		expect("every/bv", 3)
		if l := tasks.List(); len(l) != 1 || l[0].ID != "every" {
			t.Error(l)
		} else if l[0].By[0] != "somebody" {
			t.Error(l[0].By)
		}
		tasks.Close()
		if _, err := tasks.Add(Task{ID: "late"}); fault.KindOf(err) != fault.Unavailable {
			t.Error(err)
		}
		tasks = open()
		expect("every/bv", 3) // and not at once
		time.Sleep(29 * time.Second)
		expect("every/bv", 3)
		time.Sleep(2 * time.Second)
		expect("every/bv", 4)
		tasks.Close()
		time.Sleep(time.Hour)
		tasks = open()
		expect("every/bv", 5) // one was missed
		if found, err := tasks.Stop("every"); !found || err != nil {
			t.Error(found, err)
		}
		if found, err := tasks.Stop("every"); found || err != nil {
			t.Error(found, err)
		}
		time.Sleep(time.Hour)
		expect("every/bv", 5)
		tasks.Close()
		tasks = open()
		expect("once/a", 1)
		expect("every/bv", 5)
		tasks.Close()
	})
}

func TestTasksAreBounded(t *testing.T) {
	tasks, err := OpenTasks(TasksConfig{Store: memory.New(), Clock: clock.System{}, Run: func(context.Context, Task) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer tasks.Close()
	if _, err := tasks.Add(Task{ID: "x", Every: time.Millisecond}); fault.CodeOf(err) != "interval-malformed" {
		t.Error(err)
	}
	for i := range tasksMax + 1 {
		_, err = tasks.Add(Task{ID: string(rune('a' + i)), Every: time.Hour})
	}
	if fault.CodeOf(err) != "tasks-too-many" {
		t.Error(err)
	}
}

// TestARequestBeginsOneTask: not a second one beside it, and none again when it was stopped or has ended, also after a restart.
func TestARequestBeginsOneTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := memory.New()
		open := func() *Tasks {
			tasks, err := OpenTasks(TasksConfig{Store: kept, Clock: clock.System{}, Run: func(context.Context, Task) error { return nil }})
			if err != nil {
				t.Fatal(err)
			}
			return tasks
		}
		tasks := open()
		add := func(task Task, want, code string) {
			t.Helper()
			if id, err := tasks.Add(task); id != want || code != "" && fault.CodeOf(err) != code || code == "" && err != nil {
				t.Errorf("%s: %q %v", task.ID, id, err)
			}
		}
		stopped := Task{ID: "a", Every: time.Hour, Asked: []string{"one", "two"}}
		add(stopped, "a", "")
		add(stopped, "a", "")
		add(Task{ID: "b", Every: time.Hour, Asked: []string{"two"}}, "a", "") // with something beside it that nobody signed
		add(Task{ID: "once", Asked: []string{"three"}}, "once", "")
		synctest.Wait()
		tasks.Close()
		tasks = open()
		add(Task{ID: "b", Every: time.Hour, Asked: []string{"one"}}, "a", "")
		if found, err := tasks.Stop("a"); !found || err != nil {
			t.Fatal(found, err)
		}
		for range 2 {
			add(stopped, "", "request-repeated")
			add(Task{ID: "b", Every: time.Hour, Asked: []string{"two"}}, "", "request-repeated")
			add(Task{ID: "once", Asked: []string{"three"}}, "", "request-repeated")
			tasks.Close()
			tasks = open()
		}
		add(Task{ID: "a", Every: time.Hour, Asked: []string{"four"}}, "a", "") // signed anew
		tasks.Close()
	})
}
