// Package fault is the one error type of the node: what was tried, on what, what kind of failure it was, and what to do next.
package fault

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Kind is a closed set; callers switch on it and it decides the HTTP status.
type Kind uint8

const (
	Internal     Kind = iota // a defect of the node or its machine
	Malformed                // bytes that are not what they should be
	Forged                   // a signature or hash that does not hold
	NotFound                 // no such id, path or process here
	Denied                   // known, but not allowed
	Conflict                 // clashes with what is stored
	TooLarge                 // over a size, depth or count limit
	TooMany                  // over a rate or queue limit
	Unsupported              // understood, but not something this node can do
	Unfinished               // still being worked on; ask again
	Unavailable              // another party did not answer, or this one is stopping
	Unauthorized             // nobody who may ask this has signed it
	Looped                   // goes round without an end, or deeper than is followed
)

var kinds = [...]struct {
	name   string
	status int
}{
	Internal:     {"internal", http.StatusInternalServerError},
	Malformed:    {"malformed", http.StatusBadRequest},
	Forged:       {"forged", http.StatusBadRequest},
	NotFound:     {"not-found", http.StatusNotFound},
	Denied:       {"denied", http.StatusForbidden},
	Conflict:     {"conflict", http.StatusConflict},
	TooLarge:     {"too-large", http.StatusRequestEntityTooLarge},
	TooMany:      {"too-many", http.StatusTooManyRequests},
	Unsupported:  {"unsupported", http.StatusUnprocessableEntity},
	Unfinished:   {"unfinished", http.StatusAccepted},
	Unavailable:  {"unavailable", http.StatusServiceUnavailable},
	Unauthorized: {"unauthorized", http.StatusUnauthorized},
	Looped:       {"looped", http.StatusLoopDetected},
}

// String gives the stable name used on the wire.
func (k Kind) String() string {
	if int(k) < len(kinds) {
		return kinds[k].name
	}
	return kinds[Internal].name
}

// Status is the HTTP status of the kind: the only table of its sort.
func (k Kind) Status() int {
	if int(k) < len(kinds) {
		return kinds[k].status
	}
	return kinds[Internal].status
}

// Error says what failed. Code is stable and machine-readable ("item-signature-invalid"); Text is for people; Hint says
// what to do next.
type Error struct {
	Kind  Kind
	Code  string
	Text  string
	Hint  string
	Cause error
	Retry time.Duration // after which it is worth trying again, if that is known
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Text)
	if e.Cause != nil {
		if b.Len() > 0 {
			b.WriteString(": ")
		}
		b.WriteString(e.Cause.Error())
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Cause }

// New makes a fault. Code uses dashes.
func New(kind Kind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Text: fmt.Sprintf(format, args...)}
}

// Wrap makes a fault with a cause. It gives nil for a nil cause.
func Wrap(cause error, kind Kind, code, format string, args ...any) error {
	if cause == nil {
		return nil
	}
	return &Error{Kind: kind, Code: code, Text: fmt.Sprintf(format, args...), Cause: cause}
}

// WithHint adds what the reader can do next.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// WithRetry adds when it is worth trying again.
func (e *Error) WithRetry(after time.Duration) *Error {
	e.Retry = after
	return e
}

// RetryAfter is the time after which it is worth trying again, in whole seconds: that of the outermost fault in the chain that
// knows it, a second for what is refused only for now, and 0 for what trying again does not help.
func RetryAfter(err error) time.Duration {
	kind := KindOf(err)
	for e := (*Error)(nil); errors.As(err, &e); err = e.Cause {
		if e.Retry > 0 {
			return (e.Retry + time.Second - 1).Truncate(time.Second)
		}
	}
	if kind == TooMany || kind == Unavailable {
		return time.Second
	}
	return 0
}

// KindOf finds the kind of the outermost fault in a chain; Internal if there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// CodeOf finds the code of the outermost fault in a chain.
func CodeOf(err error) string {
	var e *Error
	if errors.As(err, &e) && e.Code != "" {
		return e.Code
	}
	return KindOf(err).String()
}

// HintOf finds the innermost hint in a chain: the one closest to the cause.
func HintOf(err error) string {
	hint := ""
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			break
		}
		if e.Hint != "" {
			hint = e.Hint
		}
		err = e.Cause
	}
	return hint
}
