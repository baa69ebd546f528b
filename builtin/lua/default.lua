-- What happens to a message that no handler takes: it waits in the Inbox.
local kept_max = 10000

local function short(id)
  id = tostring(id)
  return id:sub(1, 3) .. "..." .. id:sub(-3)
end

--- The module is a function: given the inbox's limit, the handle.
return function(max)
  max = max or kept_max
  return function(msg)
    while #Inbox >= max do table.remove(Inbox, 1) end
    Inbox[#Inbox + 1] = msg
    local about
    if msg.Action then
      about = "Action = " .. Colors.blue .. tostring(msg.Action)
    else
      local data = msg.Data
      if type(data) == "table" then data = require("json").encode(data) end
      about = "Data = " .. Colors.blue .. tostring(data or ""):sub(1, 20)
    end
    print(Colors.gray .. "New Message From " .. Colors.green .. short(msg.From) .. Colors.gray .. ": "
      .. Colors.gray .. about .. Colors.reset)
  end
end
