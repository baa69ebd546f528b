--## yield and resume
local co = coroutine.create(function(a, b) local c = coroutine.yield(a + b) local d, e = coroutine.yield(c * 2) return d + e end) print(coroutine.resume(co, 1, 2)) print(coroutine.resume(co, 10)) print(coroutine.resume(co, 3, 4)) print(coroutine.resume(co)) print(coroutine.status(co))
--## wrap
local gen = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) print(gen(), gen(), gen(), gen()) print(pcall(gen))
--## status
local co co = coroutine.create(function() print(coroutine.status(co)) local inner = coroutine.create(function() print(coroutine.status(co)) end) coroutine.resume(inner) coroutine.yield() end) print(coroutine.status(co)) coroutine.resume(co) print(coroutine.status(co)) coroutine.resume(co) print(coroutine.status(co))
--## errors inside
local co = coroutine.create(function() error("inside") end) print(coroutine.resume(co)) print(coroutine.status(co)) print(coroutine.resume(co))
local co2 = coroutine.create(function() error({code = 5}) end) local ok, e = coroutine.resume(co2) print(ok, e.code)
--## yield across pcall
local co = coroutine.create(function() print(pcall(function() coroutine.yield(1) error("after") end)) return "end" end) print(coroutine.resume(co)) print(coroutine.resume(co))
--## yield across xpcall and handlers
local co = coroutine.wrap(function() return xpcall(function() coroutine.yield("y") error("e") end, function(m) return "handled " .. m end) end) print(co()) print(co())
--## yield in iterators
local function values(t) return coroutine.wrap(function() for _, v in ipairs(t) do coroutine.yield(v) end end) end for v in values{1, 2, 3} do print(v) end
--## yield across table.sort is refused
local co = coroutine.create(function() table.sort({3, 2, 1}, function(a, b) coroutine.yield() return a < b end) end) print(coroutine.resume(co))
--## yield across gsub is refused
print(coroutine.resume(coroutine.create(function() return ("abc"):gsub(".", function() coroutine.yield() end) end)))
--## yield outside
print(pcall(coroutine.yield, 1))
--## isyieldable and running
print(coroutine.isyieldable(), select(2, coroutine.running())) coroutine.wrap(function() print(coroutine.isyieldable(), select(2, coroutine.running())) end)()
--## resume self and dead
local co co = coroutine.create(function() return coroutine.resume(co) end) print(coroutine.resume(co)) print(coroutine.resume(co)) print(coroutine.resume(coroutine.running()))
--## many
local s = 0 for i = 1, 1000 do local co = coroutine.wrap(function(x) local y = coroutine.yield(x + 1) return y * 2 end) s = s + co(i) + co(i) end print(s)
--## nested
local function rec(n) if n == 0 then coroutine.yield("bottom") return 0 end return 1 + coroutine.wrap(rec)(n - 1) end
local co = coroutine.wrap(function() local inner = coroutine.wrap(function() coroutine.yield(1) coroutine.yield(2) end) coroutine.yield(inner()) coroutine.yield(inner()) return "end" end) print(co(), co(), co())
--## deep chain
local function chain(n) return coroutine.wrap(function() if n > 0 then for v in chain(n - 1) do coroutine.yield(v) end end coroutine.yield(n) end) end local t = {} for v in chain(20) do t[#t + 1] = v end print(table.concat(t, ","))
--## producer and consumer
local function producer() return coroutine.create(function() for i = 1, 4 do coroutine.yield("item " .. i) end return nil end) end local function filter(p) return coroutine.create(function() local n = 1 while true do local _, v = coroutine.resume(p) if not v then return end coroutine.yield(n .. ": " .. v) n = n + 1 end end) end local f = filter(producer()) while true do local _, v = coroutine.resume(f) if not v then break end print(v) end
--## yields many values
local co = coroutine.wrap(function(...) local n = select("#", ...) while true do n = select("#", coroutine.yield(n, ...)) end end) print(co(1, nil, nil)) print(co()) print(co(nil, nil))
--## wrap passes errors on with position
print(pcall(coroutine.wrap(function() error("msg") end)), pcall(coroutine.wrap(function() error({}) end)) == false)
--## coroutine of a native function
print(coroutine.resume(coroutine.create(print), "direct")) print(coroutine.wrap(math.max)(1, 5, 3)) print(coroutine.resume(coroutine.create(coroutine.yield), 1, 2))
--## resume after yield in tail call
local co = coroutine.wrap(function() return coroutine.yield("tail") end) print(co()) print(co("back", 2))
--## wrapped yield
local y = coroutine.wrap(coroutine.yield) print(y(1, 2)) print(y("r"))
--## yield in metamethod loops
local t = setmetatable({}, {__index = function(t, i) return coroutine.yield(i) end}) local co = coroutine.wrap(function() local s = 0 for i = 1, 3 do s = s + t[i] end return s end) print(co()) print(co(10)) print(co(20)) print(co(30))
--## collected while suspended
local t = setmetatable({}, {__mode = "v"}) t[1] = coroutine.wrap(function() coroutine.yield() end) t[1]() collectgarbage() print(t[1])
--## upvalues of suspended coroutines
local x = 0 local co = coroutine.wrap(function() while true do x = x + 1 coroutine.yield() end end) co() co() co() x = x + 100 co() print(x)
--## closures over the stack of a dead coroutine
local f local co = coroutine.wrap(function() local v = 1 f = function() v = v + 1 return v end coroutine.yield() error("dead") end) co() print(f()) pcall(co) print(f())
--## permutations
local function permgen(a, n) n = n or #a if n <= 1 then coroutine.yield(a) else for i = 1, n do a[n], a[i] = a[i], a[n] permgen(a, n - 1) a[n], a[i] = a[i], a[n] end end end for p in coroutine.wrap(function() permgen{1, 2, 3} end) do print(table.concat(p, " ")) end
--## bad arguments
print(pcall(coroutine.create), pcall(coroutine.create, 1), pcall(coroutine.resume), pcall(coroutine.status, 1), pcall(coroutine.wrap, nil))
--## recursion within a coroutine
local function f(n) if n == 0 then return coroutine.yield("deep") end return (f(n - 1)) end local co = coroutine.wrap(f) print(co(500)) print(co("up"))
--## stack overflow within a coroutine
local co = coroutine.create(function() local function r() return 1 + r() end return r() end) local ok, e = coroutine.resume(co) print(ok, e:match("stack overflow"), coroutine.status(co))
--## pcall and yield many times
local co = coroutine.wrap(function() for i = 1, 5 do local ok, e = pcall(function() local v = coroutine.yield(i) if v == "boom" then error("x" .. i, 0) end return v end) coroutine.yield(tostring(ok) .. ":" .. tostring(e)) end end) for i = 1, 5 do co() print(co(i % 2 == 0 and "boom" or "fine")) end
