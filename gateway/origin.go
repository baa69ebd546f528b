package gateway

import (
	"net"
	"net/http"
	"net/url"
	"strings"

	"ago/fault"
)

// ForeignPage refuses what a page of another site than this machine asks for. Every page may read and may send what is
// signed; but the chain of a developer, its blocks and its balances, must not be moved by whatever page is open beside it.
//
// Browsers tell where a request comes from: in Origin, or, where they leave that out, as for an image or a link, in
// Sec-Fetch-Site. Pages of localhost and of loopback addresses are let through, and so is everything that is no browser, or
// an address that was typed in. A page without an origin, as in a sandbox or from a file, is foreign.
func ForeignPage(r *http.Request) error {
	origin := r.Header.Get("Origin")
	if origin == "" && r.Header.Get("Sec-Fetch-Site") != "cross-site" || loopback(origin) {
		return nil
	}
	from := "another site"
	if origin != "" {
		from = origin
	}
	return fault.New(fault.Denied, "origin-foreign", "a page of %.100s asked for %s %.100s, which changes this network", from, r.Method, r.URL.Path).
		WithHint("ask from a page on localhost, or without a browser, as with curl")
}

// loopback tells whether an origin is on this machine.
func loopback(origin string) bool {
	u, err := url.Parse(origin)
	if err != nil {
		return false
	}
	host := strings.ToLower(u.Hostname())
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || net.ParseIP(host).IsLoopback()
}

// fromHere lets a handler be asked by pages of this machine only.
func fromHere(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := ForeignPage(r); err != nil {
			writeError(w, err)
			return
		}
		h(w, r)
	}
}
