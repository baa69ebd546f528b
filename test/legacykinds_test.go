package test

import (
	"bytes"
	"encoding/base64"
	"fmt"

	"ago/codec/ans104"
	"ago/commitment"
)

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

const tokenLua = `Balances = { [Owner] = 1000000000 }
Handlers.add("transfer", "Transfer", function(m)
  local q, to, from = tonumber(m.Tags.Quantity), m.Tags.Recipient, m.From
  if not q or q < 1 then error("a quantity is a number above 0, not " .. tostring(m.Tags.Quantity)) end
  if (Balances[from] or 0) < q then ao.send({ Target = from, Action = "Transfer-Error", Data = "too little" }) return end
  Balances[from], Balances[to] = Balances[from] - q, (Balances[to] or 0) + q
  ao.send({ Target = from, Action = "Debit-Notice", Quantity = tostring(q), Recipient = to })
  ao.send({ Target = to, Action = "Credit-Notice", Quantity = tostring(q), Sender = from })
end)
Handlers.add("ping", "Ping", function(m) m.reply({ Action = "Pong", Data = m.Data }) end)
return "token"`

// legacyMessage gives the message of slot i and who signs it.
//
//   - tick: an Eval each, which counts.
//   - transfer: a token; each message is a transfer, with two notices.
//   - mixed: transfers, also such that fail, by three kinds of senders; Evals that print, spawn, look at the clock or fail in
//     each of the ways a program can; messages that only errors answer, and some that nobody handles.
func legacyMessage(kind string, i int, who people) (*commitment.Key, ans104.Draft) {
	eval := func(code string) (*commitment.Key, ans104.Draft) {
		return who.owner, ans104.Draft{Data: []byte(code), Tags: itemTags("Type", "Message", "Action", "Eval")}
	}
	transfer := func(key *commitment.Key, quantity string) (*commitment.Key, ans104.Draft) {
		return key, ans104.Draft{Tags: itemTags("Type", "Message", "Action", "Transfer", "Quantity", quantity, "Recipient", holder(i))}
	}
	if kind == "tick" {
		return eval("Count = (Count or 0) + 1; return Count")
	}
	if i == 1 {
		return eval(tokenLua)
	}
	if kind == "transfer" {
		return transfer(who.owner, "1")
	}
	k := i % 20
	if k < 4 && i > 300 && i/20%5 > 0 {
		k = 14 // errors are slow with the loader, which starts anew after each
	}
	switch k {
	case 0:
		return eval(fmt.Sprintf("error('boom %d')", i))
	case 1:
		return eval("local x = nil; return x.y")
	case 2:
		return eval("this is not lua")
	case 3:
		return transfer(who.owner, "none") // the handler fails
	case 4:
		return transfer(who.stranger, "5") // has nothing
	case 5: // a process sends by way of its messenger
		return who.messenger, ans104.Draft{Data: []byte("x"), Tags: itemTags("Type", "Message", "Action", "Ping", "From-Process", holder(i), "From-Module", holder(i+1), "Pushed-For", holder(i+2))}
	case 6: // the same without the trust of the process
		return who.stranger, ans104.Draft{Data: []byte("x"), Tags: itemTags("Type", "Message", "Action", "Ping", "From-Process", holder(i))}
	case 7:
		return eval(`print("héllo € 日本語 " .. os.time()) return { math.random(1, 1000000), os.date("%Y"), #Inbox }`)
	case 8:
		return who.stranger, ans104.Draft{Data: []byte("stolen"), Tags: itemTags("Type", "Message", "Action", "Eval")}
	case 9:
		return eval(fmt.Sprintf(`ao.spawn("%s", { Name = "child %d", Data = "print(1)" }) ao.assign({ Processes = { "%s" }, Message = "%s" }) return #ao.outbox.Spawns`, holder(1), i, holder(2), holder(3)))
	case 10:
		return eval(`local r = {} for key in pairs({ a = 1, b = 2, c = 3, d = 4 }) do r[#r + 1] = key end return table.concat(r)`)
	case 11:
		return who.stranger, ans104.Draft{Data: bytes.Repeat([]byte("ab"), 200), Tags: itemTags("Type", "Message", "Action", "Nobody-Handles-This", "X-Note", "n")}
	case 12, 13:
		return who.stranger, ans104.Draft{Data: fmt.Appendf(nil, "ping %d", i), Tags: itemTags("Type", "Message", "Action", "Ping", "X-Number", fmt.Sprint(i))}
	case 14:
		return eval("Count = (Count or 0) + 1; return Count")
	}
	return transfer(who.owner, fmt.Sprint(1+i%7))
}

// holder is one of some addresses.
func holder(i int) string { return encode(bytes.Repeat([]byte{byte(1 + i%97)}, 32)) }
