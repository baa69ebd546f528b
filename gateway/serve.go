package gateway

import (
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"ago/fault"
	"ago/message"
	"ago/store"
)

// GatewayHandler serves Arweave's gateway and node routes, and those arlocal adds for tests.
func (g *Gateway) GatewayHandler() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /{$}", g.serveInfo)
	m.HandleFunc("GET /info", g.serveInfo)
	m.HandleFunc("GET /peers", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, []string{}) })
	m.HandleFunc("GET /graphql", g.serveGraph)
	m.HandleFunc("POST /graphql", g.serveGraph)

	m.HandleFunc("GET /{id}", g.serveData)
	m.HandleFunc("GET /{id}/{path...}", g.servePath)
	m.HandleFunc("GET /raw/{id}", g.serveRaw)

	m.HandleFunc("GET /height", func(w http.ResponseWriter, _ *http.Request) {
		writeText(w, http.StatusOK, strconv.FormatUint(g.blocks.Height(), 10))
	})
	m.HandleFunc("GET /time", func(w http.ResponseWriter, _ *http.Request) {
		writeText(w, http.StatusOK, strconv.FormatInt(g.c.Clock.Now().Unix(), 10))
	})
	m.HandleFunc("GET /tx_anchor", func(w http.ResponseWriter, _ *http.Request) {
		writeText(w, http.StatusOK, g.blocks.Current().Hash.String())
	})
	m.HandleFunc("GET /price/{bytes}", g.servePrice)
	m.HandleFunc("GET /price/{bytes}/{target}", g.servePrice)
	m.HandleFunc("GET /block/current", g.serveBlock)
	m.HandleFunc("GET /block/height/{height}", g.serveBlock)
	m.HandleFunc("GET /block/hash/{hash}", g.serveBlock)

	g.walletRoutes(m)
	g.transactionRoutes(m)

	m.HandleFunc("GET /mine", g.forTests(g.serveMine))
	m.HandleFunc("GET /mine/{n}", g.forTests(g.serveMine))
	m.HandleFunc("POST /mine", g.forTests(g.serveMine))
	m.HandleFunc("GET /reset", g.forTests(g.serveReset))
	m.HandleFunc("GET /logs", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "") })
	m.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, fault.New(fault.NotFound, "route-unknown", "a gateway has no %s %s", r.Method, r.URL.Path).
			WithHint("data is at /{id}, transactions at /tx/{id}, queries at POST /graphql"))
	})
	return allowed(m)
}

// forTests serves what moves blocks and balances, on a gateway that is for local work.
func (g *Gateway) forTests(h http.HandlerFunc) http.HandlerFunc {
	if !g.c.Closed {
		return fromHere(h)
	}
	return func(w http.ResponseWriter, r *http.Request) {
		writeError(w, fault.New(fault.Denied, "gateway-closed", "this gateway does not answer %s %s", r.Method, r.URL.Path).
			WithHint("`ago dev` has blocks and balances for tests"))
	}
}

// allowed allows every page of every origin to call, answers preflights, and bounds bodies.
func allowed(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Access-Control-Allow-Origin", "*")
		head.Set("Access-Control-Expose-Headers", "*")
		if r.Method == http.MethodOptions {
			head.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
			head.Set("Access-Control-Allow-Headers", "*")
			if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
				head.Set("Access-Control-Allow-Headers", asked) // * does not cover Authorization
			}
			head.Set("Access-Control-Max-Age", "86400")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// info is what a node of the chain tells of itself.
type info struct {
	Network          string `json:"network"`
	Version          int    `json:"version"`
	Release          int    `json:"release"`
	Height           uint64 `json:"height"`
	Current          string `json:"current"`
	Blocks           uint64 `json:"blocks"`
	Peers            int    `json:"peers"`
	QueueLength      int    `json:"queue_length"`
	NodeStateLatency int    `json:"node_state_latency"`
}

func (g *Gateway) info() info {
	b := g.blocks.Current()
	return info{Network: "arweave.N.1", Version: 5, Release: 1, Height: b.Height, Current: b.Hash.String(), Blocks: b.Height + 1}
}

func (g *Gateway) serveInfo(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, g.info())
}

func (g *Gateway) serveMine(w http.ResponseWriter, r *http.Request) {
	n := uint64(1)
	if text := r.PathValue("n"); text != "" {
		var err error
		if n, err = strconv.ParseUint(text, 10, 32); err != nil {
			writeError(w, fault.New(fault.Malformed, "mine-count", "%q is no number of blocks", text).WithHint("GET /mine/5 mines 5 blocks"))
			return
		}
	}
	if _, err := g.blocks.Mine(n); err != nil {
		writeError(w, err)
		return
	}
	g.serveInfo(w, r)
}

func (g *Gateway) serveReset(w http.ResponseWriter, r *http.Request) {
	if g.c.Reset == nil {
		writeError(w, fault.New(fault.Unsupported, "reset-unsupported", "this node does not empty itself on request").
			WithHint("stop it and start it with an empty data directory"))
		return
	}
	if err := g.c.Reset(r.Context()); err != nil {
		writeError(w, err)
		return
	}
	writeText(w, http.StatusOK, "reset done")
}

// winstonPerKilobyte is what arlocal asks, so that tests written for it see the numbers they expect.
const winstonPerKilobyte = 65_595_508

func (g *Gateway) servePrice(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseUint(r.PathValue("bytes"), 10, 48)
	if err != nil {
		writeError(w, fault.New(fault.Malformed, "price-bytes", "%q is no number of bytes", r.PathValue("bytes")).WithHint("ask for GET /price/1024"))
		return
	}
	writeText(w, http.StatusOK, price(n))
}

// price rounds half up, in parts so that no product overflows.
func price(bytes uint64) string {
	whole, rest := bytes/1000, bytes%1000
	return strconv.FormatUint(whole*winstonPerKilobyte+(rest*winstonPerKilobyte+500)/1000, 10)
}

func (g *Gateway) serveBlock(w http.ResponseWriter, r *http.Request) {
	b, ok := Block{}, false
	switch {
	case r.PathValue("height") != "":
		if h, err := strconv.ParseUint(r.PathValue("height"), 10, 64); err == nil {
			b, ok = g.blocks.At(h)
		}
	case r.PathValue("hash") != "":
		b, ok = g.blockByName(r.PathValue("hash"))
	default:
		b, ok = g.blocks.Current(), true
	}
	if !ok {
		writeText(w, http.StatusNotFound, "Block not found.")
		return
	}
	text, err := g.BlockJSON(b)
	if err != nil {
		writeError(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(text)
}

// BlockJSON gives a block in the form of a node. It is the same whenever it is asked for: processes read it.
func (g *Gateway) BlockJSON(b Block) ([]byte, error) {
	txs, err := g.transactionsOf(b.Height)
	if err != nil {
		return nil, err
	}
	previous := ""
	if !b.Previous.IsZero() {
		previous = b.Previous.String()
	}
	return json.Marshal(map[string]any{
		"nonce": "", "previous_block": previous, "timestamp": b.Seconds(), "last_retarget": b.Seconds(), "diff": "0",
		"height": b.Height, "hash": b.Hash.String(), "indep_hash": b.Hash.String(), "txs": txs, "tx_root": "",
		"wallet_list": "", "reward_addr": "unclaimed", "tags": []string{}, "reward_pool": "0",
		"weave_size": "0", "block_size": "0", "cumulative_diff": "0", "hash_list_merkle": "", "poa": map[string]string{},
	})
}

// pathID reads the id in a path; a text that is none is answered like an unknown id.
func pathID(w http.ResponseWriter, r *http.Request) (message.ID, bool) {
	id, err := message.ParseID(r.PathValue("id"))
	if err != nil {
		writeError(w, fault.New(fault.NotFound, "record-unknown", "nothing is known here under %.100q: %v", r.PathValue("id"), err).
			WithHint("an id is 43 characters of base64url"))
		return id, false
	}
	return id, true
}

// serveRaw answers the bare bytes. Of the tags only the content type becomes a header, so that no client has trouble with
// the size of an answer's head.
func (g *Gateway) serveRaw(w http.ResponseWriter, r *http.Request) {
	if id, ok := pathID(w, r); ok {
		g.answerData(w, r, id, false)
	}
}

// serveData answers the bytes with all tags as headers, or what a manifest's index points to.
func (g *Gateway) serveData(w http.ResponseWriter, r *http.Request) {
	id, ok := pathID(w, r)
	if !ok {
		return
	}
	rec, err := g.Record(r.Context(), id)
	if err != nil {
		writeError(w, err)
		return
	}
	if rec.ContentType() == manifestType {
		// A manifest's relative links work only below its id.
		to := id.String() + "/"
		if r.URL.RawQuery != "" {
			to += "?" + r.URL.RawQuery
		}
		// Relative, since the handler does not know under which prefix it is mounted.
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
		return
	}
	g.answerData(w, r, id, true)
}

func (g *Gateway) answerData(w http.ResponseWriter, r *http.Request, id message.ID, withTags bool) {
	b, rec, err := g.Data(r.Context(), id)
	if err != nil {
		writeDataError(w, err)
		return
	}
	defer b.Close()
	if withTags {
		setTagHeaders(w.Header(), rec.Tags)
	}
	g.answerBlob(w, r, b, rec)
}

// answerBlob leaves ranges, HEAD and conditions to the standard library. Data under an id never changes, except imported
// data, which nobody signed.
func (g *Gateway) answerBlob(w http.ResponseWriter, r *http.Request, b store.Blob, rec *Record) {
	h := w.Header()
	h.Set("Content-Type", contentType(rec.ContentType()))
	h.Set("X-Content-Type-Options", "nosniff")
	if rec.Source == Imported {
		h.Set("Cache-Control", "no-cache")
		h.Set("X-Imported", "true")
	} else {
		h.Set("Etag", `"`+rec.ID.String()+`"`)
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	serveContent(w, r, b)
}

// contentType passes on a type that is one.
func contentType(t string) string {
	if _, _, err := mime.ParseMediaType(t); err != nil || !headerText(t) {
		return "application/octet-stream"
	}
	return t
}

// Bounds of the tags that become headers. Node's fetch refuses an answer whose head is over 16 KiB, Python's http.client one
// with over 100 headers; what is left is for the headers of the server and of proxies.
const (
	tagHeadersMax    = 80
	tagHeaderBytes   = 12 << 10
	tagHeaderTextMax = 4 << 10
)

// setTagHeaders writes each tag as a header, as units read them. Of several tags with one name the first counts there, so
// only that is written. The list ends where it would be too long: GraphQL has all of them. A tag that would steer the connection, the browser or a cache, or that no header can hold, is left
// out: anybody may upload any tag.
func setTagHeaders(h http.Header, tags []Tag) {
	n, size := 0, 0
	for _, t := range tags {
		key := http.CanonicalHeaderKey(t.Name)
		if len(t.Name) > 128 || !headerName(t.Name) || !headerText(t.Value) || len(t.Value) > tagHeaderTextMax || reserved(key) || h[key] != nil {
			continue
		}
		if n++; n > tagHeadersMax {
			return
		}
		if size += len(key) + len(t.Value) + 4; size > tagHeaderBytes {
			return
		}
		h[key] = []string{t.Value}
	}
}

func headerName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0 {
			continue
		}
		return false
	}
	return s != ""
}

func headerText(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return strings.TrimSpace(s) == s
}

// reserved tells the headers that belong to the server.
func reserved(key string) bool {
	switch key {
	case "Accept-Ranges", "Age", "Allow", "Alt-Svc", "Cache-Control", "Clear-Site-Data", "Connection", "Date", "Etag", "Expires",
		"Keep-Alive", "Last-Modified", "Link", "Location", "Nel", "Origin-Agent-Cluster", "Pragma", "Refresh", "Report-To",
		"Retry-After", "Server", "Server-Timing", "Service-Worker-Allowed", "Set-Cookie", "Set-Cookie2", "Sourcemap", "Status",
		"Strict-Transport-Security", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Vary", "Via", "Warning",
		"Www-Authenticate", "X-Imported", "X-Accel-Redirect", "X-Sendfile":
		return true
	}
	for _, p := range []string{"Access-Control-", "Content-", "Cross-Origin-", "Proxy-", "Permissions-", "Reporting-", "Referrer-", "Sec-", "X-Content-", "X-Frame-", "X-Forwarded-"} {
		if strings.HasPrefix(key, p) {
			return true
		}
	}
	return false
}
