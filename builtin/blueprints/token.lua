-- Token: balances that only their owners move. Quantities are texts of whole numbers, in the smallest unit.
-- Actions: Info, Balance, Balances, Total-Supply, Transfer, Mint, Burn.
local bint = require(".bint")(256)
local json = require("json")

Variant = "0.0.3"
Denomination = Denomination or 12
Name = Name ~= "aos" and Name or "Points Coin"
Ticker = Ticker or "PNTS"
Logo = Logo or ""
Balances = Balances or { [ao.id] = tostring(bint(10000) * bint.ipow(10, Denomination)) }
TotalSupply = TotalSupply or Balances[ao.id]

local function add(a, b) return tostring(bint(a) + bint(b)) end
local function subtract(a, b) return tostring(bint(a) - bint(b)) end

-- A quantity that can be moved, in its one form: "007" and "7" are the same balance.
local function quantity(msg)
  assert(type(msg.Quantity) == "string", "Quantity is required!")
  assert(msg.Quantity:find("^%d+$") and #msg.Quantity <= 76, "Quantity must be a whole number")
  local q = bint(msg.Quantity)
  assert(bint.ispos(q), "Quantity must be greater than 0")
  return tostring(q)
end

local function enough(account, q)
  return bint.__le(bint(q), bint(Balances[account] or "0"))
end

-- Tags that begin with X- go on to both sides of a transfer.
local function passed_on(msg, notice)
  for name, value in pairs(msg.Tags) do
    if name:sub(1, 2) == "X-" then notice[name] = value end
  end
  return notice
end

local function refuse(msg, action, text)
  msg.reply({ Action = action, ["Message-Id"] = msg.Id, Error = text })
end

Handlers.add("info", "Info", function(msg)
  msg.reply({ Name = Name, Ticker = Ticker, Logo = Logo, Denomination = tostring(Denomination) })
end)

Handlers.add("balance", "Balance", function(msg)
  local account = msg.Tags.Recipient or msg.Tags.Target or msg.From
  local balance = Balances[account] or "0"
  msg.reply({ Balance = balance, Ticker = Ticker, Account = account, Data = balance })
end)

Handlers.add("balances", "Balances", function(msg)
  msg.reply({ Data = next(Balances) and json.encode(Balances) or "{}" })
end)

Handlers.add("totalSupply", "Total-Supply", function(msg)
  assert(msg.From ~= ao.id, "Cannot call Total-Supply from the same process!")
  msg.reply({ Action = "Total-Supply", Data = TotalSupply, Ticker = Ticker })
end)

Handlers.add("transfer", "Transfer", function(msg)
  assert(type(msg.Recipient) == "string" and msg.Recipient ~= "", "Recipient is required!")
  local q, to = quantity(msg), msg.Recipient
  if not enough(msg.From, q) then return refuse(msg, "Transfer-Error", "Insufficient Balance!") end
  Balances[msg.From] = subtract(Balances[msg.From], q)
  Balances[to] = add(Balances[to] or "0", q)
  -- With the tag Cast nobody is told.
  if msg.Cast then return end
  msg.reply(passed_on(msg, {
    Action = "Debit-Notice", Recipient = to, Quantity = q,
    Data = Colors.gray .. "You transferred " .. Colors.blue .. q .. Colors.gray .. " to " .. Colors.green .. to .. Colors.reset,
  }))
  Send(passed_on(msg, {
    Target = to, Action = "Credit-Notice", Sender = msg.From, Quantity = q,
    Data = Colors.gray .. "You received " .. Colors.blue .. q .. Colors.gray .. " from " .. Colors.green .. msg.From .. Colors.reset,
  }))
end)

Handlers.add("mint", "Mint", function(msg)
  local q = quantity(msg)
  if msg.From ~= ao.id then
    return refuse(msg, "Mint-Error", "Only the Process Id can mint new " .. Ticker .. " tokens!")
  end
  assert(bint.ispos(bint(TotalSupply) + bint(q)), "The supply would be too large")
  Balances[msg.From] = add(Balances[msg.From] or "0", q)
  TotalSupply = add(TotalSupply, q)
  msg.reply({ Data = Colors.gray .. "Successfully minted " .. Colors.blue .. q .. Colors.reset })
end)

Handlers.add("burn", "Burn", function(msg)
  local q = quantity(msg)
  if not enough(msg.From, q) then return refuse(msg, "Burn-Error", "Insufficient Balance!") end
  Balances[msg.From] = subtract(Balances[msg.From], q)
  TotalSupply = subtract(TotalSupply, q)
  msg.reply({ Data = Colors.gray .. "Successfully burned " .. Colors.blue .. q .. Colors.reset })
end)

return "Token loaded: " .. Name .. " (" .. Ticker .. ")"
