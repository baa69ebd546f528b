--## floor and ceil
for _, v in ipairs{1.5, -1.5, 2, -2, 1e300, -0.5, 0.5, 2^62 + 0.0, math.huge} do print(math.floor(v), math.ceil(v)) end
--## fmod
for _, p in ipairs{{7, 3}, {-7, 3}, {7, -3}, {7.5, 2}, {-7.5, 2}, {1e300, 7}, {5, math.huge}} do print(math.fmod(p[1], p[2])) end
print(pcall(math.fmod, 1, 0), math.fmod(1, 0.0) ~= math.fmod(1, 0.0), math.fmod(math.mininteger, -1))
--## modf
for _, v in ipairs{1.5, -1.5, 3, math.huge, -math.huge, 0.0} do print(math.modf(v)) end
--## max and min
print(math.max(1, 2.5, -3), math.min(1, 2.5, -3), math.max(1, 1.0), math.min(1.0, 1), math.max(7))
print(pcall(math.max), pcall(math.min), pcall(math.max, "a", 1))
--## abs
print(math.abs(-5), math.abs(-5.5), math.abs(math.mininteger), math.abs(0), math.abs("-3"))
--## sqrt and exp and log
for _, v in ipairs{0, 1, 2, 10, 0.5, 1e10} do print(string.format("%.12g %.12g %.12g", math.sqrt(v), math.exp(v / 10), math.log(v + 1))) end
print(math.log(8, 2), math.log(1000, 10), math.log(27, 3), math.log(0), math.log(2^40, 2))
--## trigonometry
for _, v in ipairs{0, 0.5, 1, -1, 3, 100} do print(string.format("%.12g %.12g %.12g", math.sin(v), math.cos(v), math.tan(v))) end
for _, v in ipairs{0, 0.5, 1, -1} do print(string.format("%.12g %.12g %.12g %.12g", math.asin(v), math.acos(v), math.atan(v), math.atan(v, -2))) end
--## math type
print(math.type(1), math.type(1.0), math.type("1"), math.type(nil), pcall(math.type))
--## tointeger
print(math.tointeger(3.0), math.tointeger(3.5), math.tointeger("8"), math.tointeger({}), math.tointeger(2^63))
--## ult
print(math.ult(1, 2), math.ult(-1, 2), math.ult(2, -1), math.ult(math.mininteger, math.maxinteger))
--## constants
print(math.pi, math.huge, -math.huge, math.maxinteger, math.mininteger)
--## random bounds
for i = 1, 100 do local r = math.random(3, 5) assert(r >= 3 and r <= 5) local f = math.random() assert(f >= 0 and f < 1) end
print(pcall(math.random, 2, 1), pcall(math.random, 0), pcall(math.random, 1, 2, 3), pcall(math.random, math.mininteger, math.maxinteger))
--## random seed repeats
math.randomseed(42) local a = {} for i = 1, 5 do a[i] = math.random(1000000) end
math.randomseed(42) for i = 1, 5 do assert(a[i] == math.random(1000000)) end print "same"
--## deg and rad
print(math.deg(math.pi), math.rad(180), math.deg(1), string.format("%.14g", math.rad(1)))
--## compatibility
print(math.pow and math.pow(2, 10), math.ldexp and math.ldexp(1, 4), math.frexp and math.frexp(8), math.cosh and math.cosh(0), math.log10 and math.log10(100))
--## bit32
print(bit32 and bit32.band(0xff, 0x0f), bit32 and bit32.bnot(0), bit32 and bit32.lshift(1, 31), bit32 and bit32.arshift(-8, 1), bit32 and bit32.rrotate(1, 1), bit32 and bit32.extract(0xff00, 8, 4), bit32 and bit32.replace(0, 7, 4, 3))
--## nan
local nan = 0/0
print(nan == nan, nan ~= nan, nan < nan, rawequal(nan, nan), pcall(function() local t = {} t[nan] = 1 end), ({})[nan])
--## argument errors
print(pcall(math.floor, "x"), pcall(math.sin), pcall(math.floor, {}), pcall(math.sqrt, nil))
