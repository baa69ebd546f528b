package node

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// recordedSide is a request or an answer as it was recorded.
type recordedSide struct {
	Method, Path     string
	Status           int
	Headers          map[string]any
	Body, BodyBase64 string
}

func (s recordedSide) body(t testing.TB) []byte {
	t.Helper()
	if s.BodyBase64 == "" {
		return []byte(s.Body)
	}
	raw, err := base64.StdEncoding.DecodeString(s.BodyBase64)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestWhatTheUnitsOfARealNodeAnswered asks a whole node what a node of the first generation was asked and the face alone cannot
// answer. testdata/recorded.json has a reason for each pair that is answered otherwise.
func TestWhatTheUnitsOfARealNodeAnswered(t *testing.T) {
	read := func(path string, into any) {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatal(err)
		}
	}
	var ofFace, differs map[string]string
	read("aocore/testdata/recorded.json", &ofFace)
	read("testdata/recorded.json", &differs)
	files, err := filepath.Glob("../codec/httpsig/testdata/http-genA/*.json")
	if err != nil || len(files) != 8 {
		t.Fatal(files, err)
	}
	n := startNetwork(t, nil)
	asked := map[string]bool{}
	same := 0
	for _, file := range files {
		var pairs []struct {
			Name              string
			Request, Response recordedSide
		}
		read(file, &pairs)
		for _, x := range pairs {
			name := strings.TrimSuffix(filepath.Base(file), ".json") + "/" + x.Name
			if !strings.Contains(ofFace[name], "units of a node") {
				continue
			}
			asked[name] = true
			r, err := http.NewRequestWithContext(t.Context(), x.Request.Method, n.Addresses().Node+strings.ReplaceAll(x.Request.Path, " ", "%20"), bytes.NewReader(x.Request.body(t)))
			if err != nil {
				t.Fatal(err)
			}
			for header, v := range x.Request.Headers {
				if text, ok := v.(string); ok && header != "content-length" && header != "host" {
					r.Header.Set(header, text)
				}
			}
			answer, body := do(t, r)
			want := strings.Trim(string(x.Response.body(t)), `"`) // atoms stand in quotation marks there
			equal := answer.StatusCode == x.Response.Status && (x.Response.Headers["content-type"] != nil || body == want)
			if why, listed := differs[name]; listed {
				if why == "" || answer.StatusCode == http.StatusInternalServerError {
					t.Errorf("%s is answered %d %.100q, and listed as %q", name, answer.StatusCode, body, why)
				}
				continue
			}
			same++
			if !equal {
				t.Errorf("%s: %s %s answers %d %.150q, not %d %.150q", name, x.Request.Method, x.Request.Path, answer.StatusCode, body, x.Response.Status, want)
			}
		}
	}
	for name := range differs {
		if !asked[name] {
			t.Errorf("nothing is asked for %s", name)
		}
	}
	t.Logf("%d of %d answer the same", same, len(asked))
}
