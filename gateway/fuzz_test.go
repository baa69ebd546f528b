package gateway

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ago/arweave"
	"ago/codec/ans104"
)

// FuzzGraphQL sends any query with any variables: the answer is always JSON with data or errors, and only the library that
// checks queries may give up on a shape.
func FuzzGraphQL(f *testing.F) {
	files, err := filepath.Glob("testdata/graphql/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range strings.Split(string(text), "\nquery\n")[1:] {
			query, _, _ := strings.Cut(part, "\n----\n")
			query, vars, _ := strings.Cut(query, "\n---\n")
			f.Add(query, vars)
		}
	}
	f.Add(`query($t:[TagFilter!],$b:BlockFilter){transactions(tags:$t,block:$b){edges{cursor}}}`, `{"t":[{"name":"N","values":[null]}],"b":{"min":1e9}}`)
	var log bytes.Buffer
	n := newNetwork(f, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	for _, data := range []string{"a", "b", "c"} {
		n.add(f, sign(f, n.key, ans104.Draft{Data: []byte(data), Tags: tags("N", data, "Type", "Message")}))
	}
	f.Fuzz(func(t *testing.T, query, vars string) {
		log.Reset()
		var variables map[string]any
		if err := decodeNumbers([]byte(vars), &variables); err != nil {
			variables = nil
		}
		out := n.Query(t.Context(), query, variables, "")
		var answer map[string]json.RawMessage
		if err := json.Unmarshal(out, &answer); err != nil || len(answer) != 1 || answer["data"] == nil && answer["errors"] == nil {
			t.Fatalf("%q with %q answers %q: %v", query, vars, out, err)
		}
		if text := log.String(); strings.Contains(text, "broke the executor") && !strings.Contains(text, "gqlparser") {
			t.Fatalf("%q with %q: %s", query, vars, text)
		}
	})
}

// FuzzPosts sends any body to the routes that take one. What is refused leaves nothing behind.
func FuzzPosts(f *testing.F) {
	data := []byte("some data")
	tx := signTransaction(f, withData(data, tags("a", "b")))
	_, proofs, err := arweave.MakeChunks(bytes.NewReader(data))
	if err != nil {
		f.Fatal(err)
	}
	f.Add("/tx", tx.JSON())
	f.Add("/chunk", arweave.Chunk{DataRoot: tx.DataRoot, DataSize: tx.DataSize, DataPath: proofs[0].Path, Data: data}.JSON())
	f.Add("/wallet", []byte(`{"address":"`+tx.ID.String()+`","balance":"1e9"}`))
	f.Add("item", sign(f, testKey(f, "node"), ans104.Draft{Data: data, Tags: ans104.BundleTags()}).Raw)
	f.Fuzz(func(t *testing.T, route string, body []byte) {
		n := newNetwork(t)
		h, path := n.GatewayHandler(), route
		switch route {
		case "item":
			h, path = n.BundlerHandler(), "/tx"
		case "/tx", "/chunk", "/wallet":
		default:
			return
		}
		w := call(t, h, "POST", path, string(body))
		if w.Code != 200 && w.Code/100 != 4 {
			t.Fatalf("%s: %d %s", route, w.Code, w.Body)
		}
		if w.Code != 200 && n.order.end() > 0 {
			t.Fatalf("%s: refused with %d, but a record was made", route, w.Code)
		}
	})
}

// FuzzRows reads damaged rows, and writes what it could read again.
func FuzzRows(f *testing.F) {
	r := row{kind: kindTransaction, id: [32]byte{1}, height: 1_500_000, time: start.UnixMilli(), body: []byte("{}")}
	f.Add(r.encode(nil))
	r.parent = [32]byte{2}
	f.Add(r.encode(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _, rest, err := decodeRemoteBlock(b)
		if err == nil && len(rest) > len(b) {
			t.Fatal("more is left than there was")
		}
		r, err := decodeRow(b)
		if err != nil {
			return
		}
		if _, _, err := decodeLargeItemBody(r.body); err == nil && len(r.body) == 0 {
			t.Fatal("an empty body was read")
		}
		back, err := decodeRow(r.encode(nil))
		if err != nil || back.id != r.id || back.height != r.height || back.time != r.time || !bytes.Equal(back.body, r.body) {
			t.Fatalf("%+v became %+v, %v", r, back, err)
		}
	})
}

// TestRowsOnDiskKeepTheirForm compares with the bytes of version 1: a store that exists must stay readable.
func TestRowsOnDiskKeepTheirForm(t *testing.T) {
	r := row{kind: kindImported, id: [32]byte{1, 2}, height: 1_500_000, time: 1_700_000_000_000, parent: [32]byte{3}, body: []byte("body")}
	want := "0104" + "0102" + strings.Repeat("00", 30) + "e0c65b" + "80d095ffbc31" + "0103" + strings.Repeat("00", 31) + "626f6479"
	if got := hexText(r.encode(nil)); got != want {
		t.Fatalf("a row is %s, want %s", got, want)
	}
	if got := hexText(termPrefix(tagTerm("Type", "Process"))); got != "54dd1b7d92c7bef7b3" {
		t.Fatalf("the term of a tag is %s", got)
	}
	if got := hexText(termPrefix(idTerm(termOwner, [32]byte{1}))); got != "54381aa69ed8427631" {
		t.Fatalf("the term of an owner is %s", got)
	}
}

func hexText(b []byte) string {
	const digits = "0123456789abcdef"
	var s strings.Builder
	for _, c := range b {
		s.WriteByte(digits[c>>4])
		s.WriteByte(digits[c&15])
	}
	return s.String()
}
