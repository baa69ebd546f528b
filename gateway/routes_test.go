package gateway

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"ago/arweave"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/message"
)

// wallet is the test wallet of testdata; its key signs transactions.
var testWallet = sync.OnceValues(func() (*commitment.Key, error) {
	text, err := os.ReadFile("testdata/wallet.json")
	if err != nil {
		return nil, err
	}
	return commitment.NewAgent().LoadJWK(text)
})

func signTransaction(t tester, tx *arweave.Transaction) *arweave.Transaction {
	t.Helper()
	k, err := testWallet()
	if err != nil {
		t.Fatal(err)
	}
	tx.Format, tx.Owner = max(tx.Format, 2), k.Owner()
	if tx.Quantity == "" {
		tx.Quantity = "0"
	}
	if tx.Reward == "" {
		tx.Reward = "0"
	}
	sig, err := k.SignDeterministic(tx.SignatureData(), []byte("test"))
	if err != nil {
		t.Fatal(err)
	}
	tx.SetSignature(sig)
	return tx
}

func withData(data []byte, tags []Tag) *arweave.Transaction {
	tx := &arweave.Transaction{Tags: tags}
	tx.SetData(data)
	return tx
}

func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// TestRoutes asks every route once for what it is for and once for what it refuses.
func TestRoutes(t *testing.T) {
	n := newNetwork(t)
	k, err := testWallet()
	if err != nil {
		t.Fatal(err)
	}
	page := n.add(t, sign(t, n.key, ans104.Draft{Data: []byte("<p>page"), Tags: tags("Content-Type", "text/html")}))
	manifest := n.add(t, sign(t, n.key, ans104.Draft{
		Data: []byte(`{"manifest":"arweave/paths","version":"0.1.0","index":{"path":"index.html"},"paths":{"index.html":{"id":"` +
			page.ID().String() + `"},"a/b.html":{"id":"` + page.ID().String() + `"},"lost":{"id":"` + message.HashOf([]byte("lost")).String() + `"}}}`),
		Tags: tags("Content-Type", manifestType)}))
	item := n.add(t, sign(t, n.key, ans104.Draft{Data: []byte("0123456789"), Tags: tags(
		"Content-Type", "text/x-test", "Type", "Message", "Set-Cookie", "a=b", "Dup", "1", "Dup", "2", "bad name", "x", "Bad", "a\r\nb", "Empty", "",
		"Access-Control-Allow-Origin", "evil", "Content-Length", "3", "Location", "http://evil")}))
	tx := signTransaction(t, withData([]byte("data of a transaction"), tags("App", "test")))
	waiting := signTransaction(t, withData(noise(400_000), nil))
	headless := *waiting
	headless.Data = nil
	unknownID := message.HashOf([]byte("unknown")).String()
	addr := k.Address().String()
	forged := *tx
	forged.Reward = "1"

	type check struct {
		method, path, body string
		status             int
		want               string // a part of the body; the whole with a leading =
		headers            []string
	}
	gw, up := n.GatewayHandler(), n.BundlerHandler()
	run := func(h http.Handler, list []check) {
		t.Helper()
		for _, c := range list {
			w := call(t, h, c.method, c.path, c.body, c.headers...)
			got := w.Body.String()
			whole, isWhole := strings.CutPrefix(c.want, "=")
			if w.Code != c.status || isWhole && got != whole || !isWhole && !strings.Contains(got, c.want) {
				t.Errorf("%s %s: %d %.300q, want %d %q", c.method, c.path, w.Code, got, c.status, c.want)
			}
			if o := w.Header().Get("Access-Control-Allow-Origin"); o != "*" {
				t.Errorf("%s %s allows the origin %q", c.method, c.path, o)
			}
			if c.status >= 400 && strings.HasPrefix(got, "{") && !strings.Contains(got, `"status"`) {
				var e struct{ Error, Code, Hint string }
				if err := json.Unmarshal([]byte(got), &e); err != nil || e.Error == "" || e.Code == "" || e.Hint == "" {
					t.Errorf("%s %s: the error %q lacks a text, code or hint", c.method, c.path, got)
				}
			}
		}
	}

	run(gw, []check{
		{"GET", "/", "", 200, `"network":"arweave.N.1"`, nil},
		{"GET", "/info", "", 200, `"height":1500000,"current":"` + n.blocks.Current().Hash.String() + `"`, nil},
		{"HEAD", "/info", "", 200, "", nil},
		{"GET", "/peers", "", 200, "=[]", nil},
		{"GET", "/height", "", 200, "=1500000", nil},
		{"GET", "/time", "", 200, "=1700000000", nil},
		{"GET", "/tx_anchor", "", 200, "=" + n.blocks.Current().Hash.String(), nil},
		{"GET", "/price/0", "", 200, "=0", nil},
		{"GET", "/price/1000", "", 200, "=65595508", nil},
		{"GET", "/price/1/" + addr, "", 200, "=65596", nil},
		{"GET", "/price/x", "", 400, "no number of bytes", nil},
		{"GET", "/price/-1", "", 400, "no number of bytes", nil},
		{"GET", "/logs", "", 200, "=", nil},
		{"GET", "/reset", "", 422, "reset-unsupported", nil},
		{"GET", "/no/such/route", "", 404, "", nil},
		{"PUT", "/tx", "", 404, "route-unknown", nil},
		{"OPTIONS", "/tx", "", 204, "=", []string{"Access-Control-Request-Headers", "x-a, authorization"}},

		{"GET", "/" + item.ID().String(), "", 200, "=0123456789", nil},
		{"HEAD", "/" + item.ID().String(), "", 200, "=", nil},
		{"GET", "/raw/" + item.ID().String(), "", 200, "=0123456789", nil},
		{"GET", "/raw/" + item.ID().String(), "", 206, "=123", []string{"Range", "bytes=1-3"}},
		{"GET", "/" + item.ID().String(), "", 206, "=89", []string{"Range", "bytes=-2"}},
		{"GET", "/" + item.ID().String(), "", 200, "=0123456789", []string{"Range", "bytes=00480-10"}},
		{"GET", "/" + item.ID().String(), "", 416, "=", []string{"Range", "bytes=10-10"}},
		{"GET", "/" + item.ID().String(), "", 304, "=", []string{"If-None-Match", `"` + item.ID().String() + `"`}},
		{"GET", "/" + item.ID().String() + "/x", "", 404, "no manifest", nil},
		{"GET", "/" + unknownID, "", 404, "record-unknown", nil},
		{"GET", "/short", "", 404, "record-unknown", nil},
		{"GET", "/raw/" + unknownID, "", 404, "record-unknown", nil},
		{"GET", "/" + manifest.ID().String(), "", 302, "", nil},
		{"GET", "/raw/" + manifest.ID().String(), "", 200, `"arweave/paths"`, nil},
		{"GET", "/" + manifest.ID().String() + "/", "", 200, "=<p>page", nil},
		{"GET", "/" + manifest.ID().String() + "/a/b.html", "", 200, "=<p>page", nil},
		{"GET", "/" + manifest.ID().String() + "/lost", "", 404, "record-unknown", nil},
		{"GET", "/" + manifest.ID().String() + "/none", "", 404, "path-unknown", nil},

		{"POST", "/tx", string(tx.JSON()), 200, "=OK", nil},
		{"POST", "/tx", string(tx.JSON()), 208, "already", nil},
		{"POST", "/tx", string(forged.JSON()), 400, "", nil},
		{"POST", "/tx", "{", 400, "transaction-malformed", nil},
		{"POST", "/tx", "", 400, "the body is empty", nil},
		{"POST", "/tx", "{}", 400, "transaction-malformed", nil},
		{"POST", "/tx", `{"format":3}`, 422, "transaction-format", nil},
		{"GET", "/tx/pending", "", 200, `=["` + tx.ID.String() + `"]`, nil},
		{"GET", "/tx/" + tx.ID.String() + "/status", "", 202, "=Pending", nil},
		{"GET", "/mine", "", 200, `"height":1500001`, nil},
		{"GET", "/mine/2", "", 200, `"height":1500003`, nil},
		{"GET", "/mine/x", "", 400, "mine-count", nil},
		{"GET", "/tx/pending", "", 200, "=[]", nil},
		{"GET", "/tx/" + tx.ID.String() + "/status", "", 200, `"block_height":1500001`, nil},
		{"GET", "/tx/" + tx.ID.String() + "/status", "", 200, `"number_of_confirmations":3`, nil},
		{"GET", "/tx/" + item.ID().String() + "/status", "", 200, `"number_of_confirmations":3`, nil},
		{"GET", "/tx/" + unknownID + "/status", "", 404, "=Not Found.", nil},
		{"GET", "/tx/x/status", "", 400, "=Invalid hash.", nil},
		{"GET", "/tx/" + unknownID, "", 404, "=Not Found.", nil},
		{"GET", "/tx/" + strings.Repeat("z", 43) + "/status", "", 404, "=Not Found.", nil},
		{"GET", "/mint/" + strings.Repeat("z", 43) + "/5", "", 200, "=5", nil},
		{"GET", "/tx/" + tx.ID.String(), "", 200, "=" + string(tx.JSON()), nil},
		{"GET", "/tx/" + item.ID().String(), "", 200, `"format":2`, nil},
		{"GET", "/tx/" + tx.ID.String() + "/data", "", 200, "=" + base64.RawURLEncoding.EncodeToString(tx.Data), nil},
		{"GET", "/tx/" + tx.ID.String() + "/data.txt", "", 200, "=data of a transaction", nil},
		{"GET", "/tx/" + item.ID().String() + "/data", "", 200, "=" + base64.RawURLEncoding.EncodeToString(item.Data), nil},
		{"GET", "/tx/" + tx.ID.String() + "/offset", "", 200, `={"offset":"21","size":"21"}`, nil},
		{"GET", "/tx/" + item.ID().String() + "/offset", "", 404, "=Not Found.", nil},
		{"GET", "/tx/" + tx.ID.String() + "/id", "", 200, "=" + tx.ID.String(), nil},
		{"GET", "/tx/" + tx.ID.String() + "/owner", "", 200, "=" + base64.RawURLEncoding.EncodeToString(tx.Owner), nil},
		{"GET", "/tx/" + tx.ID.String() + "/signature", "", 200, "=" + base64.RawURLEncoding.EncodeToString(tx.Signature), nil},
		{"GET", "/tx/" + tx.ID.String() + "/tags", "", 200, `=[{"name":"QXBw","value":"dGVzdA"}]`, nil},
		{"GET", "/tx/" + tx.ID.String() + "/data_root", "", 200, "=" + tx.DataRoot.String(), nil},
		{"GET", "/tx/" + tx.ID.String() + "/data_size", "", 200, "=21", nil},
		{"GET", "/tx/" + tx.ID.String() + "/quantity", "", 200, "=0", nil},
		{"GET", "/tx/" + tx.ID.String() + "/reward", "", 200, "=0", nil},
		{"GET", "/tx/" + tx.ID.String() + "/target", "", 200, "=", nil},
		{"GET", "/tx/" + tx.ID.String() + "/last_tx", "", 200, "=", nil},
		{"GET", "/tx/" + tx.ID.String() + "/format", "", 200, "=2", nil},
		{"GET", "/tx/" + tx.ID.String() + "/nonsense", "", 404, "=Not Found.", nil},
		{"GET", "/raw/" + tx.ID.String(), "", 200, "=data of a transaction", nil},

		{"GET", "/chunk/1", "", 200, `"chunk":"` + base64.RawURLEncoding.EncodeToString(tx.Data) + `"`, nil},
		{"GET", "/chunk/21", "", 200, `"tx_path":""`, nil},
		{"GET", "/chunk/22", "", 404, "chunk-unknown", nil},
		{"GET", "/chunk/0", "", 404, "chunk-unknown", nil},
		{"GET", "/chunk/x", "", 400, "offset-malformed", nil},
		{"POST", "/chunk", "x", 400, "chunk-malformed", nil},
		{"POST", "/chunk", "", 400, "the body is empty", nil},
		{"POST", "/chunk", "{}", 400, "chunk-malformed", nil},

		{"POST", "/tx", string(headless.JSON()), 200, "=OK", nil},
		{"GET", "/raw/" + waiting.ID.String(), "", 202, "=Pending", nil},
		{"GET", "/tx/" + waiting.ID.String() + "/data", "", 202, "=Pending", nil},

		{"GET", "/block/current", "", 200, `"height":1500003`, nil},
		{"GET", "/block/height/1500001", "", 200, `"txs":["` + tx.ID.String() + `"]`, nil},
		{"GET", "/block/height/1500004", "", 404, "=Block not found.", nil},
		{"GET", "/block/height/x", "", 404, "=Block not found.", nil},
		{"GET", "/block/hash/" + n.blocks.Current().Hash.String(), "", 200, `"height":1500000`, nil},
		{"GET", "/block/hash/x", "", 404, "=Block not found.", nil},

		{"GET", "/wallet/" + addr + "/balance", "", 200, "=0", nil},
		{"GET", "/wallet/" + addr + "/last_tx", "", 200, "=" + waiting.ID.String(), nil},
		{"GET", "/wallet/" + unknownID + "/last_tx", "", 200, "=", nil},
		{"GET", "/wallet/x/balance", "", 400, "address-malformed", nil},
		{"GET", "/mint/" + addr + "/1000000000000000000000", "", 200, "=1000000000000000000000", nil},
		{"GET", "/mint/" + addr + "/1", "", 200, "=1000000000000000000001", nil},
		{"GET", "/mint/" + addr + "/-1", "", 400, "amount-malformed", nil},
		{"GET", "/mint/x/1", "", 400, "address-malformed", nil},
		{"POST", "/wallet", `{"address":"` + addr + `","balance":7}`, 200, addr, nil},
		{"GET", "/wallet/" + addr + "/balance", "", 200, "=7", nil},
		{"PATCH", "/wallet/" + addr + "/balance", `{"balance":"9"}`, 200, addr, nil},
		{"GET", "/wallet/" + addr + "/balance", "", 200, "=9", nil},
		{"POST", "/wallet", "x", 400, "wallet-malformed", nil},

		{"DELETE", "/tx/" + item.ID().String(), "", 403, "record-kept", nil},
		{"DELETE", "/tx/" + unknownID, "", 404, "record-unknown", nil},
		{"DELETE", "/tx/" + tx.ID.String(), "", 200, tx.ID.String(), nil},
		{"GET", "/tx/" + tx.ID.String(), "", 404, "=Not Found.", nil},
		{"POST", "/tx", string(tx.JSON()), 200, "=OK", nil},
		{"GET", "/tx/" + tx.ID.String() + "/status", "", 202, "=Pending", nil},
		{"GET", "/graphql?query=%7B__typename%7D", "", 200, `={"data":{"__typename":"Query"}}`, nil},
		{"GET", "/graphql?query=query(%24a%3AString)%7Bblock(id%3A%24a)%7Bid%7D%7D&variables=%7B%22a%22%3A%22x%22%7D", "", 200, `={"data":{"block":null}}`, nil},
		{"POST", "/graphql", "{__typename}", 200, `={"data":{"__typename":"Query"}}`, []string{"Content-Type", "application/graphql"}},
		{"POST", "/graphql", "nonsense", 400, "request-malformed", nil},
		{"POST", "/graphql", "{}", 200, "query-missing", nil},
		{"POST", "/graphql", `{"query":"{nothing}"}`, 200, `"hint":"the fields and arguments`, nil},
		{"POST", "/graphql", `{"query":"{"}`, 200, `"hint":"the fields and arguments`, nil},
		{"POST", "/graphql", `{"query":"{transactions(first:-1){edges{cursor}}}"}`, 200, `"hint":"give 1 to`, nil},
		{"POST", "/graphql", "", 400, "the body is empty", nil},
		{"GET", "/graphql?query=x&variables=1", "", 400, "request-malformed", nil},
		{"POST", "/graphql", strings.Repeat(" ", requestBytesMax+1), 413, "body-too-large", nil},
	})

	fresh := sign(t, n.key, ans104.Draft{Data: []byte("fresh")})
	broken := bytes.Clone(fresh.Raw)
	broken[len(broken)-1] ^= 1
	run(up, []check{
		{"GET", "/", "", 200, "=OK", nil},
		{"GET", "/health", "", 200, "=OK", nil},
		{"GET", "/info", "", 200, `"version"`, nil},
		{"GET", "/tx/" + fresh.ID().String() + "/status", "", 404, `={"status":"NOT_FOUND"}`, nil},
		{"POST", "/tx", string(fresh.Raw), 200, `"winc":"0"`, nil},
		{"POST", "/v1/tx/solana", string(fresh.Raw), 200, `{"id":"` + fresh.ID().String() + `","timestamp":1700000000000`, nil},
		{"POST", "/tx/arweave", string(broken), 400, "Invalid Data Item!", nil},
		{"POST", "/tx", "", 400, "Invalid Data Item!: the body is empty", nil},
		{"POST", "/tx", "x", 400, "item-truncated", nil},
		{"POST", "/tx", string(fresh.Raw[:150]), 400, "", nil},
		{"GET", "/tx/" + fresh.ID().String() + "/status", "", 200, `"status":"CONFIRMED"`, nil},
		{"GET", "/v1/tx/" + page.ID().String() + "/status", "", 200, `"status":"FINALIZED"`, nil},
		{"GET", "/account/balance/" + addr, "", 200, `"winc":"`, nil},
		{"GET", "/v1/account/balance/solana?address=x", "", 200, `"winc":"`, nil},
		{"GET", "/price/bytes/100", "", 200, `"winc":"0"`, nil},
		{"GET", "/v1/price/bytes/x", "", 400, "price-bytes", nil},
		{"GET", "/none", "", 404, "route-unknown", nil},
		{"OPTIONS", "/tx", "", 204, "=", nil},
	})

	h := call(t, gw, "GET", "/"+item.ID().String(), "").Header()
	for name, want := range map[string]string{
		"Content-Type": "text/x-test", "Type": "Message", "Dup": "1", "Content-Length": "10", "Access-Control-Allow-Origin": "*",
		"Set-Cookie": "", "Location": "", "Bad": "", "Etag": `"` + item.ID().String() + `"`,
	} {
		if got := strings.Join(h.Values(name), "|"); got != want {
			t.Errorf("the header %s is %q, want %q", name, got, want)
		}
	}
	if to := call(t, gw, "GET", "/"+manifest.ID().String()+"?a=1", "").Header().Get("Location"); to != manifest.ID().String()+"/?a=1" {
		t.Errorf("a manifest leads to %q", to)
	}
	if allowed := call(t, gw, "OPTIONS", "/tx", "", "Access-Control-Request-Headers", "x-a, authorization").Header().Get("Access-Control-Allow-Headers"); allowed != "x-a, authorization" {
		t.Errorf("a preflight allows %q", allowed)
	}
}

func TestDataThatArrivesInChunks(t *testing.T) {
	data := noise(3*arweave.ChunkMax + 1000)
	root, proofs, err := arweave.MakeChunks(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	chunk := func(i int) string {
		p := proofs[i]
		return string(arweave.Chunk{DataRoot: root, DataSize: int64(len(data)), DataPath: p.Path, Offset: p.Offset(), Data: data[p.Start:p.End]}.JSON())
	}
	one, two := withData(data, nil), withData(data, tags("Second", "yes"))
	for _, tx := range []*arweave.Transaction{one, two} {
		signTransaction(t, tx)
		tx.Data = nil
	}
	n := newNetwork(t)
	post := func(path, body string, status int, want string) {
		t.Helper()
		if w := call(t, n.GatewayHandler(), "POST", path, body); w.Code != status || !strings.Contains(w.Body.String(), want) {
			t.Fatalf("POST %s: %d %s, want %d %s", path, w.Code, w.Body, status, want)
		}
	}
	post("/chunk", chunk(0), 400, `"error":"data_root_not_found"`)
	post("/tx", string(one.JSON()), 200, "OK")
	data[arweave.ChunkMax] ^= 1
	post("/chunk", chunk(1), 400, `"error":"invalid_proof"`)
	data[arweave.ChunkMax] ^= 1
	post("/chunk", chunk(2), 200, "OK")
	post("/chunk", chunk(2), 200, "OK")
	post("/chunk", chunk(0), 200, "OK")
	n.reopen(t)
	if got, want := n.staging.bytes.Load(), proofs[0].End+proofs[2].End-proofs[2].Start; got != want {
		t.Fatalf("%d bytes are staged, want the %d of two chunks", got, want)
	}
	post("/chunk", chunk(3), 200, "OK")
	if w := call(t, n.GatewayHandler(), "GET", "/raw/"+one.ID.String(), ""); w.Code != 202 {
		t.Fatalf("data with a gap was answered: %d", w.Code)
	}
	post("/chunk", chunk(1), 200, "OK")
	post("/chunk", chunk(1), 200, "OK")
	if n.staging.bytes.Load() != 0 {
		t.Fatal("chunks of complete data are still counted")
	}
	for p := range n.store.Scan([]byte{table, subChunk}, []byte{table, subChunk + 1}, false) {
		t.Fatalf("a chunk of complete data was left: %x", p.Key)
	}
	post("/tx", string(two.JSON()), 200, "OK")
	for _, tx := range []*arweave.Transaction{one, two} {
		if w := call(t, n.GatewayHandler(), "GET", "/raw/"+tx.ID.String(), ""); w.Code != 200 || !bytes.Equal(w.Body.Bytes(), data) {
			t.Fatalf("the data of %s: status %d, %d bytes", tx.ID, w.Code, w.Body.Len())
		}
	}
	// Reading it back by its offsets in the weave, with proofs.
	for at := int64(0); at < int64(len(data)); {
		w := call(t, n.GatewayHandler(), "GET", fmt.Sprintf("/chunk/%d", int64(len(data))+at+1), "") // of the second one
		var c struct {
			Chunk    string `json:"chunk"`
			DataPath string `json:"data_path"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &c); err != nil {
			t.Fatalf("%s: %v", w.Body, err)
		}
		b, _ := base64.RawURLEncoding.DecodeString(c.Chunk)
		path, _ := base64.RawURLEncoding.DecodeString(c.DataPath)
		leaf, err := arweave.Chunk{DataRoot: root, DataSize: int64(len(data)), DataPath: path, Offset: at, Data: b}.Verify()
		if err != nil || leaf.Start != at || !bytes.Equal(b, data[leaf.Start:leaf.End]) {
			t.Fatalf("the chunk at %d: %+v, %v", at, leaf, err)
		}
		at = leaf.End
	}
}

func TestUnfinishedUploadsMakeRoomWhenTheyStandStill(t *testing.T) {
	n := newNetwork(t, func(c *Config) { c.Limits.StagedBytes = 300_000; c.Limits.DataBytes = 1 << 20 })
	first := func(size int) (tx *arweave.Transaction, chunk string) {
		data := noise(size)
		tx = signTransaction(t, withData(data, nil))
		root, proofs, err := arweave.MakeChunks(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		tx.Data = nil
		return tx, string(arweave.Chunk{DataRoot: root, DataSize: int64(size), DataPath: proofs[0].Path, Offset: 0, Data: data[:proofs[0].End]}.JSON())
	}
	post := func(path, body string, status int) {
		t.Helper()
		if w := call(t, n.GatewayHandler(), "POST", path, body); w.Code != status {
			t.Fatalf("POST %s: %d %s, want %d", path, w.Code, w.Body, status)
		}
	}
	tx1, c1 := first(600_000)
	tx2, c2 := first(700_000)
	huge, _ := first(1<<20 + 1)
	post("/tx", string(huge.JSON()), 413)
	post("/tx", string(tx1.JSON()), 200)
	post("/tx", string(tx2.JSON()), 200)
	post("/chunk", c1, 200)
	post("/chunk", c2, 429)
	n.clock.Advance(stagedIdle + 1)
	post("/chunk", c2, 200)
	post("/chunk", c1, 429)
}

func TestATransferNeedsABalanceAndMovesIt(t *testing.T) {
	n := newNetwork(t)
	k, err := testWallet()
	if err != nil {
		t.Fatal(err)
	}
	to := message.HashOf([]byte("receiver"))
	tx := signTransaction(t, &arweave.Transaction{Target: to, HasTarget: true, Quantity: "60", Reward: "50"})
	h := n.GatewayHandler()
	if w := call(t, h, "POST", "/tx", string(tx.JSON())); w.Code != 400 || !strings.Contains(w.Body.String(), "balance-insufficient") {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	call(t, h, "GET", "/mint/"+k.Address().String()+"/100", "")
	if w := call(t, h, "POST", "/tx", string(tx.JSON())); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for addr, want := range map[string]string{k.Address().String(): "0", to.String(): "60"} {
		if got := call(t, h, "GET", "/wallet/"+addr+"/balance", "").Body.String(); got != want {
			t.Errorf("%s has %s, want %s", addr, got, want)
		}
	}
	self := signTransaction(t, &arweave.Transaction{Target: k.Address(), HasTarget: true, Quantity: "10", Reward: "1"})
	if w := call(t, h, "POST", "/tx", string(self.JSON())); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
}

func TestAFormat1TransactionKeepsItsData(t *testing.T) {
	n := newNetwork(t)
	tx := &arweave.Transaction{Format: 1, Data: []byte("old form"), Quantity: "0", Reward: "0"}
	k, err := testWallet()
	if err != nil {
		t.Fatal(err)
	}
	tx.Owner = k.Owner()
	sig, err := k.SignDeterministic(tx.SignatureData(), []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	tx.SetSignature(sig)
	if again, err := n.Post(context.Background(), tx); again || err != nil {
		t.Fatal(again, err)
	}
	w := call(t, n.GatewayHandler(), "GET", "/tx/"+tx.ID.String(), "")
	back, err := arweave.ParseTransaction(w.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := commitment.VerifySignature(commitment.RSA, back.Owner, back.SignatureData(), back.Signature); err != nil {
		t.Fatalf("what is given back does not verify: %v in %s", err, w.Body)
	}
}
