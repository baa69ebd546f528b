--## recursion to a depth
local function d(n) if n == 0 then return 0 end return 1 + d(n - 1) end print(d(10000), d(100000))
--## recursion by pcall
local function d(n) if n == 0 then return 0 end local _, v = pcall(d, n - 1) return v + 1 end print(d(150))
--## deep tables
local t = {} local c = t for i = 1, 10000 do c.n = {} c = c.n end local n = 0 c = t while c.n do n = n + 1 c = c.n end print(n) t = nil c = nil collectgarbage() print "collected"
--## deep closures
local f = function() return 0 end for i = 1, 1000 do local g = f f = function() return 1 + g() end end print(f())
--## deep concatenation
local s = "" for i = 1, 200 do s = s .. "(" .. i end print(#s) local t = {} for i = 1, 250 do t[i] = "'" .. i % 10 .. "'" end print(#load("return " .. table.concat(t, ".."))() )
--## deep string building
local function build(n) if n == 0 then return "x" end return build(n - 1) .. build(n - 1) end print(#build(12))
--## ackermann
local function a(m, n) if m == 0 then return n + 1 elseif n == 0 then return a(m - 1, 1) else return a(m - 1, a(m, n - 1)) end end print(a(2, 3), a(3, 5))
--## deep metatable chains
local t = {v = 1} for i = 1, 90 do t = setmetatable({}, {__index = t}) end print(t.v, t.w)
--## hanoi
local n = 0 local function h(k, a, b, c) if k > 0 then h(k - 1, a, c, b) n = n + 1 h(k - 1, c, b, a) end end h(12, 1, 2, 3) print(n)
--## deep varargs
local function f(n, ...) if n == 0 then return select("#", ...) end return f(n - 1, n, ...) end print(f(200))
--## string.rep nested
print(#(("ab"):rep(100)):rep(100), #("x"):rep(1 << 20))
