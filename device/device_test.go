package device

import (
	"errors"
	"strings"
	"testing"

	"ago/fault"
	"ago/message"
)

func answer(text string) Func {
	return func(*Call, message.Message, message.Message) (message.Value, error) { return message.Bytes(text), nil }
}

func TestKeysFindTheirFunctions(t *testing.T) {
	keys := Keys{"add-one": {Doc: "adds", Do: answer("add")}, "set": {Doc: "sets", Do: answer("set")}}
	doc := Key{Doc: "anything else"}
	for name, c := range map[string]struct {
		device Device
		want   map[string]string // key -> answer, "" for message@1.0
	}{
		"keys only":       {Device{Keys: keys}, map[string]string{"add-one": "add", "Add_One": "add", "set": "set", "other": "", "keys": ""}},
		"default":         {Device{Keys: keys, Default: answer("default"), DefaultKey: doc}, map[string]string{"add-one": "add", "other": "default", "set": "set", "keys": "", "get": ""}},
		"handler":         {Device{Keys: keys, Handler: answer("handler")}, map[string]string{"add-one": "handler", "other": "handler", "keys": "", "set": "set"}},
		"narrow excludes": {Device{Handler: answer("handler"), Excludes: []string{"keys"}}, map[string]string{"keys": "", "set": "handler", "id": "handler"}},
		"documented only": {Device{Keys: Keys{"add": {Doc: "adds"}}, Handler: answer("handler")}, map[string]string{"add": "handler"}},
	} {
		c.device.Name, c.device.Doc = "test@1.0", "for a test"
		d, _ := NewRegistry(c.device).Find("test@1.0")
		for key, want := range c.want {
			do, _, ok := d.Find(key)
			got := ""
			if ok {
				v, _ := do(nil, message.Message{}, message.Message{})
				got, _ = Text(v)
			}
			if got != want {
				t.Errorf("%s: %s is answered by %q, want %q", name, key, got, want)
			}
		}
	}
}

func TestDevicesThatSayTooLittleAreRefused(t *testing.T) {
	good := Device{Name: "good@1.0", Doc: "does good", Keys: Keys{"a": {Doc: "an a", Do: answer("a")}}}
	for name, change := range map[string]func(*Device){
		"needs a sentence":       func(d *Device) { d.Doc = "" },
		"has a version":          func(d *Device) { d.Name = "good" },
		"has a version: counter": func(d *Device) { d.Name = "a/b@1.0" },
		"answers nothing":        func(d *Device) { d.Keys = nil },
		"lower case":             func(d *Device) { d.Keys = Keys{"A": d.Keys["a"]} },
		`key "a" needs`:          func(d *Device) { d.Keys = Keys{"a": {Do: answer("a")}} },
		"does nothing":           func(d *Device) { d.Keys = Keys{"a": {Doc: "an a"}} },
		"an input":               func(d *Device) { d.Keys = Keys{"a": {Doc: "an a", Do: answer("a"), Inputs: []Input{{Name: "x"}}}} },
		"DefaultKey":             func(d *Device) { d.Default = answer("x") },
	} {
		d := good
		change(&d)
		if text := panicOf(func() { NewRegistry(d) }); !strings.Contains(text, name) {
			t.Errorf("refused with %q, want %q", text, name)
		}
	}
	if text := panicOf(func() { NewRegistry(good, good) }); !strings.Contains(text, "two are named") {
		t.Errorf("two of one name: %q", text)
	}
}

func panicOf(f func()) (text string) {
	defer func() {
		if r := recover(); r != nil {
			text, _ = r.(string)
		}
	}()
	f()
	return ""
}

func TestARegistryIsNarrowedByName(t *testing.T) {
	keys := Keys{"a": {Doc: "an a", Do: answer("a")}}
	all := NewRegistry(Device{Name: Default, Doc: "all", Keys: keys}, Device{Name: "b@1.0", Aliases: []string{"B/1.0"}, Doc: "b", Keys: keys}, Device{Name: "c@1.0", Doc: "c", Keys: keys})
	some, err := all.Only("b@1.0")
	if err != nil || strings.Join(some.Names(), " ") != "b@1.0 message@1.0" {
		t.Fatal(some, err)
	}
	if d, ok := some.Find("B/1.0"); !ok || d.Name != "b@1.0" {
		t.Error("an alias is lost")
	}
	if _, ok := some.Find("c@1.0"); ok {
		t.Error("what was left out is found")
	}
	if _, err := all.Only("d@1.0"); err == nil {
		t.Error("an unknown name is taken")
	}
}

func TestStatusesOfAnswers(t *testing.T) {
	body := func(v message.Value) message.Message { return message.New(message.Field{Key: "body", Value: v}) }
	status := func(v message.Value) message.Message { return message.New(message.Field{Key: "status", Value: v}) }
	for _, c := range []struct {
		v    message.Value
		err  error
		want int
	}{
		{message.Bytes("x"), nil, 200},
		{status(message.Int(402)), nil, 402},
		{status(message.Bytes("429")), nil, 429},
		{status(message.Bytes("created")), nil, 201},
		{status(message.Int(7)), nil, 200},
		{message.Atom("not_found"), nil, 404},
		{message.Atom("true"), nil, 200},
		{body(message.Atom("unavailable")), nil, 503},
		{nil, Absent("x"), 404},
		{nil, End(Unauthorized, message.Bytes("no")), 401},
		{nil, End(Failed, status(message.Int(402))), 402},
		{nil, Created(message.New()), 201},
		{nil, fault.New(fault.Looped, "resolve-loop", "round"), 508},
		{nil, fault.New(fault.Unauthorized, "unsigned", "who"), 401},
		{nil, errors.New("defect"), 500},
		{nil, Skip(message.New()), 200},
	} {
		if got := HTTPStatus(c.v, c.err); got != c.want {
			t.Errorf("%v, %v: %d, want %d", c.v, c.err, got, c.want)
		}
	}
}

func TestArgumentsAreHeldAgainstTheirInputs(t *testing.T) {
	key := Key{Inputs: []Input{
		{Name: "by", Doc: "amount", Type: TypeInt},
		{Name: "who", Doc: "address", Type: TypeID, Required: true},
		{Name: "note", Doc: "text", Type: TypeText, Max: 4},
		{Name: "list", Doc: "list", Type: TypeList, Max: 2},
		{Name: "sure", Doc: "flag", Type: TypeFlag},
		{Name: "of", Doc: "map", Type: TypeMap},
	}}
	id := message.Bytes(message.HashOf(nil).String())
	for _, c := range []struct {
		key  string
		v    message.Value
		want string
	}{
		{"by", message.Bytes("-12"), ""},
		{"by", message.BigInt("99999999999999999999"), ""},
		{"by", message.Bytes("twelve"), "argument-malformed"},
		{"who", message.Bytes("short"), "argument-malformed"},
		{"note", message.Bytes("four"), ""},
		{"note", message.Bytes("fives"), "argument-too-large"},
		{"note", message.New(), "argument-malformed"},
		{"list", message.Bytes("a, b"), ""},
		{"list", message.Bytes("a,b,c"), "argument-too-large"},
		{"sure", message.Atom("true"), ""},
		{"sure", message.Bytes("maybe"), "argument-malformed"},
		{"of", message.Bytes("x"), "argument-malformed"},
		{"of", message.Link{}, ""},
	} {
		req := message.New(message.Field{Key: "who", Value: id}).With(c.key, c.v)
		err := key.Check(message.Message{}, req)
		if got := fault.CodeOf(err); err != nil && got != c.want || err == nil && c.want != "" {
			t.Errorf("%s=%v: %v, want %q", c.key, c.v, err, c.want)
		}
	}
	if err := key.Check(message.Message{}, message.Message{}); fault.CodeOf(err) != "argument-missing" {
		t.Error("a required argument is not missed:", err)
	}
	if err := key.Check(message.New(message.Field{Key: "who", Value: id}), message.Message{}); err != nil {
		t.Error("the base may hold it:", err)
	}
}

func TestServicesAreFoundByTheirType(t *testing.T) {
	type counter interface{ Count() int }
	n := &Node{}
	Provide[counter](n, three{})
	d := n.Derive()
	Provide[string](d, "x")
	if s, ok := Service[counter](&Call{Node: d}); !ok || s.Count() != 3 {
		t.Error("a service is lost")
	}
	if s, ok := Service[string](&Call{Node: d}); !ok || s != "x" {
		t.Error("a service is lost")
	}
	if _, ok := Service[string](&Call{Node: n}); ok {
		t.Error("a derived node changes the one it comes from")
	}
}

type three struct{}

func (three) Count() int { return 3 }

func TestADeviceDescribesItself(t *testing.T) {
	d := Device{Name: "counter@1.0", Aliases: []string{"Counter/1.0"}, Doc: "adds numbers", Keys: Keys{"add": {Doc: "`count` with `by` added to it", CacheControl: "always", Do: answer("x"),
		Inputs: []Input{{Name: "by", Doc: "1 if it is absent", Type: TypeInt, Max: 3}}}},
		Default: answer("y"), DefaultKey: Key{Doc: "nothing of use"},
		Examples: []Example{{Path: "/~counter@1.0&count=1/add", Want: "2"}, {Path: "/~counter@1.0/slot", Want: "7", Needs: "the answer of a process"}}}
	r := NewRegistry(d)
	found, _ := r.Find("counter@1.0")
	want := "# counter@1.0\n\nAdds numbers.\n\nAlso known as Counter/1.0.\n\n    GET /~counter@1.0&count=1/add\n    2\n\nThe answer of a process.\n\n    GET /~counter@1.0/slot\n    7\n" +
		"\n## `add`\n\nAnswers `count` with `by` added to it.\n\nThe answer follows from message and request alone; it is kept as by `cache-control: always` if nobody asks otherwise.\n\n- `by`: whole number, up to 3 bytes: 1 if it is absent\n\n## Any other key\n\nAnswers nothing of use.\n"
	if got := found.Markdown(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got, want := r.Markdown(), "| device | what it does |\n| --- | --- |\n| [counter@1.0](counter@1.0.md) | adds numbers |\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	answers, _ := found.Describe().Get("answers")
	add, _ := answers.(message.Message).Get("add")
	if got := add.(message.Message).Text("description"); got != "`count` with `by` added to it" {
		t.Errorf("described as %q", got)
	}
}
