--## integer %d
for _, v in ipairs{0, 1, -1, 42, 65, 97, 123456789, 3.0, "10"} do print(pcall(string.format, "[%d]", v)) end
--## integer %5d
for _, v in ipairs{0, 1, -1, 42, 65, 97, 123456789, 3.0, "10"} do print(pcall(string.format, "[%5d]", v)) end
--## integer %-5d|
for _, v in ipairs{0, 1, -1, 42, 65, 97, 123456789, 3.0, "10"} do print(pcall(string.format, "[%-5d|]", v)) end
--## integer %05d
for _, v in ipairs{0, 1, -1, 42, 65, 97, 123456789, 3.0, "10"} do print(pcall(string.format, "[%05d]", v)) end
--## integer %+d
for _, v in ipairs{0, 1, -1, 42, 65, 97, 123456789, 3.0, "10"} do print(pcall(string.format, "[%+d]", v)) end
--## integer % d
for _, v in ipairs{0, 1, -1, 42, 65, 97, 123456789, 3.0, "10"} do print(pcall(string.format, "[% d]", v)) end
--## integer %x
for _, v in ipairs{0, 1, -1, 42, 65, 97, 123456789, 3.0, "10"} do print(pcall(string.format, "[%x]", v)) end
--## integer %X
for _, v in ipairs{0, 1, -1, 42, 65, 97, 123456789, 3.0, "10"} do print(pcall(string.format, "[%X]", v)) end
--## integer %#x
for _, v in ipairs{0, 1, -1, 42, 65, 97, 123456789, 3.0, "10"} do print(pcall(string.format, "[%#x]", v)) end
--## integer %o
for _, v in ipairs{0, 1, -1, 42, 65, 97, 123456789, 3.0, "10"} do print(pcall(string.format, "[%o]", v)) end
--## integer %c
for _, v in ipairs{0, 1, -1, 42, 65, 97, 123456789, 3.0, "10"} do print(pcall(string.format, "[%c]", v)) end
--## integer %i
for _, v in ipairs{0, 1, -1, 42, 65, 97, 123456789, 3.0, "10"} do print(pcall(string.format, "[%i]", v)) end
--## integer %u
for _, v in ipairs{0, 1, -1, 42, 65, 97, 123456789, 3.0, "10"} do print(pcall(string.format, "[%u]", v)) end
--## float %f
for _, v in ipairs{0, 1, -1, 0.1, 1/3, 1e10, 1e-10, 123456.789, 1e100, math.huge, -math.huge, "2.5"} do print(string.format("[%f]", v)) end
--## float %.2f
for _, v in ipairs{0, 1, -1, 0.1, 1/3, 1e10, 1e-10, 123456.789, 1e100, math.huge, -math.huge, "2.5"} do print(string.format("[%.2f]", v)) end
--## float %10.3f
for _, v in ipairs{0, 1, -1, 0.1, 1/3, 1e10, 1e-10, 123456.789, 1e100, math.huge, -math.huge, "2.5"} do print(string.format("[%10.3f]", v)) end
--## float %-10.1f|
for _, v in ipairs{0, 1, -1, 0.1, 1/3, 1e10, 1e-10, 123456.789, 1e100, math.huge, -math.huge, "2.5"} do print(string.format("[%-10.1f|]", v)) end
--## float %e
for _, v in ipairs{0, 1, -1, 0.1, 1/3, 1e10, 1e-10, 123456.789, 1e100, math.huge, -math.huge, "2.5"} do print(string.format("[%e]", v)) end
--## float %.3e
for _, v in ipairs{0, 1, -1, 0.1, 1/3, 1e10, 1e-10, 123456.789, 1e100, math.huge, -math.huge, "2.5"} do print(string.format("[%.3e]", v)) end
--## float %E
for _, v in ipairs{0, 1, -1, 0.1, 1/3, 1e10, 1e-10, 123456.789, 1e100, math.huge, -math.huge, "2.5"} do print(string.format("[%E]", v)) end
--## float %g
for _, v in ipairs{0, 1, -1, 0.1, 1/3, 1e10, 1e-10, 123456.789, 1e100, math.huge, -math.huge, "2.5"} do print(string.format("[%g]", v)) end
--## float %G
for _, v in ipairs{0, 1, -1, 0.1, 1/3, 1e10, 1e-10, 123456.789, 1e100, math.huge, -math.huge, "2.5"} do print(string.format("[%G]", v)) end
--## float %.14g
for _, v in ipairs{0, 1, -1, 0.1, 1/3, 1e10, 1e-10, 123456.789, 1e100, math.huge, -math.huge, "2.5"} do print(string.format("[%.14g]", v)) end
--## float %.17g
for _, v in ipairs{0, 1, -1, 0.1, 1/3, 1e10, 1e-10, 123456.789, 1e100, math.huge, -math.huge, "2.5"} do print(string.format("[%.17g]", v)) end
--## float %.0f
for _, v in ipairs{0, 1, -1, 0.1, 1/3, 1e10, 1e-10, 123456.789, 1e100, math.huge, -math.huge, "2.5"} do print(string.format("[%.0f]", v)) end
--## float %#.0f
for _, v in ipairs{0, 1, -1, 0.1, 1/3, 1e10, 1e-10, 123456.789, 1e100, math.huge, -math.huge, "2.5"} do print(string.format("[%#.0f]", v)) end
--## float %+.1f
for _, v in ipairs{0, 1, -1, 0.1, 1/3, 1e10, 1e-10, 123456.789, 1e100, math.huge, -math.huge, "2.5"} do print(string.format("[%+.1f]", v)) end
--## float %a
for _, v in ipairs{1, 0.5, -2, 1e10, 0.1, 0} do print(string.format("[%a]", v)) end
--## float %A
for _, v in ipairs{1, 0.5, -2, 1e10, 0.1, 0} do print(string.format("[%A]", v)) end
--## float %.3a
for _, v in ipairs{1, 0.5, -2, 1e10, 0.1, 0} do print(string.format("[%.3a]", v)) end
--## float %010.2f
for _, v in ipairs{0, 1, -1, 0.1, 1/3, 1e10, 1e-10, 123456.789, 1e100, math.huge, -math.huge, "2.5"} do print(string.format("[%010.2f]", v)) end
--## float %.99f
for _, v in ipairs{0, 1, -1, 0.1, 1/3, 1e10, 1e-10, 123456.789, 1e100, math.huge, -math.huge, "2.5"} do print(string.format("[%.99f]", v)) end
--## strings
print(string.format("[%s] [%10s] [%-10s] [%.2s] [%5.1s]", "abc", "abc", "abc", "abc", "abc"))
print(string.format("%s %s %s %s", nil, true, 12, 1.5), string.format("%s", setmetatable({}, {__tostring = function() return "obj" end})))
--## quoted
print(string.format("%q", 'a "b" \\ \n \r \0 \1 1 \200 end'))
print(string.format("%q %q %q %q", 1, 1.5, math.mininteger, 0.1), string.format("%q %q", true, nil))
print(pcall(string.format, "%q", {}), pcall(string.format, "%q", 1, 2))
--## quoted values read back
for _, v in ipairs{1, -1, 0.1, 1e100, math.mininteger, "a\nb\0c\"", math.pi} do assert(load("return " .. string.format("%q", v))() == v) end print "same"
--## errors
for _, a in ipairs{{"%d", 1.5}, {"%d", "x"}, {"%d"}, {"%y", 1}, {"%", 1}, {"%10"}, {"%s"}, {"%c", "x"}, {"%123d", 1}, {"%.123d", 1}, {"%-+ #00d", 1}, {"%#-+ 0d", 1}} do print(pcall(string.format, table.unpack(a))) end
--## percent
print(string.format("100%%"), string.format("%%%d", 5), string.format(""), string.format("no items", 1))
--## zeros in strings
print(#string.format("%s", "a\0b"), pcall(string.format, "%5s", "a\0b"), #string.format("%s%s", "\0", "\0"))
--## long strings
print(#string.format("%s", ("x"):rep(1000)), #string.format("%20s", ("x"):rep(150)), pcall(string.format, "%200s", "x"))
--## many items
local f, a = {}, {} for i = 1, 100 do f[i] = "%d" a[i] = i end print(string.format(table.concat(f, ","), table.unpack(a)))
--## characters
print((string.format("%c%c%c", 72, 105, 33)), #string.format("%c", 0))
--## pointers are words
print(type(tostring({})), tostring(print):match("^builtin") or tostring(print):match("^function"), tostring({}):match("^table: ") )
