return function()
  local n = 0
  for i = 1, 4000 do
    local co = coroutine.wrap(function(a) for k = 1, 5 do a = coroutine.yield(a + k) end return a end)
    local v = co(i)
    for k = 1, 5 do v = co(v) end
    n = n + v
  end
  return n
end
