package gateway

import (
	"encoding/json"
	"net/http"
	"strings"

	"ago/fault"
	"ago/message"
)

// manifestType is the content type of a manifest: a table of paths and the ids behind them.
const manifestType = "application/x.arweave-manifest+json"

// manifestBytesMax is about 300,000 paths.
const manifestBytesMax = 32 << 20

type manifest struct {
	Kind  string `json:"manifest"`
	Index struct {
		Path string     `json:"path"`
		ID   message.ID `json:"id"`
	} `json:"index"`
	Fallback struct {
		ID message.ID `json:"id"`
	} `json:"fallback"`
	Paths map[string]struct {
		ID message.ID `json:"id"`
	} `json:"paths"`
}

// resolve finds the id of a path; the empty path is the index.
func (m manifest) resolve(path string) (message.ID, bool) {
	if path == "" {
		if !m.Index.ID.IsZero() {
			return m.Index.ID, true
		}
		path = m.Index.Path
	}
	for _, p := range []string{path, strings.TrimSuffix(path, "/"), strings.TrimSuffix(path, "/") + "/index.html"} {
		if e, ok := m.Paths[p]; ok && !e.ID.IsZero() {
			return e.ID, true
		}
	}
	return m.Fallback.ID, !m.Fallback.ID.IsZero()
}

// servePath answers what a manifest names.
func (g *Gateway) servePath(w http.ResponseWriter, r *http.Request) {
	id, ok := pathID(w, r)
	if !ok {
		return
	}
	b, rec, err := g.Data(r.Context(), id)
	if err != nil {
		writeError(w, err)
		return
	}
	defer b.Close()
	path := r.PathValue("path")
	if rec.ContentType() != manifestType {
		if path == "" {
			g.answerBlob(w, r, b, rec)
			return
		}
		writeError(w, fault.New(fault.NotFound, "path-unknown", "%s is no manifest, so it has no paths", id).
			WithHint("GET /%s answers its data", id))
		return
	}
	text, err := readAll(b, manifestBytesMax, "manifest")
	if err != nil {
		writeError(w, err)
		return
	}
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil || m.Kind != "arweave/paths" {
		writeError(w, fault.New(fault.Malformed, "manifest-malformed", "%s is no manifest that can be read", id).
			WithHint("GET /raw/%s shows it; a manifest has \"manifest\": \"arweave/paths\" and paths with ids", id))
		return
	}
	to, ok := m.resolve(path)
	if !ok {
		writeError(w, fault.New(fault.NotFound, "path-unknown", "the manifest %s has no path %q", id, path).
			WithHint("GET /raw/%s shows its paths", id))
		return
	}
	w.Header().Set("X-Arweave-Resolved-Id", to.String())
	file, of, err := g.Data(r.Context(), to)
	if err != nil {
		writeError(w, err)
		return
	}
	defer file.Close()
	g.answerBlob(w, r, file, of)
}
