package ans104

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"ago/commitment"
	"ago/fault"
	"ago/message"
)

// Keys of a commitment. It says of a message in any other encoding what was signed as a data item, and how to get that item
// back byte for byte.
const (
	keyDevice       = "commitment-device"
	keyType         = "type"
	keyKeyID        = "keyid"
	keyCommitter    = "committer"
	keyCommitted    = "committed"
	keySignature    = "signature"
	keyBundle       = "bundle"
	keyFieldTarget  = "field-target"
	keyFieldAnchor  = "field-anchor"
	keyOriginalTags = "original-tags" // numbered name and value pairs, if the committed keys do not tell the tags
	keyIDPrefix     = "publickey:"
	typeRSA         = "rsa-pss-sha256"
	typeUnsigned    = "unsigned-sha256"
	keyAlgA         = "alg" // of the first generation, as the following
	keyOwnerA       = "owner"
	algRSAA         = "rsa-pss"
)

// Commitment gives the entry that the item makes in the commitments of its message, under the item's id.
func (it *Item) Commitment() message.Message {
	text := func(key, value string) message.Field { return message.Field{Key: key, Value: message.Bytes(value)} }
	committed := message.List{}
	for _, key := range it.Committed() {
		committed = append(committed, message.Bytes(key))
	}
	fs := []message.Field{text(keyDevice, Codec), text(keyType, commitmentType(it)), {Key: keyCommitted, Value: committed},
		text(keyBundle, strconv.FormatBool(IsBundle(it.Tags)))}
	if it.Signed() {
		fs = append(fs, text(keyKeyID, keyIDPrefix+encode64(it.Owner)), text(keyCommitter, it.Address().String()), text(keySignature, encode64(it.Signature)))
	}
	_, steering := tagFields(it.Tags)
	for _, key := range []string{keyBundleFormat, keyBundleVersion, keyBundleMap} {
		if v, ok := steering[key]; ok {
			fs = append(fs, text(key, v))
		}
	}
	if it.HasTarget {
		fs = append(fs, text(keyFieldTarget, it.Target.String()))
	}
	if it.Anchor != nil {
		fs = append(fs, text(keyFieldAnchor, message.ID(it.Anchor).String()))
	}
	c := message.Of(fs)
	if it.follows(c) {
		return c
	}
	return c.With(keyOriginalTags, numbered(it.Tags))
}

// follows tells whether the commitment gives the item back without the tags being told apart from it.
func (it *Item) follows(c message.Message) bool {
	for _, t := range it.Tags {
		if t.Name != strings.ToLower(t.Name) {
			return false
		}
	}
	back, err := FromCommitment(it.Message(), c)
	return err == nil && bytes.Equal(back.Raw, it.Raw)
}

func numbered(tags []Tag) message.Message {
	fs := make([]message.Field, len(tags))
	for i, t := range tags {
		fs[i] = message.Field{Key: strconv.Itoa(i + 1), Value: message.New(
			message.Field{Key: "name", Value: message.Bytes(t.Name)}, message.Field{Key: "value", Value: message.Bytes(t.Value)})}
	}
	return message.Of(fs)
}

// commitmentType is the name AO-Core has for the signature type; it has none for others than RSA, which keep ours.
func commitmentType(it *Item) string {
	switch {
	case !it.Signed():
		return typeUnsigned
	case it.Type == commitment.RSA:
		return typeRSA
	}
	return it.Type.String()
}

// FromCommitment puts the item of a commitment together again from the message that carries it, in whatever encoding that
// came. Where the commitment leaves a choice, the signature decides; otherwise it is not checked. It fails with Malformed
// ("commitment-malformed") if the commitment does not tell how, and with Unsupported for other types of signature.
func FromCommitment(m, c message.Message) (*Item, error) {
	if c.Text(keyType) == "" && c.Text(keyAlgA) == algRSAA {
		return fromCommitmentA(m, c)
	}
	kind, signature, owner, err := signatureOf(c)
	if err != nil {
		return nil, err
	}
	d, err := headerOf(c)
	if err != nil {
		return nil, err
	}
	var header []string
	if d.HasTarget {
		header = append(header, keyTarget)
	}
	if d.Anchor != nil {
		header = append(header, keyAnchor)
	}
	layouts, err := Layouts(m, c, header)
	if err != nil {
		return nil, err
	}
	var first *Item
	for i, l := range layouts {
		d.Tags, d.Data = l.Tags, l.Data
		it, err := Rebuild(kind, signature, owner, d)
		switch {
		case i == 0 && (err != nil || len(layouts) == 1 || !it.Signed()):
			return it, err
		case i == 0:
			first = it
		}
		if err == nil && it.Verify() == nil {
			return it, nil
		}
	}
	return first, nil
}

// fromCommitmentA is FromCommitment for nodes of the first generation. They say owner, signature and target in bytes, and always have
// the tags; that a target was one of the header shows by its bytes.
func fromCommitmentA(m, c message.Message) (*Item, error) {
	v, _ := c.Get(keyOriginalTags)
	tags, err := originalTags(v)
	if err != nil {
		return nil, err
	}
	d := Draft{Tags: tags}
	target := m.Text(keyTarget)
	if d.HasTarget = len(target) == len(d.Target); d.HasTarget {
		copy(d.Target[:], target)
	}
	key := keyData
	if _, steering := tagFields(tags); steering[keyDataKey] != "" {
		key = steering[keyDataKey]
	}
	d.Data = []byte(m.Text(key))
	return Rebuild(commitment.RSA, []byte(c.Text(keySignature)), []byte(c.Text(keyOwnerA)), d)
}

// Layouts gives the tags and data that a commitment may have been made over, from the message that carries it: at least one,
// and several where the commitment does not tell them apart. The header says which of the keys were fields of the header of
// what was signed, and no tags. It fails with Malformed ("commitment-malformed").
func Layouts(m, c message.Message, header []string) ([]Content, error) {
	list, _ := c.Get(keyCommitted)
	keys, _ := list.(message.List)
	var order []string
	var fs []message.Field
	for _, k := range keys {
		key, ok := k.(message.Bytes)
		if !ok {
			return nil, badCommitment("a committed key is no text")
		}
		v, ok := m.Get(string(key))
		if !ok && key != keyTypes { // its work is done in a message that has types
			return nil, badCommitment("the message lacks the committed key %.100q", string(key))
		}
		if ok {
			fs = append(fs, message.Field{Key: string(key), Value: v})
		}
		order = append(order, string(key))
	}
	committed := message.New(fs...)
	if v, ok := c.Get(keyOriginalTags); ok {
		tags, err := originalTags(v)
		if err != nil {
			return nil, err
		}
		return withData(tags, committed, header)
	}
	return withKeys(committed, order, header)
}

// withData finds the data to tags that are known: what the message has under the key of the data, unless that is a tag's; or
// the bundle of all keys that are no tag's.
func withData(tags []Tag, m message.Message, header []string) ([]Content, error) {
	names, steering := tagFields(tags)
	if _, stayed := m.Get(keyBundleFormat); IsBundle(tags) && !stayed {
		for _, key := range header {
			m = m.Without(key)
		}
		for _, f := range names {
			m = m.Without(f.Key)
		}
		inner, err := DraftOf(m)
		return []Content{{Tags: tags, Data: inner.Data}}, err
	}
	key := keyData
	if k, ok := steering[keyDataKey]; ok {
		key = k
	}
	return []Content{{Tags: tags, Data: []byte(m.Text(key))}, {Tags: tags}}, nil
}

// withKeys lays the message out anew and puts the tags in the order of the committed keys. A lower-case name that came twice is
// one key with a list, which the commitment does not tell from a text like it.
func withKeys(m message.Message, order, header []string) ([]Content, error) {
	laid, err := DraftOf(m)
	if err != nil {
		return nil, err
	}
	tags := slices.DeleteFunc(laid.AllTags(), func(t Tag) bool { return slices.Contains(header, t.Name) })
	// What announces a bundle or the key of the data is no key of the message and stays in front.
	slices.SortStableFunc(tags, func(a, b Tag) int { return slices.Index(order, a.Name) - slices.Index(order, b.Name) })
	out := []Content{{Tags: tags, Data: laid.Data}}
	if split := splitLists(tags); len(split) > len(tags) {
		out = append(out, Content{Tags: split, Data: laid.Data})
	}
	return out, nil
}

// AllTags gives the tags of an item that has no header: target and anchor are tags like others, the last.
func (d Draft) AllTags() []Tag {
	tags := slices.Clone(d.Tags)
	if d.HasTarget {
		tags = append(tags, Tag{Name: keyTarget, Value: d.Target.String()})
	}
	if d.Anchor != nil {
		tags = append(tags, Tag{Name: keyAnchor, Value: message.ID(d.Anchor).String()})
	}
	return tags
}

func badCommitment(format string, args ...any) *fault.Error {
	return malformed("commitment-malformed", format, args...)
}

func signatureOf(c message.Message) (kind commitment.KeyType, signature, owner []byte, err error) {
	kind = commitment.RSA
	switch name := c.Text(keyType); name {
	case typeUnsigned:
		return kind, make([]byte, kind.SignatureSize()), make([]byte, kind.OwnerSize()), nil
	case typeRSA:
	default:
		if kind, err = commitment.ParseKeyType(name); err != nil {
			return 0, nil, nil, err
		}
	}
	signature, err = base64.RawURLEncoding.DecodeString(c.Text(keySignature))
	if err != nil {
		return 0, nil, nil, badCommitment("the signature is not base64url")
	}
	key, ok := strings.CutPrefix(c.Text(keyKeyID), keyIDPrefix)
	if owner, err = base64.RawURLEncoding.DecodeString(key); err != nil || !ok {
		return 0, nil, nil, badCommitment("the keyid is %s and the owner in base64url", keyIDPrefix)
	}
	return kind, signature, owner, nil
}

// headerOf takes target and anchor from the commitment alone: as keys of the message they may also have been tags.
func headerOf(c message.Message) (d Draft, err error) {
	for _, field := range []string{keyFieldTarget, keyFieldAnchor} {
		if _, ok := c.Get(field); !ok {
			continue
		}
		id, err := message.ParseID(c.Text(field))
		switch {
		case err != nil:
			return Draft{}, badCommitment("%s is an id", field)
		case field == keyFieldTarget:
			d.Target, d.HasTarget = id, true
		default:
			d.Anchor = id[:]
		}
	}
	return d, nil
}

func originalTags(v message.Value) ([]Tag, error) {
	m, ok := v.(message.Message)
	if !ok {
		return nil, badCommitment("%s is a numbered map", keyOriginalTags)
	}
	tags := make([]Tag, m.Len())
	for i := range tags {
		v, _ := m.Get(strconv.Itoa(i + 1))
		tag, ok := v.(message.Message)
		if !ok {
			return nil, badCommitment("%s lacks number %d", keyOriginalTags, i+1)
		}
		tags[i] = Tag{Name: tag.Text("name"), Value: tag.Text("value")}
	}
	return tags, nil
}

// splitLists turns every tag whose value is a list of texts into one tag for each.
func splitLists(tags []Tag) []Tag {
	var out []Tag
	for _, t := range tags {
		values, ok := parseList(t.Value)
		if !ok {
			out = append(out, t)
			continue
		}
		for _, v := range values {
			out = append(out, Tag{Name: t.Name, Value: v})
		}
	}
	return out
}

// parseList reads what listText writes.
func parseList(s string) ([]string, bool) {
	var values []string
	for {
		if s == "" || s[0] != '"' {
			return nil, false
		}
		var b strings.Builder
		i := 1
		for ; i < len(s) && s[i] != '"'; i++ {
			if s[i] == '\\' {
				i++
			}
			if i < len(s) {
				b.WriteByte(s[i])
			}
		}
		if i >= len(s) {
			return nil, false
		}
		values = append(values, b.String())
		if s = s[i+1:]; s == "" {
			return values, true
		}
		var ok bool
		if s, ok = strings.CutPrefix(s, ", "); !ok {
			return nil, false
		}
	}
}

func encode64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
