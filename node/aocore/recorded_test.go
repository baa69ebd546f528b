package aocore

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ago/commitment"
)

// side is a request or an answer as it was recorded.
type side struct {
	Status     int
	Headers    map[string]any
	Body       string
	BodyBase64 string
}

func (s side) body() string {
	if s.BodyBase64 != "" {
		b, _ := base64.StdEncoding.DecodeString(s.BodyBase64)
		return string(b)
	}
	return s.Body
}

// exchange is one pair that a node of the first generation answered.
type exchange struct {
	Name    string
	Request struct {
		Method, Path string
		side
	}
	Response         side
	ConnectionClosed bool
}

const recordings = "../../codec/httpsig/testdata"

func recorded(t testing.TB, file string) []exchange {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []exchange
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func (x exchange) ask(t testing.TB, f http.Handler) *httptest.ResponseRecorder {
	var headers []string
	for name, v := range x.Request.Headers {
		if text, ok := v.(string); ok && name != "content-length" {
			headers = append(headers, name, text)
		}
	}
	return ask(t, f, x.Request.Method, strings.ReplaceAll(x.Request.Path, " ", "%20"), x.Request.body(), headers...)
}

// unlike are headers whose value depends on the node or on what the transport added.
var unlike = map[string]bool{
	"signature": true, "signature-input": true, "content-digest": true, "content-type": true, "host": true, "connection": true, "method": true,
	"access-control-allow-methods": true, "access-control-allow-headers": true, "content-length": true, "accept": true, "accept-encoding": true, "user-agent": true,
}

// TestWhatARealNodeAnswered asks what a node of the first generation was asked. Where our answer is another on purpose, or the
// device is not there, testdata/recorded.json says why.
func TestWhatARealNodeAnswered(t *testing.T) {
	var differs map[string]string
	text, err := os.ReadFile("testdata/recorded.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &differs); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(recordings + "/http-genA/*.json")
	if err != nil || len(files) != 8 {
		t.Fatal(files, err)
	}
	f := testFace(t, commitment.Ed25519)
	n, same := 0, 0
	for _, file := range files {
		for _, x := range recorded(t, file) {
			n++
			name := strings.TrimSuffix(filepath.Base(file), ".json") + "/" + x.Name
			why, listed := differs[name]
			delete(differs, name)
			w := x.ask(t, f)
			if listed {
				if why == "" {
					t.Errorf("%s is listed without a reason", name)
				}
				continue
			}
			same++
			if w.Code != x.Response.Status {
				t.Errorf("%s: %s %s answers %d, not %d: %.200s", name, x.Request.Method, x.Request.Path, w.Code, x.Response.Status, w.Body)
				continue
			}
			for key, v := range x.Response.Headers {
				if got := w.Header().Get(key); x.Request.Headers["signature"] != nil && !unlike[key] && got != v {
					t.Errorf("%s: %s %s answers %s: %q, not %q", name, x.Request.Method, x.Request.Path, key, got, v)
				}
			}
			kind, _ := x.Response.Headers["content-type"].(string)
			want := x.Response.body()
			if strings.HasPrefix(want, `"`) && strings.HasSuffix(want, `"`) { // atoms stand in quotation marks there
				want = strings.Trim(want, `"`)
			}
			if kind == "" && w.Body.String() != want {
				t.Errorf("%s: %s %s answers %.200q, not %.200q", name, x.Request.Method, x.Request.Path, w.Body, want)
			}
		}
	}
	for name := range differs {
		t.Errorf("no recorded pair is named %s", name)
	}
	t.Logf("%d of %d answer the same", same, n)
}
