package schedule

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"

	"ago/codec/httpsig"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
	"ago/store"
)

// withKey is the bench with another key of the scheduler.
func withKey(t *testing.T, rsa bool) *bench {
	b := open(t)
	if rsa {
		k, err := commitment.NewAgent().Open("../commitment/testdata/wallet.json")
		if err != nil {
			t.Fatal(err)
		}
		b.s.c.Key = k
	}
	return b
}

func TestAssignmentsAreSignedWhenTheyAreRead(t *testing.T) {
	for name, rsa := range map[string]bool{"ed25519": false, "rsa-pss-sha512": true} {
		t.Run(name, func(t *testing.T) {
			b := withKey(t, rsa)
			p := b.submit(b.coreProcess(false, "p")).Process
			b.submit(b.http(b.user, field("target", p.String()), field("data", "one")))
			b.submit(b.sign(b.user, p, "two"))
			page, err := b.s.Page(context.Background(), p, 0, 100)
			if err != nil || len(page.Signed) != 3 || page.Continues {
				t.Fatalf("%d assignments, %v", len(page.Signed), err)
			}
			for i, m := range page.Signed {
				a := page.Slots[i]
				w, err := httpsig.Encode(m, message.Nested)
				if err != nil {
					t.Fatal(err)
				}
				got, err := httpsig.Decode(w)
				if err != nil {
					t.Fatal(err)
				}
				v, err := commitment.Verify(got)
				if err != nil || v.Signer().Address() != b.s.Address() {
					t.Fatalf("slot %d: %v", i, err)
				}
				if !message.Equal(m.Without(message.KeyCommitments), a.Core()) {
					t.Errorf("slot %d: %v", i, m)
				}
				body, _ := got.Get("body")
				if _, err := commitment.VerifyEntries(body.(message.Message)); err != nil || body.(message.Message).SignedID() != a.Entry.Message {
					t.Errorf("slot %d: the message within does not verify: %v", i, err)
				}
				kinds := map[string]bool{}
				for _, e := range m.Commitments().All() {
					kinds[e.(message.Message).Text("type")] = true
				}
				if !kinds[name] {
					t.Errorf("slot %d is committed to by %v", i, kinds)
				}
				for _, id := range []message.ID{m.SignedID(), m.UnsignedID()} {
					if s, err := b.s.Find(context.Background(), p, id); err != nil || s != slotlog.Slot(i) {
						t.Errorf("Find(%s) = %d, %v, want %d", id, s, err, i)
					}
				}
				again, err := b.again().Assignment(context.Background(), p, slotlog.Slot(i))
				if err != nil || !message.Equal(again, m) {
					t.Errorf("slot %d after a restart: %v, %v", i, again, err)
				}
				// A signature that was lost is made again as it was.
				if err := b.st.Apply(deleted(assignmentKey(p, slotlog.Slot(i), keptMessage)), true); err != nil {
					t.Fatal(err)
				}
				again, err = b.s.Assignment(context.Background(), p, slotlog.Slot(i))
				if err != nil || !message.Equal(again, m) {
					t.Errorf("slot %d signed again: %v, %v", i, again, err)
				}
			}
			if _, err := b.s.Assignment(context.Background(), p, 3); fault.CodeOf(err) != "slot-unknown" {
				t.Errorf("a slot that is not given: %v", err)
			}
		})
	}
}

func deleted(key []byte) *store.Batch {
	b := &store.Batch{}
	b.Delete(key)
	return b
}

func TestTheFormOfLegacyUnitsIsMadeWhenItIsRead(t *testing.T) {
	b := open(t)
	p := b.submit(b.coreProcess(true, "p")).Process
	b.submit(b.sign(b.user, p, "one"))
	for i, a := range slots(t, b.s, p) {
		it, err := b.s.Item(context.Background(), a)
		if err != nil || it.Verify() != nil {
			t.Fatalf("slot %d: %v", i, err)
		}
		for name, want := range map[string]string{"Process": p.String(), "Nonce": fmt.Sprint(i), "Variant": process.VariantCore, "Hash-Chain": a.HashChain.String()} {
			if got, _ := it.Tag(name); got != want {
				t.Errorf("slot %d: %s is %q, want %q", i, name, got, want)
			}
		}
		again, err := b.again().Item(context.Background(), a)
		if err != nil || !bytes.Equal(again.Raw, it.Raw) {
			t.Errorf("slot %d: another item after a restart, %v", i, err)
		}
		if s, err := b.s.Find(context.Background(), p, it.ID()); err != nil || s != slotlog.Slot(i) {
			t.Errorf("Find = %d, %v, want %d", s, err, i)
		}
	}
	legacy := b.submit(b.process()).Process
	a := slots(t, b.s, legacy)[0]
	if it, err := b.s.Item(context.Background(), a); err != nil || !bytes.Equal(it.Raw, a.Assignment) {
		t.Errorf("the assignment of a legacy process is another: %v", err)
	}
}

// TestALegacyProcessReadAsAOCore: every slot has an AO-Core form, whose chain is that of its process.
func TestALegacyProcessReadAsAOCore(t *testing.T) {
	b := open(t)
	p := b.submit(b.process()).Process
	b.submit(b.message(b.user, p, "one"))
	page, err := b.s.Page(context.Background(), p, 1, 1)
	if err != nil || len(page.Signed) != 1 {
		t.Fatal(page, err)
	}
	m := page.Signed[0]
	if _, err := commitment.VerifyEntries(m); err != nil {
		t.Error(err)
	}
	if _, there := m.Get("base-hashpath"); there || m.Text("variant") != process.VariantLegacy || m.Text("hash-chain") != page.Slots[0].HashChain.String() {
		t.Errorf("%v", m)
	}
}

func TestPagesAreBounded(t *testing.T) {
	b := open(t)
	p := b.submit(b.coreProcess(true, "p")).Process
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 130 {
				b.submit(b.sign(b.user, p, fmt.Sprint(w, i)))
			}
		})
	}
	wg.Wait()
	page, err := b.s.Page(context.Background(), p, 5, 1<<63)
	if err != nil || len(page.Slots) != pageMax || len(page.Signed) != pageMax || !page.Continues || page.Slots[0].Slot != 5 {
		t.Fatalf("%d slots, %v", len(page.Slots), err)
	}
	page, err = b.s.Page(context.Background(), p, 1005, 1<<63)
	if err != nil || len(page.Slots) != 36 || page.Continues {
		t.Fatalf("%d slots, %v", len(page.Slots), err)
	}
	if page, err = b.s.Page(context.Background(), p, 3, 2); err != nil || len(page.Slots) != 0 || page.Continues {
		t.Errorf("%d slots, %v", len(page.Slots), err)
	}
	if page, err = b.s.Page(context.Background(), p, 1<<62, 1<<63); err != nil || len(page.Slots) != 0 {
		t.Errorf("%d slots, %v", len(page.Slots), err)
	}
	if _, err := b.s.Page(context.Background(), message.ID{1}, 0, 1); fault.CodeOf(err) != "process-unknown" {
		t.Errorf("an unknown process: %v", err)
	}
}

// TestSignaturesThatCannotBeKeptAreNotShown: whoever sees one must be able to find it again.
func TestSignaturesThatCannotBeKeptAreNotShown(t *testing.T) {
	b := open(t)
	p := b.submit(b.coreProcess(true, "p")).Process
	b.st.mu.Lock()
	b.st.before = 1
	b.st.mu.Unlock()
	if _, err := b.s.Assignment(context.Background(), p, 0); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := b.s.Assignment(ctx, p, 0); err == nil {
		t.Error("signed for nobody")
	}
	if _, err := b.s.Assignment(context.Background(), p, 0); err != nil {
		t.Error(err)
	}
}

func BenchmarkSubmitHTTP(b *testing.B) {
	x := open(b)
	p := x.submit(x.coreProcess(false, "p")).Process
	vs := make([]commitment.Verified, b.N)
	for i := range vs {
		vs[i] = x.http(x.user, field("target", p.String()), field("data", fmt.Sprint(i)))
	}
	b.ResetTimer()
	for _, v := range vs {
		x.submit(v)
	}
}

func BenchmarkSubmitItemToAOCore(b *testing.B) {
	x := open(b)
	p := x.submit(x.coreProcess(true, "p")).Process
	vs := make([]commitment.Verified, b.N)
	for i := range vs {
		vs[i] = x.sign(x.user, p, fmt.Sprint(i), "Action", "Eval")
	}
	b.ResetTimer()
	for _, v := range vs {
		x.submit(v)
	}
}

func BenchmarkSubmitItemToLegacy(b *testing.B) {
	x := open(b)
	p := x.submit(x.process()).Process
	vs := make([]commitment.Verified, b.N)
	for i := range vs {
		vs[i] = x.message(x.user, p, fmt.Sprint(i), "Action", "Eval")
	}
	b.ResetTimer()
	for _, v := range vs {
		x.submit(v)
	}
}
