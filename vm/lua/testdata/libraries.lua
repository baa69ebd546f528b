--## os.date in utc
print(os.date("!%Y-%m-%d %H:%M:%S", 0), os.date("!%Y-%m-%d %H:%M:%S", 1234567890), os.date("!%c", 86400), os.date("!%x %X %p %A %B %j %U %w %y %%", 1e9 | 0))
--## os.date tables
local t = os.date("!*t", 1234567890) print(t.year, t.month, t.day, t.hour, t.min, t.sec, t.wday, t.yday, t.isdst)
--## os.date errors
print(pcall(os.date, "%Ez", 0), pcall(os.date, "%", 0), pcall(os.date, "*t", "x"))
--## os.time of tables
print(os.time{year = 2020, month = 1, day = 1, hour = 0}, os.time{year = 1970, month = 1, day = 1, hour = 0}, os.time{year = 2021, month = 14, day = -3, hour = 25}, pcall(os.time, {year = 2020}), pcall(os.time, {year = "x", month = 1, day = 1}))
--## os.difftime and clock
print(os.difftime(10, 5), type(os.clock()), type(os.time()))
--## debug.getinfo
local function f() local i = debug.getinfo(1, "nSl") return i.name, i.what, i.short_src, i.currentline, i.linedefined end print(f()) local i = debug.getinfo(print) print(i.what, i.short_src, i.currentline, i.func == print) print(debug.getinfo(100), pcall(debug.getinfo, 1, "X"))
--## debug.getlocal and setlocal
local function f(a, b) local c = 3 local n, v = debug.getlocal(1, 1) print(n, v) debug.setlocal(1, 3, 30) return c end print(f(1, 2)) print(debug.getlocal(f, 1), debug.getlocal(f, 2), debug.getlocal(f, 3))
--## debug.upvalues
local x, y = 1, 2 local function f() return x + y end print(debug.getupvalue(f, 1), debug.getupvalue(f, 2), debug.setupvalue(f, 1, 10), f(), debug.getupvalue(f, 5)) local function g() return y end debug.upvaluejoin(g, 1, f, 1) print(g())
--## debug.sethook counts
local n = 0 debug.sethook(function() n = n + 1 end, "", 100) for i = 1, 10000 do end debug.sethook() print(n > 100, debug.gethook())
--## debug.sethook lines
local lines = {} debug.sethook(function(e, l) lines[#lines + 1] = e end, "l")
local a = 1
local b = 2
debug.sethook() print(#lines)
--## debug.sethook calls
local t = {} debug.sethook(function(e) t[#t + 1] = e end, "cr") math.abs(1) debug.sethook() print(table.concat(t, " "))
--## debug.metatables and uservalues
local t = {} debug.setmetatable(t, {__metatable = 1}) print(type(debug.getmetatable(t)), getmetatable(t))
--## debug.traceback
print((debug.traceback("msg", 1):gsub("\n.*", ""))) print(debug.traceback({}) ~= nil, debug.traceback(nil) ~= nil, debug.traceback(12):match("^12"))
--## require
package.preload.mymod = function(name, extra) return {name = name} end print(require("mymod").name, require("mymod") == require("mymod"), package.loaded.mymod.name) print((pcall(require, "does.not.exist")))
--## package.loaded
print(package.loaded.string == string, package.loaded._G == _G, require("math") == math, type(package.preload))
--## version
print(_VERSION, type(_G), math.type(2^31))
--## standard functions
local names = {} for _, lib in ipairs{"string", "table", "math", "coroutine", "utf8"} do local t = {} for k in pairs(_G[lib]) do t[#t + 1] = k end table.sort(t) print(lib, table.concat(t, " ")) end
--## base functions
for _, n in ipairs{"assert", "collectgarbage", "error", "getmetatable", "ipairs", "load", "next", "pairs", "pcall", "print", "rawequal", "rawget", "rawlen", "rawset", "select", "setmetatable", "tonumber", "tostring", "type", "xpcall", "require"} do print(n, type(_G[n])) end
--## print
print() print(nil, false) print("a\0b" == "a\0b") print(1, 1.0, "x", -0.0) print(("x"):rep(3), nil)
