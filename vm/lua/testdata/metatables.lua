--## __add
local mt = {}
mt.__add = function(a, b) return (type(a) == "table" and "T" or tostring(a)) .. "__add" .. (type(b) == "table" and "T" or tostring(b)) end
local t = setmetatable({}, mt)
print(t + 1, 2 + t, t + t, t + "s", "s" + t, 1.5 + t)
print(pcall(function() return {} + 1 end), pcall(function() return nil + t == nil end))
--## __sub
local mt = {}
mt.__sub = function(a, b) return (type(a) == "table" and "T" or tostring(a)) .. "__sub" .. (type(b) == "table" and "T" or tostring(b)) end
local t = setmetatable({}, mt)
print(t - 1, 2 - t, t - t, t - "s", "s" - t, 1.5 - t)
print(pcall(function() return {} - 1 end), pcall(function() return nil - t == nil end))
--## __mul
local mt = {}
mt.__mul = function(a, b) return (type(a) == "table" and "T" or tostring(a)) .. "__mul" .. (type(b) == "table" and "T" or tostring(b)) end
local t = setmetatable({}, mt)
print(t * 1, 2 * t, t * t, t * "s", "s" * t, 1.5 * t)
print(pcall(function() return {} * 1 end), pcall(function() return nil * t == nil end))
--## __div
local mt = {}
mt.__div = function(a, b) return (type(a) == "table" and "T" or tostring(a)) .. "__div" .. (type(b) == "table" and "T" or tostring(b)) end
local t = setmetatable({}, mt)
print(t / 1, 2 / t, t / t, t / "s", "s" / t, 1.5 / t)
print(pcall(function() return {} / 1 end), pcall(function() return nil / t == nil end))
--## __mod
local mt = {}
mt.__mod = function(a, b) return (type(a) == "table" and "T" or tostring(a)) .. "__mod" .. (type(b) == "table" and "T" or tostring(b)) end
local t = setmetatable({}, mt)
print(t % 1, 2 % t, t % t, t % "s", "s" % t, 1.5 % t)
print(pcall(function() return {} % 1 end), pcall(function() return nil % t == nil end))
--## __pow
local mt = {}
mt.__pow = function(a, b) return (type(a) == "table" and "T" or tostring(a)) .. "__pow" .. (type(b) == "table" and "T" or tostring(b)) end
local t = setmetatable({}, mt)
print(t ^ 1, 2 ^ t, t ^ t, t ^ "s", "s" ^ t, 1.5 ^ t)
print(pcall(function() return {} ^ 1 end), pcall(function() return nil ^ t == nil end))
--## __idiv
local mt = {}
mt.__idiv = function(a, b) return (type(a) == "table" and "T" or tostring(a)) .. "__idiv" .. (type(b) == "table" and "T" or tostring(b)) end
local t = setmetatable({}, mt)
print(t // 1, 2 // t, t // t, t // "s", "s" // t, 1.5 // t)
print(pcall(function() return {} // 1 end), pcall(function() return nil // t == nil end))
--## __band
local mt = {}
mt.__band = function(a, b) return (type(a) == "table" and "T" or tostring(a)) .. "__band" .. (type(b) == "table" and "T" or tostring(b)) end
local t = setmetatable({}, mt)
print(t & 1, 2 & t, t & t, t & "s", "s" & t, 1.5 & t)
print(pcall(function() return {} & 1 end), pcall(function() return nil & t == nil end))
--## __bor
local mt = {}
mt.__bor = function(a, b) return (type(a) == "table" and "T" or tostring(a)) .. "__bor" .. (type(b) == "table" and "T" or tostring(b)) end
local t = setmetatable({}, mt)
print(t | 1, 2 | t, t | t, t | "s", "s" | t, 1.5 | t)
print(pcall(function() return {} | 1 end), pcall(function() return nil | t == nil end))
--## __bxor
local mt = {}
mt.__bxor = function(a, b) return (type(a) == "table" and "T" or tostring(a)) .. "__bxor" .. (type(b) == "table" and "T" or tostring(b)) end
local t = setmetatable({}, mt)
print(t ~ 1, 2 ~ t, t ~ t, t ~ "s", "s" ~ t, 1.5 ~ t)
print(pcall(function() return {} ~ 1 end), pcall(function() return nil ~ t == nil end))
--## __shl
local mt = {}
mt.__shl = function(a, b) return (type(a) == "table" and "T" or tostring(a)) .. "__shl" .. (type(b) == "table" and "T" or tostring(b)) end
local t = setmetatable({}, mt)
print(t << 1, 2 << t, t << t, t << "s", "s" << t, 1.5 << t)
print(pcall(function() return {} << 1 end), pcall(function() return nil << t == nil end))
--## __shr
local mt = {}
mt.__shr = function(a, b) return (type(a) == "table" and "T" or tostring(a)) .. "__shr" .. (type(b) == "table" and "T" or tostring(b)) end
local t = setmetatable({}, mt)
print(t >> 1, 2 >> t, t >> t, t >> "s", "s" >> t, 1.5 >> t)
print(pcall(function() return {} >> 1 end), pcall(function() return nil >> t == nil end))
--## __concat
local mt = {}
mt.__concat = function(a, b) return (type(a) == "table" and "T" or tostring(a)) .. "__concat" .. (type(b) == "table" and "T" or tostring(b)) end
local t = setmetatable({}, mt)
print(t .. 1, 2 .. t, t .. t, t .. "s", "s" .. t, 1.5 .. t)
print(pcall(function() return {} .. 1 end), pcall(function() return nil .. t == nil end))
--## __unm __len __bnot
local t = setmetatable({}, {__unm = function() return "unm" end, __len = function() return 42 end, __bnot = function() return "bnot" end}) print(-t, #t, ~t, rawlen(t))
--## __eq
local mt = {__eq = function(a, b) return a.v == b.v end} local a, b, c = setmetatable({v = 1}, mt), setmetatable({v = 1}, mt), setmetatable({v = 2}, mt)
print(a == b, a == c, a ~= b, rawequal(a, b), a == 1)
--## __lt and __le
local mt = {__lt = function(a, b) return a.v < b.v end, __le = function(a, b) return a.v <= b.v end} local a, b = setmetatable({v = 1}, mt), setmetatable({v = 2}, mt)
print(a < b, a > b, a <= b, a >= b, pcall(function() return a < 1 end), pcall(function() return {} < {} end))
--## __le falls back on __lt
local mt = {__lt = function(a, b) return a.v < b.v end} local a, b = setmetatable({v = 1}, mt), setmetatable({v = 2}, mt) print(a <= b, b <= a)
--## __index table and function
local base = {x = 1} local t = setmetatable({}, {__index = base}) print(t.x, t.y, rawget(t, "x")) base.y = 2 print(t.y)
local f = setmetatable({}, {__index = function(t, k) return k .. "!" end}) print(f.a, f[1], rawget(f, "a"))
--## __newindex
local log = {} local t = setmetatable({}, {__newindex = function(t, k, v) rawset(t, k, v * 2) end}) t.a = 1 t.a = 5 print(t.a)
local store = {} local p = setmetatable({}, {__newindex = store}) p.x = 9 print(rawget(p, "x"), store.x)
--## __call
local t = setmetatable({}, {__call = function(self, ...) return select("#", ...), ... end}) print(t(1, nil, 3), t()) print(pcall({})) print(pcall(setmetatable({}, {__call = 1})))
--## __tostring and __name
print(tostring(setmetatable({}, {__tostring = function() return "me" end})), pcall(tostring, setmetatable({}, {__tostring = function() return 1 end})), (tostring(setmetatable({}, {__name = "Kind"})):gsub("0x%x+", "ADDR")))
--## __metatable
local t = setmetatable({}, {__metatable = "locked"}) print(getmetatable(t), pcall(setmetatable, t, {}), getmetatable("").__name)
--## __pairs
local t = setmetatable({}, {__pairs = function(t) return function(_, k) if not k then return 1, "one" end end, t, nil end}) for k, v in pairs(t) do print(k, v) end
--## __ipairs by __index
local t = setmetatable({}, {__index = function(_, i) if i <= 3 then return i * 10 end end}) for i, v in ipairs(t) do print(i, v) end
--## __concat precedence
local t = setmetatable({}, {__concat = function(a, b) return "C" end}) print(1 .. t, t .. 1, "a" .. "b" .. t, t .. "a" .. "b")
--## __gc order
local out = {} do local a = setmetatable({}, {__gc = function() out[#out + 1] = "a" end}) local b = setmetatable({}, {__gc = function() out[#out + 1] = "b" end}) end collectgarbage() collectgarbage() print(table.concat(out, ","))
--## __mode keys
local t = setmetatable({}, {__mode = "k"}) t[{}] = 1 t["s"] = 2 collectgarbage() local n = 0 for k in pairs(t) do n = n + 1 end print(n)
--## __mode values
local t = setmetatable({}, {__mode = "v"}) t[1] = {} t[2] = "s" t.x = {} local keep = {} t.y = keep collectgarbage() print(t[1], t[2], t.x, t.y == keep)
--## ephemerons
local t = setmetatable({}, {__mode = "k"}) do local k = {} t[k] = {k} end collectgarbage() print(next(t))
--## index chain too long
local a = setmetatable({}, {}) getmetatable(a).__index = a print(pcall(function() return a.x end))
local b = setmetatable({}, {}) getmetatable(b).__newindex = b print(pcall(function() b.x = 1 end))
--## inheritance
local A = {} A.__index = A function A.new(x) return setmetatable({x = x}, A) end function A:get() return self.x end
local B = setmetatable({}, {__index = A}) B.__index = B function B.new(x) local o = A.new(x) return setmetatable(o, B) end function B:get() return A.get(self) * 2 end
print(A.new(3):get(), B.new(3):get(), rawget(B, "new") ~= A.new)
--## proxies and raw access
local t = setmetatable({}, {__index = function() error("no") end, __newindex = function() error("no") end}) rawset(t, 1, 2) print(rawget(t, 1), t[1], pcall(function() return t.z end), rawlen(t))
--## comparison results become booleans
local mt = {__lt = function() return 1 end, __le = function() return nil end, __eq = function() return "x" end} local a, b = setmetatable({}, mt), setmetatable({}, mt) print(a < b, a <= b, a == b, a ~= b)
--## metamethods that yield
local mt = {__add = function(a, b) return coroutine.yield("add") end, __index = function(t, k) return coroutine.yield("index " .. k) end, __lt = function() return coroutine.yield("lt") end, __concat = function() return coroutine.yield("concat") end, __eq = function() return coroutine.yield("eq") end, __call = function(...) return coroutine.yield("call") end, __len = function() return coroutine.yield("len") end, __newindex = function() coroutine.yield("newindex") end}
local a, b = setmetatable({}, mt), setmetatable({}, mt)
local co = coroutine.wrap(function() local r = {a + b, a.foo, a < b, a .. b, a == b, a(1), #a} a.x = 1 return table.unpack(r) end)
print(co()) for i = 1, 7 do print(co(i)) end print(co())
--## userdata-free debug metatables
debug.setmetatable(10, {__index = function(n, k) return k .. n end, __call = function(n, x) return n + x end}) print((5).foo, (5)(6)) debug.setmetatable(10, nil)
debug.setmetatable(nil, {__index = function() return "nil!" end}) local x print(x.y) debug.setmetatable(nil, nil)
--## division by metamethods of strings
local mt = getmetatable("") mt.__add = function(a, b) return "strings " .. a .. b end print("a" + "b", "1" + "2") mt.__add = nil
