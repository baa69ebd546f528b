--## find and gsub %a+
local s, p = "hello world 123", "%a+"
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find and gsub %d+
local s, p = "abc 123 def 456", "%d+"
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find and gsub %s+
local s, p = "a  b	c
d", "%s+"
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find and gsub %w+
local s, p = "a_b-c d9", "%w+"
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find and gsub %p
local s, p = "a,b.c!", "%p"
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find and gsub %u%l+
local s, p = "Hello World lower", "%u%l+"
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find and gsub %x+
local s, p = "xyz 0fA9 g", "%x+"
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find and gsub [abc]+
local s, p = "xxabcabyy", "[abc]+"
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find and gsub [^abc]+
local s, p = "abxycab", "[^abc]+"
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find and gsub [a-c%d]+
local s, p = "xa1b2z", "[a-c%d]+"
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find and gsub [%a_][%w_]*
local s, p = "  foo_bar1 = 2", "[%a_][%w_]*"
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find and gsub ^abc
local s, p = "abcabc", "^abc"
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find and gsub abc$
local s, p = "abcabc", "abc$"
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find and gsub a.-b
local s, p = "axxbxxb", "a.-b"
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find and gsub a.*b
local s, p = "axxbxxb", "a.*b"
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find and gsub a?b
local s, p = "aab b", "a?b"
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find and gsub (%a+)=(%w+)
local s, p = "k1=v1 key=val", "(%a+)=(%w+)"
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find and gsub ()ab()
local s, p = "xxabyy", "()ab()"
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find and gsub %b()
local s, p = "f(a(b)c)d)", "%b()"
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find and gsub %f[%w]%w+
local s, p = "THE (quick) fox", "%f[%w]%w+"
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find and gsub (.)%1
local s, p = "aabbcd", "(.)%1"
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find and gsub []]
local s, p = "a]b", "[]]"
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find and gsub [^]]
local s, p = "a]b", "[^]]"
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find and gsub [a-]
local s, p = "a-b", "[a-]"
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find and gsub %%
local s, p = "50%", "%%"
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find and gsub %.
local s, p = "a.b", "%."
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find and gsub .
local s, p = "é", "."
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find and gsub [\128-\255]+
local s, p = "aé", "[\128-\255]+"
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find and gsub %g+
local s, p = "a b\1c", "%g+"
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find and gsub x*
local s, p = "aaa", "x*"
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find and gsub 
local s, p = "abc", ""
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find and gsub %c
local s, p = "a\tb", "%c"
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find and gsub ((a)(b))
local s, p = "abab", "((a)(b))"
print(s:find(p))
print(s:match(p))
print(s:gsub(p, "<%0>"))
for a, b in s:gmatch(p) do print(a, b) end
--## find with init
for i = -8, 8 do print(i, ("hello"):find("l", i), ("hello"):find("", i)) end
--## plain find
print(("a.b"):find(".", 1, true), ("a.b"):find("."), ("a+b"):find("+", 1, true), ("abc"):find("c", -1, true), ("abc"):find("", 10, true))
--## gsub with function and table
print(("hello world"):gsub("%w+", function(w) return w:upper() end))
print(("hello world"):gsub("%w+", {hello = "HI"}))
print(("abc"):gsub("%w", function(c) if c == "b" then return false end return c .. c end))
print(pcall(string.gsub, "abc", "%w", function() return {} end))
--## gsub with count
print(("aaa"):gsub("a", "b", 2), ("aaa"):gsub("a", "b", 0), ("aaa"):gsub("", "-"), ("abc"):gsub("b", "%%"))
--## gsub captures
print(("key = value"):gsub("(%w+) = (%w+)", "%2 = %1"), pcall(string.gsub, "a", "a", "%2"), pcall(string.gsub, "a", "a", "%x"))
--## gmatch anchors
for w in ("^a^a"):gmatch("^a") do print(w) end
--## gmatch captures and positions
for p, w in ("one two"):gmatch("()(%a+)") do print(p, w) end
--## malformed
for _, p in ipairs{"[a", "[", "%", "(", ")", "(()", "%b", "%f", "[%", "%1", "[]", "[^]", "(a", "a)"} do print(p, pcall(string.find, "abc", p)) end
--## too complex
print(pcall(string.find, ("a"):rep(300000), (".-"):rep(300000) .. "b"))
--## too many captures
print(pcall(string.find, ("a"):rep(40), ("(a)"):rep(40)))
--## balance
print(("x(a(b)c)(d"):match("%b()"), ("[[x]]"):match("%b[]"), ("'a'b'"):match("%b''"))
--## frontier
print(("THE (quick) fox"):find("%f[%a]%a+%f[%A]"), ("[[]]"):gsub("%f[[].", "x"), ("aba"):gsub("%f[a]", "|"))
--## back references
print(("abcabc"):match("(abc)%1"), ([[say "hi" and 'ho']]):match([[(["'])(.-)%1]]), ("aa"):match("(a)%1$"))
--## classes
for c in ("acdglpsuwx"):gmatch(".") do local n, m = 0, 0 for b = 0, 127 do if string.char(b):find("%" .. c) then n = n + 1 end if string.char(b):find("%" .. c:upper()) then m = m + 1 end end print(c, n, m) end
--## zeros
print(("a\0b"):find("\0"), ("a\0b"):find("%z"), #("a\0b"):gsub("\0", "x"), ("a\0b\0"):match("%Z+"))
--## greedy and lazy
print(("<a><b>"):match("<.*>"), ("<a><b>"):match("<.->"), ("aaa"):match("a-"), ("aaa"):match("a-$"))
--## empty matches
print(("abc"):gsub("x*", "-"), (" a b "):gsub("%s*", "."))
--## long subject
local s = ("ab"):rep(10000) print(select(2, s:gsub("ab", "")), s:find("ba$"), s:find("b", 19999))
--## splitting
local function split(s, sep) local t = {} for p in (s .. sep):gmatch("(.-)" .. sep:gsub("%p", "%%%0")) do t[#t + 1] = p end return t end
print(table.concat(split("a,b,,c", ","), "|"), #split("", ","), table.concat(split("1.2.3", "."), "|"))
--## trimming
for _, s in ipairs{"  a b  ", "", "   ", "x"} do print("[" .. s:match("^%s*(.-)%s*$") .. "]") end
