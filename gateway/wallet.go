package gateway

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"

	"ago/fault"
	"ago/message"
	"ago/store"
)

// wallet is what the local chain knows of an address. Balances exist so that programs which look at them work; fees are
// taken as far as there is something to take, and nothing is refused for want of them.
type wallet struct {
	Balance string     `json:"balance"` // winston
	LastTx  message.ID `json:"last_tx,omitzero"`
}

func (w wallet) winston() *big.Int {
	n, ok := new(big.Int).SetString(w.Balance, 10)
	if !ok {
		return new(big.Int)
	}
	return n
}

// amountDigitsMax is far beyond all winston there will ever be, which have 20 digits.
const amountDigitsMax = 30

func parseAmount(s string) (*big.Int, error) {
	n, ok := new(big.Int).SetString(s, 10)
	if !ok || len(s) > amountDigitsMax || n.Sign() < 0 {
		return nil, fault.New(fault.Malformed, "amount-malformed", "%.40q is no amount of winston", s).
			WithHint("an amount is a whole number of winston; an AR has 1000000000000")
	}
	return n, nil
}

func (g *Gateway) wallet(addr message.ID) (wallet, error) {
	v, err := g.c.Store.Get(idKey(subWallet, addr))
	if errors.Is(err, store.ErrNotFound) {
		return wallet{Balance: "0"}, nil
	}
	if err != nil {
		return wallet{}, fault.Wrap(err, fault.Unavailable, "wallet-read", "reading the wallet %s", addr)
	}
	var w wallet
	err = json.Unmarshal(v, &w)
	return w, fault.Wrap(err, fault.Internal, "wallet-damaged", "reading the wallet %s", addr)
}

// change reads wallets, lets f change them, and adds them to a batch. The caller holds the lock until it is written.
func (g *Gateway) change(b *store.Batch, addr message.ID, f func(*wallet)) error {
	w, err := g.wallet(addr)
	if err != nil {
		return err
	}
	f(&w)
	v, err := json.Marshal(w)
	if err != nil {
		return err
	}
	b.Set(idKey(subWallet, addr), v)
	return nil
}

// setBalance changes the balance of an address and gives the new one.
func (g *Gateway) setBalance(addr message.ID, f func(old *big.Int) *big.Int) (string, error) {
	g.chain.Lock()
	defer g.chain.Unlock()
	var b store.Batch
	now := ""
	err := g.change(&b, addr, func(w *wallet) {
		w.Balance = f(w.winston()).String()
		now = w.Balance
	})
	if err != nil {
		return "", err
	}
	return now, fault.Wrap(g.c.Store.Apply(&b, true), fault.Unavailable, "wallet-write", "writing the wallet %s", addr)
}

func (g *Gateway) walletRoutes(m *http.ServeMux) {
	m.HandleFunc("GET /wallet/{addr}/balance", g.serveWallet(func(w wallet) string { return w.Balance }))
	m.HandleFunc("GET /wallet/{addr}/last_tx", g.serveWallet(func(w wallet) string {
		if w.LastTx.IsZero() {
			return ""
		}
		return w.LastTx.String()
	}))
	m.HandleFunc("GET /mint/{addr}/{winston}", g.forTests(g.serveMint))
	m.HandleFunc("POST /wallet", g.forTests(g.serveSetWallet))
	m.HandleFunc("PATCH /wallet/{addr}/balance", g.forTests(g.serveSetWallet))
}

// walletID reads an address. Tests make up addresses, so one with stray bits in its last character is taken, too.
func walletID(w http.ResponseWriter, text string) (id message.ID, ok bool) {
	if b, err := base64.RawURLEncoding.DecodeString(text); err == nil && len(b) == len(id) {
		return message.ID(b), true
	}
	writeError(w, fault.New(fault.Malformed, "address-malformed", "%.60q is no address", text).
		WithHint("an address has %d characters of base64url", message.IDLength))
	return id, false
}

func (g *Gateway) serveWallet(field func(wallet) string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		addr, ok := walletID(w, r.PathValue("addr"))
		if !ok {
			return
		}
		known, err := g.wallet(addr)
		if err != nil {
			writeError(w, err)
			return
		}
		writeText(w, http.StatusOK, field(known))
	}
}

func (g *Gateway) serveMint(w http.ResponseWriter, r *http.Request) {
	addr, ok := walletID(w, r.PathValue("addr"))
	if !ok {
		return
	}
	more, err := parseAmount(r.PathValue("winston"))
	if err != nil {
		writeError(w, err)
		return
	}
	now, err := g.setBalance(addr, func(old *big.Int) *big.Int { return old.Add(old, more) })
	if err != nil {
		writeError(w, err)
		return
	}
	writeText(w, http.StatusOK, now)
}

// serveSetWallet takes {"address", "balance"}; the address may be in the path.
func (g *Gateway) serveSetWallet(w http.ResponseWriter, r *http.Request) {
	body, err := readAll(r.Body, requestBytesMax, "wallet")
	if err != nil {
		writeError(w, err)
		return
	}
	var v struct {
		Address string      `json:"address"`
		Balance json.Number `json:"balance"`
	}
	if err := decodeNumbers(body, &v); err != nil {
		writeError(w, fault.New(fault.Malformed, "wallet-malformed", "the body is no wallet: %v", err).
			WithHint(`send {"address": "...", "balance": "1000000000000"}`))
		return
	}
	if a := r.PathValue("addr"); a != "" {
		v.Address = a
	}
	addr, ok := walletID(w, v.Address)
	if !ok {
		return
	}
	if v.Balance == "" {
		v.Balance = "0"
	}
	balance, err := parseAmount(v.Balance.String())
	if err != nil {
		writeError(w, err)
		return
	}
	if _, err := g.setBalance(addr, func(*big.Int) *big.Int { return balance }); err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, v)
}
