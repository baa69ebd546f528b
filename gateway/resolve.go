package gateway

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"ago/codec/js"
	"ago/fault"
	"ago/message"
)

// queryTime is how long one GraphQL request may work.
const queryTime = 20 * time.Second

// root writes a field of Query.
func (x *execution) root(f selected) error {
	args := f.field.ArgumentMap(x.vars)
	switch f.name {
	case "transaction":
		rec, err := x.transaction(args)
		if err != nil {
			return err
		}
		if rec == nil {
			x.null()
			return nil
		}
		return x.record(f.sub, rec)
	case "transactions":
		return x.transactions(f, args)
	case "block":
		b, ok := x.block(args)
		if !ok {
			x.null()
			return nil
		}
		return x.blockFields(f.sub, blockView{b, ""})
	case "blocks":
		return x.blocks(f, args)
	case "__schema", "__type":
		return x.introspect(f, args)
	}
	return fault.New(fault.Unsupported, "field-unsupported", "the field %q is not answered", f.name)
}

func (x *execution) transaction(args map[string]any) (*Record, error) {
	text, _ := args["id"].(string)
	id, err := message.ParseID(text)
	if err != nil {
		return nil, nil // nothing can have such an id
	}
	rec, err := x.g.Record(x.ctx, id)
	if fault.KindOf(err) == fault.NotFound {
		return nil, nil
	}
	return rec, err
}

// query reads the arguments of transactions.
func (x *execution) query(args map[string]any) (q Query, after *message.ID, err error) {
	q.First, err = pageSize(args)
	if err != nil {
		return q, nil, err
	}
	sort, _ := args["sort"].(string)
	q.Ascending = strings.HasSuffix(sort, "_ASC")
	if q.After, after, err = parseCursor(args["after"]); err != nil {
		return q, nil, err
	}
	for _, c := range []struct {
		name string
		into *[]message.ID
	}{{"ids", &q.IDs}, {"owners", &q.Owners}, {"recipients", &q.Recipients}, {"bundledIn", &q.Parents}} {
		values, given, err := texts(args[c.name], c.name)
		if err != nil {
			return q, nil, err
		}
		if given {
			*c.into = parseIDs(values)
		}
	}
	filters, _ := asList(args["tags"])
	if len(filters) > tagFiltersMax {
		return q, nil, fault.New(fault.TooLarge, "query-too-wide", "the query has over %d tag filters", tagFiltersMax).WithHint("ask in several queries")
	}
	for _, f := range filters {
		m, ok := f.(map[string]any)
		if !ok {
			return q, nil, malformedQuery("a tag filter is an object with name and values")
		}
		t := TagQuery{Not: m["op"] == "NEQ", Wildcard: m["match"] == "WILDCARD"}
		if s, _ := m["match"].(string); strings.HasPrefix(s, "FUZZY") {
			return q, nil, fault.New(fault.Unsupported, "match-unsupported", "tags are matched exactly or with *, not by %s", s).
				WithHint("leave match out, or use WILDCARD with values such as \"ab*\"")
		}
		t.Name, _ = m["name"].(string)
		if t.Values, _, err = texts(m["values"], "values"); err != nil {
			return q, nil, err
		}
		q.Tags = append(q.Tags, t)
	}
	if q.Heights, err = span(args["block"], 1, math.MaxUint64); err != nil {
		return q, nil, err
	}
	// Seconds are asked for, milliseconds are kept.
	q.Arrivals, err = span(args["ingested_at"], 1000, math.MaxInt64)
	return q, after, err
}

func pageSize(args map[string]any) (int, error) {
	n, given, err := number(args["first"])
	if err != nil {
		return 0, err
	}
	if !given {
		return firstDefault, nil
	}
	if n < 0 {
		return 0, fault.New(fault.Malformed, "first-negative", "first is the size of a page and cannot be %d", n).WithHint("give 1 to %d", firstMax)
	}
	return int(min(n, firstMax)), nil
}

// span reads {min, max}. Unit is how many of ours one of theirs is.
func span(v any, unit uint64, top uint64) (*Span, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, nil
	}
	lo, hasMin, err := number(m["min"])
	if err != nil {
		return nil, err
	}
	hi, hasMax, err := number(m["max"])
	if err != nil || !hasMin && !hasMax {
		return nil, err
	}
	s := Span{0, top}
	if hasMin && lo > 0 {
		s.Min = uint64(lo) * unit
	}
	if hasMax {
		if hi < 0 {
			return &Span{1, 0}, nil
		}
		s.Max = uint64(hi)*unit + unit - 1
	}
	return &s, nil
}

func number(v any) (int64, bool, error) {
	switch v := v.(type) {
	case nil:
		return 0, false, nil
	case int64:
		return v, true, nil
	case int:
		return int64(v), true, nil
	case float64:
		return int64(v), true, nil
	case json.Number:
		n, err := v.Int64()
		return n, true, notWhole(err, v)
	case string:
		n, err := strconv.ParseInt(v, 10, 64)
		return n, true, notWhole(err, v)
	}
	return 0, false, malformedQuery("a number was expected")
}

func notWhole(err error, v any) error {
	if err == nil {
		return nil
	}
	return malformedQuery("%q is no whole number", v)
}

// asList takes one value for a list of one, as the language has it.
func asList(v any) ([]any, bool) {
	switch v := v.(type) {
	case nil:
		return nil, false
	case []any:
		return v, true
	case []string:
		out := make([]any, len(v))
		for i, s := range v {
			out[i] = s
		}
		return out, true
	case []map[string]any:
		out := make([]any, len(v))
		for i, s := range v {
			out[i] = s
		}
		return out, true
	}
	return []any{v}, true
}

func texts(v any, name string) (out []string, given bool, err error) {
	list, given := asList(v)
	if len(list) > valuesMax {
		return nil, false, fault.New(fault.TooLarge, "query-too-wide", "%s has over %d values", name, valuesMax).WithHint("ask in several queries")
	}
	out = make([]string, 0, len(list))
	for _, e := range list {
		switch e := e.(type) {
		case string:
			out = append(out, e)
		case json.Number:
			out = append(out, e.String())
		case int64:
			out = append(out, strconv.FormatInt(e, 10))
		default:
			return nil, false, malformedQuery("%s is a list of texts", name)
		}
	}
	return out, given, nil
}

// parseIDs leaves out what is no id, such as an empty owner: nothing matches it. The list stays a condition.
func parseIDs(texts []string) []message.ID {
	out := make([]message.ID, 0, len(texts))
	for _, t := range texts {
		if id, err := message.ParseID(t); err == nil {
			out = append(out, id)
		}
	}
	return out
}

// A cursor is opaque to clients: 's' and a seq, or 'r' and the id of a record of another gateway.
func cursor(seq uint64) string {
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint64([]byte{'s'}, seq))
}

func remoteCursor(id message.ID) string {
	return base64.RawURLEncoding.EncodeToString(append([]byte{'r'}, id[:]...))
}

func parseCursor(v any) (*uint64, *message.ID, error) {
	text, _ := v.(string)
	if text == "" {
		return nil, nil, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	switch {
	case err == nil && len(b) == 9 && b[0] == 's':
		n := binary.BigEndian.Uint64(b[1:])
		return &n, nil, nil
	case err == nil && len(b) == 33 && b[0] == 'r':
		id := message.ID(b[1:])
		return nil, &id, nil
	}
	return nil, nil, fault.New(fault.Malformed, "cursor-malformed", "%q is no cursor of this gateway", text).
		WithHint("give the cursor of the last edge of a page, or none to begin")
}

func (x *execution) transactions(f selected, args map[string]any) error {
	q, afterRemote, err := x.query(args)
	if err != nil {
		return err
	}
	remote, err := x.g.remoteAmong(x.ctx, &q)
	if err != nil {
		return err
	}
	page, more, err := x.g.pageWith(x.ctx, q, remote, afterRemote)
	if err != nil {
		return err
	}
	return x.connection(f, "TransactionConnection", more, len(page), func(sub []selected, i int) error {
		return x.object(sub, "TransactionEdge", func(f selected) error {
			if f.name == "cursor" {
				x.text(page[i].cursor)
				return nil
			}
			return x.record(f.sub, page[i].rec)
		})
	})
}

// connection writes a page of n edges.
func (x *execution) connection(f selected, typeName string, more bool, n int, edge func(sub []selected, i int) error) error {
	return x.object(f.sub, typeName, func(f selected) error {
		if f.name == "pageInfo" {
			return x.object(f.sub, "PageInfo", func(selected) error {
				x.out = strconv.AppendBool(x.out, more)
				return nil
			})
		}
		x.out = append(x.out, '[')
		for i := range n {
			if i > 0 {
				x.out = append(x.out, ',')
			}
			if err := edge(f.sub, i); err != nil {
				return err
			}
		}
		x.out = append(x.out, ']')
		return nil
	})
}

func (x *execution) null()         { x.out = append(x.out, "null"...) }
func (x *execution) text(s string) { x.out = js.AppendJSON(x.out, s) }

func (x *execution) base64(b []byte) {
	x.out = append(x.out, '"')
	x.out = base64.RawURLEncoding.AppendEncode(x.out, b)
	x.out = append(x.out, '"')
}

// fields writes an object of texts.
func (x *execution) fields(sub []selected, typeName string, value func(name string) string) error {
	return x.object(sub, typeName, func(f selected) error {
		x.text(value(f.name))
		return nil
	})
}

func (x *execution) record(sub []selected, r *Record) error {
	return x.object(sub, "Transaction", func(f selected) error {
		switch f.name {
		case "id":
			x.text(r.ID.String())
		case "anchor":
			x.base64(r.Anchor)
		case "signature":
			x.base64(r.Signature)
		case "recipient":
			if r.HasTarget {
				x.text(r.Target.String())
			} else {
				x.text("")
			}
		case "owner":
			return x.object(f.sub, "Owner", func(f selected) error {
				switch {
				case f.name == "key":
					x.base64(r.Owner)
				case r.Address.IsZero():
					x.text("")
				default:
					x.text(r.Address.String())
				}
				return nil
			})
		case "fee":
			return x.amount(f.sub, r.Fee)
		case "quantity":
			return x.amount(f.sub, r.Quantity)
		case "data":
			return x.object(f.sub, "MetaData", func(f selected) error {
				if f.name == "size" {
					x.text(strconv.FormatInt(r.DataSize, 10))
				} else if t, ok := r.Tag("Content-Type"); ok {
					x.text(t)
				} else {
					x.null()
				}
				return nil
			})
		case "tags":
			x.out = append(x.out, '[')
			for i, t := range r.Tags {
				if i > 0 {
					x.out = append(x.out, ',')
				}
				err := x.fields(f.sub, "Tag", func(name string) string {
					if name == "name" {
						return t.Name
					}
					return t.Value
				})
				if err != nil {
					return err
				}
			}
			x.out = append(x.out, ']')
		case "block":
			if r.Block == nil {
				x.null()
				return nil
			}
			return x.blockFields(f.sub, blockView{*r.Block, r.blockID})
		case "parent", "bundledIn":
			if r.Parent.IsZero() {
				x.null()
				return nil
			}
			name := map[string]string{"parent": "Parent", "bundledIn": "Bundle"}[f.name]
			return x.fields(f.sub, name, func(string) string { return r.Parent.String() })
		case "ingested_at":
			x.out = strconv.AppendInt(x.out, r.Arrived/1000, 10)
		}
		return nil
	})
}

func (x *execution) amount(sub []selected, winston string) error {
	return x.fields(sub, "Amount", func(name string) string {
		if name == "winston" {
			return winston
		}
		return inAR(winston)
	})
}

// inAR writes an amount of winston, of which an AR has 10^12.
func inAR(winston string) string {
	const digits = 12
	if pad := digits + 1 - len(winston); pad > 0 {
		winston = strings.Repeat("0", pad) + winston
	}
	at := len(winston) - digits
	return winston[:at] + "." + winston[at:]
}

// blockView is a block with the id another network gave it, if any.
type blockView struct {
	Block
	id string
}

func (x *execution) blockFields(sub []selected, b blockView) error {
	return x.object(sub, "Block", func(f selected) error {
		switch f.name {
		case "id":
			if b.id != "" {
				x.text(b.id)
			} else {
				x.text(b.Hash.String())
			}
		case "timestamp":
			x.out = strconv.AppendInt(x.out, b.Seconds(), 10)
		case "height":
			x.out = strconv.AppendUint(x.out, b.Height, 10)
		case "previous":
			if b.Previous.IsZero() {
				x.text("")
			} else {
				x.text(b.Previous.String())
			}
		}
		return nil
	})
}

func (x *execution) block(args map[string]any) (Block, bool) {
	text, given := args["id"].(string)
	if !given || text == "" {
		return x.g.blocks.Current(), true
	}
	return x.g.blockByName(text)
}

// blocks answers a range of heights.
func (x *execution) blocks(f selected, args map[string]any) error {
	n, err := pageSize(args)
	if err != nil {
		return err
	}
	s, err := span(args["height"], 1, math.MaxUint64)
	if err != nil {
		return err
	}
	lo, hi := x.g.blocks.First(), x.g.blocks.Height()
	if s != nil {
		lo, hi = max(lo, s.Min), min(hi, s.Max)
	}
	sort, _ := args["sort"].(string)
	up := strings.HasSuffix(sort, "_ASC")
	after, remote, err := parseCursor(args["after"])
	if err != nil {
		return err
	}
	if remote != nil {
		return fault.New(fault.Malformed, "cursor-malformed", "the cursor is not one of a block").WithHint("give the cursor of the last edge of a page of blocks")
	}
	var page []Block
	more := false
	take := func(b Block) bool {
		if len(page) == n {
			more = true
			return false
		}
		page = append(page, b)
		return true
	}
	if names, given, err := texts(args["ids"], "ids"); err != nil {
		return err
	} else if given {
		for _, name := range names {
			if b, ok := x.g.blockByName(name); ok && b.Height >= lo && b.Height <= hi && !take(b) {
				break
			}
		}
	} else if up {
		if after != nil {
			lo = max(lo, *after+1)
		}
		for h := lo; h <= hi; h++ {
			if b, ok := x.g.blocks.At(h); !ok || !take(b) {
				break
			}
		}
	} else {
		if after != nil {
			hi = min(hi, max(*after, 1)-1)
		}
		for h := hi; h >= lo; h-- {
			if b, ok := x.g.blocks.At(h); !ok || !take(b) || h == 0 {
				break
			}
		}
	}
	return x.connection(f, "BlockConnection", more, len(page), func(sub []selected, i int) error {
		return x.object(sub, "BlockEdge", func(f selected) error {
			if f.name == "cursor" {
				x.text(cursor(page[i].Height))
				return nil
			}
			return x.blockFields(f.sub, blockView{page[i], ""})
		})
	})
}

// blockByName finds a block by its id.
func (g *Gateway) blockByName(text string) (Block, bool) {
	id, err := message.ParseID(text)
	if err != nil {
		return Block{}, false
	}
	return g.blocks.Find(id)
}
