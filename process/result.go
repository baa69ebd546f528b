package process

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"ago/codec/js"
	"ago/fault"
	"ago/message"
	"ago/vm"
)

// Result is what the evaluation of one message gave, as JSON values. A result is made once; every face passes on these
// bytes.
type Result struct {
	Error       json.RawMessage // nil if there is none
	Messages    json.RawMessage // never nil, as are the next two
	Assignments json.RawMessage
	Spawns      json.RawMessage
	Output      json.RawMessage // never nil; a text or an object
	Gas         uint64
	HasGas      bool
	// KeepState tells that the state of before the message stays: the evaluation failed.
	KeepState bool
	// Core is what the results of a device said, if IsCore is set: the fields above are written from it.
	Core   message.Message
	IsCore bool
}

// allocationFailed ends the output of an evaluation in which older modules ran out of memory without saying so otherwise.
const allocationFailed = "not enough memory for buffer allocation"

var (
	emptyList = json.RawMessage("[]")
	emptyText = json.RawMessage(`""`)
)

// ResultOf reads what an engine gave into a result by the rules of the legacy Compute Unit.
func ResultOf(out vm.Output) Result {
	if out.Failure != "" {
		return Failed(out.Failure)
	}
	var answer struct {
		OK       bool            `json:"ok"`
		Response json.RawMessage `json:"response"`
	}
	err := json.Unmarshal(out.Response, &answer)
	if bad := (*json.SyntaxError)(nil); errors.As(err, &bad) { // which is found before anything is read
		err = json.Unmarshal([]byte(js.Text(out.Response)), &answer)
	}
	if err != nil {
		return Failed("the module's answer is not JSON: " + err.Error())
	}
	if !answer.OK {
		r := emptyResult()
		r.Error = answer.Response
		if !truthy(r.Error) {
			r.Error = js.AppendJSON(nil, "the module answered an error without a text")
		}
		r.KeepState = true
		return r
	}
	var fields struct {
		Error, Messages, Assignments, Spawns, Output json.RawMessage
	}
	r := emptyResult()
	if err := json.Unmarshal(answer.Response, &fields); err == nil {
		if !absent(fields.Error) {
			r.Error = fields.Error
		}
		set(&r.Messages, fields.Messages)
		set(&r.Assignments, fields.Assignments)
		set(&r.Spawns, fields.Spawns)
		set(&r.Output, fields.Output)
	}
	if n := r.Output; n[0] == '-' || n[0] >= '0' && n[0] <= '9' {
		r.Output = js.AppendJSON(nil, string(n))
	}
	r.Gas, r.HasGas = out.Gas, true
	r.KeepState = truthy(r.Error) || strings.HasSuffix(outputText(r.Output), allocationFailed)
	return r
}

// Failed is the result of an evaluation that ended without an answer.
func Failed(reason string) Result {
	r := emptyResult()
	r.Error = js.AppendJSON(nil, reason)
	r.KeepState = true
	return r
}

// Nothing is the result of a message that is passed over: it answers nothing and leaves the state as it is.
func Nothing() Result { return emptyResult() }

func emptyResult() Result {
	return Result{Messages: emptyList, Assignments: emptyList, Spawns: emptyList, Output: emptyText}
}

func absent(v json.RawMessage) bool { return len(v) == 0 || string(v) == "null" }

func set(to *json.RawMessage, v json.RawMessage) {
	if !absent(v) {
		*to = v
	}
}

// truthy is JavaScript's notion, since the legacy units decide by it whether an evaluation failed.
func truthy(v json.RawMessage) bool {
	switch string(bytes.TrimSpace(v)) {
	case "", "null", "false", `""`, "0", "-0", "0.0":
		return false
	}
	return true
}

// outputText is the text in an Output: itself, or data.output of the object that older aos modules give.
func outputText(out json.RawMessage) string {
	var s string
	if json.Unmarshal(out, &s) == nil {
		return s
	}
	var o struct {
		Data struct {
			Output string `json:"output"`
		} `json:"data"`
	}
	if json.Unmarshal(out, &o) == nil {
		return o.Data.Output
	}
	return ""
}

// HasError tells whether the result holds an error that counts.
func (r Result) HasError() bool { return truthy(r.Error) }

// AppendJSON writes the object that the legacy Compute Unit answers: Error (if any), Messages, Assignments, Spawns,
// Output, GasUsed (if counted).
func (r Result) AppendJSON(b []byte) []byte {
	b = append(b, '{')
	if r.Error != nil {
		b = append(append(append(b, `"Error":`...), r.Error...), ',')
	}
	b = append(append(b, `"Messages":`...), r.Messages...)
	b = append(append(b, `,"Assignments":`...), r.Assignments...)
	b = append(append(b, `,"Spawns":`...), r.Spawns...)
	b = append(append(b, `,"Output":`...), r.Output...)
	if r.HasGas {
		b = appendInt(append(b, `,"GasUsed":`...), int64(r.Gas))
	}
	return append(b, '}')
}

// Size is about that of its JSON.
func (r Result) Size() int {
	return len(r.Messages) + len(r.Output) + len(r.Error) + len(r.Spawns) + len(r.Assignments)
}

// JSON is AppendJSON to a slice of its own.
func (r Result) JSON() []byte { return r.AppendJSON(nil) }

// ParseResult reads what AppendJSON wrote.
func ParseResult(b []byte) (Result, error) {
	var f struct {
		Error, Messages, Assignments, Spawns, Output json.RawMessage
		GasUsed                                      *uint64
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return Result{}, fault.Wrap(err, fault.Internal, "result-unreadable", "a stored result cannot be read")
	}
	r := emptyResult()
	if !absent(f.Error) {
		r.Error = f.Error
	}
	set(&r.Messages, f.Messages)
	set(&r.Assignments, f.Assignments)
	set(&r.Spawns, f.Spawns)
	set(&r.Output, f.Output)
	if f.GasUsed != nil {
		r.Gas, r.HasGas = *f.GasUsed, true
	}
	r.KeepState = truthy(r.Error) || strings.HasSuffix(outputText(r.Output), allocationFailed)
	return r, nil
}
