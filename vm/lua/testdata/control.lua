--## goto continue
for i = 1, 5 do if i % 2 == 0 then goto continue end print(i) ::continue:: end
--## goto backwards
local i = 1 ::top:: if i <= 3 then print(i) i = i + 1 goto top end
--## goto out of nested loops
for i = 1, 3 do for j = 1, 3 do if i * j == 4 then print(i, j) goto done end end end ::done:: print "done"
--## goto and closures
local fs = {} do local k = 0 ::again:: local x = k fs[#fs + 1] = function() x = x + 1 return x end k = k + 10 if k < 30 then goto again end end for _, f in ipairs(fs) do print(f(), f()) end
--## goto errors
for _, s in ipairs{"goto nowhere", "do ::a:: end goto a", "goto f local x ::f:: print(x)", "::a:: ::a::", "break", "do goto l1 end; local a; ::l1:: ;"} do print(select(2, load(s, "=x"))) end
--## nested break
for i = 1, 3 do while true do if i == 2 then break end break end repeat local x = i until x >= i print(i) end
--## repeat scope
local n = 0 repeat local done = n >= 3 n = n + 1 until done print(n)
--## while
local a, b = 0, 1 while b < 1000 do a, b = b, a + b end print(a, b)
--## multiple assignment
local a, b, c = 1 print(a, b, c) a, b = b, a print(a, b) local t = {1, 2} local i = 1 i, t[i] = i + 1, 20 print(i, t[1], t[2])
--## evaluation order of and or
print(nil and 1, false or nil, 1 and 2, nil or "d", false and error("x"), 1 or error("x"), not nil == true, not (1 == 2))
--## precedence
print(2 + 3 * 4 ^ 2 / 2, -2 ^ 2, not 1 == 2, 1 .. 2 .. 3, 2 ^ 3 ^ 2, 1 + 2 < 4, "a" .. 1 + 2, 5 & 3 | 8 ~ 1, 1 << 2 + 1, #"abc" + 1, -3 % 5, (-3) % 5)
--## ifs
for _, v in ipairs{0, "", false, 1 == 2} do if v then print "true" elseif v == nil then print "nil" else print "false" end end
--## numeric for does not see changes
for i = 1, 3 do local j = i i = i * 10 print(i, j) end
--## generic for with state
local function iter(s, c) if c < s then return c + 1, c * 2 end end for a, b in iter, 3, 0 do print(a, b) end
--## shadowing
local x = 1 do local x = x + 1 print(x) do local x = x * 10 print(x) end end print(x)
--## integer keys normalise
local t = {} t[1.0] = "a" t[2^53] = "b" print(t[1], t[2^53 | 0], next({[3.0] = 1}))
--## semicolons and blocks
;;; do ; end local function f() return end; print(f(), (f()));
--## long chains
local s = "return " .. ("1 + "):rep(150) .. "1" print(load(s)()) local p = ("("):rep(150) .. "1" .. (")"):rep(150) print(load("return " .. p)())
--## too deep nesting
print(load("return " .. ("("):rep(300) .. "1" .. (")"):rep(300), "=x"))
--## too many locals
local s = {} for i = 1, 201 do s[i] = "local a" .. i end print(load(table.concat(s, "\n"), "=x"))
--## too many upvalues
local s = {} for i = 1, 150 do s[#s + 1] = "local a" .. i .. " = " .. i end s[#s + 1] = "local function f() for _ = 1, 1 do " for k = 1, 1 do end
print(type(load(table.concat(s, "\n") .. " end end return f", "=x")))
--## many constants
local s = {} for i = 1, 600 do s[i] = "t[" .. i .. ".5] = 'v" .. i .. "'" end local f = load("local t = {} " .. table.concat(s, " ") .. " return t") local t = f() print(t[1.5], t[600.5])
--## large constructors
local s = {} for i = 1, 500 do s[i] = tostring(i) end local t = load("return {" .. table.concat(s, ",") .. "}")() print(#t, t[1], t[51], t[500])
