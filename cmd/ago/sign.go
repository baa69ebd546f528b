package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"ago/client"
	"ago/codec/ans104"
	"ago/codec/httpsig"
	"ago/codec/json"
	"ago/codec/structured"
	"ago/commitment"
	"ago/fault"
	"ago/message"
)

// contentFlags say what a message consists of: a file, and fields over it.
type contentFlags struct {
	File   string   `short:"f" placeholder:"FILE" help:"Message: JSON, headers and body, or a data item; - is standard input." toml:"-"`
	Fields []string `arg:"" optional:"" name:"Name=Value" help:"Keys of the message; name+type=value for integer, float and atom, name=@FILE for bytes of a file."`
}

// message puts it together.
func (f contentFlags) message(o *out) (message.Message, error) {
	var m message.Message
	if f.File != "" {
		raw, err := fileOrInput(o, f.File)
		if err != nil {
			return m, err
		}
		if m, err = readMessage(raw); err != nil {
			return m, err
		}
	}
	for _, pair := range f.Fields {
		name, text, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return m, fault.New(fault.Malformed, "settings-malformed", "%q is no NAME=VALUE", pair).WithHint("write keys like action=Transfer or quantity+integer=100")
		}
		v, err := fieldValue(o, &name, text)
		if err != nil {
			return m, err
		}
		m = m.With(strings.ToLower(name), v)
	}
	if m.Len() == 0 {
		return m, fault.New(fault.Malformed, "settings-malformed", "the message is empty").WithHint("give it keys: name=value, or a file with -f")
	}
	return m, nil
}

// fieldValue reads the value of name+type=value, and takes the type off the name.
func fieldValue(o *out, name *string, text string) (message.Value, error) {
	plain, kind, typed := strings.Cut(*name, "+")
	if !typed {
		if !strings.HasPrefix(text, "@") {
			return message.Bytes(text), nil
		}
		b, err := textOrFile(o, text)
		return message.Bytes(b), err
	}
	*name = plain
	switch kind {
	case "integer", "float", "atom":
		if v, ok := structured.Scalar(kind, text); ok {
			return v, nil
		}
		return nil, fault.New(fault.Malformed, "settings-malformed", "%s: %.60q is no %s", plain, text, kind)
	}
	return nil, fault.New(fault.Malformed, "settings-malformed", "%s: there is no type %.60q here", plain, kind).
		WithHint("types are integer, float and atom; lists and nested messages come from a JSON file with -f")
}

func fileOrInput(o *out, path string) ([]byte, error) {
	if path == "-" {
		return textOrFile(o, "-")
	}
	b, err := os.ReadFile(path)
	return b, fault.Wrap(err, fault.Malformed, "settings-malformed", "the file")
}

// readMessage reads a message in whichever form it is: JSON, a data item, or headers and a body.
func readMessage(raw []byte) (message.Message, error) {
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
		return json.Decode(raw)
	}
	if it, ok := itemIn(raw); ok {
		m := it.Message().With(message.KeyCommitments, message.New(message.Field{Key: it.ID().String(), Value: it.Commitment()}))
		return m.Decoded(it.ID(), ans104.Codec, it.Raw, it), nil
	}
	w, err := readWire(raw)
	if err != nil {
		return message.Message{}, err
	}
	return httpsig.Decode(w)
}

// itemIn reads a data item with a signature.
func itemIn(raw []byte) (*ans104.Item, bool) {
	if len(raw) < 2 || raw[1] != 0 { // the type of the key, which begins an item, is a small number
		return nil, false
	}
	it, err := ans104.DecodeItem(raw)
	return it, err == nil && it.Signed()
}

// readWire reads headers and a body as ago, curl -i and mail programs write them. The first line of a request says its method and
// path, that of an answer its status, which counts for nothing.
func readWire(raw []byte) (httpsig.Wire, error) {
	head, body, ok := bytes.Cut(raw, []byte("\r\n\r\n"))
	if !ok {
		if head, body, ok = bytes.Cut(raw, []byte("\n\n")); !ok {
			head = bytes.TrimRight(raw, "\r\n")
		}
	}
	var hs []message.Header
	for i, line := range strings.Split(strings.ReplaceAll(string(head), "\r\n", "\n"), "\n") {
		first := strings.Fields(line)
		if i == 0 && len(first) > 1 && strings.HasPrefix(first[0], "HTTP/") {
			continue
		}
		if i == 0 && len(first) == 3 && strings.HasPrefix(first[2], "HTTP/") {
			path, _, _ := strings.Cut(first[1], "?")
			hs = append(hs, message.Header{Name: "method", Value: first[0]}, message.Header{Name: "path", Value: path})
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t") || len(hs) == httpsig.HeadersMax {
			return httpsig.Wire{}, fault.New(fault.Malformed, "message-malformed", "this is no message: it is neither JSON nor a data item, and line %d is no header", i+1).
				WithHint("a message as HTTP has it is lines of name: value, an empty line, and the body")
		}
		hs = append(hs, message.Header{Name: name, Value: strings.Trim(value, " \t")})
	}
	w := httpsig.NewWire(hs, body)
	if _, signed := w.Get("signature-input"); signed {
		return httpsig.Covered(w)
	}
	return w.Without("date", "content-length"), nil
}

// signCommand signs a message.
type signCommand struct {
	signerFlags
	contentFlags
	As   string   `default:"httpsig" enum:"httpsig,httpsig-a,ans104" help:"Form: httpsig (headers and body), httpsig-a (the same as older nodes have it), ans104 (a data item)." toml:"-"`
	Keys []string `placeholder:"NAME" help:"Sign these keys alone; separated by commas. All without it." toml:"-"`
	Out  string   `placeholder:"FILE" help:"File to write; standard output without it." toml:"-"`
}

// Help is shown by ago sign --help.
func (signCommand) Help() string {
	return `Prints the signed message as it goes over the wire. Its ids go to standard error.

  ago sign action=Transfer quantity+integer=100 > transfer.http
  ago sign -f message.json --out signed.http             lists and nested messages as JSON
  ago sign -f message.json --as ans104 --out item.bin    a data item
  ago sign name=alice age+integer=7 --keys name          others may change the age
  ago sign action=Info | ago verify -v -                 what exactly was signed`
}

// Run signs.
func (s *signCommand) Run(o *out) error {
	m, err := s.message(o)
	if err != nil {
		return err
	}
	key, err := s.key(o)
	if err != nil {
		return err
	}
	raw, signed, err := s.sign(m, key)
	if err != nil {
		return err
	}
	ids := struct {
		ID       message.ID `json:"id"`
		Unsigned message.ID `json:"unsigned"`
		Signer   string     `json:"signer"`
		Form     string     `json:"form"`
		Bytes    []byte     `json:"bytes,omitempty"` // in base64
	}{signed.SignedID(), signed.UnsignedID(), key.Address().String(), s.As, nil}
	if signed.Codec() == ans104.Codec {
		ids.ID = signed.ID()
	}
	if s.Out != "" {
		if err := os.WriteFile(s.Out, raw, 0o644); err != nil {
			return fault.Wrap(err, fault.Unavailable, "output-unwritable", "the file")
		}
	}
	switch {
	case o.json:
		if s.Out == "" {
			ids.Bytes = raw
		}
		return o.encode(ids)
	case s.Out == "":
		o.sink().Write(raw)
	}
	fmt.Fprintf(o.stderr, "id        %s\nunsigned  %s\nsigner    %s\n", ids.ID, ids.Unsigned, ids.Signer)
	return nil
}

// sign gives the bytes and the message that they are.
func (s *signCommand) sign(m message.Message, key *commitment.Key) ([]byte, message.Message, error) {
	if len(s.Keys) > 0 && s.As != "httpsig" {
		return nil, m, fault.New(fault.Malformed, "settings-malformed", "--keys is for --as httpsig: other forms sign all").WithHint("leave out the keys that are not to be signed")
	}
	var w httpsig.Wire
	switch s.As {
	case "ans104":
		d, err := ans104.DraftOf(m.Without(message.KeyCommitments))
		if err != nil {
			return nil, m, err
		}
		it, err := ans104.Sign(d, key)
		if err != nil {
			return nil, m, err
		}
		signed, err := readMessage(it.Raw)
		return it.Raw, signed, err
	case "httpsig-a":
		var err error
		if w, err = httpsig.EncodeA(m.Without(message.KeyCommitments)); err != nil {
			return nil, m, err
		}
		if w, err = httpsig.SignA(w, key, ""); err != nil {
			return nil, m, err
		}
	default:
		signed, err := httpsig.Commit(m, key, httpsig.Terms{Nesting: message.Nested, Keys: s.Keys})
		if err != nil {
			return nil, m, err
		}
		if w, err = httpsig.Encode(signed, message.Nested); err != nil {
			return nil, m, err
		}
	}
	raw, err := w.Bytes()
	if err != nil {
		return nil, m, err
	}
	signed, err := httpsig.Decode(w)
	return raw, signed, err
}

// putCommand has a node keep a message or bytes.
type putCommand struct {
	nodeFlags
	signerFlags
	contentFlags
	Plain bool `help:"The file is bytes, not a message." toml:"-"`
}

// Help is shown by ago put --help.
func (putCommand) Help() string {
	return `Prints the path that ago get reads it by: an id, or data/ and one for bytes. A node takes it from its operator and from those
that its setting cache_writers names; a network of ago dev takes it from everybody. Keys are RSA or Ed25519.

  ago put name=alice age+integer=7
  ago put -f message.json
  ago sign -f message.json --out m.http && ago put -f m.http      with its signature, found by its signed id too
  ago put -f photo.png --plain`
}

// Run puts.
func (p *putCommand) Run(o *out) error {
	var v message.Value
	var m message.Message
	if p.Plain {
		if p.File == "" || len(p.Fields) > 0 {
			return fault.New(fault.Malformed, "settings-malformed", "--plain goes with -f FILE and without keys")
		}
		raw, err := fileOrInput(o, p.File)
		if err != nil {
			return err
		}
		v = message.Bytes(raw)
	} else {
		var err error
		if m, err = p.message(o); err != nil {
			return err
		}
		v = m
	}
	key, err := p.key(o)
	if err != nil {
		return err
	}
	stored, err := client.At(p.Node).Put(o, key, v)
	if err != nil {
		return err
	}
	ids := struct {
		client.Stored
		Unsigned *message.ID `json:"unsigned,omitempty"`
		Signed   *message.ID `json:"signed,omitempty"`
	}{Stored: stored}
	if !p.Plain {
		id := m.UnsignedID()
		ids.Unsigned = &id
		if len(m.Committers()) > 0 {
			id := m.SignedID()
			ids.Signed = &id
		}
	}
	if o.json {
		return o.encode(ids)
	}
	fmt.Fprintln(o.sink(), stored.Path)
	for _, id := range []*message.ID{ids.Unsigned, ids.Signed} {
		if id != nil && id.String() != stored.Path {
			fmt.Fprintln(o.stderr, "also found by", id)
		}
	}
	return nil
}
