package node

import (
	"slices"
	"testing"

	"ago/message"
	"ago/store/memory"
)

func TestSettingsAreChangedOnceByARequest(t *testing.T) {
	t.Parallel()
	kept := memory.New()
	open := func() *coreSettings {
		c, err := openSettings(kept)
		if err != nil {
			t.Fatal(err)
		}
		c.apply = func() {}
		return c
	}
	c := open()
	for _, step := range []struct {
		value   string
		request []string
		history int
		want    string
	}{
		{"one", []string{"first"}, 1, "one"},
		{"two", []string{"second", "with"}, 2, "two"},
		{"one", []string{"first"}, 1, "two"},
		{"one", []string{"added", "first"}, 1, "two"},
		{"two", []string{"with"}, 2, "two"},
		{"one", []string{"third"}, 3, "one"},
	} {
		for range 2 { // also after a restart
			n, err := c.Change(t.Context(), message.New(message.Field{Key: "k", Value: message.Bytes(step.value)}), slices.Clone(step.request))
			if err != nil || n != step.history || c.over(message.Message{}).Text("k") != step.want {
				t.Errorf("%v: %d %v, k is %s", step.request, n, err, c.over(message.Message{}).Text("k"))
			}
			c = open()
		}
	}
}
