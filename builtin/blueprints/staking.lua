-- Staking: a holder of the token blueprint locks an amount, and has it back some blocks after asking for it.
-- Actions: Stake, Unstake, Stake-Of, Stakers. Load the token blueprint first.
local bint = require(".bint")(256)
local json = require("json")

assert(type(Balances) == "table", "staking needs balances: load the token blueprint first")

-- Blocks from Unstake until the amount is back.
UnstakeDelay = UnstakeDelay or 1000
-- Amounts at work, by account.
Stakers = Stakers or {}
-- Amounts on their way back, oldest first: { account, amount, height }.
Unstaking = Unstaking or {}

local function add(a, b) return tostring(bint(a) + bint(b)) end
local function subtract(a, b) return tostring(bint(a) - bint(b)) end

local function quantity(msg)
  assert(type(msg.Quantity) == "string", "Quantity is required!")
  assert(msg.Quantity:find("^%d+$") and #msg.Quantity <= 76, "Quantity must be a whole number")
  local q = bint(msg.Quantity)
  assert(bint.ispos(q), "Quantity must be greater than 0")
  return tostring(q)
end

local function refuse(msg, action, text)
  msg.reply({ Action = action, ["Message-Id"] = msg.Id, Error = text })
end

-- What is due goes back before any other handler looks at the balances.
Handlers.prepend("release", function() return Unstaking[1] and "continue" or "skip" end, function(msg)
  local height = tonumber(msg["Block-Height"]) or 0
  while Unstaking[1] and Unstaking[1].height <= height do
    local due = table.remove(Unstaking, 1)
    Balances[due.account] = add(Balances[due.account] or "0", due.amount)
    Send({ Target = due.account, Action = "Unstaked", Quantity = due.amount })
  end
end)

Handlers.add("stake", "Stake", function(msg)
  local q = quantity(msg)
  if not bint.__le(bint(q), bint(Balances[msg.From] or "0")) then
    return refuse(msg, "Stake-Error", "Insufficient Balance!")
  end
  Balances[msg.From] = subtract(Balances[msg.From], q)
  Stakers[msg.From] = add(Stakers[msg.From] or "0", q)
  msg.reply({ Action = "Staked", Quantity = q, Stake = Stakers[msg.From] })
end)

Handlers.add("unstake", "Unstake", function(msg)
  local q = quantity(msg)
  local staked = Stakers[msg.From] or "0"
  if not bint.__le(bint(q), bint(staked)) then return refuse(msg, "Unstake-Error", "Insufficient Stake!") end
  local rest = subtract(staked, q)
  Stakers[msg.From] = rest ~= "0" and rest or nil
  local height = (tonumber(msg["Block-Height"]) or 0) + UnstakeDelay
  -- In order of height, whatever the delay was before.
  local at = #Unstaking + 1
  while at > 1 and Unstaking[at - 1].height > height do at = at - 1 end
  table.insert(Unstaking, at, { account = msg.From, amount = q, height = height })
  msg.reply({ Action = "Unstaking", Quantity = q, Stake = rest, ["Release-Height"] = tostring(height) })
end)

Handlers.add("stakeOf", "Stake-Of", function(msg)
  local account = msg.Tags.Recipient or msg.From
  local staked = Stakers[account] or "0"
  msg.reply({ Action = "Stake-Is", Account = account, Stake = staked, Data = staked })
end)

Handlers.add("stakers", "Stakers", function(msg)
  msg.reply({ Action = "Stakers-Are", Data = next(Stakers) and json.encode(Stakers) or "{}" })
end)

return "Staking loaded: " .. UnstakeDelay .. " blocks to unstake"
