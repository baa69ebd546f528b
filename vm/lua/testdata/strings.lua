--## sub
for i = -6, 6, 3 do for j = -6, 6, 3 do print(i, j, ("hello"):sub(i, j)) end end
print(("hello"):sub(2), ("hello"):sub(math.mininteger, math.maxinteger), ("x"):sub(0))
--## byte and char
print(("ABC"):byte(), ("ABC"):byte(1, -1), ("ABC"):byte(10), string.char(), string.char(72, 105), pcall(string.char, 256), pcall(string.char, -1))
--## rep
print(("ab"):rep(3), ("ab"):rep(3, "-"), ("ab"):rep(0), ("ab"):rep(-1), ("")  :rep(100), #("x"):rep(1000, ","))
--## upper lower reverse len
print(("aBc\200"):upper(), ("AbC"):lower(), ("abc"):reverse(), ("\0\0"):len(), #"")
--## comparison
print("a" < "b", "a" < "B", "" < "a", "a\0b" < "a\0c", "a" < "a\0", "Z" < "a", "10" < "9", not ("a" < "a"), "é" > "z")
--## concat of numbers
print(1 .. "", 1.0 .. "", -0.0 .. "", 2^63 .. "", 1e100 .. "x")
--## escapes
print("\65\066\x41\u{48}\u{20AC}\z
       end", 'a\
b', "\a\b\f\v" == "\7\8\12\11")
--## long brackets
print([[
first newline dropped]], [==[a]]b]=]c]==], #[[

]])
--## coercion
print(#(12 .. ""), ("5"):rep(2) + 0, ("0x10"):len(), 10 == "10", "abc" == "abc")
--## string methods through the metatable
print(("x"):upper(), #"abc", ("%d"):format(5), getmetatable("").__index == string, pcall(function() return ("x").y.z end))
--## interning
local a, b = ("x"):rep(50), ("x"):rep(50) local t = {[a] = 1} print(a == b, t[b], rawequal(a, b))
--## long keys
local t = {} for i = 1, 50 do t[("k"):rep(60) .. i] = i end local s = 0 for k, v in pairs(t) do s = s + v end print(s, t[("k"):rep(60) .. 50])
--## tostring and tonumber of strings
print(tostring("x"), tostring(nil), tostring(true), tonumber("0b1"), tonumber("1e+2"), tonumber("١"))
--## errors
print(pcall(string.rep), pcall(string.rep, "x", "y"), pcall(string.sub), pcall(string.byte, {}), pcall(string.upper))
--## building
local t = {} for i = 1, 1000 do t[i] = i end local s = table.concat(t, " ") print(#s, s:sub(-10), select(2, s:gsub(" ", "")))
--## unicode bytes
for _, c in ipairs{("añ€😀"):byte(1, -1)} do print(c) end
--## string as key of number
local t = {} t["1"] = "s" t[1] = "n" t[1.0] = "f" print(t["1"], t[1], #t)
--## repeated appending
local s = "" for i = 1, 300 do s = s .. i end print(#s, s:sub(1, 20), s:sub(-20))
