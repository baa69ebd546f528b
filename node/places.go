package node

import (
	"context"
	"errors"
	"net/url"
	"sync"

	"ago/client"
	"ago/codec/httpsig"
	"ago/commitment"
	"ago/device"
	"ago/devices"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
	"ago/store"
)

// rowLocation is the second byte of the rows of where schedulers answer: address -> form and bytes of the signed record.
const rowLocation byte = 's'

// places knows where schedulers answer: by records that they signed. It serves devices.Locations.
type places struct {
	n  *Node
	mu sync.Mutex // of changes
}

func locationKey(address string) []byte {
	return append([]byte{store.TableNode, rowLocation}, address...)
}

// kept gives the record of an address that is here.
func (p *places) kept(address string) (message.Message, error) {
	raw, err := p.n.store.Get(locationKey(address))
	if errors.Is(err, store.ErrNotFound) {
		return message.Message{}, fault.New(fault.NotFound, "location-unknown", "nobody told where the scheduler %.50s is", address).
			WithHint("POST its signed record to /~scheduler@1.0/location")
	}
	if err != nil {
		return message.Message{}, fault.Wrap(err, fault.Unavailable, "store-unreadable", "where the scheduler %.50s is", address)
	}
	if len(raw) == 0 {
		return message.Message{}, fault.New(fault.Internal, "location-unreadable", "where the scheduler %.50s is", address)
	}
	return process.Kept(slotlog.Form(raw[0]), raw[1:])
}

// any tells whether there is a record.
func (p *places) any() bool {
	head := []byte{store.TableNode, rowLocation}
	for range p.n.store.Scan(head, store.PrefixEnd(head), false) {
		return true
	}
	return false
}

// Record gives the record of an address: that of the node itself, one that is known, or one that a peer knows.
func (p *places) Record(ctx context.Context, address string) (message.Message, error) {
	m, err := p.kept(address)
	if err == nil || fault.KindOf(err) != fault.NotFound {
		return m, err
	}
	if address == p.n.c.Key.Address().String() {
		return p.Announce(ctx, "")
	}
	for _, at := range p.n.peers() {
		found, askErr := at.Location(ctx, address)
		if askErr != nil {
			if fault.KindOf(askErr) != fault.NotFound {
				err = askErr
			}
			continue
		}
		if putErr := p.put(found, address); putErr != nil {
			p.n.c.Log.Warn("the record of a scheduler's place does not hold", "address", address, "from", at.URL, "err", putErr)
			continue
		}
		return p.kept(address)
	}
	return message.Message{}, err
}

// Announce signs where this node answers; at "" it is the address it listens at.
func (p *places) Announce(_ context.Context, at string) (message.Message, error) {
	if at == "" {
		at = p.n.addresses.Node
	}
	own := p.n.c.Key.Address().String()
	nonce := p.n.c.Clock.Now().UnixMilli()
	if old, err := p.kept(own); err == nil {
		if v, ok := old.Get("nonce"); ok {
			if n, ok := device.Whole(v); ok {
				nonce = max(nonce, n+1)
			}
		}
	}
	text := func(key, value string) message.Field { return message.Field{Key: key, Value: message.Bytes(value)} }
	m, err := httpsig.Commit(message.New(text("data-protocol", "ao"), text("variant", process.VariantCore), text("type", "scheduler-location"), text("url", at),
		message.Field{Key: "nonce", Value: message.Int(nonce)}, message.Field{Key: "time-to-live", Value: message.Int(locationLives)}, text("codec-device", httpsig.Codec)),
		p.n.c.Key, httpsig.Terms{})
	if err != nil {
		return m, err
	}
	return m, p.put(m, own)
}

const locationLives = 3_600_000 // ms, as the records of legacy schedulers say

// Hint notes where a process may be found.
func (p *places) Hint(id message.ID, text string) { p.n.abroad.hints.Hint(id, text) }

// Put keeps the record that a scheduler signed, if it is newer than the one that is known.
func (p *places) Put(_ context.Context, m message.Message) error { return p.put(m, "") }

// put keeps a record; it has to be one of the address, unless that is "".
func (p *places) put(m message.Message, address string) error {
	signers, err := commitment.VerifyEntries(m)
	if err != nil {
		return err
	}
	for _, v := range m.Commitments().All() {
		if entry, _ := v.(message.Message); httpsig.Tagged(entry) {
			return fault.New(fault.Denied, "message-is-an-answer", "the record is an answer to somebody, which says nothing of where a scheduler is")
		}
	}
	m = m.OnlyCommitted()
	at, err := url.Parse(m.Text("url"))
	if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" || at.User != nil || len(signers) == 0 {
		return fault.New(fault.Malformed, "location-malformed", "the record of a location is signed, and its url begins with http:// or https://")
	}
	nonce := int64(-1)
	if v, ok := m.Get("nonce"); ok {
		if nonce, ok = device.Whole(v); !ok {
			return fault.New(fault.Malformed, "location-malformed", "the nonce of a location is a whole number")
		}
	}
	form, raw, kept, err := process.Keep(m)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var b store.Batch
	for _, s := range signers {
		own := s.Address().String()
		if address != "" && own != address {
			continue
		}
		if old, err := p.kept(own); err == nil {
			if message.Equal(old, kept) {
				return nil
			}
			v, _ := old.Get("nonce")
			if known, ok := device.Whole(v); ok && known >= nonce {
				return device.End(device.Failed, message.New(
					message.Field{Key: "status", Value: message.Int(device.Failed)}, message.Field{Key: message.KeyBody, Value: message.Bytes("Known nonce higher than requested nonce.")},
					message.Field{Key: "code", Value: message.Bytes("nonce-old")}, message.Field{Key: "reason", Value: message.Bytes("a newer record is known")},
					message.Field{Key: "details", Value: message.Bytes("sign the record with a larger nonce")},
					message.Field{Key: "requested-nonce", Value: message.Int(nonce)}, message.Field{Key: "existing-nonce", Value: message.Int(known)},
					message.Field{Key: "signers", Value: message.List{message.Bytes(own)}}))
			}
		} else if fault.KindOf(err) != fault.NotFound {
			return err
		}
		b.Set(locationKey(own), append([]byte{byte(form)}, raw...))
	}
	if b.Len() == 0 {
		return fault.New(fault.Forged, "location-of-another", "the record is not signed by %.50s", address)
	}
	return fault.Wrap(p.n.store.Apply(&b, true), fault.Unavailable, "store-unwritable", "the record cannot be kept")
}

// askedMax are the schedulers that are asked for a message that no peer has.
const askedMax = 16

// fetch asks the schedulers whose places are known for a message, and keeps it.
func (p *places) fetch(ctx context.Context, id message.ID) (message.Value, error) {
	err := error(fault.New(fault.NotFound, "message-unknown", "no node that is known has %s", id))
	head, asked := []byte{store.TableNode, rowLocation}, 0
	own := p.n.c.Key.Address().String()
	for kv, scanErr := range p.n.store.Scan(head, store.PrefixEnd(head), false) {
		if scanErr != nil {
			return nil, scanErr
		}
		address := string(kv.Key[len(head):])
		record, keptErr := p.kept(address)
		if keptErr != nil || address == own {
			continue
		}
		if asked++; asked > askedMax {
			break
		}
		v, askErr := client.Peer{URL: record.Text("url")}.Fetch(ctx, id)
		m, ok := v.(message.Message)
		if askErr == nil && ok && m.SignedID() == id {
			contents := p.n.deviceNode().Contents
			if _, askErr = contents.Write(ctx, m); askErr == nil { // it is checked when it is written
				return contents.Local().Read(ctx, id.String())
			}
		}
		if askErr != nil && fault.KindOf(askErr) != fault.NotFound {
			err = askErr
		}
	}
	return nil, err
}

// of gives where the schedulers of a process answer: by their records, otherwise the peers, of which any may know it.
func (p *places) of(ctx context.Context, def process.Definition) ([]client.Peer, error) {
	var out []client.Peer
	var failed error
	for _, address := range def.Schedulers {
		if address == p.n.c.Key.Address().String() {
			continue
		}
		record, err := p.Record(ctx, address)
		if err == nil {
			out = append(out, client.Peer{URL: record.Text("url")})
		} else if fault.KindOf(err) != fault.NotFound {
			failed = err
		}
	}
	if len(out) == 0 {
		if failed != nil {
			return nil, failed
		}
		return nil, fault.New(fault.NotFound, "location-unknown", "nobody told where the scheduler %s of process %s is", def.Scheduler, def.ID).
			WithHint("name its node with --peer, or POST its signed record to /~scheduler@1.0/location")
	}
	return out, nil
}

// peers are the nodes that the settings name.
func (n *Node) peers() []client.Peer {
	out := make([]client.Peer, len(n.c.Peers))
	for i, at := range n.c.Peers {
		out[i] = client.Peer{URL: at}
	}
	return out
}

var _ devices.Locations = (*places)(nil)
