return function()
  local n = 0
  for i = 1, 20000 do
    local ok, e = pcall(error, {code = i})
    if not ok then n = n + e.code end
    local ok2, e2 = pcall(function() return i .. nil end)
    if not ok2 then n = n + #e2 end
    if pcall(math.abs, -i) then n = n + 1 end
  end
  return n
end
