-- Patterns and handles for everyday handlers.
local helpers = { _version = "0.0.2" }
local utils = require(".utils")

local function need(ok, text)
  if not ok then error("invalid arguments: (" .. text .. ")", 3) end
end

--- hasMatchingTag matches messages with this tag.
function helpers.hasMatchingTag(name, value)
  need(type(name) == "string" and type(value) == "string", "name : string, value : string")
  return function(msg) return msg.Tags[name] == value end
end

--- hasMatchingTagOf matches messages whose tag has one of the values.
function helpers.hasMatchingTagOf(name, values)
  need(type(name) == "string" and type(values) == "table", "name : string, values : string[]")
  return function(msg)
    for _, value in ipairs(values) do
      if msg.Tags[name] == value then return true end
    end
    return 0
  end
end

--- hasMatchingData matches messages with exactly this data.
function helpers.hasMatchingData(value)
  need(type(value) == "string", "value : string")
  return function(msg) return msg.Data == value end
end

--- reply gives a handle that answers with a text or a message.
function helpers.reply(input)
  need(type(input) == "table" or type(input) == "string", "input : table or string")
  return function(msg)
    if type(input) == "string" then
      msg.reply({ Data = input })
    else
      msg.reply(input)
    end
  end
end

--- continue gives a pattern that matches as the given one does and lets later handlers see the message too.
function helpers.continue(pattern)
  return function(msg)
    local match = utils.matchesSpec(msg, pattern)
    if not match or match == 0 or match == "skip" then return match end
    return 1
  end
end

return helpers
