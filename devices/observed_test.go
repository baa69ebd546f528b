package devices_test

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ago/device"
	"ago/device/devicetest"
	"ago/message"
	"ago/message/messagetest"
	"ago/resolve"
)

// elsewhere are the requests that a node of the first generation answered in another way, with what is answered here and why.
var elsewhere = map[string]string{
	"device-alone":       `{"a":"1","device":"message@1.0","host":"localhost:10004","method":"GET"}`, // a part without another is the message itself
	"integer-bad":        "400",                                                                      // a value that is not of its type is refused, not dropped
	"boolean":            "true",                                                                     // there a boolean cannot be an answer
	"type-unknown":       "400",
	"quoted":             "Alice & co", // quotation marks came with the second generation
	"resolve-inline":     "400",
	"unknown-device":     "422",
	"id":                 "*",  // fails there, since the request's commitments are taken for a selection
	"id-httpsig":         "*",  // an id of the first generation, over its headers
	"atom":               "ok", // texts of atoms are not quoted
	"float":              "2.5",
	"integer-in-message": `{"device":"message@1.0","host":"localhost:10004","method":"GET","n":42}`,
	"flag":               `{"device":"message@1.0","host":"localhost:10004","method":"GET","n":true}`,
	"set":                `{"a":"1","device":"message@1.0","host":"localhost:10004","method":"GET"}`,
	"keys":               `["a","b","device","host","method"]`, // the header connection belongs to the connection
	"commit":             "*",                                  // signed by the node's own key
	"committers":         "*",
}

// What a node of the first generation was seen to answer to paths about messages.
func TestPathsAnswerAsObserved(t *testing.T) {
	var pairs []struct {
		Name    string
		Request struct {
			Method, Path string
			Headers      map[string]string
		}
		Response struct {
			Status int
			Body   string
		}
	}
	messagetest.Load(t, "../codec/httpsig/testdata/http-genA/message.json", &pairs)
	node, _ := messageNode(t)
	r := resolve.New(node, resolve.Limits{})
	checked := 0
	for _, p := range pairs {
		if p.Request.Method != "GET" {
			continue // signed requests are the HTTP face's
		}
		checked++
		keys := message.New(field("method", message.Bytes(p.Request.Method)))
		for _, name := range slices.Sorted(maps.Keys(p.Request.Headers)) {
			keys = keys.With(name, message.Bytes(p.Request.Headers[name]))
		}
		res, err := r.Resolve(t.Context(), resolve.Request{Path: p.Request.Path, Keys: keys})
		got := devicetest.Show(res.Value)
		if err != nil {
			got = strconv.Itoa(int(device.StatusOf(err)))
		}
		want := p.Response.Body
		if p.Response.Status != 200 {
			want = strconv.Itoa(p.Response.Status)
		}
		if other, ok := elsewhere[p.Name]; ok {
			if other == want {
				t.Errorf("%s is answered as observed: it is not to be listed", p.Name)
			}
			want = other
		}
		if got != want && !(want == "*" && err == nil && got != "") || strings.HasPrefix(got, "5") {
			t.Errorf("%s: %s gives %s (%v), want %s", p.Name, p.Request.Path, got, err, want)
		}
	}
	if checked < 25 {
		t.Errorf("only %d requests were checked", checked)
	}
}
