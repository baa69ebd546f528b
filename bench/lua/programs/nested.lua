local function build(depth)
  local t = {}
  for i = 1, 10 do t["field" .. i] = depth > 0 and build(depth - 1) or {i, "text " .. i, i / 3, i % 2 == 0} end
  return t
end
local function keys(t)
  local n = 0
  for _, v in pairs(t) do
    n = n + 1
    if type(v) == "table" then n = n + keys(v) end
  end
  return n
end
return function() return keys(build(3)) end
