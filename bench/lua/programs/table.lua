return function()
  local t, sum = {}, 0
  for i = 1, 200000 do t[i] = i * 2 end
  for i = 1, #t do sum = sum + t[i] % 7 end
  local m = {}
  for i = 1, 50000 do m["key" .. (i % 1000)] = i end
  for _, v in pairs(m) do sum = sum + v end
  local list = {}
  for i = 1, 20000 do list[#list + 1] = {id = i, rank = (i * 7919) % 20011} end
  table.sort(list, function(a, b) return a.rank < b.rank end)
  for i = 1, #list, 100 do sum = sum + list[i].id end
  return sum
end
