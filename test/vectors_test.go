package test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ago/codec/ans104"
	"ago/message"
	"ago/message/messagetest"
)

// vectorFile is a file of published vectors: where it stands, the beginning of its hash, and the tests that read it, as
// file#function. A file is read both ways: from its bytes to messages, and from messages to its bytes.
type vectorFile struct {
	path, hash string
	reads      []string
	writes     []string
}

// vectorFiles are all that were published for AO-Core: by a node of the second generation (genB), by clients and a node of the
// first (genA).
var vectorFiles = []vectorFile{
	{path: "message/testdata/genB-messages.json", hash: "a5384d3a76e59ba7",
		reads:  []string{"codec/structured/structured_test.go#TestFormsOfTheSecondGenerationAreReadBack", "codec/httpsig/vectors_test.go#TestLayoutsOfTheSecondGeneration"},
		writes: []string{"message/canonical_test.go#TestMessagesHaveTheFormsAndIDsOfAnotherImplementation", "codec/httpsig/vectors_test.go#TestLayoutsOfTheSecondGeneration", "codec/flat/flat_test.go#TestFormsOfAnotherImplementation"}},
	{path: "message/testdata/genB-messages-extra.json", hash: "85b71eadf21513b7",
		reads:  []string{"codec/structured/structured_test.go#TestFormsOfTheSecondGenerationAreReadBack", "codec/httpsig/vectors_test.go#TestLayoutsOfTheSecondGeneration"},
		writes: []string{"message/canonical_test.go#TestMessagesHaveTheFormsAndIDsOfAnotherImplementation", "codec/httpsig/vectors_test.go#TestLayoutsOfTheSecondGeneration", "codec/flat/flat_test.go#TestFormsOfAnotherImplementation"}},
	{path: "codec/httpsig/testdata/genB-signed.json", hash: "2d77af141cb3732a",
		reads: []string{"codec/httpsig/vectors_test.go#TestSignedMessagesOfTheSecondGeneration"}, writes: []string{"codec/httpsig/vectors_test.go#TestSignedMessagesOfTheSecondGeneration"}},
	{path: "message/testdata/genB-hashpaths.json", hash: "51db9f753d654aa2",
		writes: []string{"message/canonical_test.go#TestHashpathsAreThoseOfAnotherImplementation"}, reads: []string{"message/canonical_test.go#TestHashpathsAreThoseOfAnotherImplementation"}},
	{path: "resolve/testdata/genB-hashpaths.json", hash: "51db9f753d654aa2",
		writes: []string{"resolve/resolve_test.go#"}, reads: []string{"resolve/resolve_test.go#"}},
	{path: "resolve/testdata/genB-singleton.json", hash: "716cfbf1d6c25cc4",
		reads: []string{"resolve/parse_test.go#TestRequestsAreReadAsTheSecondGenerationDoes"}, writes: []string{"resolve/parse_test.go#checkWritten"}},
	{path: "codec/httpsig/testdata/genB-ans104.json", hash: "e4489d72cb9e0245",
		reads:  []string{"codec/httpsig/httpsig_test.go#TestCommitmentsOfDataItems", "test/vectors_test.go#TestDataItemsOfTheVectors", "test/vectoritems_test.go#TestItemsWithOtherTags"},
		writes: []string{"test/vectors_test.go#TestDataItemsOfTheVectors", "test/vectoritems_test.go#TestSignedItemsOfTheVectors", "test/vectoritems_test.go#TestItemsWithOtherTags"}},
	{path: "message/testdata/genB-primitives.json", hash: "ff643cba98deb195",
		reads: []string{"codec/structured/structured_test.go#TestValuesOfAnotherImplementation"}, writes: []string{"message/canonical_test.go#TestPrimitives"}},
	{path: "codec/httpsig/testdata/genB-httpsig-decode.json", hash: "029865145fb03e4c",
		reads: []string{"codec/httpsig/vectors_test.go#TestHandWrittenMessagesAreRead"}, writes: []string{"codec/httpsig/vectors_test.go#TestHandWrittenMessagesAreRead"}},
	{path: "message/testdata/genA-hbsig-ids.json", hash: "64b16e1ee596dca4",
		reads:  []string{"codec/httpsig/gena_test.go#TestTheIDsOfARealNodeOfTheFirstGeneration"},
		writes: []string{"codec/httpsig/gena_test.go#TestIDsAndHashpathsOfAClientOfTheFirstGeneration"}},
	{path: "codec/structured/testdata/genA-hbsig-codecs.json", hash: "73891a022e210a6c",
		reads:  []string{"codec/structured/structured_test.go#TestFormsOfTheFirstGeneration", "codec/httpsig/gena_test.go#TestLayoutsOfTheFirstGeneration", "codec/flat/flat_test.go#TestFormsOfTheFirstGeneration"},
		writes: []string{"codec/structured/structured_test.go#TestFormsOfTheFirstGeneration", "codec/httpsig/gena_test.go#TestLayoutsOfTheFirstGeneration", "codec/flat/flat_test.go#TestFormsOfTheFirstGeneration"}},
	{path: "codec/httpsig/testdata/genA-hbsig-signed-requests.json", hash: "5486671fe540aa70",
		reads:  []string{"codec/httpsig/gena_test.go#TestSignedRequestsOfTheFirstGeneration", "node/aocore/vectors_test.go#clientRequests"},
		writes: []string{"codec/httpsig/gena_test.go#TestSignedRequestsOfTheFirstGeneration"}},
	{path: "codec/httpsig/testdata/genA-hbsig-commit.json", hash: "283c798d9f350662",
		reads: []string{"codec/httpsig/gena_test.go#TestCommittedMessagesOfAClientOfTheFirstGeneration"}, writes: []string{"codec/httpsig/gena_test.go#TestCommittedMessagesOfAClientOfTheFirstGeneration"}},
	{path: "codec/httpsig/testdata/genA-hbsig-nested.json", hash: "d12b299cb20c78be",
		reads: []string{"codec/httpsig/unfold_test.go#TestNestedCommitmentsOfAPublishedClient"}, writes: []string{"codec/httpsig/unfold_test.go#TestNestedCommitmentsOfAPublishedClient"}},
	{path: "codec/httpsig/testdata/aoconnect-requests.json", hash: "f292756540901a8c",
		reads:  []string{"codec/httpsig/gena_test.go#TestRequestsOfAPublishedClient", "node/aocore/vectors_test.go#clientRequests", "process/core_test.go#"},
		writes: []string{"test/vectoritems_test.go#TestSignedItemsOfTheVectors"}},
	{path: "devices/testdata/b32-name.json", hash: "4574b034a331a17a", reads: []string{"devices/cache_test.go#TestNamesOfIDs"}, writes: []string{"devices/cache_test.go#TestNamesOfIDs"}},
}

// recordedFiles are the exchanges of a node of the first generation.
var recordedFiles = []string{"codec.json", "cron-relay.json", "lua.json", "message.json", "meta.json", "pay.json", "process.json", "store.json"}

var recordedTests = []string{"codec/httpsig/gena_test.go#TestAnswersOfARealNodeOfTheFirstGeneration", "codec/httpsig/gena_test.go#TestRequestsToARealNodeOfTheFirstGeneration",
	"node/aocore/recorded_test.go#TestWhatARealNodeAnswered", "node/recorded_test.go#TestWhatARealNodeAnsweredIsAnsweredHere", "test/vectoritems_test.go#TestRecordedMessagesAreWrittenAgain", "process/page_test.go#TestWhatARealNodeSignedCanBeKept"}

// TestEveryPublishedVectorIsUsed by the tests that are listed for it, as it was published; and no file is left out of the list.
func TestEveryPublishedVectorIsUsed(t *testing.T) {
	listed := map[string]bool{}
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
		if len(f.reads) == 0 || len(f.writes) == 0 {
			t.Errorf("%s is not used both ways", f.path)
		}
		for _, test := range slices.Concat(f.reads, f.writes) {
			usedBy(t, filepath.Base(f.path), test)
		}
	}
	for _, test := range recordedTests {
		usedBy(t, "http-genA", test)
	}
	recorded, err := filepath.Glob("../codec/httpsig/testdata/http-genA/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for i, path := range recorded {
		recorded[i] = filepath.Base(path)
	}
	if !slices.Equal(recorded, recordedFiles) {
		t.Errorf("recorded are %v", recorded)
	}
	for _, pattern := range []string{"../*/testdata/*.json", "../*/*/testdata/*.json"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			name := filepath.Base(path)
			if (strings.HasPrefix(name, "genA-") || strings.HasPrefix(name, "genB-")) && !listed[strings.TrimPrefix(path, "../")] {
				t.Errorf("%s is not listed here", path)
			}
		}
	}
}

// usedBy checks that a test is there and that its file reads the vectors.
func usedBy(t *testing.T, vectors, test string) {
	t.Helper()
	path, function, _ := strings.Cut(test, "#")
	text, err := os.ReadFile(filepath.Join("..", path))
	if err != nil {
		t.Error(err)
		return
	}
	if !strings.Contains(string(text), vectors) {
		t.Errorf("%s does not read %s", path, vectors)
	}
	if function != "" && !regexp.MustCompile(`(?m)^func `+function+`\(`).Match(text) {
		t.Errorf("%s has no %s", path, function)
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
	messagetest.Load(t, "../codec/httpsig/testdata/genB-ans104.json", &f)
	n := 0
	for _, c := range f.Cases {
		if c.Unsigned.Raw == nil {
			continue
		}
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
