package resolve

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"ago/device"
	"ago/fault"
	"ago/message"
	"ago/message/messagetest"

	"pgregory.net/rapid"
)

// exceptions are published cases where this parser does something else, with the reason.
var exceptions = map[string]string{
	"/a?k+list=%221%22,%222%22": "a text in a list stays a text; the published parser makes a number of digits in quotes",
}

type singletonCase struct {
	Path     string
	Headers  map[string]any
	Messages any
	From     []any `json:"to-singleton-of"`
	To       any   `json:"singleton"`
}

func TestRequestsAreReadAsTheSecondGenerationDoes(t *testing.T) {
	var file struct{ Cases []singletonCase }
	run := messagetest.Vectors(t, "testdata/genB-singleton.json", "reads and writes", &file)
	read := 0
	for i, c := range file.Cases {
		run.Case(i)
		if c.From != nil {
			checkWritten(t, c)
			continue
		}
		read++
		keys := message.Message{}
		if c.Headers != nil {
			keys, _ = messagetest.Value(t, c.Headers).(message.Message)
		} else {
			keys = keys.With("method", message.Bytes("GET"))
		}
		steps, err := Parse(c.Path, keys)
		if m, failed := c.Messages.(map[string]any); failed && m["$error"] == true {
			if fault.KindOf(err) != fault.Malformed || err == nil {
				t.Errorf("%s: %v, want a failure", c.Path, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.Path, err)
			continue
		}
		got, want := show(steps), show(published(t, c.Messages))
		if why := exceptions[c.Path]; why != "" {
			if got == want {
				t.Errorf("%s is no exception any more: %s", c.Path, why)
			}
			run.Leave(i, why)
			continue
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", c.Path, got, want)
		}
	}
	if read < 60 {
		t.Errorf("only %d cases were read", read)
	}
}

func checkWritten(t *testing.T, c singletonCase) {
	t.Helper()
	path, keys, err := Format(published(t, c.From))
	if m, _ := c.To.(map[string]any); m["$error"] == true {
		if err != nil { // the published writer has no path for a device
			t.Errorf("%v has a path here: %v", c.From, err)
		}
		return
	}
	if got, want := keys.With("path", message.Bytes(path)), messagetest.Value(t, c.To); err != nil || !message.Equal(got, want) {
		t.Errorf("%v is written %v (%v), want %v", c.From, got, err, want)
	}
}

// published turns the messages of a case into steps.
func published(t *testing.T, v any) []device.Step {
	steps := []device.Step{}
	for _, m := range v.([]any) {
		switch m := m.(type) {
		case string:
			steps = append(steps, device.Step{Target: m})
		case map[string]any:
			if sub, ok := m["$resolve"]; ok {
				steps = append(steps, device.Step{Sub: published(t, sub)})
				continue
			}
			s := device.Step{}
			if as, ok := m["$as"].(string); ok {
				s.As, m = as, m["msg"].(map[string]any)
			}
			plain := map[string]any{}
			for _, key := range slices.Sorted(func(yield func(string) bool) {
				for key := range m {
					if !yield(key) {
						return
					}
				}
			}) {
				if inner, ok := m[key].(map[string]any); ok && inner["$resolve"] != nil {
					s.Args = append(s.Args, device.Arg{Key: key, Steps: published(t, inner["$resolve"])})
					continue
				}
				plain[key] = m[key]
			}
			s.Request, _ = messagetest.Value(t, plain).(message.Message)
			if path := s.Request.Text("path"); s.As != "" && isID(path) {
				s.Target, s.Request = path, s.Request.Without("path")
			}
			steps = append(steps, s)
		}
	}
	return steps
}

// show writes steps for comparison; lists stand as the links that the published parser makes of them.
func show(steps []device.Step) string {
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "[%s~%s", s.Target, s.As)
		for key, v := range s.Request.Annotate(message.Linked).All() {
			fmt.Fprintf(&b, " %s=%v", key, v)
		}
		for _, a := range s.Args {
			fmt.Fprintf(&b, " %s=(%s)", a.Key, show(a.Steps))
		}
		if s.Sub != nil {
			fmt.Fprintf(&b, " (%s)", show(s.Sub))
		}
		b.WriteString("]")
	}
	return b.String()
}

func TestPathsBeyondThePublishedCases(t *testing.T) {
	id := "tRoMoihXGnJ8CGBWTW6501dOeMl1qz-iPWN_Bw__a7A"
	for path, want := range map[string]string{
		"/?k=v":                              "",
		"/a&k=x%2Fy%26z":                     "[~][~ k=x/y&z path=a]",
		"/a%2Fb":                             "[~][~ path=a/b]",
		"/a&k=%22x/y%22/b":                   "[~][~ k=x/y path=a][~ path=b]",
		"/a&k=%28b/c%29/d":                   "[~][~ path=a k=([~][~ path=b][~ path=c])][~ path=d]",
		"/a?k=(x?y)":                         "[~ k=(x?y)][~ k=(x?y) path=a]",
		"/a&k=(b&j=(c/d))":                   "[~][~ path=a k=([~][~ path=b j=([~][~ path=c][~ path=d])])]",
		"/()":                                "[~ ([~])]",
		"/" + id + "~x@1.0&k=v/a":            "[" + id + "~x@1.0 k=v][~ path=a]",
		"/~x@1.0?path=p&1.k=v":               "[~x@1.0]",
		"/a&n+map=a=%22b%22,c=1":             "[~][~ n+link=",
		"/a&n+list=%22a%22,%22b%22":          "[~][~ n+link=",
		"/a&n+link=" + id:                    "[~][~ n+link=" + id + " path=a]",
		"/a&n+integer=123456789012345678901": `[~][~ ao-types=n="integer" n=123456789012345678901 path=a]`,
		"/a?1.k+resolve=/b/c":                "[~][~ path=a k=([~][~ path=b][~ path=c])]",
		"/a&k=v?k=w":                         "[~ k=w][~ k=v path=a]",
		"/a&k=(b)?k=w":                       "[~ k=w][~ path=a k=([~][~ path=b])]",
		"/a%":                                "[~][~ path=a%]",
		"/a?k=%":                             "[~ k=%][~ k=% path=a]",
		"/&k=v":                              "[~][~ k=v]",
	} {
		steps, err := Parse(path, message.Message{})
		if got := show(steps); err != nil || !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%s\n got %s (%v)\nwant %s", path, got, err, want)
		}
	}
}

func TestPathsThatSayNothingAreRefused(t *testing.T) {
	for path, code := range map[string]string{
		"/a&k=(b":                            "path-malformed",
		`/a&k="b`:                            "path-malformed",
		"/a~":                                "path-malformed",
		"/(a)b":                              "path-malformed",
		"/=v":                                "path-malformed",
		"/a&=v":                              "path-malformed",
		"/a&k+integer":                       "path-malformed",
		"/a&k+integer=x":                     "value-malformed",
		"/a&k+float=x":                       "value-malformed",
		"/a&k+link=x":                        "value-malformed",
		"/a&k+list=(":                        "path-malformed",
		"/a&k+map=%22":                       "path-malformed",
		"/a?k+list=(":                        "value-malformed",
		"/a&k+nosuch=x":                      "type-unknown",
		"/a?x.k=v":                           "scope-malformed",
		"/" + strings.Repeat("a", 600):       "path-malformed",
		"/a&k=" + strings.Repeat("a", 20000): "path-too-long",
		"/a" + strings.Repeat("&k", 300):     "too-many-arguments",
		"/a?" + strings.Repeat("&k", 300):    "too-many-arguments",
		strings.Repeat("/a", 300):            "path-too-long",
		strings.Repeat("a", 1<<17):           "path-too-long",
		"/a&k=" + strings.Repeat("(", 40) + "b" + strings.Repeat(")", 40): "path-too-deep",
	} {
		if _, err := Parse(path, message.Message{}); err == nil || fault.CodeOf(err) != code {
			t.Errorf("%.60s: %v, want %s", path, err, code)
		}
	}
}

func TestKeysThatNobodyChangedKeepTheirCommitments(t *testing.T) {
	covers := func(keys ...message.Value) message.Message {
		return message.New(message.Field{Key: "committed", Value: message.List(keys)})
	}
	m := message.New(
		message.Field{Key: "path", Value: message.Bytes("/a")}, message.Field{Key: "k", Value: message.Bytes("v")},
		message.Field{Key: "commitments", Value: message.New(message.Field{Key: "free", Value: covers(message.Bytes("k"))}, message.Field{Key: "bound", Value: covers(message.Bytes("k"), message.Bytes("path"))})})
	for path, want := range map[string]int{"/a?k=v": 1, "/a?j=w": 1, "/a?k=w": 0, "/a&k=v": 1, "/a&k=w": 0} {
		steps, err := Parse(path, m)
		if err != nil {
			t.Fatal(err)
		}
		if got := steps[1].Request.Commitments().Len(); got != want {
			t.Errorf("%s: %d commitments, want %d", path, got, want)
		}
	}
}

func TestWrittenPathsAreReadBack(t *testing.T) {
	name := rapid.StringMatching(`[a-z][a-z0-9-]{0,8}`)
	odd := rapid.OneOf(name, rapid.StringMatching(`[a-z/&?=%]{1,8}`))
	value := rapid.OneOf(
		rapid.Map(rapid.String(), func(s string) message.Value { return message.Bytes(s) }),
		rapid.Map(rapid.Int64(), func(n int64) message.Value { return message.Int(n) }),
		rapid.Map(rapid.Float64Range(-1e9, 1e9), func(f float64) message.Value { return message.Float(f) }),
		rapid.Map(name, func(s string) message.Value { return message.Atom(s) }))
	rapid.Check(t, func(t *rapid.T) {
		var steps []device.Step
		for i := range rapid.IntRange(2, 5).Draw(t, "steps") {
			s := device.Step{}
			for range rapid.IntRange(0, 3).Draw(t, "keys") {
				s.Request = s.Request.With(name.Draw(t, "key"), value.Draw(t, "value"))
			}
			s.Request = s.Request.Without("path")
			if i > 0 {
				s.Request = s.Request.With("path", message.Bytes(odd.Draw(t, "path")))
			}
			if i > 0 && rapid.Bool().Draw(t, "as") {
				s.As = name.Draw(t, "device") + "@1.0"
			}
			if i > 0 && rapid.Bool().Draw(t, "arg") {
				key := name.Draw(t, "arg key")
				s.Request = s.Request.Without(key)
				s.Request = s.Request.With("path", message.Bytes("p"))
				if key != "path" {
					s.Args = []device.Arg{{Key: key, Steps: []device.Step{{}, device.Ask(odd.Draw(t, "inner"))}}}
				}
			}
			steps = append(steps, s)
		}
		if steps[1].As != "" {
			steps = steps[1:] // a device begins a path by itself
		}
		path, keys, err := Format(steps)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Parse(path, keys)
		if err != nil || show(back) != show(steps) {
			t.Fatalf("%s %v\n got %s (%v)\nwant %s", path, keys, show(back), err, show(steps))
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"/a/b&k+integer=1?x=y", `/~m@1.0&k="a/b"/(c/d)`, "/%2F%%41", "/a&k=(b&j=(c))", "/a?1.k+list=1,%22b%22"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		steps, err := Parse(path, message.Message{})
		if err != nil {
			if k := fault.KindOf(err); k != fault.Malformed && k != fault.TooLarge {
				t.Fatalf("%q: %v", path, err)
			}
			return
		}
		again, _ := Parse(path, message.Message{})
		if !reflect.DeepEqual(steps, again) {
			t.Fatalf("%q is read in two ways", path)
		}
		written, keys, err := Format(steps)
		if err != nil {
			return
		}
		back, err := Parse(written, keys)
		if err != nil || show(back) != show(steps) {
			t.Fatalf("%q is written as %q %v\n got %s (%v)\nwant %s", path, written, keys, show(back), err, show(steps))
		}
	})
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("/~message@1.0&hello=world/hello", message.Message{}); err != nil {
			b.Fatal(err)
		}
	}
}
