package gateway

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
)

// far is another network's gateway whose answers a test may spoil.
type far struct {
	*network
	url   string
	asked atomic.Int64
	spoil atomic.Pointer[func(path string, body []byte) []byte]
}

func newFar(t *testing.T) *far {
	f := &far{network: newNetwork(t)}
	h := f.GatewayHandler()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.asked.Add(1)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		body := rec.Body.Bytes()
		if spoil := f.spoil.Load(); spoil != nil {
			body = (*spoil)(r.URL.Path, bytes.Clone(body))
		}
		w.WriteHeader(rec.Code)
		_, _ = w.Write(body)
	}))
	t.Cleanup(s.Close)
	f.url = s.URL
	return f
}

func near(t *testing.T, hosts ...string) *network {
	return newNetwork(t, func(c *Config) { c.Upstream = hosts })
}

func TestARecordOfAnotherNetworkIsFetchedOnceAndKept(t *testing.T) {
	ctx := context.Background()
	f := newFar(t)
	ethereum, err := commitment.NewAgent().FromSeed(commitment.Ethereum, bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	small := f.add(t, sign(t, ethereum, ans104.Draft{Data: []byte("small"), Tags: tags("Type", "Module", "Empty", ""), Anchor: noise(32)}))
	large := f.add(t, sign(t, f.key, ans104.Draft{Data: noise(300_000), Target: small.ID(), HasTarget: true}))
	tx := signTransaction(t, withData(noise(500_000), tags("Content-Type", "x/y")))
	if _, err := f.Post(ctx, tx); err != nil {
		t.Fatal(err)
	}
	if _, err := f.blocks.Mine(5); err != nil {
		t.Fatal(err)
	}
	n := near(t, "http://127.0.0.1:1/", f.url)
	for _, c := range []struct {
		id   message.ID
		data []byte
	}{{small.ID(), small.Data}, {large.ID(), large.Data}, {tx.ID, tx.Data}} {
		want, err := f.Record(ctx, c.id)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			blob, got, err := n.Data(ctx, c.id)
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(blob)
			if err != nil || !bytes.Equal(data, c.data) {
				t.Fatalf("%d bytes, %v", len(data), err)
			}
			if !got.Remote || got.Address != want.Address || got.Block.Height != want.Block.Height || got.BlockID() != want.BlockID() || got.Block.Time != want.Block.Time {
				t.Fatalf("got %+v, want %+v", got, want)
			}
		}
	}
	asked := f.asked.Load()
	n.reopen(t)
	got := n.query(t, `{transactions(ids:["`+small.ID().String()+`","`+large.ID().String()+`"], tags:[{name:"Type",values:["Module"]}]){edges{cursor node{id}}}}`, nil)
	if strings.Count(got, `"node"`) != 1 || !strings.Contains(got, small.ID().String()) {
		t.Fatal(got)
	}
	if f.asked.Load() != asked {
		t.Fatal("what was kept was asked for again")
	}
	// Pages that mix both.
	own := n.add(t, sign(t, n.key, ans104.Draft{Data: []byte("own")}))
	all := `ids:["` + small.ID().String() + `","` + own.ID().String() + `","` + large.ID().String() + `","` + tx.ID.String() + `"]`
	for _, sort := range []string{"HEIGHT_DESC", "HEIGHT_ASC"} {
		seen, after := map[string]bool{}, ""
		order := []string{}
		for range 4 {
			got := n.query(t, `{transactions(first:1,`+all+`,sort:`+sort+`,after:"`+after+`"){pageInfo{hasNextPage} edges{cursor node{id}}}}`, nil)
			_, rest, _ := strings.Cut(got, `"cursor":"`)
			after, rest, _ = strings.Cut(rest, `"`)
			_, rest, _ = strings.Cut(rest, `"id":"`)
			id, _, _ := strings.Cut(rest, `"`)
			seen[id] = true
			order = append(order, id)
			if strings.Contains(got, "true") != (len(order) < 4) {
				t.Errorf("page %d: %s", len(order), got)
			}
		}
		if len(seen) != 4 || sort == "HEIGHT_DESC" && order[0] != own.ID().String() || sort == "HEIGHT_ASC" && order[3] != own.ID().String() {
			t.Errorf("%s: %v", sort, order)
		}
	}
}

func TestWhatIsKnownHereIsNeverAskedElsewhere(t *testing.T) {
	f := newFar(t)
	n := near(t, f.url)
	it := n.add(t, sign(t, n.key, ans104.Draft{Data: []byte("own"), Tags: tags("A", "b")}))
	if err := n.Import(context.Background(), message.HashOf([]byte("m")), nil, []byte("x"), message.ID{}); err != nil {
		t.Fatal(err)
	}
	h := n.GatewayHandler()
	for _, path := range []string{"/" + it.ID().String(), "/tx/" + it.ID().String() + "/status", "/raw/" + message.HashOf([]byte("m")).String()} {
		call(t, h, "GET", path, "")
	}
	n.query(t, `{transactions(tags:[{name:"A",values:["b"]}]){edges{node{id}}} transaction(id:"`+it.ID().String()+`"){id}}`, nil)
	n.query(t, `{transactions(ids:["`+it.ID().String()+`"],tags:[{name:"A",values:["c"]}]){edges{node{id}}}}`, nil)
	if f.asked.Load() != 0 {
		t.Fatalf("%d requests left the node", f.asked.Load())
	}
	for range 3 {
		if w := call(t, h, "GET", "/"+message.HashOf([]byte("nobody's")).String(), ""); w.Code != 404 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	if f.asked.Load() != 1 {
		t.Fatalf("an unknown id was asked for %d times, want once", f.asked.Load())
	}
}

// TestSpoiledAnswersAreNotBelieved changes what another gateway answers in every way that a signature or a hash can show.
func TestSpoiledAnswersAreNotBelieved(t *testing.T) {
	ctx := context.Background()
	f := newFar(t)
	it := f.add(t, sign(t, f.key, ans104.Draft{Data: []byte("the data"), Tags: tags("Name", "right")}))
	tx := signTransaction(t, withData([]byte("transaction data"), tags("Name", "right")))
	if _, err := f.Post(ctx, tx); err != nil {
		t.Fatal(err)
	}
	replace := func(old, by string) *func(string, []byte) []byte {
		f := func(_ string, b []byte) []byte { return bytes.ReplaceAll(b, []byte(old), []byte(by)) }
		return &f
	}
	for name, c := range map[string]struct {
		id    message.ID
		spoil *func(string, []byte) []byte
	}{
		"data of an item":       {it.ID(), replace("the data", "the date")},
		"a tag of an item":      {it.ID(), replace(`"right"`, `"wrong"`)},
		"the owner of an item":  {it.ID(), replace(`"key":"`, `"key":"AAAA`)},
		"another id":            {it.ID(), replace(it.ID().String(), tx.ID.String())},
		"no signature":          {it.ID(), replace(`"signature":"`, `"signature":"","x":"`)},
		"no JSON":               {it.ID(), replace(`{`, ``)},
		"errors":                {it.ID(), replace(`{"data"`, `{"errors":[{"message":"busy"}],"data"`)},
		"a tag of a transation": {tx.ID, replace(`cmlnaHQ`, `d3Jvbmc`)},
	} {
		n := near(t, f.url)
		f.spoil.Store(c.spoil)
		rec, err := n.Record(ctx, c.id)
		if err == nil || rec != nil {
			t.Errorf("%s: believed: %+v", name, rec)
		}
		f.spoil.Store(nil)
		if name == "another id" {
			continue
		}
		if _, err := n.Record(ctx, c.id); err != nil {
			t.Errorf("%s: the right answer afterwards: %v", name, err)
		}
	}
	n := near(t, f.url)
	spoil := func(path string, b []byte) []byte {
		if strings.HasPrefix(path, "/raw/") {
			b[0] ^= 1
		}
		return b
	}
	if _, err := n.Record(ctx, tx.ID); err != nil {
		t.Fatal(err)
	}
	f.spoil.Store(&spoil)
	if _, _, err := n.Data(ctx, tx.ID); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("spoiled data of a transaction: %v", err)
	}
	f.spoil.Store(nil)
	if _, _, err := n.Data(ctx, tx.ID); err != nil {
		t.Error(err)
	}
}
