package httpsig

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"

	"ago/commitment"
	"ago/fault"
	"ago/message"
)

// Finding is what an examination tells of one commitment.
type Finding struct {
	ID         string
	Entry      message.Message
	Signer     commitment.Signer // zero for a commitment that nobody in particular made
	Err        error             // nil: it holds
	Components []Component       // the lines of the signature base in their order; none for commitments of other encodings
}

// Component is a line of a signature base.
type Component struct {
	Name    string
	Value   string // here
	Missing bool   // there is no such header or key here
	Differs bool   // the commitment holds with another value: Signed
	Signed  string
}

// ExamineWire reads headers and body and examines their commitments, as Examine does. A body that is not the one its digest tells
// of is no failure but a finding. It fails as Decode does.
func ExamineWire(w Wire, others ...message.Message) (message.Message, []Finding, error) {
	var digests []string
	err := w.checkDigest()
	if fault.CodeOf(err) == "digest-invalid" {
		said, _ := w.Get(message.KeyContentDigest)
		digests = append(digests, said)
		w = w.with(message.KeyContentDigest, digestOf(w.Body))
	}
	m, err := Decode(w)
	if err != nil {
		return message.Message{}, nil, err
	}
	found := examine(m, digests, others)
	for i, f := range found {
		if f.Err == nil && len(digests) > 0 { // the digest was put right above: nobody signed this body
			found[i].Err = forged("the body is not the one that content-digest tells of")
			for j, c := range f.Components {
				if c.Name == message.KeyContentDigest {
					found[i].Components[j].Differs, found[i].Components[j].Signed, found[i].Components[j].Value = true, c.Value, digests[0]
				}
			}
		}
	}
	return m, found, nil
}

// Examine checks every commitment of a message, in the order of their ids, and tells of one of this encoding that does not hold
// which component of its signature base differs from what was signed, and how.
//
// What was signed cannot be read off a signature, so it is looked for: among the values that the component usually takes on its
// way through clients and proxies, and in other messages, which are what the signer is known to have said. One component that
// was changed is found, and any number of them if one of the others has them all.
func Examine(m message.Message, others ...message.Message) []Finding { return examine(m, nil, others) }

func examine(m message.Message, digests []string, others []message.Message) []Finding {
	var out []Finding
	for id, v := range m.Commitments().All() {
		entry, _ := v.(message.Message)
		f := Finding{ID: id, Entry: entry}
		f.Signer, f.Err = commitment.VerifyEntry(m, id, entry)
		if entry.Text(keyDevice) == Codec {
			x := &examination{m: m, entry: entry, digests: digests, others: others}
			if x.open(id) {
				f.Components = x.components()
				if fault.KindOf(f.Err) == fault.Forged {
					x.search(&f)
				}
			}
			if f.Signer.Owner == nil {
				f.Signer = x.signer
			}
		}
		out = append(out, f)
	}
	return out
}

// examination is the search for what a commitment was made over.
type examination struct {
	m       message.Message
	entry   message.Message
	digests []string
	others  []message.Message

	names  []string // components without @
	values map[string]string
	other  func(name string) (string, bool) // the other way to write the message
	holds  func(names []string, values map[string]string) bool
	signer commitment.Signer
}

// open finds the components of the commitment and how it is checked. It is not ok for one that cannot be checked by anybody.
func (x *examination) open(id string) bool {
	var in *member
	var wire Wire
	if f, ok := x.m.Form().(*form); ok && x.m.Codec() == Codec {
		wire = f.wire
		for commitmentID, s := range f.members {
			if commitmentID.String() == id {
				in = &s
			}
		}
	}
	committed := committedKeys(x.entry)
	var laid message.Laid
	check, names := x.current(committed, &laid)
	if _, old := x.entry.Get(keySignatureInput); old {
		check, names = x.first(id, &laid)
	}
	if check == nil {
		return false
	}
	x.holds, x.names = check, names
	source := laid.Get
	if in != nil {
		x.names, source, x.other = in.components, wire.signed, laid.Get
	}
	x.names = slices.Clone(x.names)
	x.values = make(map[string]string, len(x.names))
	for i, name := range x.names {
		x.names[i] = strings.TrimPrefix(name, "@")
		if v, ok := source(x.names[i]); ok {
			x.values[x.names[i]] = v
		}
	}
	return true
}

// current is the check of a commitment of the second generation, and its components in the canonical form.
func (x *examination) current(committed []string, laid *message.Laid) (func([]string, map[string]string) bool, []string) {
	check, signer, err := checkOf(x.entry)
	signature, bad := base64.RawURLEncoding.DecodeString(strings.TrimRight(x.entry.Text(keySignature), "="))
	if err != nil || bad != nil {
		return nil, nil
	}
	x.signer = signer
	*laid = canonical(x.m, committed, nestingOf(x.entry))
	return func(names []string, values map[string]string) bool {
		base, ok := baseOf(x.entry, names, from(values))
		return ok && check(base, signature)
	}, componentsOf(*laid, committed, false)
}

// first is the same for one of the first generation.
func (x *examination) first(id string, laid *message.Laid) (func([]string, map[string]string) bool, []string) {
	ms, err := entryMembers(x.entry)
	if err != nil || len(ms) == 0 || x.entry.Text(keyAlg) == AlgorithmHMAC {
		return nil, nil
	}
	owner, _, ok := SignatureOf(x.entry)
	s := ms[0]
	check, signer, err := publicCheck(s.param("alg"), owner)
	if !ok || err != nil || s.id().String() != id {
		return nil, nil
	}
	x.signer = signer
	*laid = layA(x.m)
	return func(names []string, values map[string]string) bool {
		base, ok := linesA(names, s.raw, from(values))
		return ok && check(base, s.signature)
	}, s.components
}

func from(values map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := values[name]; return v, ok }
}

func (x *examination) components() []Component {
	out := make([]Component, len(x.names))
	for i, name := range x.names {
		v, ok := x.values[name]
		out[i] = Component{Name: name, Value: v, Missing: !ok}
	}
	return out
}

// Bounds of the search: each try costs a check of a signature.
const (
	searchComponents = 128
	searchTries      = 4096
)

// search looks for what was signed, and notes it.
func (x *examination) search(f *Finding) {
	for _, o := range x.others {
		if values, ok := x.as(o); ok && x.holds(x.names, values) {
			for i, c := range f.Components {
				if v := values[c.Name]; v != c.Value || c.Missing {
					f.Components[i].Differs, f.Components[i].Signed = true, v
				}
			}
			return
		}
	}
	tries := 0
	for i, name := range x.names {
		if i == searchComponents {
			return
		}
		was, there := x.values[name]
		for _, v := range x.candidates(name, was) {
			if v == was && there {
				continue
			}
			if tries++; tries > searchTries {
				return
			}
			x.values[name] = v
			ok := x.holds(x.names, x.values)
			if ok {
				f.Components[i].Differs, f.Components[i].Signed = true, v
			}
			if x.values[name] = was; !there {
				delete(x.values, name)
			}
			if ok {
				return
			}
		}
	}
}

// as gives the values that the components have in another message.
func (x *examination) as(o message.Message) (map[string]string, bool) {
	o = o.Without(message.KeyCommitments)
	var sources []func(string) (string, bool)
	if w, ok := WireOf(o); ok {
		sources = append(sources, w.signed)
	}
	whole := canonical(o, nil, nestingOf(x.entry))
	part := canonical(o, committedKeys(x.entry), nestingOf(x.entry))
	sources = append(sources, part.Get, whole.Get)
	values := make(map[string]string, len(x.names))
	for _, name := range x.names {
		for _, source := range sources {
			if v, ok := source(name); ok {
				values[name] = v
				break
			}
		}
		if _, ok := values[name]; !ok {
			if v, here := x.values[name]; here { // said by how it was sent, and not by the message
				values[name] = v
				continue
			}
			return nil, false
		}
	}
	return values, true
}

// candidates are what clients, proxies and other nodes are known to make of a value on its way.
func (x *examination) candidates(name, v string) []string {
	out := []string{"", strings.TrimSpace(v), strings.ToLower(v), strings.ToUpper(v), title(v), strings.Join(strings.Fields(v), " "), strings.Trim(v, `"`), `"` + v + `"`}
	if x.other != nil {
		if written, ok := x.other(name); ok {
			out = append(out, written)
		}
	}
	if plain, err := url.PathUnescape(v); err == nil {
		out = append(out, plain, (&url.URL{Path: plain}).EscapedPath())
	}
	switch name {
	case message.KeyContentDigest:
		out = append(out, x.digests...)
		out = append(out, strings.NewReplacer("-", "+", "_", "/").Replace(v), strings.NewReplacer("+", "-", "/", "_").Replace(v))
	case "path":
		path, _, _ := strings.Cut(v, "?")
		out = append(out, path, strings.TrimPrefix(path, "/"), strings.TrimPrefix(v, "/"), "/"+v, strings.TrimSuffix(path, "/"), path+"/")
	case "method":
		out = append(out, "GET", "POST", "PUT")
	case "status":
		out = append(out, "200", "201")
	case message.KeyTypes:
		out = append(out, retyped(v)...)
	}
	for _, o := range x.others {
		if w, ok := WireOf(o); ok {
			if v, ok := w.Get(name); ok {
				out = append(out, v)
			}
		}
		if v, ok := canonical(o, nil, nestingOf(x.entry)).Get(name); ok {
			out = append(out, v)
		}
	}
	return out
}

// typeNames are the types that stand for each other when somebody changed one.
var typeNames = []string{"integer", "float", "atom", "list", "empty-binary", "empty-list", "empty-message"}

// retyped gives texts of types with one of them another, or left out.
func retyped(text string) []string {
	var out []string
	members := strings.Split(text, ", ")
	for i, m := range members {
		key, kind, ok := strings.Cut(m, "=")
		if !ok {
			continue
		}
		with := func(member ...string) string {
			return strings.Join(slices.Concat(members[:i], member, members[i+1:]), ", ")
		}
		out = append(out, with())
		for _, other := range typeNames {
			if quoted := `"` + other + `"`; quoted != kind {
				out = append(out, with(key+"="+quoted))
			}
		}
	}
	return out
}

// title is a text whose first letter is a capital.
func title(v string) string {
	if v == "" {
		return v
	}
	return strings.ToUpper(v[:1]) + v[1:]
}

// digestOf is the digest of a body as a header tells it.
func digestOf(body []byte) string {
	sum := sha256.Sum256(body)
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}
