package aocore

import (
	"testing"

	"ago/codec/json"
	"ago/commitment"
	"ago/message"
)

func TestAnswersAreExplained(t *testing.T) {
	f := testFace(t, commitment.Ed25519)
	for _, c := range []struct {
		path   string
		status int
		body   message.Value
		code   string
		stages []string
	}{
		{"/~message@1.0&a=1/a", 200, message.Bytes("1"), "", []string{"parse", "call"}},
		{"/~message@1.0&a+map=x=1/a/x", 200, message.Int(1), "", []string{"parse", "call", "call"}},
		{"/~message@1.0&a=1/b", 404, nil, "key-absent", []string{"parse", "call"}},
		{"/~message@1.0/(", 400, nil, "path-malformed", []string{"parse"}},
		{"/~counter@1.0/end", 402, nil, "", []string{"parse", "call"}},
		{"/~counter@1.0/fail", 500, nil, "device-failed", []string{"parse", "call"}},
	} {
		for range 2 { // the second time it may be at hand
			w := ask(t, f, "GET", c.path, "", "Ao-Explain", "true", "Accept", "application/json")
			m, err := json.Decode(w.Body.Bytes())
			if w.Code != c.status || err != nil {
				t.Errorf("%s: %d %v %s", c.path, w.Code, err, w.Body)
				continue
			}
			if v, _ := m.Get("body"); c.body != nil && !message.Equal(v, c.body) {
				t.Errorf("%s: body %v", c.path, v)
			}
			if c.code != "" && m.Text("code") != c.code {
				t.Errorf("%s: code %s", c.path, w.Body)
			}
			v, _ := m.Get("stages")
			stages, _ := v.(message.List)
			if c.code != "path-malformed" && len(stages) != len(c.stages) {
				t.Errorf("%s: %d stages: %s", c.path, len(stages), w.Body)
				continue
			}
			for i, v := range stages {
				if s := v.(message.Message); s.Text("stage") != c.stages[i] {
					t.Errorf("%s: stage %d is %s", c.path, i, s.Text("stage"))
				}
			}
		}
		// The same request without the header is answered as always.
		if w := ask(t, f, "GET", c.path, ""); w.Code != c.status {
			t.Errorf("%s: %d without an explanation", c.path, w.Code)
		} else if w.Header().Get("Stages") != "" {
			t.Errorf("%s: an explanation was kept as the answer", c.path)
		}
	}
}
