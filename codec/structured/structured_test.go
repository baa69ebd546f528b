package structured

import (
	"fmt"
	"strings"
	"testing"

	"ago/fault"
	"ago/message"
	"ago/message/messagetest"

	"pgregory.net/rapid"
)

func TestFormsOfTheSecondGenerationAreReadBack(t *testing.T) {
	n := 0
	for _, path := range []string{"../../message/testdata/genB-messages.json", "../../message/testdata/genB-messages-extra.json"} {
		var f struct {
			Cases []struct {
				Name    string
				Message any
				Nested  any `json:"tabm-bundled"`
				Linked  any `json:"tabm-linked"`
			}
		}
		run := messagetest.Vectors(t, path, "reads", &f)
		for i, c := range f.Cases {
			run.Case(i)
			n++
			want := messagetest.Message(t, c.Message)
			got, err := Decode(messagetest.Message(t, c.Nested), GenB)
			if err != nil || !message.Equal(got, want) {
				t.Errorf("%s: %v, %v, want %v", c.Name, got, err, want)
			}
			linked := messagetest.Message(t, c.Linked)
			if got, err = Decode(linked, GenB); err != nil || !message.Equal(Encode(got, GenB, message.Linked), linked) {
				t.Errorf("%s: links came back as %v, %v", c.Name, got, err)
			}
		}
	}
	if n != 43 {
		t.Errorf("%d vectors", n)
	}
}

func TestValuesOfAnotherImplementation(t *testing.T) {
	var f struct{ Cases []map[string]any }
	run := messagetest.Vectors(t, "../../message/testdata/genB-primitives.json", "reads", &f)
	seen := map[string]int{}
	for i, c := range f.Cases {
		op := c["op"].(string)
		if op == "accumulate-256" || op == "sha-256-chain" || op == "escape-key" {
			run.Leave(i, "no value of a message, which TestPrimitives runs")
			continue
		}
		run.Case(i)
		seen[op]++
		failed := fmt.Sprint(c["out"]) == "map[$error:true]"
		switch op {
		case "ao-types-encode":
			types, err := ParseTypes(c["out"].(string))
			if got, want := fmt.Sprint(types), fmt.Sprint(c["in"]); err != nil || got != want {
				t.Errorf("types %s, %v, want %s", got, err, want)
			}
		case "structured-encode-value":
			out := c["out"].([]any)
			kind, text := out[0].(string), out[1].(string)
			want := messagetest.Value(t, c["in"])
			if kind == "binary" {
				continue
			}
			got, err := decoder{}.value(kind, text, 0)
			if err != nil || !message.Equal(got, want) {
				t.Errorf("%s %s is %v, %v, want %v", kind, text, got, err, want)
			}
			if _, isList := want.(message.List); isList {
				continue // the second generation writes lists as maps
			}
			e := Encode(message.New(message.Field{Key: "k", Value: want}), GenB, message.Nested)
			if e.Text("k") != text || e.Text("ao-types") != `k="`+kind+`"` {
				t.Errorf("%v is written %v", want, e)
			}
		case "structured-decode-value":
			got, err := decoder{}.value(c["type"].(string), c["in"].(string), 0)
			if failed != (err != nil) || !failed && !message.Equal(got, messagetest.Value(t, c["out"])) {
				t.Errorf("%v is read as %v, %v, want %v", c["in"], got, err, c["out"])
			}
		default:
			t.Errorf("no test runs %s", op)
		}
	}
	if seen["structured-encode-value"] != 15 || seen["structured-decode-value"] != 10 || seen["ao-types-encode"] != 3 {
		t.Errorf("vectors: %v", seen)
	}
}

// What the published client of the first generation does otherwise, by the number of its vector.
var clientOddities = map[int]string{
	9:  "the client lower-cases keys, which only HTTP needs",
	43: "the client does not unescape the keys in ao-types",
	49: "the client reads atoms as texts",
	51: "the client does not unescape texts in lists",
	56: "the client reads atoms as texts",
}

func TestFormsOfTheFirstGeneration(t *testing.T) {
	var f struct {
		Structured []struct{ Rich, Tabm, Back any }
	}
	run := messagetest.Vectors(t, "testdata/genA-hbsig-codecs.json", "reads and writes", &f, "structured")
	if len(f.Structured) != 60 {
		t.Errorf("%d vectors", len(f.Structured))
	}
	for i, c := range f.Structured {
		rich, annotated := messagetest.Message(t, c.Rich), messagetest.Message(t, c.Tabm)
		if why := clientOddities[i]; why != "" {
			run.LeaveOf("structured", i, why)
			continue
		}
		run.Of("structured", i)
		if _, own := rich.Get("ao-types"); own || strings.Contains(fmt.Sprint(c.Rich), "ao-types") {
			rich = messagetest.Message(t, c.Back) // it was annotated already
		} else if got := Encode(rich, GenA, message.Nested); !message.Equal(got, annotated) {
			t.Errorf("%d: written %v, want %v", i, got, annotated)
		}
		got, err := Decode(annotated, GenA)
		if err != nil || !message.Equal(got, rich) {
			t.Errorf("%d: %v, %v, want %v", i, got, err, rich)
		}
	}
}

func TestMessagesComeBack(t *testing.T) {
	for _, g := range []Generation{GenB, GenA} {
		t.Run(fmt.Sprint(g), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				m := messagetest.Messages(3).Draw(t, "message")
				got, err := Decode(Encode(m, g, message.Nested), g)
				if err != nil || !message.Equal(got, m) {
					t.Fatalf("%v, %v", got, err)
				}
			})
		})
	}
}

func TestWhatIsNotOfItsTypeIsRefused(t *testing.T) {
	for _, c := range []struct{ kind, text string }{{"integer", "1.5"}, {"integer", ""}, {"float", "nan"}, {"float", "0x1p4"}, {"list", `"a`}, {"map", `=`}, {"binary", "x"}, {"list", `("a")`}} {
		m := message.New(message.Field{Key: "k", Value: message.Bytes(c.text)}, message.Field{Key: "ao-types", Value: message.Bytes("k=" + c.kind)})
		if got, err := Decode(m, GenB); fault.CodeOf(err) != "types-malformed" {
			t.Errorf("%v is read as %v, %v", c, got, err)
		}
	}
	for _, types := range []string{`=`, `a=1`, `%zz="integer"`, `a="integer`} {
		if got, err := Decode(message.New(message.Field{Key: "ao-types", Value: message.Bytes(types)}), GenB); fault.CodeOf(err) != "types-malformed" {
			t.Errorf("types %s: %v, %v", types, got, err)
		}
	}
	m := message.New()
	for range DepthMax + 2 {
		m = message.New(message.Field{Key: "a", Value: m})
	}
	if _, err := Decode(m, GenB); fault.CodeOf(err) != "message-too-deep" {
		t.Errorf("too deep: %v", err)
	}
	if _, err := Decode(message.New(message.Field{Key: "ao-types", Value: message.Bytes(`.="list"`)}), GenB); fault.CodeOf(err) != "types-malformed" {
		t.Errorf("a list at the top: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(`a="integer", b=list`, "1", `"(ao-type-integer) 1", "x"`)
	f.Add(`a="map", b="atom"`, `x=1, y="z"`, `"true"`)
	f.Add(`a="float", b="list"`, `1e3`, `"(ao-type-list) \"(ao-type-integer) 2\""`)
	f.Fuzz(func(t *testing.T, types, a, b string) {
		in := message.New(message.Field{Key: "a", Value: message.Bytes(a)}, message.Field{Key: "b", Value: message.Bytes(b)}, message.Field{Key: "ao-types", Value: message.Bytes(types)})
		for _, g := range []Generation{GenA, GenB} {
			m, err := Decode(in, g)
			if err != nil {
				continue
			}
			again, err := Decode(Encode(m, g, message.Nested), g)
			if err != nil || !message.Equal(again, m) {
				t.Fatalf("%v came back as %v, %v", m, again, err)
			}
		}
	})
}
