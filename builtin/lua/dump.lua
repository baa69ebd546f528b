-- Values as Lua source text.
local function quoted(v)
  if type(v) == "string" then return '"' .. v .. '"' end
  return '"' .. tostring(v) .. '"'
end

local function dump(v, depth, open)
  if type(v) ~= "table" then
    if depth == 0 then return quoted(v) end
    if type(v) == "number" or type(v) == "boolean" then return tostring(v) end
    return quoted(v)
  end
  if open[v] then return '"<circular reference>"' end
  local keys = require(".utils").keys(v)
  if #keys == 0 then return "{}" end
  open[v] = true
  local out, pad = {}, string.rep("    ", depth + 1)
  for i, k in ipairs(keys) do
    local name = k
    if type(k) ~= "string" then
      name = "[" .. tostring(k) .. "]"
    elseif not k:find("^[%a_][%w_]*$") then
      name = '["' .. k .. '"]'
    end
    out[i] = pad .. name .. " = " .. dump(v[k], depth + 1, open)
  end
  open[v] = nil
  return "{\n" .. table.concat(out, ",\n") .. "\n" .. string.rep("    ", depth) .. "}"
end

--- The module is one function: the text of a value.
return function(v) return dump(v, 0, {}) end
