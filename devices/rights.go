package devices

import (
	"slices"
	"strings"

	"ago/codec/httpsig"
	"ago/commitment"
	"ago/device"
	"ago/fault"
	"ago/message"
)

// signedRequest is what the signers of a request said, and who they are. All rights come from here: of a request only what was
// signed counts, and only if every signature holds.
type signedRequest struct {
	message message.Message // with the keys that all signatures cover
	signers []commitment.Signer
}

// signedAsk reads the request that somebody outside sent; where nobody did, that of the call. It fails with Forged for a
// signature that does not hold. A request whose signed path names another device is nobody's here: otherwise a program that it
// was sent to could use it for something else.
func signedAsk(c *device.Call, req message.Message) (signedRequest, error) {
	m := c.Origin
	if m.Len() == 0 {
		m = req
	}
	signers, err := c.Signers(m)
	if err != nil || len(signers) == 0 {
		return signedRequest{}, err
	}
	if givenAway(c, m) {
		return signedRequest{}, nil
	}
	s := signedRequest{message: m.OnlyCommitted(), signers: signers}
	if err := s.whole(m); err != nil {
		return signedRequest{}, err
	}
	if path := s.message.Text("path"); strings.Contains(path, "/") && !strings.Contains(path, c.Device) {
		return signedRequest{}, nil
	}
	return s, nil
}

// whole refuses a request, sent as m, of which a signature covers more than is left: who adds a signature over a part of what another signed
// would have that part done in his name, and the whole refused as one that comes again.
func (s signedRequest) whole(m message.Message) error {
	for id, v := range s.message.Commitments().All() {
		entry, _ := v.(message.Message)
		list, _ := entry.Get("committed")
		keys, _ := list.(message.List)
		for _, key := range keys {
			text, _ := key.(message.Bytes)
			_, sent := m.Get(string(text))
			if _, left := s.message.Get(string(text)); sent && !left && text != message.KeyTypes && entry.Text("committer") != "" {
				return fault.New(fault.Malformed, "commitments-disagree", "the commitment %.60s covers %.60q, which another leaves out", id, string(text)).
					WithHint("let all signatures cover the same keys")
			}
		}
	}
	return nil
}

// bound refuses a right to those whose signature does not say what they ask for: whoever has a message of theirs could post it to
// any path.
func (s signedRequest) bound(c *device.Call) error {
	if named := s.message.Text(keyForNode); named != "" && named != c.Node.Address() {
		return fault.New(fault.Denied, "node-is-another", "the request is signed for the node %.60s, and this is %s", named, c.Node.Address()).
			WithHint("send it to that node, or sign one for this")
	}
	if len(s.signers) == 0 || strings.Contains(s.message.Text("path"), c.Device) {
		return nil
	}
	return fault.New(fault.Denied, "path-unsigned", "the signature does not cover the path, which leads to %s", c.Device).
		WithHint("have the signature cover the key path as well, as a whole: /~%s/%s", c.Device, c.Key)
}

// keyForNode is the key of a signed request that says for which node it is, by its address.
const keyForNode = "for-node"

// here is bound for rights of the operator's. An operator with a key of his own may have several nodes: what he signs for one of them
// could be sent to another, so it has to say for which it is. What the node's own key signs can be for no other.
func (s signedRequest) here(c *device.Call) error {
	if err := s.bound(c); err != nil {
		return err
	}
	own := c.Node.Address()
	if own == "" || s.message.Text(keyForNode) != "" || s.by(own) || slices.Contains(Operators(c.Node), unclaimed) {
		return nil
	}
	return fault.New(fault.Denied, "node-unnamed", "the request does not say for which node it is, and whoever signed it may have others").
		WithHint("have the signature cover a key %s as well: %s", keyForNode, own)
}

// givenAway tells whether the node or an operator of it signed a message as an answer, or may have: answers and commitments made
// for those who ask have a tag, and the other formats have no place for one.
func givenAway(c *device.Call, m message.Message) bool {
	own := append([]string{c.Node.Address()}, Operators(c.Node)...)
	for _, v := range m.Commitments().All() {
		entry, _ := v.(message.Message)
		by := entry.Text("committer")
		if by == "" || !slices.Contains(own, by) {
			continue
		}
		list, _ := entry.Get("committed")
		keys, _ := list.(message.List)
		status := slices.Contains(keys, message.Value(message.Bytes("status"))) // which every answer has, and those of before had no tag
		if httpsig.Tagged(entry) || by == c.Node.Address() && (status || entry.Text("commitment-device") != httpsig.Codec) {
			return true
		}
	}
	return false
}

// by tells whether one of these addresses signed.
func (s signedRequest) by(addresses ...string) bool {
	for _, k := range s.signers {
		if slices.Contains(addresses, k.Address().String()) || slices.Contains(addresses, k.ProcessAddress()) {
			return true
		}
	}
	return false
}

// ids names the request by what its signers made: the same for a request that comes again, also with signatures added to it or
// taken away, and another for one that says the same and was signed anew.
func (s signedRequest) ids() []string {
	var out []string
	for id, v := range s.message.Commitments().All() {
		if entry, ok := v.(message.Message); ok && entry.Text("committer") != "" {
			out = append(out, id)
		}
	}
	if len(out) == 0 {
		out = append(out, s.message.SignedID().String())
	}
	return out
}

// says tells whether the signers meant this value of a key, be it as a key of the request or as an argument in its path.
func (s signedRequest) says(c *device.Call, key, value string) bool {
	if s.message.Text(key) == value {
		return true
	}
	steps, err := c.Runner.Parse(s.message.Text("path"), message.Message{})
	if err != nil {
		return false
	}
	return slices.ContainsFunc(steps, func(st device.Step) bool { return st.Request.Text(key) == value })
}

// Everybody is a setting of those who have a right by which all have it, whether they signed or not.
const Everybody = "all"

// everybody tells whether a setting gives its right to all.
func everybody(c *device.Call, option string) bool {
	all := listed(c, option)
	return len(all) == 1 && all[0] == Everybody
}

const unclaimed = "unclaimed" // the operator of a node that is nobody's yet

// Operators are the addresses that may change the node: the setting operator, otherwise the node's own.
func Operators(n *device.Node) []string {
	if v, ok := n.Option("operator"); ok {
		if names := device.Texts(v); len(names) > 0 {
			return names
		}
	}
	if own := n.Address(); own != "" {
		return []string{own}
	}
	return nil
}

// byOperator tells whether an operator signed, or anybody is one.
func (s signedRequest) byOperator(c *device.Call) bool {
	all := Operators(c.Node)
	return slices.Contains(all, unclaimed) || s.by(all...)
}

// signsFor refuses to sign data items and transactions for strangers: they would be messages of the node itself, which processes
// take for those of its messenger, from whichever process they say they are.
func signsFor(c *device.Call, req message.Message) error {
	ask, err := signedAsk(c, req)
	if err != nil {
		return err
	}
	if !ask.byOperator(c) {
		return refused(device.Forbidden, "Only an operator has data items and transactions signed by the node.", "operator-only", "sign the request with the key of the node's operator")
	}
	return ask.here(c)
}

// listed are the addresses of a setting.
func listed(c *device.Call, option string) []string {
	v, _ := c.Option(option)
	return device.Texts(v)
}

// posted tells whether a request is to change something.
func posted(c *device.Call, req message.Message) bool {
	return strings.EqualFold(first("method", req, c.Origin), "POST")
}

// transport are keys of a signed request that say how it is sent and not what is meant.
var transport = map[string]bool{
	keyForNode: true, "path": true, "method": true, "device": true, "host": true, "authority": true, "commitments": true, "ao-peer": true, "content-digest": true,
	"content-length": true, "content-type": true, "user-agent": true, "accept": true, "codec-device": true, "accept-codec": true, "accept-bundle": true,
}

// meant are the keys of a message that are no transport's and not private.
func meant(m message.Message) message.Message {
	for key := range m.All() {
		if transport[key] || message.IsPrivate(strings.ToLower(key)) {
			m = m.Without(key)
		}
	}
	return m
}

// refused ends a call in the words that clients know, with the code of what is wrong and what to do.
func refused(status device.Status, text, code, hint string) error {
	return device.End(status, message.New(
		message.Field{Key: "status", Value: message.Int(status)}, message.Field{Key: message.KeyBody, Value: message.Bytes(text)},
		message.Field{Key: "code", Value: message.Bytes(code)}, message.Field{Key: "reason", Value: message.Bytes(text)},
		message.Field{Key: "details", Value: message.Bytes(hint)}))
}

func unserved(what string) error {
	return fault.New(fault.Unsupported, "not-offered", "this node offers no %s", what)
}

// unstored is the failure of a node that has nowhere to keep messages.
func unstored() error { return unserved("store of messages") }
