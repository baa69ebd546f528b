-- Values as the console shows them: colours, one line for plain lists, one line per key otherwise.
local stringify = { _version = "0.0.1" }

local red, green, blue, reset = "\27[31m", "\27[32m", "\27[34m", "\27[0m"
local type, tostring, pairs, rep = type, tostring, pairs, string.rep

--- isSimpleArray tells whether t is a list of numbers and texts.
function stringify.isSimpleArray(t)
  local n = 0
  for k, v in pairs(t) do
    n = n + 1
    if k ~= n and type(k) ~= "number" then return false end
    if type(v) ~= "number" and type(v) ~= "string" then return false end
  end
  return n == #t
end

local function is_list(t)
  local n = 0
  for k in pairs(t) do
    if type(k) ~= "number" then return false end
    n = n + 1
  end
  return n == #t
end

local function scalar(v)
  if type(v) == "string" then return green .. '"' .. v .. '"' .. reset end
  return blue .. tostring(v) .. reset
end

local format

local function value(v, indent, open)
  if type(v) ~= "table" then return scalar(v) end
  return format(v, indent, open)
end

--- format gives the text of a table. open holds the tables it is inside of.
function format(t, indent, open)
  indent = indent or 0
  open = open or {}
  if open[t] then return "<circular reference>" end
  open[t] = true
  local out, pad = {}, rep(" ", indent)
  local text
  if is_list(t) then
    local simple = stringify.isSimpleArray(t)
    for i = 1, #t do
      if simple then out[i] = scalar(t[i]) else out[i] = pad .. "  " .. value(t[i], indent + 2, open) end
    end
    if simple then
      text = "{ " .. table.concat(out, ", ") .. " }"
    else
      text = "{\n" .. table.concat(out, ",\n") .. "\n" .. pad .. " }"
    end
  else
    -- Keys in one order, so that a result can be compared by eye and by program.
    local keys = require(".utils").keys(t)
    for i = 1, #keys do
      local k = keys[i]
      out[i] = pad .. "   " .. red .. tostring(k) .. reset .. " = " .. value(t[k], indent + 2, open)
    end
    text = "{\n" .. table.concat(out, ",\n") .. "\n" .. pad .. "}"
  end
  open[t] = nil
  return text
end

function stringify.format(t, indent, open)
  if type(t) ~= "table" then
    error("bad argument #1 to 'format' (table expected, got " .. type(t) .. ")", 2)
  end
  return format(t, indent, open)
end

return stringify
