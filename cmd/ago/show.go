package main

import (
	stdjson "encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"ago/codec/json"
	"ago/message"
)

// showValue prints a value for people: text as it is, a message with a line for each key, as a path would write it
// (name+type = value), what is nested indented below.
func showValue(w io.Writer, v message.Value) {
	switch v := v.(type) {
	case message.Message, message.List:
		showNested(w, v, "")
	case message.Bytes:
		text := string(v)
		if !printable(text) {
			text = strconv.Quote(text)
		}
		fmt.Fprintln(w, strings.TrimSuffix(text, "\n"))
	default:
		_, text := scalar(v)
		fmt.Fprintln(w, text)
	}
}

func showNested(w io.Writer, v message.Value, indent string) {
	line := func(key string, v message.Value) {
		kind, text := scalar(v)
		if kind != "" {
			key += "+" + kind
		}
		switch v := v.(type) {
		case message.Message:
			fmt.Fprintf(w, "%s%s:\n", indent, shown(key))
			showNested(w, v, indent+"  ")
		case message.List:
			fmt.Fprintf(w, "%s%s+list:\n", indent, shown(key))
			showNested(w, v, indent+"  ")
		default:
			fmt.Fprintf(w, "%s%s = %s\n", indent, shown(key), text)
		}
	}
	switch v := v.(type) {
	case message.Message:
		for key, v := range v.All() {
			if key != message.KeyCommitments {
				line(key, v)
			}
		}
	case message.List:
		for i, v := range v {
			line(strconv.Itoa(i+1), v)
		}
	}
}

// scalar gives the type of a value as paths name it, "" for text, and how it is shown.
func scalar(v message.Value) (kind, text string) {
	switch v := v.(type) {
	case message.Bytes:
		return "", shown(string(v))
	case message.Link:
		return "link", v.To.String()
	case message.Int:
		return "integer", strconv.FormatInt(int64(v), 10)
	case message.BigInt:
		return "integer", string(v)
	case message.Float:
		return "float", strconv.FormatFloat(float64(v), 'g', -1, 64)
	case message.Atom:
		return "atom", shown(string(v))
	}
	return "", ""
}

// shown is text on one line: with quotes and escapes if it has several, or what a terminal would act on.
func shown(text string) string {
	if text != "" && printable(text) && !strings.ContainsAny(text, "\n\t") && text == strings.TrimSpace(text) {
		return text
	}
	return strconv.Quote(text)
}

func printable(text string) bool {
	return utf8.ValidString(text) && strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' }) < 0
}

// bare gives a value without the commitments that nobody in particular made: they only name what is there.
func bare(v message.Value) message.Value {
	switch v := v.(type) {
	case message.Message:
		fs := make([]message.Field, 0, v.Len())
		for key, inner := range v.All() {
			if key != message.KeyCommitments || len(v.Committers()) > 0 {
				fs = append(fs, message.Field{Key: key, Value: bare(inner)})
			}
		}
		return message.New(fs...)
	case message.List:
		out := make(message.List, len(v))
		for i, inner := range v {
			out[i] = bare(inner)
		}
		return out
	}
	return v
}

// valueJSON is a value as the JSON that clients read.
func valueJSON(v message.Value) (stdjson.RawMessage, error) {
	v = bare(v)
	if m, ok := v.(message.Message); ok {
		return json.Encode(m)
	}
	b, err := json.Encode(message.New(message.Field{Key: "value", Value: v}))
	if err != nil {
		return nil, err
	}
	var outer map[string]stdjson.RawMessage
	err = stdjson.Unmarshal(b, &outer)
	return outer["value"], err
}
