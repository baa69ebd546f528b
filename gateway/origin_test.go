package gateway

import (
	"net/http"
	"strings"
	"testing"

	"ago/message"
)

// TestAForeignPageCannotMoveTheChain asks every route that changes something without a signature.
func TestAForeignPageCannotMoveTheChain(t *testing.T) {
	n := newNetwork(t, func(c *Config) { c.Reset = nil })
	addr := message.HashOf([]byte("somebody")).String()
	tx := signTransaction(t, withData([]byte("data"), nil))
	if w := call(t, n.GatewayHandler(), "POST", "/tx", string(tx.JSON()), "Origin", "https://app.example"); w.Code != 200 {
		t.Fatalf("what is signed was refused: %d %s", w.Code, w.Body)
	}
	wallet := `{"address":"` + addr + `","balance":"7"}`
	changes := []struct{ method, path, body string }{
		{"GET", "/mine", ""}, {"GET", "/mine/2", ""}, {"POST", "/mine", ""}, {"GET", "/reset", ""},
		{"GET", "/mint/" + addr + "/5", ""}, {"POST", "/wallet", wallet}, {"PATCH", "/wallet/" + addr + "/balance", wallet},
		{"DELETE", "/tx/" + tx.ID.String(), ""},
	}
	for _, headers := range [][]string{
		{"Origin", "https://evil.example"}, {"Origin", "null"}, {"Origin", "http://localhost.evil.example"}, {"Origin", "http://[::1"},
		{"Origin", "http://127.0.0.1.evil.example:80"}, {"Origin", "http://10.0.0.1"}, {"Sec-Fetch-Site", "cross-site"},
	} {
		for _, c := range changes {
			w := call(t, n.GatewayHandler(), c.method, c.path, c.body, headers...)
			if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), `"origin-foreign"`) || !strings.Contains(w.Body.String(), `"hint"`) {
				t.Errorf("%v: %s %s: %d %s", headers, c.method, c.path, w.Code, w.Body)
			}
		}
	}
	if n.blocks.Height() != 1_500_000 {
		t.Fatal("the chain was moved")
	}
	if w := call(t, n.GatewayHandler(), "GET", "/wallet/"+addr+"/balance", "", "Origin", "https://evil.example"); w.Body.String() != "0" {
		t.Fatalf("a page may read, and the balance is still 0: %d %s", w.Code, w.Body)
	}
	for _, headers := range [][]string{
		nil, {"Origin", "http://localhost:3000"}, {"Origin", "http://127.0.0.1:8080"}, {"Origin", "http://[::1]:1"}, {"Origin", "https://App.localhost"},
		{"Sec-Fetch-Site", "none"}, {"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Site", "cross-site", "Origin", "http://localhost"},
	} {
		if w := call(t, n.GatewayHandler(), "GET", "/mine", "", headers...); w.Code != http.StatusOK {
			t.Errorf("%v: %d %s", headers, w.Code, w.Body)
		}
	}
}
