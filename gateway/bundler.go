package gateway

import (
	"net/http"
	"strconv"

	"ago/codec/ans104"
	"ago/fault"
)

// BundlerHandler serves the routes of upload services. Everything is kept at once and costs nothing.
func (g *Gateway) BundlerHandler() http.Handler {
	m := http.NewServeMux()
	for _, v := range []string{"", "/v1"} {
		m.HandleFunc("POST "+v+"/tx", g.serveUpload)
		m.HandleFunc("POST "+v+"/tx/{currency}", g.serveUpload)
		m.HandleFunc("GET "+v+"/tx/{id}/status", g.serveUploadStatus)
		m.HandleFunc("GET "+v+"/tx/{id}", g.serveUploadStatus)
		m.HandleFunc("GET "+v+"/account/balance", g.serveCredit)
		m.HandleFunc("GET "+v+"/account/balance/{address}", g.serveCredit)
		m.HandleFunc("GET "+v+"/price/bytes/{n}", g.serveUploadPrice)
		m.HandleFunc("GET "+v+"/price/{currency}/{n}", g.serveUploadPrice)
		m.HandleFunc("GET "+v+"/info", g.serveUploadInfo)
	}
	ok := func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "OK") }
	m.HandleFunc("GET /{$}", ok)
	m.HandleFunc("GET /health", ok)
	m.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, fault.New(fault.NotFound, "route-unknown", "a bundler has no %s %s", r.Method, r.URL.Path).
			WithHint("items are uploaded with POST /tx"))
	})
	return allowed(m)
}

// serveUpload takes one raw data item.
func (g *Gateway) serveUpload(w http.ResponseWriter, r *http.Request) {
	leave, err := g.enter(r)
	if err != nil {
		writeError(w, err)
		return
	}
	defer leave()
	raw, err := readAll(r.Body, g.c.Limits.ItemBytes, "data item")
	if err != nil {
		writeError(w, err)
		return
	}
	rec, err := g.accept(r, raw)
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, rec)
}

// enter waits for a place in memory if the body is large or does not tell its size.
func (g *Gateway) enter(r *http.Request) (leave func(), err error) {
	if r.ContentLength >= 0 && r.ContentLength <= largeBody {
		return func() {}, nil
	}
	if r.ContentLength > g.c.Limits.ItemBytes {
		return nil, fault.New(fault.TooLarge, "body-too-large", "the body is over %d bytes", g.c.Limits.ItemBytes).
			WithHint(hintLarge)
	}
	select {
	case g.large <- struct{}{}:
		return func() { <-g.large }, nil
	case <-r.Context().Done():
		return nil, fault.New(fault.TooMany, "uploads-busy", "too many large uploads at once").WithHint("try again in a second")
	}
}

func (g *Gateway) accept(r *http.Request, raw []byte) (Receipt, error) {
	m, err := ans104.Decode(raw)
	if err != nil {
		return Receipt{}, invalidItem(err)
	}
	v, err := g.verify(m)
	if err != nil {
		return Receipt{}, invalidItem(err)
	}
	return g.Upload(r.Context(), v)
}

// invalidItem says what the upload services say, and then why.
func invalidItem(err error) error {
	kind := fault.KindOf(err)
	if kind == fault.Unsupported {
		kind = fault.Malformed // 400 is what uploaders know
	}
	return fault.Wrap(err, kind, fault.CodeOf(err), "Invalid Data Item!")
}

func (g *Gateway) serveUploadStatus(w http.ResponseWriter, r *http.Request) {
	id, ok := pathID(w, r)
	if !ok {
		return
	}
	rec, err := g.Record(r.Context(), id)
	switch {
	case fault.KindOf(err) == fault.NotFound && err != nil:
		writeJSON(w, http.StatusNotFound, map[string]string{"status": "NOT_FOUND"})
	case err != nil:
		writeError(w, err)
	default:
		v := map[string]string{"status": "CONFIRMED", "info": "new"}
		if rec.Block != nil {
			v = map[string]string{"status": "FINALIZED", "info": "permanent"}
		}
		if !rec.Parent.IsZero() {
			v["bundleId"] = rec.Parent.String()
		}
		writeJSON(w, http.StatusOK, v)
	}
}

// serveCredit answers that there is credit: uploads cost nothing, but clients look before they upload.
func (g *Gateway) serveCredit(w http.ResponseWriter, _ *http.Request) {
	const plenty = "1000000000000000"
	writeJSON(w, http.StatusOK, map[string]string{"winc": plenty, "balance": plenty, "controlledWinc": plenty, "effectiveBalance": plenty})
}

func (g *Gateway) serveUploadPrice(w http.ResponseWriter, r *http.Request) {
	if _, err := strconv.ParseUint(r.PathValue("n"), 10, 48); err != nil {
		writeError(w, fault.New(fault.Malformed, "price-bytes", "%q is no number of bytes", r.PathValue("n")).WithHint("ask for GET /price/bytes/1024"))
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"winc": "0", "adjustments": []string{}})
}

func (g *Gateway) serveUploadInfo(w http.ResponseWriter, _ *http.Request) {
	addresses := map[string]string{}
	if g.c.Key != nil {
		addresses["arweave"] = g.c.Key.Address().String()
	}
	writeJSON(w, http.StatusOK, map[string]any{"version": receiptVersion, "addresses": addresses, "freeUploadLimitBytes": g.c.Limits.ItemBytes})
}
