package builtin_test

import (
	"context"
	"encoding/json"
	"maps"
	"math/big"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ago/builtin"
	"ago/vm"
)

// world is one process with blueprints and everybody who writes to it.
type world struct {
	t      testing.TB
	own    bool // the built-in process, not aos
	i      vm.Instance
	env    []byte
	n      int
	height int
}

// sent is a message that left the process.
type sent struct {
	target, data string
	tags         map[string]string
}

// everywhere runs a test on the built-in process and on aos.
func everywhere(t *testing.T, f func(t *testing.T, start func(...string) *world)) {
	for name, fresh := range map[string]func(testing.TB) vm.Instance{"ago": ours, "aos": aos} {
		t.Run(name, func(t *testing.T) {
			f(t, func(blueprints ...string) *world { return newWorld(t, fresh(t), name == "ago", blueprints...) })
		})
	}
}

func newWorld(t testing.TB, i vm.Instance, own bool, blueprints ...string) *world {
	t.Helper()
	w := &world{t: t, i: i, own: own, env: environment(processTags()), height: 1000}
	boot, err := json.Marshal(object{"Id": processID, "Owner": ownerID, "From": ownerID, "Target": processID, "Data": "",
		"Tags": processTags(), "Timestamp": 1, "Block-Height": w.height})
	if err != nil {
		t.Fatal(err)
	}
	evaluate(t, w.i, boot, w.env)
	for _, name := range blueprints {
		text, err := builtin.Blueprint(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.eval(text); !strings.Contains(got, "loaded") {
			t.Fatalf("%s: %s", name, got)
		}
	}
	return w
}

func (w *world) message(m object) ([]sent, string) {
	w.t.Helper()
	w.n++
	whole := object{"Id": id("T"), "Target": processID, "Anchor": "", "Nonce": w.n, "Timestamp": w.n, "Block-Height": w.height}
	maps.Copy(whole, m)
	b, err := json.Marshal(whole)
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := w.i.Eval(context.Background(), vm.Input{Message: b, Env: w.env})
	if err != nil {
		w.t.Fatal(err)
	}
	var r struct {
		Response struct {
			Error    string
			Output   struct{ Data string }
			Messages []struct {
				Target, Data string
				Tags         []struct{ Name, Value string }
			}
		}
	}
	if err := json.Unmarshal(out.Response, &r); err != nil {
		w.t.Fatalf("%v: %s%s", err, out.Response, out.Failure)
	}
	if r.Response.Error != "" {
		if err := w.i.Rollback(); err != nil {
			w.t.Fatal(err)
		}
		return nil, r.Response.Error
	}
	if err := w.i.Commit(); err != nil {
		w.t.Fatal(err)
	}
	var all []sent
	for _, m := range r.Response.Messages {
		s := sent{target: m.Target, data: m.Data, tags: map[string]string{}}
		for _, t := range m.Tags {
			s.tags[t.Name] = t.Value
		}
		all = append(all, s)
	}
	return all, r.Response.Output.Data
}

func (w *world) eval(code string) string {
	w.t.Helper()
	_, out := w.message(object{"From": ownerID, "Owner": ownerID, "Data": code, "Tags": tagList("Action", "Eval")})
	return out
}

// send sends a message from somebody; tags alternate names and values, the first value being the Action.
func (w *world) send(from, action string, tags ...string) []sent {
	w.t.Helper()
	all, _ := w.message(object{"From": from, "Owner": authority, "Data": "", "Tags": tagList(append([]string{"Action", action}, tags...)...)})
	return all
}

// failing sends a message that has to raise an error with this text.
func (w *world) failing(text, from, action string, tags ...string) {
	w.t.Helper()
	_, out := w.message(object{"From": from, "Owner": authority, "Data": "", "Tags": tagList(append([]string{"Action", action}, tags...)...)})
	if !strings.Contains(out, text) || w.own && !strings.Contains(out, "handler: "+strings.ToLower(action)) {
		w.t.Errorf("%s %v: got %q, want an error with %q that names the handler", action, tags, out, text)
	}
}

// want checks one message that was sent: its target, data ("*" for any) and tags.
func (w *world) want(all []sent, index int, target, data string, tags ...string) {
	w.t.Helper()
	if index >= len(all) {
		w.t.Fatalf("%d messages, no number %d", len(all), index)
	}
	m := all[index]
	if m.target != target || data != "*" && !sameData(m.data, data) {
		w.t.Errorf("message %d: to %q with %q, want to %q with %q", index, m.target, m.data, target, data)
	}
	for i := 0; i < len(tags); i += 2 {
		if m.tags[tags[i]] != tags[i+1] {
			w.t.Errorf("message %d: tag %s is %q, want %q", index, tags[i], m.tags[tags[i]], tags[i+1])
		}
	}
}

// sameData tells whether two texts are the same, or the same as JSON: aos writes keys in any order.
func sameData(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && strings.ContainsAny(b, "{[") {
		return reflect.DeepEqual(x, y)
	}
	return a == b
}

func TestToken(t *testing.T) {
	everywhere(t, func(t *testing.T, start func(...string) *world) {
		w := start("token")
		alice, bob := id("L"), id("B")
		w.want(w.send(alice, "Info"), 0, alice, "", "Name", "test", "Ticker", "PNTS", "Denomination", "12")
		w.want(w.send(alice, "Balance"), 0, alice, "0", "Balance", "0", "Account", alice, "Ticker", "PNTS")
		w.want(w.send(alice, "Balance", "Recipient", processID), 0, alice, "10000000000000000", "Account", processID)
		w.want(w.send(alice, "Total-Supply"), 0, alice, "10000000000000000", "Action", "Total-Supply")

		all := w.send(processID, "Transfer", "Recipient", alice, "Quantity", "0100", "X-Order", "7")
		w.want(all, 0, processID, "*", "Action", "Debit-Notice", "Recipient", alice, "Quantity", "100", "X-Order", "7")
		w.want(all, 1, alice, "*", "Action", "Credit-Notice", "Sender", processID, "Quantity", "100", "X-Order", "7")
		if all := w.send(alice, "Transfer", "Recipient", bob, "Quantity", "30", "Cast", "true"); len(all) != 0 {
			t.Errorf("a cast transfer tells %v", all)
		}
		w.want(w.send(bob, "Balance"), 0, bob, "30")
		w.want(w.send(bob, "Transfer", "Recipient", alice, "Quantity", "31"), 0, bob, "", "Action", "Transfer-Error", "Error", "Insufficient Balance!", "Message-Id", id("T"))
		w.want(w.send(bob, "Transfer", "Recipient", bob, "Quantity", "30"), 0, bob, "*", "Action", "Debit-Notice")
		w.want(w.send(bob, "Balance"), 0, bob, "30")

		w.failing("Recipient is required!", bob, "Transfer", "Quantity", "1")
		w.failing("Quantity is required!", bob, "Transfer", "Recipient", alice)
		w.failing("Quantity must be greater than 0", bob, "Transfer", "Recipient", alice, "Quantity", "0")
		for _, q := range []string{"-5", "1.5", "1e3", "0x10", "", " 5", "abc", strings.Repeat("9", 77)} {
			w.failing("Quantity must be a whole number", bob, "Transfer", "Recipient", alice, "Quantity", q)
		}

		w.want(w.send(bob, "Mint", "Quantity", "5"), 0, bob, "", "Action", "Mint-Error", "Error", "Only the Process Id can mint new PNTS tokens!")
		w.want(w.send(processID, "Mint", "Quantity", "123456789012345678901234567890"), 0, processID, "*")
		w.want(w.send(bob, "Total-Supply"), 0, bob, "123456789012355678901234567890")
		w.want(w.send(bob, "Burn", "Quantity", "31"), 0, bob, "", "Action", "Burn-Error")
		w.want(w.send(bob, "Burn", "Quantity", "10"), 0, bob, "*")
		w.want(w.send(bob, "Balances"), 0, bob, `{"`+bob+`":"20","`+alice+`":"70","`+processID+`":"123456789012355678901234567790"}`)
		if got := w.eval("return Balances['" + bob + "'] .. ' ' .. TotalSupply"); got != "20 123456789012355678901234567880" {
			t.Error(got)
		}
		// Loading it again keeps what there is.
		text, _ := builtin.Blueprint("token")
		w.eval(text)
		w.want(w.send(bob, "Balance"), 0, bob, "20")
		// The supply stays below 2^255.
		for range 5 {
			w.want(w.send(processID, "Mint", "Quantity", strings.Repeat("9", 76)), 0, processID, "*")
		}
		w.failing("too large", processID, "Mint", "Quantity", strings.Repeat("9", 76))
	})
}

// Whatever is sent, no token appears or vanishes, and nobody has less than nothing.
func TestTokenKeepsItsSupply(t *testing.T) {
	w := newWorld(t, ours(t), true, "token")
	people := []string{processID, id("L"), id("B"), id("C")}
	quantities := []string{"0", "1", "7", "0007", "5000000000000000", "10000000000000000", "99999999999999999999", "-1", "x", ""}
	rapid.Check(t, func(rt *rapid.T) {
		for range rapid.IntRange(1, 8).Draw(rt, "messages") {
			from, to := rapid.SampledFrom(people).Draw(rt, "from"), rapid.SampledFrom(people).Draw(rt, "to")
			w.send(from, "Transfer", "Recipient", to, "Quantity", rapid.SampledFrom(quantities).Draw(rt, "quantity"))
		}
		var balances map[string]string
		if err := json.Unmarshal([]byte(w.send(id("L"), "Balances")[0].data), &balances); err != nil {
			rt.Fatal(err)
		}
		sum := new(big.Int)
		for who, text := range balances {
			b, ok := new(big.Int).SetString(text, 10)
			if !ok || b.Sign() < 0 {
				rt.Fatalf("%s has %q", who, text)
			}
			sum.Add(sum, b)
		}
		if sum.String() != "10000000000000000" {
			rt.Fatalf("the balances sum up to %s", sum)
		}
	})
}

func TestChatroom(t *testing.T) {
	everywhere(t, func(t *testing.T, start func(...string) *world) {
		w := start("chatroom")
		alice, bob := id("L"), id("B")
		w.want(w.send(bob, "Broadcast"), 0, bob, "", "Action", "Broadcast-Error")
		w.want(w.send(alice, "Register"), 0, alice, "Registered.")
		w.want(w.send(alice, "Register"), 0, alice, "Already registered.")
		w.want(w.send(bob, "Register"), 0, bob, "Registered.")
		w.want(w.send(bob, "Members"), 0, bob, `["`+alice+`","`+bob+`"]`, "Count", "2")
		all, _ := w.message(object{"From": bob, "Owner": authority, "Data": "hello", "Tags": tagList("Action", "Broadcast", "Nickname", "b")})
		if len(all) != 3 {
			t.Fatalf("%d messages of a broadcast to two", len(all))
		}
		w.want(all, 0, alice, "hello", "Action", "Broadcasted", "Broadcaster", bob, "Nickname", "b")
		w.want(all, 1, bob, "hello", "Action", "Broadcasted")
		w.want(all, 2, bob, "Broadcasted.")
		w.want(w.send(alice, "Unregister"), 0, alice, "Unregistered.")
		w.want(w.send(alice, "Unregister"), 0, alice, "Not registered.")
		w.want(w.send(bob, "Members"), 0, bob, `["`+bob+`"]`, "Count", "1")
	})
}

func TestStaking(t *testing.T) {
	everywhere(t, func(t *testing.T, start func(...string) *world) {
		if got := start().eval(text(t, "staking")); !strings.Contains(got, "load the token blueprint first") {
			t.Error(got)
		}
		w := start("token", "staking")
		alice := id("L")
		w.send(processID, "Transfer", "Recipient", alice, "Quantity", "100")
		w.want(w.send(alice, "Stake", "Quantity", "101"), 0, alice, "", "Action", "Stake-Error")
		w.want(w.send(alice, "Stake", "Quantity", "60"), 0, alice, "", "Action", "Staked", "Stake", "60")
		w.want(w.send(alice, "Balance"), 0, alice, "40")
		w.want(w.send(alice, "Stake-Of"), 0, alice, "60", "Account", alice)
		w.want(w.send(alice, "Unstake", "Quantity", "61"), 0, alice, "", "Action", "Unstake-Error")
		w.want(w.send(alice, "Unstake", "Quantity", "20"), 0, alice, "", "Action", "Unstaking", "Stake", "40", "Release-Height", "2000")
		w.eval("UnstakeDelay = 10")
		w.want(w.send(alice, "Unstake", "Quantity", "40"), 0, alice, "", "Stake", "0", "Release-Height", "1010")
		w.want(w.send(alice, "Stakers"), 0, alice, "{}")
		w.height = 1009
		w.want(w.send(alice, "Balance"), 0, alice, "40")
		w.height = 1010
		all := w.send(alice, "Balance")
		w.want(all, 0, alice, "", "Action", "Unstaked", "Quantity", "40")
		w.want(all, 1, alice, "80")
		w.height = 5000
		w.want(w.send(alice, "Balance"), 1, alice, "100")
		w.failing("Quantity is required!", alice, "Stake")
		w.failing("Quantity must be a whole number", alice, "Unstake", "Quantity", "-3")
	})
}

func TestVoting(t *testing.T) {
	everywhere(t, func(t *testing.T, start func(...string) *world) {
		if got := start().eval(text(t, "voting")); !strings.Contains(got, "load the staking blueprint first") {
			t.Error(got)
		}
		w := start("token", "staking", "voting")
		alice, bob := id("L"), id("B")
		for _, holder := range []struct{ who, quantity string }{{alice, "100"}, {bob, "70"}} {
			w.send(processID, "Transfer", "Recipient", holder.who, "Quantity", holder.quantity)
			w.send(holder.who, "Stake", "Quantity", holder.quantity)
		}
		w.want(w.send(id("C"), "Propose", "Title", "x"), 0, id("C"), "", "Action", "Propose-Error")
		w.want(w.send(alice, "Propose", "Title", "more of it"), 0, alice, "", "Action", "Proposed", "Proposal", "1", "Deadline", "1720")
		w.want(w.send(id("C"), "Vote", "Proposal", "1", "Side", "yay"), 0, id("C"), "", "Action", "Vote-Error", "Error", "Only stakers can vote")
		w.want(w.send(bob, "Vote", "Proposal", "2", "Side", "yay"), 0, bob, "", "Action", "Vote-Error", "Error", "There is no such proposal")
		w.failing("Side must be yay or nay", bob, "Vote", "Proposal", "1", "Side", "maybe")
		w.want(w.send(bob, "Vote", "Proposal", "1", "Side", "yay"), 0, bob, "", "Yay", "70", "Nay", "0")
		w.want(w.send(bob, "Vote", "Proposal", "1", "Side", "nay"), 0, bob, "", "Yay", "0", "Nay", "70")
		w.want(w.send(alice, "Vote", "Proposal", "1", "Side", "yay"), 0, alice, "", "Yay", "100", "Nay", "70", "Weight", "100")
		w.want(w.send(alice, "Tally", "Proposal", "1"), 0, alice, "*", "State", "open", "Yay", "100")
		w.height = 1720
		all := w.send(bob, "Vote", "Proposal", "1", "Side", "nay")
		w.want(all, 0, alice, "", "Action", "Vote-Closed", "State", "accepted", "Yay", "100", "Nay", "70")
		w.want(all, 1, bob, "", "Action", "Vote-Error", "Error", "The proposal is closed")
		w.want(w.send(bob, "Proposals"), 0, bob, `[{"author":"`+alice+`","deadline":1720,"id":1,"nay":"70","state":"accepted","title":"more of it","yay":"100"}]`)
	})
}

func text(t *testing.T, blueprint string) string {
	t.Helper()
	b, err := builtin.Blueprint(blueprint)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
