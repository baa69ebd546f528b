package aocore

import (
	"net/http"
	"net/url"
	"strings"

	"ago/codec/ans104"
	"ago/codec/flat"
	"ago/codec/httpsig"
	"ago/codec/json"
	"ago/message"
)

// wants is how a request is written and what the client takes for an answer.
type wants struct {
	sent     string // codec of the request
	codec    string // codec of the answer
	required bool   // whatever the answer is
	bundle   string // "true", "false" or "": what is nested stands in the answer, is linked, or stays as it is
	html     bool   // rather pages than messages
	explain  bool   // what was done, beside the answer
	stream   bool   // events, as long as there are any
	old      bool   // spoke the first generation
	peer     bool   // is a node
	other    string // a media type that is for a device to know
	told     bool   // the address says the codec: who wrote it passes on a message of somebody else
}

// wantsOf reads headers and query. The query counts before headers of the same name.
func wantsOf(r *http.Request) wants {
	out := wants{sent: httpsig.Codec, codec: httpsig.Codec}
	get := func(name string) string { return r.Header.Get(name) }
	if strings.Contains(r.URL.RawQuery, "acc") || strings.Contains(r.URL.RawQuery, "codec") {
		if q, err := url.ParseQuery(r.URL.RawQuery); err == nil {
			get = func(name string) string {
				if v := q.Get(name); v != "" {
					return v
				}
				return r.Header.Get(name)
			}
			_, out.told = codecOf(q.Get("require-codec"))
		}
	}
	out.bundle = get("accept-bundle")
	if named := get("codec-device"); named != "" {
		out.sent = named
	} else if codec, ok := codecOf(get("content-type")); ok && r.Header.Get("Signature-Input") == "" { // a signed one is the message's own
		out.sent = codec
	}
	if on := r.Header.Get(headerExplain); on != "" && on != "false" {
		out.explain = true
	}
	out.accept(get("accept"))
	out.choose(get("accept-codec"), get("require-codec"))
	out.peer = r.Header.Get(hdrPeerPort) != ""
	if r.Header.Get("Body-Keys") != "" || r.Header.Get("Ao-Ids") != "" {
		out.old = true
	}
	return out
}

// hear takes what the message itself says; it counts before what is beside it, unless the address says require-codec.
func (w *wants) hear(m message.Message) {
	if m.Len() == 0 || w.told {
		return
	}
	if accept := m.Text("accept"); accept != "" {
		w.accept(accept)
	}
	w.choose(m.Text("accept-codec"), m.Text("require-codec"))
	if bundle := m.Text("accept-bundle"); bundle != "" {
		w.bundle = bundle
	}
}

func (w *wants) accept(accept string) {
	if accept == "" || accept == "*/*" {
		return
	}
	for part := range strings.SplitSeq(accept, ",") {
		kind, _, _ := strings.Cut(part, ";")
		kind = strings.TrimSpace(kind)
		switch kind {
		case "text/html", "application/xhtml+xml":
			w.html = true
			return
		case "text/event-stream":
			w.stream = true
			return
		case "", "*/*":
			return
		}
		if codec, ok := codecOf(kind); ok {
			if !w.required {
				w.codec = codec
			}
			return
		}
		if strings.HasPrefix(kind, "application/") {
			w.other = kind
		}
	}
}

func (w *wants) choose(accepted, required string) {
	if codec, ok := codecOf(accepted); ok && !w.required {
		w.codec = codec
	}
	if codec, ok := codecOf(required); ok {
		w.codec, w.required = codec, true
	}
}

// codecOf finds the codec that a media type or a name stands for.
func codecOf(kind string) (string, bool) {
	kind, _, _ = strings.Cut(kind, ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	name, ok := strings.CutPrefix(kind, "application/")
	if !ok {
		if name, ok = strings.CutPrefix(kind, "device/"); !ok {
			name = kind
		}
	}
	switch name {
	case "json", json.Codec:
		return json.Codec, kind != "json"
	case "ans104", ans104.Codec:
		return ans104.Codec, kind != "ans104"
	case "flat", flat.Codec:
		return flat.Codec, kind != "flat"
	case "httpsig", httpsig.Codec:
		return httpsig.Codec, kind != "httpsig"
	}
	return "", false
}
