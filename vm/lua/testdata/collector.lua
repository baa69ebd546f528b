--## garbage does not pile up
for i = 1, 200 do local t = {} for j = 1, 1000 do t[j] = {j} end end collectgarbage() print(collectgarbage("count") < 4000)
--## options
print(collectgarbage("stop"), collectgarbage("isrunning"), collectgarbage("restart"), collectgarbage("isrunning"), type(collectgarbage("count")), collectgarbage("collect"), pcall(collectgarbage, "bad"))
--## finalizers run once
local n = 0 for i = 1, 10 do setmetatable({}, {__gc = function() n = n + 1 end}) end collectgarbage() collectgarbage() print(n)
--## resurrection
local saved local t = setmetatable({x = 1}, {__gc = function(o) saved = o end}) t = nil collectgarbage() print(saved.x) saved = nil collectgarbage() print(saved)
--## finalizers see their objects
local out = {} do local a = setmetatable({name = "a"}, {__gc = function(o) out[#out + 1] = o.name end}) a.self = a end collectgarbage() print(out[1])
--## weak keys with numbers and strings
local t = setmetatable({}, {__mode = "kv"}) t[1] = "x" t.s = 1 t[{}] = 1 t.t = {} collectgarbage() print(t[1], t.s, t.t, #t)
--## cycles are collected
local t = setmetatable({}, {__mode = "k"}) do local a, b = {}, {} a.b, b.a = b, a t[a] = true t[b] = true end collectgarbage() print(next(t))
--## strings survive as keys
local t = {} for i = 1, 1000 do t["key" .. i] = i end collectgarbage() local n = 0 for i = 1, 1000 do n = n + t["key" .. i] end print(n)
--## closures survive
local fs = {} for i = 1, 100 do local x = {i} fs[i] = function() return x[1] end end collectgarbage() local s = 0 for i = 1, 100 do s = s + fs[i]() end print(s)
--## coroutines survive
local cs = {} for i = 1, 50 do cs[i] = coroutine.wrap(function() local x = {i} coroutine.yield() return x[1] end) cs[i]() end collectgarbage() local s = 0 for i = 1, 50 do s = s + cs[i]() end print(s)
--## collection within a finalizer
local done setmetatable({}, {__gc = function() collectgarbage() done = true end}) collectgarbage() print(done)
--## memory is used again
local function work() local t = {} for i = 1, 20000 do t[i] = "s" .. i end return #t end work() collectgarbage() local a = collectgarbage("count") for i = 1, 20 do work() end collectgarbage() print(collectgarbage("count") - a < 200)
--## large strings are freed
for i = 1, 50 do local s = ("x"):rep(1 << 20) .. i end collectgarbage() print(collectgarbage("count") < 8000)
--## order of finalizers is reverse of marking
local out = {} local objs = {} for i = 1, 5 do objs[i] = setmetatable({}, {__gc = function() out[#out + 1] = i end}) end objs = nil collectgarbage() print(table.concat(out, ","))
--## __gc set later does nothing
local n = 0 local mt = {} local t = setmetatable({}, mt) mt.__gc = function() n = n + 1 end t = nil collectgarbage() print(n)
