package builtin_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Answers of aos 2.0.6 are recorded beside the sequences, so that the comparison needs nothing from outside. With
// AGO_RECORD=1 TestRecording writes them anew.
var record = os.Getenv("AGO_RECORD") == "1"

func sequences(t testing.TB) []sequence {
	t.Helper()
	files, err := filepath.Glob("testdata/sequences/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no sequences", err)
	}
	var all []sequence
	for _, f := range files {
		all = append(all, readSequence(t, f))
	}
	return all
}

func recordingOf(s sequence) string { return "testdata/aos/" + s.name + ".json" }

func recorded(t testing.TB, s sequence) []answer {
	t.Helper()
	b, err := os.ReadFile(recordingOf(s))
	if err != nil {
		t.Fatal(err)
	}
	var answers []answer
	if err := json.Unmarshal(b, &answers); err != nil {
		t.Fatal(err)
	}
	if len(answers) != len(s.steps) {
		t.Fatalf("%s: %d messages, but %d recorded answers: record anew with AGO_RECORD=1", s.name, len(s.steps), len(answers))
	}
	return answers
}

// A process written for aos finds the same here: outputs, messages, tags, inboxes and errors are those of the published
// module, apart from what a sequence marks, with a reason that the documentation explains.
func TestSequencesAsAos(t *testing.T) {
	doc, err := os.ReadFile("../docs/builtin-process.md")
	if err != nil {
		t.Fatal(err)
	}
	messages, different := 0, 0
	all := sequences(t)
	for _, s := range all {
		messages += len(s.steps)
		t.Run(s.name, func(t *testing.T) {
			own, theirs := play(t, ours(t), s), recorded(t, s)
			for n, st := range s.steps {
				same := theirs[n].same(own[n])
				switch {
				case st.differs == "" && !same:
					t.Errorf("testdata/sequences/%s.txt:%d: %s\n%s", s.name, st.line, st.text, compared(theirs[n], own[n]))
				case st.differs != "" && same:
					t.Errorf("testdata/sequences/%s.txt:%d: marked as different, but it is the same", s.name, st.line)
				case st.differs != "":
					different++
					if !strings.Contains(string(doc), "`"+st.differs+"`") {
						t.Errorf("testdata/sequences/%s.txt:%d: docs/builtin-process.md does not explain %q", s.name, st.line, st.differs)
					}
				}
			}
		})
	}
	if len(all) < 25 || messages < 200 {
		t.Errorf("only %d sequences with %d messages", len(all), messages)
	}
	t.Logf("%d sequences, %d messages, %d of them different on purpose", len(all), messages, different)
}

// What is recorded is what the published module answers.
func TestRecording(t *testing.T) {
	for _, s := range sequences(t) {
		t.Run(s.name, func(t *testing.T) {
			theirs := play(t, aos(t), s)
			if record {
				var b bytes.Buffer
				e := json.NewEncoder(&b)
				e.SetEscapeHTML(false)
				e.SetIndent("", " ")
				if err := e.Encode(theirs); err != nil {
					t.Fatal(err)
				}
				if err := os.MkdirAll("testdata/aos", 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(recordingOf(s), b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			for n, want := range recorded(t, s) {
				if !want.same(theirs[n]) {
					t.Errorf("testdata/sequences/%s.txt:%d: %s\n%s", s.name, s.steps[n].line, s.steps[n].text, compared(want, theirs[n]))
				}
			}
		})
	}
}
