package resolve

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"ago/device"
	"ago/fault"
	"ago/message"
)

// Explanation is what was done for a request, in the order in which it ended. It is safe for concurrent use.
type Explanation struct {
	mu     sync.Mutex
	stages []Stage
}

// Stage is one thing that was done.
type Stage struct {
	Depth    int    // how many calls it is within
	Name     string // parse, read or call
	Device   string
	Key      string // the key asked for, or what was parsed or read
	Status   int
	Hashpath string
	Total    time.Duration
	Took     []Timing // what the total went to
	Cached   bool     // the answer was at hand
	Shared   bool     // another request had it worked out
	Error    string   // the code of the fault, "" if there is none
}

// Timing is a part of a stage.
type Timing struct {
	Name string
	Took time.Duration
}

// explainMax bounds an explanation, beside the limit of steps: it is for people.
const explainMax = 2000

func (e *Explanation) add(s Stage) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.stages) < explainMax {
		e.stages = append(e.stages, s)
	}
}

// Stages gives what was done so far.
func (e *Explanation) Stages() []Stage {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]Stage(nil), e.stages...)
}

func codeOf(err error) string {
	if err == nil {
		return ""
	}
	if o, ok := device.OutcomeOf(err); ok {
		return fmt.Sprintf("status-%s", o.Status)
	}
	return fault.CodeOf(err)
}

// String writes one line for each stage, indented by depth.
func (e *Explanation) String() string {
	var b strings.Builder
	for _, s := range e.Stages() {
		fmt.Fprintf(&b, "%10s %s%s", s.Total.Round(100*time.Nanosecond), strings.Repeat("  ", s.Depth), s.Name)
		if s.Device != "" {
			b.WriteString(" " + s.Device)
		}
		b.WriteString(" " + s.Key)
		if s.Status > 0 {
			fmt.Fprintf(&b, " -> %d", s.Status)
		}
		for _, mark := range []struct {
			on   bool
			text string
		}{{s.Cached, "cached"}, {s.Shared, "shared"}, {s.Error != "", s.Error}, {s.Hashpath != "", s.Hashpath}} {
			if mark.on {
				b.WriteString(" " + mark.text)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// Message gives the stages as a list of messages, times in microseconds, to be sent as an answer.
func (e *Explanation) Message() message.List {
	var out message.List
	for _, s := range e.Stages() {
		fs := []message.Field{
			{Key: "stage", Value: message.Bytes(s.Name)}, {Key: "depth", Value: message.Int(s.Depth)},
			{Key: "key", Value: message.Bytes(s.Key)}, {Key: "took-us", Value: message.Int(s.Total.Microseconds())},
		}
		for key, text := range map[string]string{"device": s.Device, "hashpath": s.Hashpath, "error": s.Error} { // New sorts
			if text != "" {
				fs = append(fs, message.Field{Key: key, Value: message.Bytes(text)})
			}
		}
		if s.Status > 0 {
			fs = append(fs, message.Field{Key: "status", Value: message.Int(s.Status)})
		}
		for key, on := range map[string]bool{"cached": s.Cached, "shared": s.Shared} {
			if on {
				fs = append(fs, message.Field{Key: key, Value: message.Atom("true")})
			}
		}
		out = append(out, message.New(fs...))
	}
	return out
}
