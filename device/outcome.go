package device

import (
	"errors"
	"fmt"
	"strconv"

	"ago/fault"
	"ago/message"
)

// Status is how a call ended, by the number that HTTP has for it, or one of the two that only a stack of devices sees.
type Status int

const (
	OK           Status = 200
	StatusMade   Status = 201
	Failed       Status = 400
	Unauthorized Status = 401
	Unpaid       Status = 402
	Forbidden    Status = 403
	NotFound     Status = 404
	Limited      Status = 429
	Blocked      Status = 451
	Failure      Status = 500
	Unavailable  Status = 503
	NotCached    Status = 504
	Looped       Status = 508

	Skipped Status = 1 // the devices of the stack after this one are left out
	Passed  Status = 2 // the stack begins again
)

// statusNames are the names that messages give for their status.
var statusNames = map[string]Status{
	"ok": OK, "created": StatusMade, "error": Failed, "unauthorized": Unauthorized, "forbidden": Forbidden,
	"not_found": NotFound, "not-found": NotFound, "failure": Failure, "unavailable": Unavailable,
}

// Outcome is an end that is not just a value: another status with the value that explains it. It travels as an error, so that
// nobody takes it for a plain answer by mistake.
type Outcome struct {
	Status Status
	Value  message.Value
}

func (o *Outcome) Error() string {
	text, ok := Text(o.Value)
	if m, is := o.Value.(message.Message); is {
		text, ok = m.Text("body"), true
	}
	if !ok || text == "" {
		return fmt.Sprintf("status %d", o.Status)
	}
	return fmt.Sprintf("status %d: %.200s", o.Status, text)
}

// End ends a call with a status and the value that goes with it.
func End(s Status, v message.Value) error { return &Outcome{s, v} }

// Created ends a call with something new: 201.
func Created(v message.Value) error { return &Outcome{StatusMade, v} }

// Skip ends a stack of devices with this message.
func Skip(m message.Message) error { return &Outcome{Skipped, m} }

// Pass lets a stack of devices begin another pass with this message.
func Pass(m message.Message) error { return &Outcome{Passed, m} }

// Absent is the answer for a key that a message does not have.
func Absent(key string) error {
	return fault.New(fault.NotFound, "key-absent", "the message has no key %.100q", key).
		WithHint("append /keys to the path before it to see what it has")
}

// Settle turns how a call ended into a value and a status: an Outcome with a status below 400, and what only stacks see, are
// answers. Anything else stays an error.
func Settle(v message.Value, err error) (message.Value, Status, error) {
	if err == nil {
		return v, OK, nil
	}
	var o *Outcome
	if errors.As(err, &o) && o.Status < 400 {
		if o.Status < 200 {
			return o.Value, OK, nil
		}
		return o.Value, o.Status, nil
	}
	return nil, StatusOf(err), err
}

// StatusOf is the status of an error: that of an Outcome, or that of the fault's kind.
func StatusOf(err error) Status {
	if err == nil {
		return OK
	}
	var o *Outcome
	if errors.As(err, &o) {
		return o.Status
	}
	return Status(fault.KindOf(err).Status())
}

// IsNotFound tells that something is absent, rather than that looking failed.
func IsNotFound(err error) bool { return err != nil && StatusOf(err) == NotFound }

// HTTPStatus is the status of an answer: what it says itself in its key status, as a number or by name; that of a body which is
// the name of a status; and that of how the call ended otherwise.
func HTTPStatus(v message.Value, err error) int {
	var o *Outcome
	if errors.As(err, &o) && v == nil {
		v = o.Value
	}
	if m, ok := v.(message.Message); ok {
		if s, ok := m.Get("status"); ok {
			if code, ok := statusValue(s); ok {
				return code
			}
		}
		if body, ok := m.Get("body"); ok {
			v = body
		}
	}
	if a, ok := v.(message.Atom); ok {
		if s, ok := statusNames[string(a)]; ok {
			return int(s)
		}
	}
	if s := StatusOf(err); s >= 200 {
		return int(s)
	}
	return int(OK)
}

func statusValue(v message.Value) (int, bool) {
	if n, ok := Whole(v); ok && n >= 200 && n <= 599 {
		return int(n), true
	}
	if text, ok := Text(v); ok {
		s, ok := statusNames[text]
		return int(s), ok
	}
	return 0, false
}

// String names a status.
func (s Status) String() string {
	switch s {
	case Skipped:
		return "skip"
	case Passed:
		return "pass"
	}
	return strconv.Itoa(int(s))
}

// Refuse ends a call with a message in words that clients know, and adds the stable name of what is wrong, the reason and what to do
// next, where m does not say them itself. What the evaluation of a process ends with becomes part of its results, which stay what they
// were: there m is all.
func (c *Call) Refuse(status Status, m message.Message, code, reason, hint string) error {
	if c.Session() == nil {
		for _, f := range []message.Field{{Key: "code", Value: message.Bytes(code)}, {Key: "reason", Value: message.Bytes(reason)}, {Key: "details", Value: message.Bytes(hint)}} {
			if _, ok := m.Get(f.Key); !ok {
				m = m.With(f.Key, f.Value)
			}
		}
	}
	return End(status, m)
}
