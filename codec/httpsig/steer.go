package httpsig

import (
	"slices"
	"strings"

	"ago/message"
)

// steers are headers by which an answer tells browsers, proxies and HTTP itself what to do. Anybody can have a node answer with a
// message of their own, so that keys of these names would speak for the node.
var steers = func() map[string]bool {
	set := map[string]bool{}
	for name := range strings.FieldsSeq(`connection http2-settings keep-alive proxy-connection te trailer transfer-encoding upgrade
		set-cookie set-cookie2 location refresh www-authenticate proxy-authenticate authentication-info proxy-authentication-info
		strict-transport-security public-key-pins public-key-pins-report-only expect-ct clear-site-data alt-svc
		content-security-policy content-security-policy-report-only permissions-policy document-policy referrer-policy x-frame-options
		x-content-type-options x-xss-protection x-permitted-cross-domain-policies origin-agent-cluster timing-allow-origin
		report-to reporting-endpoints nel service-worker-allowed sourcemap x-sourcemap speculation-rules supports-loading-mode accept-ch
		critical-ch etag vary surrogate-control x-sendfile x-lighttpd-send-file x-litespeed-location x-reproxy-url`) {
		set[name] = true
	}
	return set
}()

var steersWith = []string{"access-control-", "cross-origin-", "x-accel-"}

// Steers tells whether a header of this name steers whoever gets it. A key of such a name is written as a part of the body, which
// says the same to those who read the message and nothing to those who only carry it.
func Steers(name string) bool {
	return steers[name] || slices.ContainsFunc(steersWith, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// Unsteered gives a message that is written anew if it came in headers that steer. Signatures over its keys hold then, too.
func Unsteered(m message.Message) message.Message {
	w, ok := WireOf(m)
	if !ok || !slices.ContainsFunc(w.Headers, func(h message.Header) bool { return Steers(h.Name) }) {
		return m
	}
	return m.Decoded(m.ID(), Codec, m.Raw(), nil)
}
