-- Tables as indented lines, without colours.
local pretty = { _version = "0.0.1" }

--- tprint gives one line per key, nested tables indented by one more column.
function pretty.tprint(t, indent)
  indent = indent or 0
  local out = {}
  for _, k in ipairs(require(".utils").keys(t)) do
    local v = t[k]
    local head = string.rep(" ", indent) .. tostring(k) .. ": "
    if type(v) == "table" then
      out[#out + 1] = head .. "\n" .. pretty.tprint(v, indent + 1)
    else
      out[#out + 1] = head .. tostring(v) .. "\n"
    end
  end
  return table.concat(out)
end

return pretty
