--## sieve
local n, p = 1000, {} for i = 2, n do p[i] = true end for i = 2, n do if p[i] then for j = i * i, n, i do p[j] = false end end end local c = 0 for i = 2, n do if p[i] then c = c + 1 end end print(c)
--## n queens
local N, count = 6, 0 local function ok(a, n, c) for i = 1, n - 1 do if a[i] == c or a[i] - i == c - n or a[i] + i == c + n then return false end end return true end local function add(a, n) if n > N then count = count + 1 else for c = 1, N do if ok(a, n, c) then a[n] = c add(a, n + 1) end end end end add({}, 1) print(count)
--## word count
local text = "the quick brown fox jumps over the lazy dog the end" local c = {} for w in text:gmatch("%a+") do c[w] = (c[w] or 0) + 1 end local k = {} for w in pairs(c) do k[#k + 1] = w end table.sort(k) for _, w in ipairs(k) do print(w, c[w]) end
--## calculator
local function eval(s) local pos = 1 local function peek() return s:sub(pos, pos) end local expr local function atom() if peek() == "(" then pos = pos + 1 local v = expr() pos = pos + 1 return v end local n = s:match("^%-?%d+%.?%d*", pos) pos = pos + #n return tonumber(n) end local function term() local v = atom() while peek() == "*" or peek() == "/" do local o = peek() pos = pos + 1 local w = atom() if o == "*" then v = v * w else v = v / w end end return v end function expr() local v = term() while peek() == "+" or peek() == "-" do local o = peek() pos = pos + 1 local w = term() if o == "+" then v = v + w else v = v - w end end return v end return expr() end print(eval("1+2*3"), eval("(1+2)*3"), eval("10/4-1"), eval("2*(3+4)*5"))
--## big numbers by digits
local function mul(a, k) local c, r = 0, {} for i = 1, #a do local v = a[i] * k + c r[i] = v % 10 c = v // 10 end while c > 0 do r[#r + 1] = c % 10 c = c // 10 end return r end local f = {1} for i = 2, 50 do f = mul(f, i) end local s = {} for i = #f, 1, -1 do s[#s + 1] = f[i] end print(table.concat(s))
--## linked lists
local list for i = 1, 10 do list = {v = i, next = list} end local s, l = {}, list while l do s[#s + 1] = l.v l = l.next end print(table.concat(s, " "))
--## class with tostring
local P = {} P.__index = P P.__add = function(a, b) return P.new(a.x + b.x, a.y + b.y) end P.__eq = function(a, b) return a.x == b.x and a.y == b.y end P.__tostring = function(p) return "(" .. p.x .. "," .. p.y .. ")" end P.new = function(x, y) return setmetatable({x = x, y = y}, P) end print(tostring(P.new(1, 2) + P.new(3, 4)), P.new(1, 1) == P.new(1, 1), P.new(1, 1) == P.new(1, 2))
--## memoize
local function memo(f) local c = {} return function(n) local v = c[n] if v == nil then v = f(n) c[n] = v end return v end end local fib fib = memo(function(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end) print(fib(80), fib(90))
--## serializer
local function ser(v, d) d = d or "" if type(v) == "table" then local k = {} for x in pairs(v) do k[#k + 1] = x end table.sort(k, function(a, b) return tostring(a) < tostring(b) end) local o = {} for _, x in ipairs(k) do o[#o + 1] = d .. " " .. tostring(x) .. "=" .. ser(v[x], d .. " ") end return "{\n" .. table.concat(o, "\n") .. "\n" .. d .. "}" end return string.format("%q", v) end print(ser{1, "two", {3, x = 4.5}, k = {n = true and 1}})
--## crc32
local function crc(s) local c = 0xffffffff for i = 1, #s do c = c ~ s:byte(i) for _ = 1, 8 do c = (c >> 1) ~ (0xedb88320 & -(c & 1)) end end return ~c & 0xffffffff end print(string.format("%08x %08x", crc("123456789"), crc("")))
--## sha256 rounds
local function rrot(x, n) return ((x >> n) | (x << (32 - n))) & 0xffffffff end local a = 0x6a09e667 for i = 1, 1000 do a = (a + (rrot(a, 2) ~ rrot(a, 13) ~ rrot(a, 22)) + i) & 0xffffffff end print(string.format("%08x", a))
--## xorshift
local s = 88172645463325252 for i = 1, 100 do s = s ~ (s << 13) s = s ~ (s >> 7) s = s ~ (s << 17) end print(s, string.format("%x", s))
--## collatz
local best, at = 0, 0 for i = 1, 3000 do local n, c = i, 0 while n ~= 1 do n = n % 2 == 0 and n // 2 or 3 * n + 1 c = c + 1 end if c > best then best, at = c, i end end print(at, best)
--## mandelbrot row
local o = {} for x = 0, 59 do local cr, ci, zr, zi, i = x / 20 - 2, 0.3, 0, 0, 0 while i < 50 and zr * zr + zi * zi < 4 do zr, zi, i = zr * zr - zi * zi + cr, 2 * zr * zi + ci, i + 1 end o[#o + 1] = i == 50 and "#" or string.char(97 + i % 26) end print(table.concat(o))
--## balances
local b = {a = 100, b = 0} local function transfer(f, t, n) assert(type(n) == "number" and n > 0, "quantity") if (b[f] or 0) < n then error("balance too low", 0) end b[f] = b[f] - n b[t] = (b[t] or 0) + n end transfer("a", "b", 30) print(b.a, b.b, pcall(transfer, "a", "b", 100), pcall(transfer, "a", "b", -1)) print(b.a + b.b)
--## events
local h = {} local function on(n, f) h[n] = h[n] or {} table.insert(h[n], f) end local function emit(n, ...) for _, f in ipairs(h[n] or {}) do f(...) end end on("x", function(a) print("first", a) end) on("x", function(a, b) print("second", a, b) end) emit("x", 1, 2) emit("y")
--## templates
print((("Hello ${name}, you are ${age}"):gsub("%${(%w+)}", {name = "Ann", age = 30})))
--## roman numerals
local function r(n) local t = {{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"}, {50, "L"}, {40, "XL"}, {10, "X"}, {9, "IX"}, {5, "V"}, {4, "IV"}, {1, "I"}} local s = "" for _, p in ipairs(t) do while n >= p[1] do s = s .. p[2] n = n - p[1] end end return s end print(r(1994), r(2024), r(49))
--## levenshtein
local function lev(a, b) local d = {} for i = 0, #a do d[i] = {[0] = i} end for j = 0, #b do d[0][j] = j end for i = 1, #a do for j = 1, #b do d[i][j] = math.min(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a:byte(i) == b:byte(j) and 0 or 1)) end end return d[#a][#b] end print(lev("kitten", "sitting"), lev("", "abc"))
--## dates by hand
local function leap(y) return y % 4 == 0 and (y % 100 ~= 0 or y % 400 == 0) end local n = 0 for y = 1900, 2000 do if leap(y) then n = n + 1 end end print(n)
--## matrix powers
local function mul(a, b) return {a[1] * b[1] + a[2] * b[3], a[1] * b[2] + a[2] * b[4], a[3] * b[1] + a[4] * b[3], a[3] * b[2] + a[4] * b[4]} end local m, r, n = {1, 1, 1, 0}, {1, 0, 0, 1}, 90 while n > 0 do if n % 2 == 1 then r = mul(r, m) end m = mul(m, m) n = n // 2 end print(r[2])
--## csv
for line in ("a,b,c\n1,,3\n\"x,y\",2\n"):gmatch("[^\n]+") do local t = {} for f in (line .. ","):gmatch('"?(.-)"?,') do t[#t + 1] = f end print(#t, table.concat(t, "|")) end
--## heap
local h = {} local function push(v) h[#h + 1] = v local i = #h while i > 1 and h[i // 2] > h[i] do h[i], h[i // 2] = h[i // 2], h[i] i = i // 2 end end local function pop() local v = h[1] h[1] = h[#h] h[#h] = nil local i = 1 while true do local c = 2 * i if c > #h then break end if c < #h and h[c + 1] < h[c] then c = c + 1 end if h[i] <= h[c] then break end h[i], h[c] = h[c], h[i] i = c end return v end for _, v in ipairs{5, 3, 8, 1, 9, 2, 7} do push(v) end local o = {} while #h > 0 do o[#o + 1] = pop() end print(table.concat(o, ","))
--## state machine
local m = {idle = {start = "run"}, run = {stop = "idle", pause = "wait"}, wait = {start = "run"}} local s = "idle" for _, e in ipairs{"start", "pause", "start", "stop", "pause"} do s = m[s][e] or s print(e, s) end
