package devices_test

import (
	"testing"

	"ago/message"
)

func TestMessagesAreMatched(t *testing.T) {
	node, s := shelved(t)
	one, two := texts("kind", "recorded", "n", "1"), texts("kind", "recorded", "n", "2")
	for _, m := range []message.Message{one, two} {
		if _, err := s.Write(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	kept(t, "match@1.0", node, false, one)
	for path, want := range map[string]string{
		"/~match@1.0&kind=recorded&n=2/n/1":   two.UnsignedID().String(),
		"/~match@1.0&kind=recorded&n=1/all/1": one.UnsignedID().String(),
		"/~match@1.0&kind=recorded&n=1/all/2": "!key-absent",
		"/~match@1.0&kind=recorded&n=3/all":   "!query-empty",
		"/~match@1.0&kind=other/kind":         "!query-empty",
		"/~match@1.0&kind=recorded/n":         "!key-absent",
		"/~match@1.0/all":                     "[]",
	} {
		if got := said(asked(t, node, path, message.Message{})); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
