--## constructors
local t = {1, 2, x = 3, [10] = 4, [2 + 1] = 5, "three"} print(#t, t.x, t[10], t[3]) print(#{n = 1}, #{1, nil, 3} >= 1, #{nil}, #{nil, nil, 3} == 3 or "border")
--## length after removal
local t = {} for i = 1, 10 do t[i] = i end for i = 10, 6, -1 do t[i] = nil end print(#t)
--## insert and remove
local t = {} table.insert(t, "a") table.insert(t, 1, "b") table.insert(t, #t + 1, "c") print(table.concat(t, ",")) print(table.remove(t, 1), table.remove(t), table.remove(t), table.remove(t), #t)
print(pcall(table.insert, {1}, 5, 2), pcall(table.insert, {}), pcall(table.insert, {}, 1, 2, 3), pcall(table.remove, {1, 2}, 7), table.remove({}, 0), table.remove({[0] = "z"}, 0))
--## concat
print(table.concat({}), table.concat({1, 2, 3}), table.concat({1, 2, 3}, ", "), table.concat({1, 2, 3}, ",", 2), table.concat({1, 2, 3}, ",", 2, 2), table.concat({1}, ",", 2), pcall(table.concat, {1, {}, 3}), pcall(table.concat, {1}, ",", 1, 2))
--## move
local t = {1, 2, 3, 4, 5} table.move(t, 2, 4, 1) print(table.concat(t, ",")) t = {1, 2, 3, 4, 5} table.move(t, 1, 3, 3) print(table.concat(t, ",")) print(table.concat(table.move({1, 2}, 1, 2, 3, {9, 9}), ","), #table.move({}, 1, 0, 5), pcall(table.move, {}, 1, math.maxinteger, 2))
--## sort
local t = {5, 2, 8, 1, 9, 3} table.sort(t) print(table.concat(t, ",")) table.sort(t, function(a, b) return a > b end) print(table.concat(t, ",")) local s = {"b", "a", "C", "B"} table.sort(s) print(table.concat(s, ","))
--## sort of many
local t = {} local x = 12345 for i = 1, 2000 do x = (x * 1103515245 + 12345) % 2147483648 t[i] = x end table.sort(t) for i = 2, #t do assert(t[i - 1] <= t[i]) end print(t[1], t[1000], t[2000])
--## sort with equal keys
local t = {} for i = 1, 300 do t[i] = i % 7 end table.sort(t) local c = {} for _, v in ipairs(t) do c[v] = (c[v] or 0) + 1 end for i = 0, 6 do print(i, c[i]) end
--## sort sorted and reversed
for _, n in ipairs{0, 1, 2, 3, 10, 100, 1000} do local t = {} for i = 1, n do t[i] = i end table.sort(t) for i = 1, n do t[i] = n - i end table.sort(t) for i = 2, n do assert(t[i - 1] <= t[i]) end end print "sorted"
--## sort errors
print(pcall(table.sort, {1, "a", 2}), pcall(table.sort, {1, 2, 3}, 1), (pcall(table.sort, {3, 1, 2, 5, 4, 7, 6, 9, 8, 10, 12, 11}, function() return true end)))
--## sort by key
local t = {{n = "b", v = 2}, {n = "a", v = 3}, {n = "c", v = 1}} table.sort(t, function(a, b) return a.n < b.n end) for _, e in ipairs(t) do print(e.n, e.v) end
--## pairs visits all
local t = {} for i = 1, 100 do t["k" .. i] = i t[i] = i end local n, s = 0, 0 for k, v in pairs(t) do n = n + 1 s = s + v end print(n, s)
--## clearing while traversing
local t = {} for i = 1, 50 do t[i] = i t["k" .. i] = i end for k in pairs(t) do t[k] = nil end print(next(t))
--## pairs order of the array part
local t = {10, 20, 30, 40} for k, v in pairs(t) do print(k, v) end
--## nested
local t = {a = {b = {c = {1, {2, 3}}}}} print(t.a.b.c[2][1], #t.a.b.c, t.a.x, pcall(function() return t.x.y end))
--## keys of all kinds
local k = {} local t = {[1] = "i", [1.5] = "f", ["s"] = "s", [true] = "b", [k] = "t", [print] = "fn"} print(t[1], t[1.5], t.s, t[true], t[k], t[print], t[false])
--## nil and nan keys
print(pcall(function() local t = {} t[nil] = 1 end), ({})[nil], pcall(rawset, {}, nil, 1), pcall(function() local t = {} t[0/0] = 1 end))
--## negative and zero keys
local t = {[0] = "z", [-1] = "m", "a"} print(t[0], t[-1], #t)
--## rehash keeps values
local t = {} for i = 1, 1000 do t[i * 7919 % 10007] = i end local n = 0 for k, v in pairs(t) do n = n + 1 assert(v * 7919 % 10007 == k) end print(n)
--## sparse
local t = {} t[1000000] = 1 t[1] = 1 t[2] = 2 print(#t == 2 or #t == 1000000, t[1000000])
--## matrices
local m = {} for i = 1, 5 do m[i] = {} for j = 1, 5 do m[i][j] = i * j end end local s = 0 for i = 1, 5 do for j = 1, 5 do s = s + m[i][j] end end print(s, m[3][4])
--## queues
local q, first, last = {}, 1, 0 for i = 1, 1000 do last = last + 1 q[last] = i if i % 3 == 0 then q[first] = nil first = first + 1 end end print(first, last, q[first], q[last])
--## unpack with nils
print(table.unpack({1, nil, 3}, 1, 3)) print((table.unpack({1, 2})))
--## concat of floats
print(table.concat({1.5, 2, 1e100, -0.0}, " "))
--## length by __len and __index
local t = setmetatable({}, {__len = function() return 3 end, __index = function(_, i) return i * i end}) print(#t, table.concat(t, ","), table.unpack(t))
