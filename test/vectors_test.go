package test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ago/codec/ans104"
	"ago/message"
	"ago/message/messagetest"
)

// vectorFiles are all that were published for AO-Core, with the beginnings of their hashes and the lists of cases in them: by a node of the
// second generation (genB), by clients and a node of the first (genA). aoconnect spoke the first.
var vectorFiles = []struct {
	path, hash string
	lists      []string
}{
	{"message/testdata/genB-messages.json", "a5384d3a76e59ba7", nil},
	{"message/testdata/genB-messages-extra.json", "85b71eadf21513b7", nil},
	{"codec/httpsig/testdata/genB-signed.json", "2d77af141cb3732a", nil},
	{"message/testdata/genB-hashpaths.json", "51db9f753d654aa2", nil},
	{"resolve/testdata/genB-hashpaths.json", "51db9f753d654aa2", nil},
	{"resolve/testdata/genB-singleton.json", "716cfbf1d6c25cc4", nil},
	{"codec/httpsig/testdata/genB-ans104.json", "e4489d72cb9e0245", nil},
	{"message/testdata/genB-primitives.json", "ff643cba98deb195", nil},
	{"codec/httpsig/testdata/genB-httpsig-decode.json", "029865145fb03e4c", nil},
	{"message/testdata/genA-hbsig-ids.json", "64b16e1ee596dca4", nil},
	{"codec/structured/testdata/genA-hbsig-codecs.json", "73891a022e210a6c", []string{"structured", "httpsig-to", "httpsig-from", "flat.from", "flat.to"}},
	{"codec/httpsig/testdata/genA-hbsig-signed-requests.json", "5486671fe540aa70", nil},
	{"codec/httpsig/testdata/genA-hbsig-commit.json", "283c798d9f350662", nil},
	{"codec/httpsig/testdata/genA-hbsig-nested.json", "d12b299cb20c78be", nil},
	{"codec/httpsig/testdata/aoconnect-requests.json", "f292756540901a8c", nil},
	{"devices/testdata/b32-name.json", "4574b034a331a17a", nil},
	{"codec/httpsig/testdata/http-genA/codec.json", "62395906bf41b93c", []string{""}},
	{"codec/httpsig/testdata/http-genA/cron-relay.json", "d291d0c12b86ac67", []string{""}},
	{"codec/httpsig/testdata/http-genA/lua.json", "aa3f3874ff956350", []string{""}},
	{"codec/httpsig/testdata/http-genA/message.json", "6698b8592a66dfea", []string{""}},
	{"codec/httpsig/testdata/http-genA/meta.json", "fc587647ff8043f2", []string{""}},
	{"codec/httpsig/testdata/http-genA/pay.json", "c8945497928a6164", []string{""}},
	{"codec/httpsig/testdata/http-genA/process.json", "0368bd6b21553750", []string{""}},
	{"codec/httpsig/testdata/http-genA/store.json", "766ccab00d7a3b99", []string{""}},
}

// vectorUse is a test that runs the cases of a file, or leaves them with reasons: messagetest.Vectors sees to that.
type vectorUse struct {
	test, way string
	lists     []string
}

// vectorUses finds the calls of messagetest.Vectors in the tests, by file. A path that is no text there is each of those that the
// function names.
func vectorUses(t *testing.T) map[string][]vectorUse {
	t.Helper()
	uses := map[string][]vectorUse{}
	files := token.NewFileSet()
	for _, pattern := range []string{"../*/*_test.go", "../*/*/*_test.go"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			parsed, err := parser.ParseFile(files, path, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range parsed.Decls {
				f, ok := d.(*ast.FuncDecl)
				if !ok {
					continue
				}
				for _, call := range vectorCalls(f) {
					named := textsOf(call.Args[1])
					if len(named) == 0 {
						named = textsOf(f)
					}
					use := vectorUse{test: strings.TrimPrefix(path, "../") + " " + f.Name.Name, way: strings.Join(textsOf(call.Args[2]), "")}
					for _, arg := range call.Args[4:] {
						use.lists = append(use.lists, textsOf(arg)...)
					}
					for _, name := range named {
						if !strings.HasSuffix(name, ".json") {
							continue
						}
						found, err := filepath.Glob(filepath.Join(filepath.Dir(path), name))
						if err != nil {
							t.Fatal(err)
						}
						for _, file := range found {
							file = strings.TrimPrefix(filepath.Clean(file), "../")
							uses[file] = append(uses[file], use)
						}
					}
				}
			}
		}
	}
	return uses
}

func vectorCalls(f *ast.FuncDecl) (calls []*ast.CallExpr) {
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if s, ok := call.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "Vectors" && len(call.Args) >= 4 {
			calls = append(calls, call)
		}
		return true
	})
	return calls
}

func textsOf(n ast.Node) (texts []string) {
	ast.Inspect(n, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil {
				texts = append(texts, text)
			}
		}
		return true
	})
	return texts
}

// TestEveryPublishedVectorIsRunBothWays, all its lists, as it was published; with -v it shows by which tests. That they run every case
// is seen to where they run.
func TestEveryPublishedVectorIsRunBothWays(t *testing.T) {
	uses := vectorUses(t)
	listed := map[string]bool{}
	ran := map[string]bool{}
	byHash := map[string][]vectorUse{} // a file may stand in two folders
	for _, f := range vectorFiles {
		byHash[f.hash] = append(byHash[f.hash], uses[f.path]...)
	}
	for _, f := range vectorFiles {
		listed[f.path] = true
		raw, err := os.ReadFile(filepath.Join("..", f.path))
		if err != nil {
			t.Error(err)
			continue
		}
		sum := sha256.Sum256(raw)
		if got := hex.EncodeToString(sum[:8]); got != f.hash {
			t.Errorf("%s was changed: its hash begins with %s", f.path, got)
		}
		generation := "A"
		if strings.Contains(f.path, "genB") {
			generation = "B"
		}
		lists := f.lists
		if lists == nil {
			lists = []string{"cases"}
		}
		for _, list := range lists {
			for _, way := range []string{"reads", "writes"} {
				var by []string
				for _, use := range byHash[f.hash] {
					if strings.Contains(use.way, way) && (slices.Contains(use.lists, list) || use.lists == nil && list == "cases") {
						by = append(by, use.test)
					}
				}
				if len(by) == 0 {
					t.Errorf("no test %s the list %q of %s", way, list, f.path)
				}
				ran[generation+way] = true
				t.Logf("%-58s %-13s %s %-6s %s", f.path, list, generation, way, strings.Join(by, ", "))
			}
		}
	}
	if len(ran) != 4 {
		t.Errorf("ran are %v", ran)
	}
	for _, pattern := range []string{"../*/testdata/*.json", "../*/*/testdata/*.json", "../*/*/testdata/http-genA/*.json"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			if path = strings.TrimPrefix(path, "../"); strings.Contains(path, "/gen") || strings.Contains(path, "-genA") {
				if !listed[path] {
					t.Errorf("%s is not listed here", path)
				}
			}
		}
	}
}

// TestDataItemsOfTheVectors are made of their messages byte for byte, and read back.
func TestDataItemsOfTheVectors(t *testing.T) {
	var f struct {
		Cases []struct {
			Name     string
			Message  any
			Unsigned struct {
				Raw any
				ID  string `json:"unsigned-id"`
			}
		}
	}
	run := messagetest.Vectors(t, "../codec/httpsig/testdata/genB-ans104.json", "reads and writes", &f)
	n := 0
	for i, c := range f.Cases {
		if c.Unsigned.Raw == nil {
			run.Leave(i, "an item that was decoded, which TestItemsWithOtherTags runs")
			continue
		}
		run.Case(i)
		n++
		raw := rawOf(t, c.Unsigned.Raw)
		// Without a signer, what is nested stands as links; ours are nested, so that their names are given here.
		m, err := messagetest.Message(t, c.Message).Linkify(func(message.ID, message.Value) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		for key, v := range m.All() {
			if l, ok := v.(message.Link); ok {
				m = m.Without(key).With(key+"+link", message.Bytes(l.To.String()))
			}
		}
		d, err := ans104.DraftOf(m)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		it, err := ans104.Unsigned(d)
		if err != nil || string(it.Raw) != string(raw) || it.UnsignedID().String() != c.Unsigned.ID {
			t.Errorf("%s: %v\n%x, want\n%x", c.Name, err, it.Raw, raw)
		}
		back, err := ans104.DecodeItem(raw)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		again, err := ans104.DraftOf(back.Message())
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		if it, err = ans104.Unsigned(again); err != nil || string(it.Raw) != string(raw) {
			t.Errorf("%s comes back as %x, %v", c.Name, it.Raw, err)
		}
	}
	if n != 13 {
		t.Errorf("%d items", n)
	}
}

func rawOf(t *testing.T, v any) []byte {
	t.Helper()
	if b, ok := messagetest.Value(t, v).(message.Bytes); ok {
		if raw, err := base64.StdEncoding.DecodeString(string(b)); err == nil {
			return raw
		}
		return []byte(b)
	}
	t.Fatalf("%v is no item", v)
	return nil
}
