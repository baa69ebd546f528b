package devices_test

import (
	"context"
	"strings"
	"testing"

	"ago/device"
	"ago/devices"
	"ago/message"
	"ago/message/messagetest"
	"ago/store/content"
	"ago/store/memory"
)

func shelved(t *testing.T) (*device.Node, *content.Contents) {
	node, s := plainNode(t), content.New(content.Options{Tables: memory.New(), Blobs: memory.NewBlobs()})
	node.Contents = s
	return node, s
}

func TestDevicesOfContentsKeepTheRulesOfDevices(t *testing.T) {
	node, _ := shelved(t)
	for _, name := range []string{"cache@1.0", "lookup@1.0", "query@1.0", "local-name@1.0", "name@1.0", "b32-name@1.0", "manifest@1.0", "node-process@1.0"} {
		kept(t, name, node, false, texts("data", `{"manifest":"arweave/paths","paths":{"a":{"id":"x"}}}`))
	}
}

func TestOnlyWritersWriteToTheCache(t *testing.T) {
	writer, stranger := newKey(t, 3), newKey(t, 4)
	write := func(fs ...string) message.Message {
		return texts(append(fs, "method", "POST", "path", "/~cache@1.0/write")...)
	}
	one := write("body", "stored bytes")
	id := message.HashOf([]byte("stored bytes")).String()
	for _, c := range []struct {
		name string
		keys message.Message
		want string
	}{
		{"a writer", signed(t, one, writer), `{"path":"data/` + id + `","status":200}`},
		{"a stranger", signed(t, one, stranger), "!status 403: Not authorized to write to the cache."},
		{"nobody", one, "!status 403: Not authorized to write to the cache."},
		{"forged", signed(t, one, writer).With("body", message.Bytes("evil")).With("commitments", signed(t, one, writer).Commitments()), "!signature-invalid"},
		{"unsigned words", signed(t, write(), writer).With("body", message.Bytes("evil")), "!status 400: No body to write."},
		{"no such type", signed(t, write("body", "x", "type", "other"), writer), "!status 400: Invalid write type."},
		{"a message", signed(t, write().With("body", texts("a", "b")), writer), "!status 400: Invalid write type."},
		{"a batch", signed(t, write("type", "batch").With("body", message.New(field("x", message.Bytes("y")), field("z", texts("a", "b")))), writer),
			`{"x":{"path":"data/` + message.HashOf([]byte("y")).String() + `","status":200},"z":{"path":"qoKsl5XJIjkL7QIfUXNplkdh71dTOV1mUtP3b4WlzMk","status":200}}`},
	} {
		node, tables := plainNode(t), memory.New()
		node.Contents = content.New(content.Options{Tables: tables, Blobs: memory.NewBlobs()})
		node.Options = message.New(field("cache_writers", message.List{message.Bytes(writer.Address().String())}))
		if got := said(asked(t, node, "/~cache@1.0/write", c.keys)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		rows := 0
		for range tables.Scan(nil, nil, false) {
			rows++
		}
		if (rows > 0) != (c.want[0] == '{') {
			t.Errorf("%s: %d rows are kept", c.name, rows)
		}
		if c.name != "a writer" {
			continue
		}
		link := signed(t, texts("method", "POST", "path", "/~cache@1.0/link", "source", "data/"+id, "destination", "recorded-link"), writer)
		if got := said(asked(t, node, "/~cache@1.0/link", link)); got != `{"status":200}` {
			t.Error("link:", got)
		}
		taken := signed(t, texts("path", "/~cache@1.0/link", "source", id, "destination", "local-name@1.0/x"), writer)
		if got := said(asked(t, node, "/~cache@1.0/link", taken)); got != "!destination-taken" {
			t.Error("link to a name:", got)
		}
		for target, want := range map[string]string{"data/" + id: "stored bytes", id: "stored bytes", "recorded-link": "stored bytes", strings.Repeat("d", 43): "!message-absent"} {
			if got := said(asked(t, node, "/~cache@1.0/read?target="+target, message.Message{})); got != want {
				t.Errorf("read %s: %s, want %s", target, got, want)
			}
			if got := said(asked(t, node, "/~lookup@1.0/read?target="+target, message.Message{})); got != want && got != "!absent" {
				t.Errorf("look up %s: %s, want %s", target, got, want)
			}
		}
	}
}

func TestQueriesFindMessages(t *testing.T) {
	node, s := shelved(t)
	for _, m := range []message.Message{texts("type", "Process", "n", "1"), texts("type", "Process", "n", "2"), texts("type", "Message")} {
		if _, err := s.Write(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	device.Provide[devices.Queries](node, echo{})
	request := texts("method", "GET", "host", "h")
	for path, want := range map[string]string{
		"/~query@1.0/all?type=Process&return=count":                "2",
		"/~query@1.0/all?type=Process&n=2&return=messages":         `[{"n":"2","type":"Process"}]`,
		"/~query@1.0/only?type=Process&n=9&only=type&return=count": "2",
		"/~query@1.0/all?type=Process&n=9&exclude=n&return=count":  "2",
		"/~query@1.0&type=Message/base?return=first":               `{"type":"Message"}`,
		"/~query@1.0/all?type=None&return=boolean":                 "false",
		"/~query@1.0/all?type=None":                                "!query-empty",
		"/~query@1.0/all":                                          "!query-malformed",
		"/~query@1.0/all?type=Message&return=other":                "!argument-malformed",
		"/~query@1.0/all?type=Message&return=first-path":           texts("type", "Message").SignedID().String(),
		"/~query@1.0/graphql/body?query=q":                         `{"query":"q"}`,
		"/~query@1.0/graphql?query=q&variables=x":                  "!argument-malformed",
	} {
		if got := said(asked(t, node, path, request)); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

// echo is an index that answers with the request.
type echo struct{}

func (echo) GraphQL(_ context.Context, request []byte) ([]byte, error) { return request, nil }

func TestNamesAreGivenByTheOperator(t *testing.T) {
	node, s := shelved(t)
	m := texts("hello", "world")
	if _, err := s.Write(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	id := m.SignedID().String()
	register := func(key, value string) message.Message {
		return texts("method", "POST", "path", "/~local-name@1.0/register", "key", key, "value", value)
	}
	for _, c := range []struct {
		name string
		keys message.Message
		want string
	}{
		{"the operator", signed(t, register("recorded", id), node.Key), "Registered."},
		{"a stranger", signed(t, register("recorded", "evil"), newKey(t, 9)), "!status 403"},
		{"nobody", register("recorded", "evil"), "!status 403"},
		{"a path", signed(t, register("a/b", id), node.Key), "!name-malformed"},
	} {
		if got := said(asked(t, node, "/~local-name@1.0/register", c.keys)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	for path, want := range map[string]string{
		"/~local-name@1.0/lookup?key=recorded": id,
		"/~local-name@1.0/recorded":            id,
		"/~local-name@1.0/nobody":              "!key-absent",
		"/~name@1.0/recorded/hello":            "world",
		"/~name@1.0/recorded?load=false":       id,
		"/~name@1.0/nobody":                    "!key-absent",
	} {
		if got := said(asked(t, node, path, message.Message{})); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	node.Options = message.New(field("name_resolvers", message.List{
		message.Bytes("/~message@1.0&x=1"), texts("device", "b32-name@1.0"), texts("device", "local-name@1.0"), texts("mine", id)}))
	raw, _ := message.ParseID(id)
	b32, err := asked(t, node, "/~b32-name@1.0/lookup&key="+raw.String(), message.Message{})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/~name@1.0/x":              "1",
		"/~name@1.0/mine/hello":     "world",
		"/~name@1.0/recorded/hello": "world",
		"/~name@1.0/" + string(b32.(message.Bytes)) + "/hello": "world",
	} {
		if got := said(asked(t, node, path, message.Message{})); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestNamesOfIDs(t *testing.T) {
	var vectors struct {
		Cases []struct{ ID, B32 string }
	}
	run := messagetest.Vectors(t, "testdata/b32-name.json", "reads and writes", &vectors)
	node := plainNode(t)
	for i, c := range vectors.Cases {
		run.Case(i)
		for path, want := range map[string]string{
			"/~b32-name@1.0/" + c.B32:                  c.ID,
			"/~b32-name@1.0/lookup&key=" + c.ID:        c.B32,
			"/~b32-name@1.0/" + strings.ToUpper(c.B32): "!key-absent",
			"/~b32-name@1.0/" + c.B32[:51]:             "!key-absent",
			"/~b32-name@1.0/" + c.B32[:51] + "b":       "!key-absent", // bits that no id has
		} {
			if got := said(asked(t, node, path, message.Message{})); got != want {
				t.Errorf("%s: %s, want %s", path, got, want)
			}
		}
	}
	if len(vectors.Cases) < 2 {
		t.Error("no cases")
	}
}

func TestManifestsAreFolders(t *testing.T) {
	node, s := shelved(t)
	keep := func(m message.Message) string {
		if _, err := s.Write(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		return m.SignedID().String()
	}
	page, logo, lost := keep(texts("data", "page")), keep(texts("data", "logo")), keep(texts("data", "lost"))
	paths := `"paths":{"index.html":{"id":"` + page + `"},"images/logo.svg":{"id":"` + logo + `"}}`
	plain := keep(texts("data", `{"manifest":"arweave/paths","version":"0.1.0","index":{"path":"index.html"},`+paths+`}`))
	with := keep(texts("body", `{"manifest":"arweave/paths","version":"0.2.0","index":{"id":"`+logo+`"},"fallback":{"id":"`+lost+`"},`+paths+`}`))
	for path, want := range map[string]string{
		plain + "~manifest@1.0/index/data":           "page",
		plain + "~manifest@1.0/index.html/data":      "page",
		plain + "~manifest@1.0/images/logo.svg/data": "logo",
		plain + "~manifest@1.0/images/logo.svg":      `{"data":"logo"}`,
		plain + "~manifest@1.0/missing":              `{"data":"page"}`,
		plain + "~manifest@1.0/missing/more":         "!key-absent",
		plain + "~manifest@1.0/" + lost + "/data":    "lost",
		with + "~manifest@1.0/index/data":            "logo",
		with + "~manifest@1.0/missing/more":          `{"data":"lost"}`,
		page + "~manifest@1.0/index":                 "!manifest-malformed",
	} {
		if got := said(asked(t, node, "/"+path, message.Message{})); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	node.Options = texts("manifest_404", "error")
	if got := said(asked(t, node, "/"+plain+"~manifest@1.0/missing", message.Message{})); got != "!key-absent" {
		t.Error(got)
	}
}

func TestNodeProcessesBeginWhenAskedFor(t *testing.T) {
	node, s := shelved(t)
	begun := 0
	node.Registry = node.Registry.With(device.NewRegistry(device.Device{Name: "scheduler@1.0", Doc: "keeps what is scheduled", Keys: device.Keys{
		"schedule": {Doc: "nothing", Do: func(c *device.Call, _, req message.Message) (message.Value, error) {
			begun++
			v, _ := req.Get("body")
			m := v.(message.Message)
			if signers, err := c.Signers(m); err != nil || len(signers) != 1 {
				t.Error(signers, err)
			}
			_, err := s.Write(c, m)
			return message.New(field("slot", message.Int(0))), err
		}}}}))
	node.Options = message.New(field("node_processes", message.New(field("ledger", texts("type", "Process", "authority", "other")))))
	for _, c := range []struct {
		path, want string
		begun      int
	}{
		{"/~node-process@1.0/ledger?spawn=false", "!key-absent", 0},
		{"/~node-process@1.0/other", "!key-absent", 0},
		{"/~node-process@1.0/ledger/scheduler", node.Address(), 1},
		{"/~node-process@1.0/ledger/authority", `["other","` + node.Address() + `"]`, 1},
	} {
		if got := said(asked(t, node, c.path, message.Message{})); got != c.want || begun != c.begun {
			t.Errorf("%s: %s, begun %d; want %s, %d", c.path, got, begun, c.want, c.begun)
		}
	}
}

func TestOldRequestsOfTheOperatorUndoNothing(t *testing.T) {
	node, _ := shelved(t)
	operator, other := newKey(t, 7), newKey(t, 8)
	register := func(value, nonce string) message.Message {
		return signed(t, texts("method", "POST", "path", "/~local-name@1.0/register", "key", "n", "value", value, "nonce", nonce), operator)
	}
	first := register("one", "1")
	for _, c := range []struct {
		name string
		keys message.Message
		want string
	}{
		{"the first", first, "one"},
		{"the second", register("two", "2"), "two"},
		{"the first again", first, "two"},
		{"the first, signed by another too", signed(t, first, other), "two"},
		{"the first, signed anew", register("one", "3"), "one"},
	} {
		if got := said(asked(t, node, "/~local-name@1.0/register", c.keys)); got != "Registered." {
			t.Errorf("%s: %s", c.name, got)
		}
		if got := said(asked(t, node, "/~local-name@1.0/n", message.Message{})); got != c.want {
			t.Errorf("after %s: %s, want %s", c.name, got, c.want)
		}
	}
}
