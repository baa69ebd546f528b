package devices_test

import (
	"testing"

	"ago/commitment"
	"ago/device"
	"ago/message"
)

var codecs = []string{"structured@1.0", "httpsig@1.0", "flat@1.0", "json@1.0", "ans104@1.0", "tx@1.0", "gzip@1.0"}

func TestCodecsKeepTheRulesOfDevices(t *testing.T) {
	node := plainNode(t)
	for _, name := range codecs {
		kept(t, name, node, false, texts("a", "b", "body", "some text"), signed(t, texts("a", "b"), node.Key))
	}
}

func TestWhatACodecWritesItReads(t *testing.T) {
	node := plainNode(t)
	r := resolver(node)
	m := message.New(field("a", message.Bytes("b")), field("n", message.Int(3)), field("in", message.New(field("x", message.Bytes("y")))))
	for _, name := range []string{"structured@1.0", "httpsig@1.0", "flat@1.0", "json@1.0", "ans104@1.0", "tx@1.0"} {
		write, read := "to", "from"
		if name == "structured@1.0" {
			write, read = read, write
		}
		out, err := r.Run(t.Context(), m, []device.Step{{By: name, Request: device.Ask(write, field("bundle", message.Bytes("true"))).Request}}, device.How{})
		if err != nil {
			t.Errorf("%s writes: %v", name, err)
			continue
		}
		written, ok := out.Value.(message.Message)
		if !ok {
			written = message.New(field("body", out.Value))
		}
		back, err := r.Run(t.Context(), written, []device.Step{{By: name, Request: device.Ask(read).Request}}, device.How{})
		got, _ := back.Value.(message.Message)
		in, _ := got.Get("in")
		inner, _ := in.(message.Message)
		got = got.Without("commitments").With("in", inner.Without("commitments")) // nested messages bring the names of their contents
		if err != nil || !message.Equal(got, m) {
			t.Errorf("%s: %v (%v), wrote %v", name, back.Value, err, written)
		}
	}
}

func TestCodecsCommitAndVerify(t *testing.T) {
	rsa, err := commitment.NewAgent().Generate(commitment.RSA, nil)
	if err != nil {
		t.Fatal(err)
	}
	ed := plainNode(t)
	both := []*device.Node{ed, {Registry: ed.Registry, Key: rsa, Clock: ed.Clock}}
	for _, node := range both {
		node.Options = texts("operator", "unclaimed")
	}
	base := texts("a", "b", "c", "d")
	for _, c := range []struct {
		by, kind string
		node     int
		want     string // the error, "" for none
	}{
		{by: "httpsig@1.0"}, {by: "httpsig@1.0", kind: "unsigned"}, {by: "httpsig@1.0", node: 1}, {by: "json@1.0"}, {by: "flat@1.0"}, {by: "structured@1.0"},
		{by: "httpsig@1.0", kind: "other", want: "!commitment-type-unknown"},
		{by: "ans104@1.0"}, {by: "ans104@1.0", kind: "unsigned"}, {by: "ans104@1.0", node: 1, kind: "rsa-pss-sha256"},
		{by: "ans104@1.0", kind: "rsa-pss-sha256", want: "!wrong-wallet-to-sign"},
		{by: "tx@1.0", kind: "unsigned"}, {by: "tx@1.0", node: 1}, {by: "tx@1.0", want: "!wrong-wallet-to-sign"},
	} {
		r := resolver(both[c.node])
		ask := func(m message.Message, key string, args ...message.Field) (message.Value, error) {
			res, err := r.Run(t.Context(), m, []device.Step{{By: c.by, Request: device.Ask(key, args...).Request}}, device.How{})
			return res.Value, err
		}
		v, err := ask(base, "commit", field("type", message.Bytes(c.kind)))
		if c.want != "" || err != nil {
			if got := said(v, err); got != c.want {
				t.Errorf("%s %s: %s (%v), want %s", c.by, c.kind, got, err, c.want)
			}
			continue
		}
		whole := v.(message.Message)
		if whole.Commitments().Len() == 0 || (c.kind == "unsigned") != (len(whole.Committers()) == 0) {
			t.Errorf("%s %s: committed by %v with %v", c.by, c.kind, whole.Committers(), whole.Commitments())
		}
		if got := said(ask(whole, "verify")); got != "true" {
			t.Errorf("%s %s does not verify: %s", c.by, c.kind, got)
		}
		forged := whole.With("a", message.Bytes("z")).With("commitments", whole.Commitments())
		if got := said(ask(forged, "verify")); got != "false" {
			t.Errorf("%s %s verifies what was changed: %s", c.by, c.kind, got)
		}
	}
}

func TestSecretsCommit(t *testing.T) {
	node := plainNode(t)
	v, err := asked(t, node, "/~message@1.0&a=b/commit~httpsig@1.0&secret=s", message.Message{})
	if err != nil {
		t.Fatal(err)
	}
	r := resolver(node)
	for secret, want := range map[string]string{"s": "true", "t": "false"} {
		res, err := r.Run(t.Context(), v, []device.Step{{By: "httpsig@1.0", Request: device.Ask("verify", field("secret", message.Bytes(secret))).Request}}, device.How{})
		if got := said(res.Value, err); got != want {
			t.Errorf("with %s: %s", secret, got)
		}
	}
}

func TestCodecsAnswerOverPaths(t *testing.T) {
	node := plainNode(t)
	for path, want := range map[string]string{
		"/~json@1.0/deserialize":                           "!status 404: JSON payload not found in the base message. Searched for: body",
		"/~json@1.0&x={}/deserialize&target=x":             "{}",
		"/~json@1.0&body={/deserialize":                    "!json-malformed",
		"/~json@1.0/content-type":                          "application/json",
		"/~flat@1.0/deserialize":                           "!status 404: Flat payload not found in the base message. Searched for: body",
		"/~ans104@1.0&body=x/deserialize":                  "!item-truncated",
		"/~gzip@1.0/zip":                                   "!key-absent",
		"/~gzip@1.0&body=x/unzip":                          "!gzip-malformed",
		"/~gzip@1.0&body=x&content-encoding=br/unzip/body": "x",
		"/~message@1.0&a=1/~json@1.0/no-such-key":          "!key-absent",
	} {
		if got := said(asked(t, node, path, message.Message{})); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
