-- Voting: proposals that those who hold a stake decide, each with the weight of what is staked.
-- Actions: Propose, Vote, Tally, Proposals. Load the staking blueprint first.
local bint = require(".bint")(256)
local json = require("json")

assert(type(Stakers) == "table", "voting needs stakes: load the staking blueprint first")

-- Blocks that a proposal stays open.
VoteLength = VoteLength or 720
-- Proposals by number: { id, author, title, text, deadline, yay, nay, voters, state }.
Proposals = Proposals or {}

local function add(a, b) return tostring(bint(a) + bint(b)) end
local function subtract(a, b) return tostring(bint(a) - bint(b)) end

local function refuse(msg, action, text)
  msg.reply({ Action = action, ["Message-Id"] = msg.Id, Error = text })
end

local function public(p)
  return { id = p.id, author = p.author, title = p.title, deadline = p.deadline, yay = p.yay, nay = p.nay, state = p.state }
end

local function height_of(msg) return tonumber(msg["Block-Height"]) or 0 end

-- Anything that comes in after a deadline closes what is due, so no timer is needed.
Handlers.prepend("close", function(msg)
  for _, p in ipairs(Proposals) do
    if p.state == "open" and p.deadline <= height_of(msg) then return "continue" end
  end
  return "skip"
end, function(msg)
  for _, p in ipairs(Proposals) do
    if p.state == "open" and p.deadline <= height_of(msg) then
      p.state = bint.__lt(bint(p.nay), bint(p.yay)) and "accepted" or "rejected"
      Send({ Target = p.author, Action = "Vote-Closed", Proposal = tostring(p.id), State = p.state, Yay = p.yay, Nay = p.nay })
    end
  end
end)

Handlers.add("propose", "Propose", function(msg)
  assert(type(msg.Title) == "string" and msg.Title ~= "", "Title is required!")
  if not Stakers[msg.From] then return refuse(msg, "Propose-Error", "Only stakers can propose") end
  local p = {
    id = #Proposals + 1, author = msg.From, title = msg.Title, text = msg.Data, deadline = height_of(msg) + VoteLength,
    yay = "0", nay = "0", voters = {}, state = "open",
  }
  Proposals[p.id] = p
  msg.reply({ Action = "Proposed", Proposal = tostring(p.id), Deadline = tostring(p.deadline) })
end)

Handlers.add("vote", "Vote", function(msg)
  local p = Proposals[tonumber(msg.Proposal or "") or 0]
  if not p then return refuse(msg, "Vote-Error", "There is no such proposal") end
  if p.state ~= "open" then return refuse(msg, "Vote-Error", "The proposal is closed") end
  local side = msg.Side
  assert(side == "yay" or side == "nay", "Side must be yay or nay")
  local weight = Stakers[msg.From]
  if not weight then return refuse(msg, "Vote-Error", "Only stakers can vote") end
  -- A second vote takes the place of the first.
  local before = p.voters[msg.From]
  if before then p[before.side] = subtract(p[before.side], before.weight) end
  p[side] = add(p[side], weight)
  p.voters[msg.From] = { side = side, weight = weight }
  msg.reply({ Action = "Voted", Proposal = tostring(p.id), Side = side, Weight = weight, Yay = p.yay, Nay = p.nay })
end)

Handlers.add("tally", "Tally", function(msg)
  local p = Proposals[tonumber(msg.Proposal or "") or 0]
  if not p then return refuse(msg, "Tally-Error", "There is no such proposal") end
  msg.reply({ Action = "Tally-Is", Proposal = tostring(p.id), State = p.state, Yay = p.yay, Nay = p.nay, Data = json.encode(public(p)) })
end)

Handlers.add("proposals", "Proposals", function(msg)
  local list = {}
  for i, p in ipairs(Proposals) do list[i] = public(p) end
  msg.reply({ Action = "Proposals-Are", Data = json.encode(list) })
end)

return "Voting loaded: " .. #Proposals .. " proposals, open for " .. VoteLength .. " blocks each"
