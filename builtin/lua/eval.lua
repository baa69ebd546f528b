-- Evaluation of Lua text sent by the owner.
local stringify = require(".stringify")

-- compile takes the text as an expression first, then as statements. name is where its errors are said to be.
local function compile(text, name)
  local fn = load("return " .. text, name)
  if fn then return fn end
  return load(text, name)
end

--- The module is a function: given ao, the handle that evaluates a message's Data. A second value that the text
--- returns is an error.
return function(ao)
  return function(msg)
    local source = msg.Tags and msg.Tags["Source-Name"]
    local fn, problem = compile(msg.Data, source and "@" .. source or "aos")
    if not fn then
      ao.outbox.Error = problem
      return
    end
    local value, err = fn()
    if err then
      ao.outbox.Error = err
      return
    end
    if value then
      local logs = HANDLER_PRINT_LOGS
      logs[#logs + 1] = type(value) == "table" and stringify.format(value) or tostring(value)
    end
  end
end
