package budget

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ago/fault"

	"pgregory.net/rapid"
)

// TestNobodyHoldsItAll: one holder has half at most, and all together what there is.
func TestNobodyHoldsItAll(t *testing.T) {
	b := New(10)
	for i, want := range []Verdict{Given, Given, Given, Given, Given, ShareTaken} {
		if got := b.Take("a", 1); got != want {
			t.Errorf("a's %d: %v", i, got)
		}
	}
	if b.Take("b", 4) != Given || b.Take("c", 2) != AllTaken || b.Take("c", 1) != Given {
		t.Error("others do not get the rest")
	}
	b.Give("a", 5)
	if b.Take("c", 4) != Given || b.Used() != 9 {
		t.Errorf("%d are used", b.Used())
	}
	if one := New(1); one.Take("a", 1) != Given || one.Take("b", 1) != AllTaken {
		t.Error("of one thing, one has none")
	}
}

// TestAccounts: small requests are not counted, those refused keep what they had, and all comes back.
func TestAccounts(t *testing.T) {
	b := New(1 << 20)
	for range 1000 {
		if err := b.Open("a").Grow(small); err != nil {
			t.Fatal(err)
		}
	}
	first, second, other := b.Open("a"), b.Open("a"), b.Open("b")
	if err := first.Grow(400 << 10); err != nil {
		t.Fatal(err)
	}
	if err := second.Grow(200 << 10); fault.CodeOf(err) != "address-crowded" || fault.KindOf(err) != fault.TooMany || fault.RetryAfter(err) == 0 {
		t.Errorf("over the share: %v", err)
	}
	if err := second.Grow(600 << 10); fault.CodeOf(err) != "request-too-costly" || fault.KindOf(err) != fault.TooLarge {
		t.Errorf("what never has room: %v", err)
	}
	if err := other.Grow(500 << 10); err != nil {
		t.Error(err)
	}
	if err := b.Open("c").Grow(200 << 10); fault.CodeOf(err) != "requests-crowded" || fault.KindOf(err) != fault.Unavailable || fault.RetryAfter(err) == 0 {
		t.Errorf("over the whole: %v", err)
	}
	for _, a := range []*Account{first, second, other, other, nil} {
		a.Close()
	}
	if b.Used() != 0 {
		t.Errorf("%d are used by nobody", b.Used())
	}
	if err := first.Grow(1 << 40); err != nil || b.Used() != 0 {
		t.Errorf("after its end: %v", err)
	}
	if Of(context.Background()) != nil || Of(With(context.Background(), other)) != other || (*Account)(nil).Who() != "" || Grow(context.Background(), 1<<40) != nil {
		t.Error("an account is found where there is none, or none where there is one")
	}
}

// TestAllComesBack whatever is taken by whom, and in which order it is given back.
func TestAllComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := New(rapid.Int64Range(1, 1<<20).Draw(t, "most"))
		var wg sync.WaitGroup
		for range rapid.IntRange(1, 8).Draw(t, "requests") {
			who := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "who")
			sizes := rapid.SliceOfN(rapid.Int64Range(0, 1<<18), 0, 5).Draw(t, "sizes")
			wg.Go(func() {
				a := b.Open(who)
				defer a.Close()
				for _, n := range sizes {
					a.Grow(n)
					if used := b.Used(); used > b.Most() {
						panic("more is used than there is")
					}
				}
			})
		}
		wg.Wait()
		if b.Used() != 0 || len(b.by) != 0 {
			t.Fatalf("%d are left, of %v", b.Used(), b.by)
		}
	})
}

// TestWhoWaitsGetsWhatComesBack in the order in which they came, and those who wait for each other do not do so for ever.
func TestWhoWaitsGetsWhatComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(1 << 20).Patient(time.Second)
		first, second, third := b.Open("a"), b.Open("a"), b.Open("a")
		if err := first.Grow(400 << 10); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 2)
		go func() { ended <- second.Grow(300 << 10) }()
		synctest.Wait()
		go func() { ended <- third.Grow(300 << 10) }()
		synctest.Wait()
		time.Sleep(time.Second / 2)
		first.Close()
		if err := <-ended; err != nil || b.Used() != 300<<10 {
			t.Errorf("one that waited: %v, %d are used", err, b.Used())
		}
		if err := <-ended; fault.CodeOf(err) != "address-crowded" {
			t.Errorf("the other: %v", err)
		}
		second.Close()
		third.Close()
		fourth, fifth := b.Open("a"), b.Open("a")
		for _, a := range []*Account{fourth, fifth} {
			if err := a.Grow(200 << 10); err != nil {
				t.Fatal(err)
			}
		}
		go func() { // its end makes room for the other
			err := fourth.Grow(200 << 10)
			fourth.Close()
			ended <- err
		}()
		synctest.Wait()
		time.Sleep(time.Millisecond)
		go func() { ended <- fifth.Grow(200 << 10) }()
		one, other := <-ended, <-ended
		if fault.CodeOf(one) != "address-crowded" && fault.CodeOf(other) != "address-crowded" || one != nil && other != nil {
			t.Errorf("two that wait for each other: %v, %v", one, other)
		}
		fifth.Close()
		if b.Used() != 0 || len(b.waiting) != 0 {
			t.Errorf("%d are used, %d wait", b.Used(), len(b.waiting))
		}
	})
}
