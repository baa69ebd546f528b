--## messages name variables
local t = {} local function f() end
for _, c in ipairs{"local a a.b = 1", "local a = {} a.b.c = 1", "undefinedglobal.x = 1", "undefinedfn()", "local t = {} t.method()", "local t = {} t:method()", "local s = 'x' s.y.z = 1", "return 1 + {}", "return {} .. 'x'", "return #5", "return -{}", "local a = 'x' return a + 1", "return nil < 1", "return {} < {}", "return 'a' < 1", "return 2^53 & 1.5", "local a = {} a[nil] = 1", "for i = 1, 'x' do end", "return math.floor({})", "string.rep()", "('x'):rep({})", "setmetatable(1, {})", "local function f(x) return x.y.z end f({})", "return (nil)()", "return ({})()", "local up = nil; (function() return up.x end)()", "return a.b.c", "return ('x')()", "local x <const> = 1", "return ~1.5", "return 1 // 0", "return 1 % 0", "return 1 << {}", "return 'abc' | 1"} do print(pcall(load(c, "=e") or function() error(select(2, load(c, "=e")), 0) end)) end
--## levels
local function f(l) error("msg", l) end local function g(l) f(l) end for l = 0, 3 do print(pcall(g, l)) end
--## error values
for _, v in ipairs{"string", 12, 1.5, true} do local ok, e = pcall(error, v) print(type(e), e) end print(pcall(error)) print(pcall(error, nil)) local t = {} print(select(2, pcall(error, t)) == t)
--## error with position of the caller
local function check(x) if type(x) ~= "number" then error("number expected", 2) end return x end print(pcall(function() check("a") end))
--## xpcall
print(xpcall(function() error("x") end, function(m) return "H:" .. m end)) print(xpcall(function(...) return ... end, print, 1, 2)) print(xpcall(error, function() error("again") end, "e")) print(pcall(xpcall)) print(pcall(xpcall, print))
--## handler sees the stack
print(xpcall(function() local x = nil; x() end, function(m) return m .. " | " .. (debug.traceback("tb", 1):match("^tb\nstack traceback:") and "traceback") end))
--## nested pcall
print(pcall(pcall, error, "x")) print(pcall(function() local ok, e = pcall(error, "inner") error("outer " .. e, 0) end))
--## errors keep working after many
for i = 1, 2000 do local ok, e = pcall(error, i) assert(not ok and e == i) end print "fine"
--## stack overflow
local function f() return 1 + f() end local ok, e = pcall(f) print(ok, e:match("^[^\n]*stack overflow") ~= nil) local ok2 = pcall(f) print(ok2)
--## stack overflow in a handler
local function f() return 1 + f() end print((xpcall(f, function(m) return f() end)))
--## c stack overflow
local function deep(n) if n == 0 then return "ok" end return select(2, pcall(deep, n - 1)) end print(deep(100)) local e = deep(300) print(tostring(e):match("C stack overflow") or e)
--## c stack overflow by gsub
local function f(s) return (s:gsub(".", f)) end local ok, e = pcall(f, "x") print(ok, tostring(e):match("C stack overflow") or tostring(e):match("stack overflow"))
--## c stack overflow by metamethods
local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k .. "x"] end local ok, e = pcall(function() return t.a end) print(ok, tostring(e):match("stack overflow"))
--## tostring errors
print(pcall(tostring)) print(pcall(print, setmetatable({}, {__tostring = function() error("ts") end})))
--## runtime error objects with tostring
local E = setmetatable({}, {__tostring = function() return "custom" end}) local ok, e = pcall(error, E) print(ok, tostring(e), e == E)
--## tracebacks
local function a() error("deep") end local function b() a() end print((select(2, xpcall(b, debug.traceback)):gsub("%[C%]:.-\n", "[C]\n"):gsub("\n[^\n]*driver[^\n]*", "")):match("^(.-in upvalue 'a'.-)\n") or "tb")
--## line numbers
local ok, e = pcall(function()
  local x = 1

  local y = x + nil
end) print(e) print(select(2, pcall(load("\n\n\nerror('line four')", "=c"))))
--## chunk names
print(select(2, pcall(load("error('x')", "@file.lua")))) print(select(2, pcall(load("error('x')", "=name")))) print(select(2, pcall(load("error('x')", "source text")))) print(select(2, pcall(load("\nerror('x')", "first\nsecond")))) print(select(2, pcall(load("error('x')", ("long"):rep(50)))))  print(select(2, pcall(load("error('x')", "@" .. ("long"):rep(50)))))
--## assert messages
print(pcall(function() assert(false) end)) print(pcall(function() assert(nil, "text") end)) print(select(2, pcall(assert, false, {7}))[1])
--## argument errors name functions
for _, f in ipairs{function() ("x"):rep() end, function() string.rep() end, function() table.concat() end, function() table.concat(1) end, function() math.floor() end, function() setmetatable({}) end, function() tonumber("1", "x") end, function() ("x"):bad() end, function() select() end, function() table.insert(nil, 1) end, function() ipairs() end, function() utf8.char("x") end, function() os.time("x") end, function() string.char("a") end} do print(pcall(f)) end
--## concat errors
print(pcall(function() return "a" .. nil end), pcall(function() return {} .. "a" end), pcall(function() local a, b = "x" return a .. b end))
--## compare errors
print(pcall(function() return 1 < "2" end), pcall(function() return {} <= 1 end), pcall(function() return nil > 1 end), pcall(function() return print < print end))
--## call errors by kind
local t = {x = 5} print(pcall(function() t.x() end), pcall(function() t.y() end), pcall(function() t["x"]() end), pcall(function() (5)() end), pcall(function() local a a() end), pcall(function() t:z() end))
--## index errors by kind
local a, t = nil, {} print(pcall(function() return a.x end), pcall(function() return t.x.y end), pcall(function() a.x = 1 end), pcall(function() t.x.y = 1 end), pcall(function() return (1).x.y end), pcall(function() return t[1][2] end))
--## upvalue and global names
up = nil local lo = nil print(pcall(function() return up.x end), pcall(function() return lo.x end), pcall(function() up() end), pcall(function() lo() end), pcall(function() return up + 1 end), pcall(function() return lo .. "x" end))
--## constants in messages
print(pcall(function() local t = {} return t.field.sub end), pcall(function() local t = {} return t[1].x end), pcall(function() return ("x").y.z end))
--## integer errors
print(pcall(function() return 1 // 0 end), pcall(function() return 1 % 0 end), pcall(function() return 1.5 | 1 end), pcall(function() return "1.5" | 1 end), pcall(function() return 1 << 1.5 end), pcall(string.rep, "x", 1.5), pcall(string.char, 1.5))
--## to be closed is not of this version
print(load("local x <close> = nil", "=x"))
--## error in __gc is a warning
setmetatable({}, {__gc = function() error("gc") end}) print((pcall(collectgarbage)))
--## error in __index
local t = setmetatable({}, {__index = function(t, k) error("no field " .. k, 2) end}) print(pcall(function() return t.foo end))
--## error through coroutines
local co = coroutine.wrap(function() local ok, e = pcall(function() coroutine.yield() error("late", 0) end) return e end) co() print(co())
--## error then continue
local log = {} for i = 1, 3 do local ok, e = pcall(function() if i == 2 then error("two", 0) end return i end) log[#log + 1] = tostring(e) end print(table.concat(log, ","))
