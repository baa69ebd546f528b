package gateway

import (
	"encoding/json"
	"net/http"
	"strconv"

	"ago/fault"
)

// writeJSON answers with a value.
func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		writeError(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b)
}

// writeText answers with plain text, the form of the node routes.
func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}

// writeError answers with what failed, by which stable name, and what to do.
func writeError(w http.ResponseWriter, err error) {
	v := struct {
		Error string `json:"error"`
		Code  string `json:"code"`
		Hint  string `json:"hint,omitempty"`
	}{err.Error(), fault.CodeOf(err), fault.HintOf(err)}
	if after := fault.RetryAfter(err); after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(after.Seconds())))
	}
	writeJSON(w, fault.KindOf(err).Status(), v)
}
