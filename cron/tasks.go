package cron

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"ago/clock"
	"ago/codec/httpsig"
	"ago/fault"
	"ago/message"
	"ago/store"
)

// Task is a request that the node makes by itself: once, or again and again.
type Task struct {
	ID    string
	Path  string
	Keys  message.Message // what goes with the path
	Every time.Duration   // from the end of one to the next; 0 is once
	By    []string        // addresses of those who signed for it
	Asked []string        // ids of their signatures: what they made begins one task, and none again when that has ended
	Due   time.Time       // of the next run, in ms; zero is at once
}

// TasksConfig is what tasks stand on. Log may be nil.
type TasksConfig struct {
	Store store.Store
	Clock clock.Clock
	Log   *slog.Logger
	Run   func(ctx context.Context, t Task) error
}

const (
	tasksMax   = 1000 // of one node
	taskMin    = 10 * time.Millisecond
	taskPlaces = 16          // under way at once
	taskNoted  = time.Second // least interval of a task whose next run is remembered: others run at once after a restart
)

// Tasks are the requests of a node to itself. They are stored, and go on after a restart with the run that was due next; one that
// was missed or broken off is made at once. It is safe for concurrent use.
type Tasks struct {
	c      TasksConfig
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	places chan struct{}

	mu      sync.Mutex // also over what is on disk, so that both agree
	running map[string]*runningTask
	closed  bool
}

type runningTask struct {
	Task
	stop context.CancelFunc
}

// OpenTasks reads the tasks of a store and lets them go on. Close ends them; what is stored stays.
func OpenTasks(c TasksConfig) (*Tasks, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	t := &Tasks{c: c, places: make(chan struct{}, taskPlaces), running: map[string]*runningTask{}}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	var stored []Task
	for p, err := range c.Store.Scan([]byte{store.TableCronTasks}, store.PrefixEnd([]byte{store.TableCronTasks}), false) {
		if err != nil {
			return nil, err
		}
		task, err := readTask(p.Value)
		if err != nil {
			return nil, fault.Wrap(err, fault.Internal, "task-unreadable", "a stored task cannot be read")
		}
		stored = append(stored, task)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, task := range stored {
		t.start(task)
	}
	return t, nil
}

// DueMS is the time of the next run in ms; 0 is at once.
func (t Task) DueMS() int64 {
	if t.Due.IsZero() {
		return 0
	}
	return t.Due.UnixMilli()
}

func (t Task) message() message.Message {
	keys := message.Value(t.Keys)
	if raw, ok := wireOf(t.Keys); ok {
		keys = message.Bytes(raw)
	}
	return message.New(
		message.Field{Key: "id", Value: message.Bytes(t.ID)}, message.Field{Key: "path", Value: message.Bytes(t.Path)},
		message.Field{Key: "keys", Value: keys}, message.Field{Key: "every", Value: message.Int(t.Every)},
		message.Field{Key: "by", Value: message.Bytes(strings.Join(t.By, " "))}, message.Field{Key: "asked", Value: message.Bytes(strings.Join(t.Asked, " "))},
		message.Field{Key: "due", Value: message.Int(t.DueMS())})
}

// wireOf gives the keys in the form in which messages in them keep what they were signed as, if they can be written so.
func wireOf(keys message.Message) ([]byte, bool) {
	w, err := httpsig.Encode(message.New(message.Field{Key: message.KeyBody, Value: keys}), message.Nested)
	if err != nil {
		return nil, false
	}
	raw, err := w.Bytes()
	if err != nil {
		return nil, false
	}
	back, err := keysOf(message.Bytes(raw))
	return raw, err == nil && message.Equal(back, keys)
}

// keysOf reads what wireOf wrote, or keys that could not be.
func keysOf(v message.Value) (message.Message, error) {
	raw, ok := v.(message.Bytes)
	if !ok {
		m, _ := v.(message.Message)
		return m, nil
	}
	m, err := httpsig.Read([]byte(raw))
	if err != nil {
		return m, err
	}
	body, _ := m.Get(message.KeyBody)
	keys, _ := body.(message.Message)
	return keys.Without(message.KeyCommitments), nil // which only name the content
}

func readTask(b []byte) (Task, error) {
	v, err := message.ReadValue(b)
	if err != nil {
		return Task{}, err
	}
	m, _ := v.(message.Message)
	keys, _ := m.Get("keys")
	every, _ := m.Get("every")
	t := Task{ID: m.Text("id"), Path: m.Text("path")}
	if t.Keys, err = keysOf(keys); err != nil {
		return Task{}, err
	}
	n, _ := every.(message.Int)
	t.Every = time.Duration(n)
	t.By, t.Asked = strings.Fields(m.Text("by")), strings.Fields(m.Text("asked"))
	due, _ := m.Get("due")
	if ms, _ := due.(message.Int); ms > 0 {
		t.Due = time.UnixMilli(int64(ms))
	}
	return t, nil
}

func taskKey(id string) []byte { return append([]byte{store.TableCronTasks}, id...) }

func endedKey(signature string) []byte { return append([]byte{store.TableCronEnded}, signature...) }

// Add stores a task and begins it, and gives its id. One that is there already stays as it is, and so does one that was asked for
// by one of the same signatures. It fails with TooMany, with Malformed for an interval that is too short, and with Conflict
// ("request-repeated") if a task that was asked for by one of the signatures has ended: whoever saw that request could begin it again.
func (t *Tasks) Add(task Task) (id string, err error) {
	if task.Every < 0 || task.Every > 0 && task.Every < taskMin {
		return "", fault.New(fault.Malformed, "interval-malformed", "an interval is at least %v", taskMin)
	}
	b, err := message.AppendValue(nil, task.message())
	if err != nil {
		return "", fault.Wrap(err, fault.TooLarge, "message-too-deep", "the request of the task is nested too deep")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return "", fault.New(fault.Unavailable, "stopping", "the node is stopping")
	}
	if id, err := t.asked(task); id != "" || err != nil {
		return id, err
	}
	if len(t.running) >= tasksMax {
		return "", fault.New(fault.TooMany, "tasks-too-many", "a node has up to %d tasks", tasksMax).WithHint("stop one with /~cron@1.0/stop?task=")
	}
	var batch store.Batch
	batch.Set(taskKey(task.ID), b)
	if err := t.c.Store.Apply(&batch, true); err != nil {
		return "", err
	}
	t.start(task)
	return task.ID, nil
}

// asked gives the task that there is already for what is asked, "" if there is none, and refuses what was asked for a task that has
// ended. The lock is held.
func (t *Tasks) asked(task Task) (id string, err error) {
	if t.running[task.ID] != nil {
		return task.ID, nil
	}
	for _, r := range t.running {
		if slices.ContainsFunc(r.Asked, func(a string) bool { return slices.Contains(task.Asked, a) }) {
			return r.ID, nil
		}
	}
	for _, signature := range task.Asked {
		switch _, err := t.c.Store.Get(endedKey(signature)); {
		case err == nil:
			return "", fault.New(fault.Conflict, "request-repeated", "the task that this request asked for has ended or was stopped").
				WithHint("sign the request anew, with another nonce if your key always signs alike")
		case !errors.Is(err, store.ErrNotFound):
			return "", fault.Wrap(err, fault.Unavailable, "store-unreadable", "which tasks have ended")
		}
	}
	return "", nil
}

// start runs a task; the lock is held.
func (t *Tasks) start(task Task) {
	ctx, stop := context.WithCancel(t.ctx)
	t.running[task.ID] = &runningTask{task, stop}
	t.wg.Go(func() { t.run(ctx, task) })
}

func (t *Tasks) run(ctx context.Context, task Task) {
	for {
		// A clock that was set back does not keep a task waiting for longer than its interval.
		if left := min(task.Due.Sub(t.c.Clock.Now()), task.Every); left > 0 && !t.wait(ctx, left) {
			return
		}
		select {
		case t.places <- struct{}{}:
		case <-ctx.Done():
			return
		}
		err := t.c.Run(ctx, task)
		<-t.places
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			t.c.Log.Warn("a task failed", "task", task.ID, "path", task.Path, "err", err)
		}
		if task.Every == 0 {
			if _, err := t.Stop(task.ID); err != nil {
				t.c.Log.Error("a task that has run cannot be taken from the store", "task", task.ID, "err", err)
			}
			return
		}
		task.Due = t.c.Clock.Now().Add(task.Every)
		if err := t.note(ctx, task); err != nil {
			t.c.Log.Error("the next run of a task cannot be stored", "task", task.ID, "err", err)
		}
	}
}

// wait is false if the task ends before the time is over.
func (t *Tasks) wait(ctx context.Context, d time.Duration) bool {
	over, stop := t.c.Clock.After(d)
	defer stop()
	select {
	case <-over:
		return true
	case <-ctx.Done():
		return false
	}
}

// note remembers when a task runs next. It does not wait for the disk: what is lost is run once more.
func (t *Tasks) note(ctx context.Context, task Task) error {
	if task.Every < taskNoted {
		return nil
	}
	b, err := message.AppendValue(nil, task.message())
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if ctx.Err() != nil { // stopped meanwhile
		return nil
	}
	var batch store.Batch
	batch.Set(taskKey(task.ID), b)
	return t.c.Store.Apply(&batch, false)
}

// Stop ends a task and forgets it; found is false if there is none of this id.
func (t *Tasks) Stop(id string) (found bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.running[id]
	if r == nil {
		return false, nil
	}
	var batch store.Batch
	batch.Delete(taskKey(id))
	for _, signature := range r.Asked {
		batch.Set(endedKey(signature), nil)
	}
	if err := t.c.Store.Apply(&batch, true); err != nil {
		return true, err
	}
	r.stop()
	delete(t.running, id)
	return true, nil
}

// List gives the tasks in the order of their ids.
func (t *Tasks) List() []Task {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]Task, 0, len(t.running))
	for _, r := range t.running {
		out = append(out, r.Task)
	}
	slices.SortFunc(out, func(a, b Task) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// Close ends all that is under way. It may be called more than once.
func (t *Tasks) Close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.cancel()
	t.wg.Wait()
}
