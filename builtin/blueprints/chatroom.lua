-- Chatroom: what a member says reaches every member.
-- Actions: Register, Unregister, Broadcast, Members.
local json = require("json")

Members = Members or {}

local function position(id)
  for i, member in ipairs(Members) do
    if member == id then return i end
  end
end

Handlers.add("register", "Register", function(msg)
  if position(msg.From) then return msg.reply({ Action = "Registered", Data = "Already registered." }) end
  table.insert(Members, msg.From)
  print(msg.From .. " Registered")
  msg.reply({ Action = "Registered", Data = "Registered." })
end)

Handlers.add("unregister", "Unregister", function(msg)
  local at = position(msg.From)
  if not at then return msg.reply({ Action = "Unregistered", Data = "Not registered." }) end
  table.remove(Members, at)
  print(msg.From .. " Unregistered")
  msg.reply({ Action = "Unregistered", Data = "Unregistered." })
end)

Handlers.add("broadcast", "Broadcast", function(msg)
  if not position(msg.From) then
    return msg.reply({ Action = "Broadcast-Error", Error = "Only members can broadcast: send Action = Register first" })
  end
  for _, member in ipairs(Members) do
    -- Sent on, not forwarded: an answer goes to the room, not into a loop between two members.
    ao.send({ Target = member, Action = "Broadcasted", Broadcaster = msg.From, Nickname = msg.Nickname, Data = msg.Data })
  end
  msg.reply({ Action = "Broadcast-Done", Data = "Broadcasted." })
end)

Handlers.add("members", "Members", function(msg)
  msg.reply({ Action = "Members-Are", Count = tostring(#Members), Data = json.encode(Members) })
end)

return "Chatroom loaded: " .. #Members .. " members"
