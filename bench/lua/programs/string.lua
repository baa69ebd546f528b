return function()
  local parts = {}
  for i = 1, 20000 do parts[#parts + 1] = string.format("%d:%s", i, "value" .. i) end
  local text = table.concat(parts, ",")
  local n = 0
  for k, v in text:gmatch("(%d+):(%w+)") do n = n + #k + #v end
  local up = text:upper():gsub("VALUE", "v")
  for i = 1, 50000 do n = n + text:byte(i) end
  return n + #up + #text:rep(10) + (text:find("19999:", 1, true) or 0)
end
