package gateway

import (
	"context"
	"encoding/binary"
	"slices"
	"sort"

	"ago/fault"
	"ago/message"
	"ago/store"
)

// The search: every condition of a query that the index knows is a source, an ordered list of seqs that can be entered
// anywhere. Sources of one condition's values are united, conditions are intersected by leaping: each source in turn is
// asked for its next seq at or behind the candidate, so the rarest condition sets the pace and a common one is never read
// through. What is left is loaded and compared with the whole query, which also covers the conditions without an index.

// source gives the nearest seq at or behind a position, in its direction.
type source interface {
	seek(at uint64) (seq uint64, ok bool, err error)
}

// seekMax bounds the leaps of one search, and loadMax the records it reads and throws away: a query that needs more is
// answered with a hint how to narrow it, not with minutes of work.
const (
	seekMax = 2_000_000
	loadMax = 100_000
)

// postings reads the seqs that follow a prefix, in runs that grow while it is read on and start small after a leap.
type postings struct {
	store  store.Store
	prefix []byte
	down   bool
	run    []uint64 // in direction of reading
	done   bool     // the run goes to the end
	size   int
	steps  *int
}

const (
	runMin = 8
	runMax = 512
)

func (p *postings) seek(at uint64) (uint64, bool, error) {
	i := sort.Search(len(p.run), func(i int) bool {
		if p.down {
			return p.run[i] <= at
		}
		return p.run[i] >= at
	})
	if i < len(p.run) {
		p.run = p.run[i:]
		return p.run[0], true, nil
	}
	if p.done {
		return 0, false, nil
	}
	p.size = min(max(runMin, 2*p.size), runMax)
	if cap(p.run) < p.size {
		p.run = make([]uint64, 0, p.size)
	}
	p.run, p.done = p.run[:0], true
	lower, end := p.prefix, store.PrefixEnd(p.prefix)
	if p.down {
		end = binary.BigEndian.AppendUint64(slices.Clip(p.prefix), at)
		end = append(end, 0) // at itself is included
	} else {
		lower = binary.BigEndian.AppendUint64(slices.Clip(p.prefix), at)
	}
	for kv, err := range p.store.Scan(lower, end, p.down) {
		if err != nil {
			return 0, false, fault.Wrap(err, fault.Unavailable, "index-read", "reading the index")
		}
		if len(kv.Key) != len(p.prefix)+8 {
			return 0, false, fault.Wrap(errRow, fault.Internal, "index-damaged", "reading the index")
		}
		p.run = append(p.run, binary.BigEndian.Uint64(kv.Key[len(p.prefix):]))
		if *p.steps--; len(p.run) == p.size || *p.steps < 0 {
			p.done = false
			break
		}
	}
	if *p.steps < 0 {
		return 0, false, errBroad
	}
	if len(p.run) == 0 {
		return 0, false, nil
	}
	return p.run[0], true, nil
}

var errBroad = fault.New(fault.TooLarge, "query-too-broad", "the query would read too much of the index").
	WithHint("add a tag, an owner or a block range that narrows it, or page through with a smaller range")

// fixed is a list that is known already.
type fixed struct {
	seqs []uint64 // ascending
	down bool
}

func (f *fixed) seek(at uint64) (uint64, bool, error) {
	i := sort.Search(len(f.seqs), func(i int) bool { return f.seqs[i] >= at })
	if f.down {
		if i < len(f.seqs) && f.seqs[i] == at {
			return at, true, nil
		}
		i--
	}
	if i < 0 || i >= len(f.seqs) {
		return 0, false, nil
	}
	return f.seqs[i], true, nil
}

type union struct {
	of   []source
	down bool
}

func (u *union) seek(at uint64) (best uint64, found bool, err error) {
	for _, s := range u.of {
		seq, ok, err := s.seek(at)
		if err != nil {
			return 0, false, err
		}
		if ok && (!found || (seq > best) == u.down) {
			best, found = seq, true
		}
		if found && best == at {
			return best, true, nil
		}
	}
	return best, found, nil
}

type intersection struct {
	of   []source
	down bool
}

func (x *intersection) seek(at uint64) (uint64, bool, error) {
	for agreed := 0; ; {
		for _, s := range x.of {
			seq, ok, err := s.seek(at)
			if err != nil || !ok {
				return 0, false, err
			}
			if seq != at {
				at, agreed = seq, 1
			} else if agreed++; agreed >= len(x.of) {
				return at, true, nil
			}
		}
	}
}

// Query asks for records. A nil list is no condition; an empty one matches nothing.
type Query struct {
	IDs        []message.ID
	Owners     []message.ID
	Recipients []message.ID
	Parents    []message.ID
	Tags       []TagQuery

	Heights  *Span // of the record's block; pending records are left out
	Arrivals *Span // ms

	Ascending bool
	After     *uint64 // the cursor of the last record seen
	First     int
}

// Span is a closed range.
type Span struct{ Min, Max uint64 }

// TagQuery wants a tag of the name with one of the values or, if Not, with a value that is none of them. Values may hold *
// for any text if Wildcard.
type TagQuery struct {
	Name     string
	Values   []string
	Not      bool
	Wildcard bool
}

// Found is a record with its cursor.
type Found struct {
	Cursor uint64
	Record *Record
}

// Search gives a page of at most q.First records, and whether more follow.
func (g *Gateway) Search(ctx context.Context, q Query) (page []Found, more bool, err error) {
	src, lo, hi, err := g.plan(q)
	if err != nil || lo >= hi {
		return nil, false, err
	}
	top := g.blocks.Height()
	at := lo
	if !q.Ascending {
		at = hi - 1
	}
	for loaded := 0; ; {
		if err := ctx.Err(); err != nil {
			return nil, false, fault.Wrap(err, fault.Unavailable, "query-stopped", "the query was given up")
		}
		seq, ok, err := src.seek(at)
		if err != nil {
			return nil, false, err
		}
		if !ok || seq < lo || seq >= hi {
			return page, false, nil
		}
		rec, err := g.load(ctx, seq)
		if err != nil {
			// One record that cannot be read is no reason to answer nothing.
			g.log.Error("a record is left out of a query", "seq", seq, "err", err)
		}
		found := err == nil && q.matches(rec, top)
		if found && q.IDs == nil {
			first, ok, err := g.order.find(g.c.Store, rec.ID)
			if err != nil {
				return nil, false, err
			}
			found = ok && first == seq // or it stands at its first place
		}
		if found {
			if len(page) == q.First {
				return page, true, nil
			}
			page = append(page, Found{seq, rec})
		} else if loaded++; loaded > loadMax {
			return nil, false, errBroad
		}
		if q.Ascending {
			at = seq + 1
		} else {
			if seq == 0 {
				return page, false, nil
			}
			at = seq - 1
		}
	}
}

// plan gives the source of a query and the range lo <= seq < hi it is read in.
func (g *Gateway) plan(q Query) (src source, lo, hi uint64, err error) {
	down := !q.Ascending
	hi = 1<<64 - 1
	if q.Ascending {
		if hi, err = g.order.settle(g.c.Store); err != nil {
			return nil, 0, 0, err
		}
	} else {
		hi = g.order.end()
	}
	if q.After != nil {
		if q.Ascending {
			lo = max(*q.After, *q.After+1) // a made-up cursor may be the last number there is
		} else {
			hi = min(hi, *q.After)
		}
	}
	if s := q.Heights; s != nil {
		// A record's block is the one after its height of arrival.
		if s.Min > 0 {
			from, err := g.firstSeq(func(r row) bool { return r.height+1 >= s.Min })
			if err != nil {
				return nil, 0, 0, err
			}
			lo = max(lo, from)
		}
		to, err := g.firstSeq(func(r row) bool { return r.height+1 > s.Max || r.height+1 == 0 })
		if err != nil {
			return nil, 0, 0, err
		}
		hi = min(hi, to)
	}
	if s := q.Arrivals; s != nil {
		from, err := g.firstSeq(func(r row) bool { return uint64(r.time) >= s.Min })
		if err != nil {
			return nil, 0, 0, err
		}
		to, err := g.firstSeq(func(r row) bool { return uint64(r.time) > s.Max })
		if err != nil {
			return nil, 0, 0, err
		}
		lo, hi = max(lo, from), min(hi, to)
	}

	steps := seekMax
	list := func(prefix []byte) source {
		return &postings{store: g.c.Store, prefix: prefix, down: down, steps: &steps}
	}
	var all []source
	byTerm := func(terms []uint64) {
		u := &union{down: down}
		for _, t := range terms {
			u.of = append(u.of, list(termPrefix(t)))
		}
		if len(u.of) == 1 {
			all = append(all, u.of[0])
		} else {
			all = append(all, u)
		}
	}
	if q.IDs != nil {
		f := &fixed{down: down}
		for _, id := range q.IDs {
			seq, ok, err := g.order.find(g.c.Store, id)
			if err != nil {
				return nil, 0, 0, err
			}
			if ok {
				f.seqs = append(f.seqs, seq)
			}
		}
		slices.Sort(f.seqs)
		all = append(all, f)
	}
	for _, c := range []struct {
		kind byte
		ids  []message.ID
	}{{termOwner, q.Owners}, {termRecipient, q.Recipients}, {termParent, q.Parents}} {
		if c.ids != nil {
			terms := make([]uint64, len(c.ids))
			for i, id := range c.ids {
				terms[i] = idTerm(c.kind, id)
			}
			byTerm(terms)
		}
	}
	for _, t := range q.Tags {
		if t.Not || t.Wildcard {
			continue
		}
		terms := make([]uint64, len(t.Values))
		for i, v := range t.Values {
			terms[i] = tagTerm(t.Name, v)
		}
		byTerm(terms)
	}
	switch len(all) {
	case 0:
		return list([]byte{table, subSeq}), lo, hi, nil
	case 1:
		return all[0], lo, hi, nil
	}
	return &intersection{of: all, down: down}, lo, hi, nil
}

// end is the seq after the last one given.
func (o *ordering) end() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.next
}

// firstSeq finds the first record for which a condition holds that stays true once it is.
func (g *Gateway) firstSeq(holds func(row) bool) (uint64, error) {
	lo, hi := uint64(0), g.order.end()
	for lo < hi {
		mid := lo + (hi-lo)/2
		seq, r, ok, err := g.rowFrom(mid)
		if err != nil {
			return 0, err
		}
		if !ok || seq >= hi || holds(r) {
			hi = mid
		} else {
			lo = seq + 1
		}
	}
	return lo, nil
}

// rowFrom gives the first visible record at or after a seq.
func (g *Gateway) rowFrom(at uint64) (uint64, row, bool, error) {
	for p, err := range g.c.Store.Scan(numberKey(subSeq, at), store.PrefixEnd([]byte{table, subSeq}), false) {
		if err != nil {
			return 0, row{}, false, fault.Wrap(err, fault.Unavailable, "index-read", "reading the index")
		}
		r, err := decodeRow(p.Value)
		if err != nil {
			return 0, row{}, false, fault.Wrap(err, fault.Internal, "index-damaged", "reading the index")
		}
		return binary.BigEndian.Uint64(p.Key[2:]), r, true, nil
	}
	return 0, row{}, false, nil
}

// matches compares a record with the whole query.
func (q *Query) matches(r *Record, top uint64) bool {
	if q.IDs != nil && !slices.Contains(q.IDs, r.ID) ||
		q.Owners != nil && !slices.Contains(q.Owners, r.Address) ||
		q.Recipients != nil && (!r.HasTarget || !slices.Contains(q.Recipients, r.Target)) ||
		q.Parents != nil && !slices.Contains(q.Parents, r.Parent) {
		return false
	}
	if s := q.Heights; s != nil && (r.Block == nil || r.Block.Height > top || r.Block.Height < s.Min || r.Block.Height > s.Max) {
		return false
	}
	if s := q.Arrivals; s != nil && (uint64(r.Arrived) < s.Min || uint64(r.Arrived) > s.Max) {
		return false
	}
	for _, t := range q.Tags {
		if !t.matches(r.Tags) {
			return false
		}
	}
	return true
}

func (t TagQuery) matches(tags []Tag) bool {
	return slices.ContainsFunc(tags, func(tag Tag) bool {
		if tag.Name != t.Name {
			return false
		}
		one := slices.ContainsFunc(t.Values, func(v string) bool {
			return v == tag.Value || t.Wildcard && wildcard(v, tag.Value)
		})
		return one != t.Not
	})
}

// wildcard matches a pattern in which * stands for any text.
func wildcard(pattern, text string) bool {
	star, mark := -1, 0
	p, i := 0, 0
	for i < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && pattern[p] == text[i]:
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
