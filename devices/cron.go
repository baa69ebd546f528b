package devices

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ago/cron"
	"ago/device"
	"ago/fault"
	"ago/message"
)

// Tasks makes requests by itself; a node that keeps time offers it.
type Tasks interface {
	Add(cron.Task) (id string, err error)
	Stop(id string) (found bool, err error)
	List() []cron.Task
}

// Cron makes requests later.
var _ = device.Register(device.Device{
	Name:    "cron@1.0",
	Doc:     "lets the node make a request by itself, once or again and again, also after a restart",
	Default: cronInterval,
	DefaultKey: device.Key{
		Doc:    "as every, the key being the interval: 5-minutes",
		Inputs: []device.Input{{Name: "cron-path", Doc: "the path to ask for", Type: device.TypeText, Max: cronPathMax}},
	},
	Keys: device.Keys{
		"once": {Doc: "the id of the task that asks for the path once, at once. By default for those who sign: see cron_writers of the settings; 403 for others", Do: cronOnce,
			Inputs: []device.Input{
				{Name: "cron-path", Doc: "the path to ask for; the other keys of the request go with it", Type: device.TypeText, Max: cronPathMax},
				{Name: "once", Doc: "the same as cron-path", Type: device.TypeText, Max: cronPathMax},
			}},
		"every": {Doc: "the id of the task that asks for the path now, and again after each interval; for the same as once. A path to the schedule of a process brings it each time a message of the node: action=Cron, cron-task, cron-due, cron-by and the body of the request", Do: cronEvery,
			Inputs: []device.Input{
				{Name: "cron-path", Doc: "the path to ask for; the other keys of the request go with it", Type: device.TypeText, Max: cronPathMax},
				{Name: "every", Doc: "the same as cron-path", Type: device.TypeText, Max: cronPathMax},
				{Name: "interval", Doc: "a number and a unit: 500-milliseconds, 5-minutes, 1-day", Type: device.TypeText, Max: 64},
			}},
		"stop": {Doc: "that the task was stopped, for who signed for it and for the operator; 400 if there is none", Do: cronStop,
			Inputs: []device.Input{{Name: "task", Doc: "its id", Type: device.TypeText, Max: 255}}},
		"list": {Doc: "the tasks by their ids, with path and interval in milliseconds", Do: cronList},
	},
	Examples: []device.Example{{Needs: "a node that keeps time", Path: "/~cron@1.0/every?interval=5-minutes&cron-path=/~relay@1.0/call", Want: "kjD-3Mvmh0lgjqkqGppYkp9DLaLSbJUAUGlGSyuiJ-o"}},
})

// cronSigned is the setting cron_writers by which everybody who signs has the right; it is the default.
const cronSigned = "signed"

// cronAsk gives the request of somebody who may have tasks, and whether nobody has to sign here.
func cronAsk(c *device.Call, req message.Message) (ask signedRequest, open bool, err error) {
	if ask, err = signedAsk(c, req); err != nil || everybody(c, "cron_writers") {
		return ask, err == nil, err
	}
	writers := listed(c, "cron_writers")
	if len(ask.signers) == 0 || len(writers) > 0 && writers[0] != cronSigned && !ask.by(writers...) && !ask.byOperator(c) {
		return ask, false, refused(device.Forbidden, "Tasks of this node are for those who sign for them and whom its setting cron_writers lists.", "cron-denied",
			"sign the request, path and interval with it")
	}
	return ask, false, nil
}

// cronUnsigned ends a call of which its signers did not say what counts.
func cronUnsigned(key, asked string) error {
	return refused(device.Forbidden, "The signature does not cover "+key+".", "argument-unsigned",
		fmt.Sprintf("the request asks for %s=%.100q, which its signers did not say: have the signature cover the key %s, or a path with it; what stands in the query beside what was signed does not count", key, asked, key))
}

const (
	cronPathMax      = 16 << 10
	cronIntervalHint = "give a whole number and a unit as interval, as in 5-minutes"
)

// cronUnits are the units of intervals; a name may go on after them, as in minutes.
var cronUnits = []struct {
	name string
	is   time.Duration
}{{"millisecond", time.Millisecond}, {"second", time.Second}, {"minute", time.Minute}, {"hour", time.Hour}, {"day", 24 * time.Hour}}

func cronParse(text string) (time.Duration, error) {
	number, unit, ok := strings.Cut(strings.ToLower(text), "-")
	n, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil || n <= 0 {
		return 0, refused(device.Failed, "Invalid interval value.", "interval-malformed", cronIntervalHint)
	}
	for _, u := range cronUnits {
		if unit == u.name || unit == u.name+"s" {
			if n > int64(10*365*24*time.Hour/u.is) {
				return 0, refused(device.Failed, "Invalid interval value.", "interval-malformed", cronIntervalHint)
			}
			return time.Duration(n) * u.is, nil
		}
	}
	return 0, refused(device.Failed, "Invalid time unit: "+unit, "interval-malformed", cronIntervalHint)
}

// cronWhen is an interval, and the key and text of the request that say it; zero is once.
type cronWhen struct {
	every     time.Duration
	key, text string
}

func cronOnce(c *device.Call, base, req message.Message) (message.Value, error) {
	return cronAdd(c, base, req, "once", cronWhen{})
}

func cronEvery(c *device.Call, base, req message.Message) (message.Value, error) {
	text := first("interval", req, base)
	if text == "" {
		return nil, refused(device.Failed, "No interval found in message.", "argument-missing", cronIntervalHint)
	}
	every, err := cronParse(text)
	if err != nil {
		return nil, err
	}
	return cronAdd(c, base, req, "every", cronWhen{every, "interval", text})
}

func cronInterval(c *device.Call, base, req message.Message) (message.Value, error) {
	every, err := cronParse(c.Key)
	if err != nil {
		if number, _, ok := strings.Cut(c.Key, "-"); ok && number != "" && strings.Trim(number, "0123456789") == "" { // meant as one
			return nil, err
		}
		return nil, device.Absent(c.Key)
	}
	return cronAdd(c, base, req, "every", cronWhen{every, "path", c.Key})
}

func cronAdd(c *device.Call, base, req message.Message, kind string, when cronWhen) (message.Value, error) {
	path := first("cron-path", req, base)
	if path == "" {
		path = first(kind, req, base)
	}
	if path == "" {
		return nil, refused(device.Failed, "No cron path found in message.", "argument-missing", "give the path to ask for as cron-path")
	}
	if _, err := c.Runner.Parse(path, message.Message{}); err != nil {
		return nil, err
	}
	tasks, ok := device.Service[Tasks](c)
	if !ok {
		return nil, unserved("tasks")
	}
	ask, open, err := cronAsk(c, req)
	if err != nil {
		return nil, err
	}
	var by, asked []string
	if _, ticks := cronProcess(path); ticks && when.every > 0 && when.every < cronTickMin && !open && !ask.byOperator(c) {
		return nil, refused(device.Failed, "A process is called once a second at most.", "interval-too-short", "give an interval of 1-second or more")
	}
	if !open {
		if !ask.says(c, "cron-path", path) && !ask.says(c, kind, path) {
			return nil, cronUnsigned("cron-path", path)
		}
		if when.every > 0 && !ask.says(c, when.key, when.text) {
			return nil, cronUnsigned("interval", when.text)
		}
		for key := range req.All() {
			if _, meant := ask.message.Get(key); meant {
				continue
			}
			if _, sent := c.Origin.Get(key); sent { // by whom nobody knows
				req = req.Without(key)
			}
		}
		for _, s := range ask.signers {
			by = append(by, s.Address().String())
		}
		asked = ask.ids()
	}
	// What somebody signed is not signed again each time: tasks have no rights.
	id := req.UnsignedID().String()
	keys := req.Without(message.KeyCommitments)
	for _, key := range []string{"path", "cron-path", "interval", kind} {
		keys = keys.Without(key)
	}
	id, err = tasks.Add(cron.Task{ID: id, Path: path, Keys: keys, Every: when.every, By: by, Asked: asked, Due: c.Now()})
	if err != nil {
		return nil, err
	}
	return message.Bytes(id), nil
}

func cronStop(c *device.Call, base, req message.Message) (message.Value, error) {
	id := first("task", req, base)
	if id == "" {
		return nil, refused(device.Failed, "No task ID found in message.", "argument-missing", "give the id of the task as task")
	}
	tasks, ok := device.Service[Tasks](c)
	if !ok {
		return nil, unserved("tasks")
	}
	ask, open, err := cronAsk(c, req)
	if err != nil {
		return nil, err
	}
	if !open {
		if !ask.says(c, "task", id) {
			return nil, cronUnsigned("task", id)
		}
		all := tasks.List()
		if i := slices.IndexFunc(all, func(t cron.Task) bool { return t.ID == id }); i >= 0 && !ask.by(all[i].By...) && !ask.byOperator(c) {
			return nil, refused(device.Forbidden, "A task is stopped by who signed for it, or by the operator.", "task-of-another", "sign the request as one of these")
		}
	}
	stop := func() error {
		found, err := tasks.Stop(id)
		if err == nil && !found {
			return refused(device.Failed, "Task not found.", "task-unknown", "/~cron@1.0/list tells which there are")
		}
		return err
	}
	answer := message.New(message.Field{Key: "status", Value: message.Int(device.OK)}, message.Field{Key: message.KeyBody, Value: message.New(
		message.Field{Key: "message", Value: message.Bytes("Task stopped successfully")}, message.Field{Key: "task_id", Value: message.Bytes(id)})})
	if open {
		if err := stop(); err != nil {
			return nil, err
		}
		return answer, nil
	}
	return once(c, ask, answer, stop)
}

func cronList(c *device.Call, _, _ message.Message) (message.Value, error) {
	tasks, ok := device.Service[Tasks](c)
	if !ok {
		return nil, fault.New(fault.Unsupported, "not-offered", "this node offers no tasks")
	}
	var fs []message.Field
	for _, t := range tasks.List() {
		fs = append(fs, message.Field{Key: t.ID, Value: message.New(
			message.Field{Key: "cron-path", Value: message.Bytes(t.Path)}, message.Field{Key: "interval", Value: message.Int(t.Every.Milliseconds())})})
	}
	return message.New(fs...), nil
}
