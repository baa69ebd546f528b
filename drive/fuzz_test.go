package drive

import (
	"encoding/json"
	"testing"
)

// Records come from gateways: whatever those answer, what a process reads is JSON or nothing.
func FuzzRecords(f *testing.F) {
	for _, s := range []string{`{"owner":"AQAB"}`, `{"owner":"!"}`, `{}`, `[]`, `null`, `"x"`, `{"owner":1}`, "{\"a\":\"\\u2028\"}", ` {"owner":"" , "b":[1, 2]} `, `{`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, form := range []func([]byte) ([]byte, error){withAddress, withFormat} {
			got, err := form(text)
			if err != nil {
				continue
			}
			var fields map[string]any
			if err := json.Unmarshal(got, &fields); err != nil {
				t.Fatalf("%q became %q: %v", text, got, err)
			}
			if fields["ownerAddress"] == nil && fields["format"] == nil {
				t.Fatalf("%q became %q", text, got)
			}
		}
	})
}
