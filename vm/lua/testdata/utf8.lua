--## char
print(utf8.char(72, 228, 8364, 128512), utf8.char(), #utf8.char(0x7F, 0x80, 0x7FF, 0x800, 0xFFFF, 0x10000, 0x10FFFF), pcall(utf8.char, -1), pcall(utf8.char, 0x110000))
--## len
print(utf8.len("añ€😀"), utf8.len(""), utf8.len("\xff"), utf8.len("abc\xE4"), utf8.len("añ€", 2), utf8.len("añ€", -3), pcall(utf8.len, "abc", 5), pcall(utf8.len, "abc", 0))
--## codepoint
print(utf8.codepoint("añ€😀", 1, -1), pcall(utf8.codepoint, "\xff"), pcall(utf8.codepoint, "abc", 4), utf8.codepoint("abc", 2, 1))
--## codes
for p, c in utf8.codes("añ€😀") do print(p, c) end
print(pcall(function() for p, c in utf8.codes("a\xffb") do print(p, c) end end))
--## offset
for i = -5, 5 do print(i, utf8.offset("añ€😀", i)) end
print(pcall(utf8.offset, "añ", 1, 3), utf8.offset("abc", 5), utf8.offset("abc", 0, 2), utf8.offset("añ", 0, 3))
--## pattern
for c in ("añ€😀"):gmatch(utf8.charpattern) do print(c, #c) end print(#utf8.charpattern)
--## surrogates and overlong
print(utf8.len("\xED\xA0\x80"), utf8.len("\xC0\x80"), utf8.len("\xF4\x90\x80\x80"), utf8.len("\xE0\x80\x80"), utf8.len("\xF0\x80\x80\x80"))
--## escapes
print("\u{0}" == "\0", "\u{7F}", "\u{20AC}", #"\u{10FFFF}")
--## bytes
print(("é"):byte(1, -1), ("é"):upper() == "é", ("é"):len(), ("é"):reverse() == "\169\195")
