--## closures share upvalues
local function counter() local n = 0 return function() n = n + 1 return n end, function() return n end end local inc, get = counter() inc() inc() print(get()) local i2, g2 = counter() print(g2())
--## loop variables are fresh
local fs = {} for i = 1, 3 do fs[i] = function() i = i + 1 return i end end print(fs[1](), fs[1](), fs[2](), fs[3]())
--## upvalues of upvalues
local function a() local x = 0 return function() return function() x = x + 1 return x end end end local f = a() print(f()(), f()(), a()()())
--## recursion
local function fact(n) if n <= 1 then return 1 end return n * fact(n - 1) end print(fact(20), fact(21), fact(25.0))
--## mutual recursion
local even, odd function even(n) if n == 0 then return true end return odd(n - 1) end function odd(n) if n == 0 then return false end return even(n - 1) end print(even(1000), odd(1001))
--## tail calls do not grow the stack
local function loop(n) if n == 0 then return "done" end return loop(n - 1) end print(loop(1000000))
--## varargs
local function f(...) return select("#", ...), ... end print(f()) print(f(nil)) print(f(1, nil, 3, nil)) print((f(1, 2)))
--## select
print(select(2, "a", "b", "c"), select(-1, "a", "b", "c"), select("#"), pcall(select, 0), pcall(select, -5, 1))
--## varargs in the middle
local function f(...) return ... end print(f(1, 2), f(3, 4)) print(({f(1, 2), f(3, 4)})[3], #{f(1, 2), f(3, 4)}, #{f(), f()}) 
--## table pack and unpack
local t = table.pack(1, nil, 3) print(t.n, t[1], t[2], t[3], table.unpack(t, 1, t.n)) print(table.unpack({1, 2, 3}, 2), table.unpack({1, 2, 3}, 2, 5), pcall(table.unpack, {}, 1, 1e8))
--## many arguments
local t = {} for i = 1, 200 do t[i] = i end print(select("#", table.unpack(t)), math.max(table.unpack(t)), (select(200, table.unpack(t))))
--## many results
local t = {} for i = 1, 5000 do t[i] = i end local function f() return table.unpack(t) end print(select("#", f()), #{f()}, #string.char(table.unpack({65, 66}, 1, 2)))
--## vararg main chunk
print(select("#", ...), ...)
--## methods
local o = {n = 1} function o:add(k) self.n = self.n + k return self end function o.static(x) return x end print(o:add(1):add(2).n, o.static(5))
--## nested function names
local a = {b = {c = {}}} function a.b.c.f(x) return x end function a.b.c:m() return self == a.b.c end print(a.b.c.f(1), a.b.c:m())
--## default arguments
local function f(a, b) b = b or "d" return a, b end print(f(1), f(1, false), f(1, 2))
--## call without parentheses
local function f(x) return type(x) == "table" and #x or x end print(f"str", f{1, 2}, f[[long]], #f"abc")
--## returning calls
local function f() return 1, 2, 3 end local function g() return f() end local function h() return (f()) end print(g(), h(), ({f(), f()})[4])
--## functions as keys
local t = {} local f = function() end t[f] = 1 t[print] = 2 print(t[f], t[print])
--## equality of functions
local function f() return function() end end print(print == print, f == f, type(f()))
--## load with environment
local env = {x = 5} local f = load("x = x + 1 return x", "=c", "t", env) print(f(), f(), env.x, x)
--## load with a reader
local parts = {"return ", "1 + ", "2"} local i = 0 print(load(function() i = i + 1 return parts[i] end)())
print(pcall(load, function() error("reader") end), pcall(load, function() return {} end))
--## load errors
for _, s in ipairs{"x =", "for", "return return", "x = = 1", "local 1", "a.b:c = 1", "'abc", "[[abc", "x = }", "f(", "1 = x", "--[[ x", "\"a\nb\"", "goto", "x = 0x", "x = 1e", "'\\q'", "'\\300'", "'\\u{110000000}'", "local function end", "::x", "return ...", "function f() return ... end", "\\", "@", "a = 'x' 'y'"} do print(select(2, load(s, "=x"))) end
--## load modes
print(load("return 1", "=x", "b")) print(load("return 1", "=x", "t")())
--## _ENV
local function f() local _ENV = {y = 7} return y end print(f()) local _ENV = {print = print} print(type, x) x = 1 print(x)
--## _G
x = 5 print(_G.x, _G._G == _G, rawget(_G, "x")) _G.y = 6 print(y) local n = 0 for k in pairs(_G) do n = n + 1 end print(n > 20)
--## upvalue limits
local function f(n) local t = {} for i = 1, n do t[i] = function() return i end end return t end local t = f(100) local s = 0 for i = 1, 100 do s = s + t[i]() end print(s)
--## closures after errors
local t = {} pcall(function() local x = 1 t[1] = function() x = x + 1 return x end error("e") end) print(t[1](), t[1]())
--## assert
print(pcall(assert, false), pcall(assert, nil, "msg"), pcall(assert, false, {1} and "t"), assert(1, 2, 3), pcall(assert), select("#", assert(1, nil)))
--## next
print(next({}), next({10}), pcall(next, {}, "nokey"), type(next), rawequal(next({}), nil))
--## ipairs stops at nil
for i, v in ipairs{1, 2, nil, 4} do print(i, v) end print(pcall(ipairs), (pcall(ipairs, nil)))
--## type
print(type(nil), type(1), type("x"), type({}), type(print), type(coroutine.create(print)), pcall(type))
--## rawequal rawlen
print(rawequal(1, 1.0), rawequal("a", "a"), rawequal({}, {}), rawlen({1, 2}), rawlen("abc"), pcall(rawlen, 5))
