--## b
for _, e in ipairs{"<", ">", "="} do
  for _, v in ipairs{-128, 127} do
    local s = string.pack(e .. "b", v)
    print(e, #s, (s:gsub(".", function(c) return string.format("%02x", c:byte()) end)):sub(1, 40), string.unpack(e .. "b", s))
  end
end
--## B
for _, e in ipairs{"<", ">", "="} do
  for _, v in ipairs{0, 255} do
    local s = string.pack(e .. "B", v)
    print(e, #s, (s:gsub(".", function(c) return string.format("%02x", c:byte()) end)):sub(1, 40), string.unpack(e .. "B", s))
  end
end
--## h
for _, e in ipairs{"<", ">", "="} do
  for _, v in ipairs{-32768, 32767} do
    local s = string.pack(e .. "h", v)
    print(e, #s, (s:gsub(".", function(c) return string.format("%02x", c:byte()) end)):sub(1, 40), string.unpack(e .. "h", s))
  end
end
--## H
for _, e in ipairs{"<", ">", "="} do
  for _, v in ipairs{0, 65535} do
    local s = string.pack(e .. "H", v)
    print(e, #s, (s:gsub(".", function(c) return string.format("%02x", c:byte()) end)):sub(1, 40), string.unpack(e .. "H", s))
  end
end
--## i
for _, e in ipairs{"<", ">", "="} do
  for _, v in ipairs{-5, 2147483647} do
    local s = string.pack(e .. "i", v)
    print(e, #s, (s:gsub(".", function(c) return string.format("%02x", c:byte()) end)):sub(1, 40), string.unpack(e .. "i", s))
  end
end
--## I
for _, e in ipairs{"<", ">", "="} do
  for _, v in ipairs{0, 4294967295} do
    local s = string.pack(e .. "I", v)
    print(e, #s, (s:gsub(".", function(c) return string.format("%02x", c:byte()) end)):sub(1, 40), string.unpack(e .. "I", s))
  end
end
--## j
for _, e in ipairs{"<", ">", "="} do
  for _, v in ipairs{math.mininteger, math.maxinteger} do
    local s = string.pack(e .. "j", v)
    print(e, #s, (s:gsub(".", function(c) return string.format("%02x", c:byte()) end)):sub(1, 40), string.unpack(e .. "j", s))
  end
end
--## J
for _, e in ipairs{"<", ">", "="} do
  for _, v in ipairs{0, -1} do
    local s = string.pack(e .. "J", v)
    print(e, #s, (s:gsub(".", function(c) return string.format("%02x", c:byte()) end)):sub(1, 40), string.unpack(e .. "J", s))
  end
end
--## i3
for _, e in ipairs{"<", ">", "="} do
  for _, v in ipairs{-8388608, 8388607} do
    local s = string.pack(e .. "i3", v)
    print(e, #s, (s:gsub(".", function(c) return string.format("%02x", c:byte()) end)):sub(1, 40), string.unpack(e .. "i3", s))
  end
end
--## I5
for _, e in ipairs{"<", ">", "="} do
  for _, v in ipairs{0, 2^40 | 0} do
    local s = string.pack(e .. "I5", v)
    print(e, #s, (s:gsub(".", function(c) return string.format("%02x", c:byte()) end)):sub(1, 40), string.unpack(e .. "I5", s))
  end
end
--## f
for _, e in ipairs{"<", ">", "="} do
  for _, v in ipairs{0.5, -1.25} do
    local s = string.pack(e .. "f", v)
    print(e, #s, (s:gsub(".", function(c) return string.format("%02x", c:byte()) end)):sub(1, 40), string.unpack(e .. "f", s))
  end
end
--## d
for _, e in ipairs{"<", ">", "="} do
  for _, v in ipairs{0.1, -1e300} do
    local s = string.pack(e .. "d", v)
    print(e, #s, (s:gsub(".", function(c) return string.format("%02x", c:byte()) end)):sub(1, 40), string.unpack(e .. "d", s))
  end
end
--## n
for _, e in ipairs{"<", ">", "="} do
  for _, v in ipairs{0.1, 5} do
    local s = string.pack(e .. "n", v)
    print(e, #s, (s:gsub(".", function(c) return string.format("%02x", c:byte()) end)):sub(1, 40), string.unpack(e .. "n", s))
  end
end
--## z
for _, e in ipairs{"<", ">", "="} do
  for _, v in ipairs{"abc", ""} do
    local s = string.pack(e .. "z", v)
    print(e, #s, (s:gsub(".", function(c) return string.format("%02x", c:byte()) end)):sub(1, 40), string.unpack(e .. "z", s))
  end
end
--## s1
for _, e in ipairs{"<", ">", "="} do
  for _, v in ipairs{"abc", ""} do
    local s = string.pack(e .. "s1", v)
    print(e, #s, (s:gsub(".", function(c) return string.format("%02x", c:byte()) end)):sub(1, 40), string.unpack(e .. "s1", s))
  end
end
--## s4
for _, e in ipairs{"<", ">", "="} do
  for _, v in ipairs{"abc", ("x"):rep(300)} do
    local s = string.pack(e .. "s4", v)
    print(e, #s, (s:gsub(".", function(c) return string.format("%02x", c:byte()) end)):sub(1, 40), string.unpack(e .. "s4", s))
  end
end
--## c5
for _, e in ipairs{"<", ">", "="} do
  for _, v in ipairs{"abc", "abcde"} do
    local s = string.pack(e .. "c5", v)
    print(e, #s, (s:gsub(".", function(c) return string.format("%02x", c:byte()) end)):sub(1, 40), string.unpack(e .. "c5", s))
  end
end
--## i16
for _, e in ipairs{"<", ">", "="} do
  for _, v in ipairs{-1, math.mininteger} do
    local s = string.pack(e .. "i16", v)
    print(e, #s, (s:gsub(".", function(c) return string.format("%02x", c:byte()) end)):sub(1, 40), string.unpack(e .. "i16", s))
  end
end
--## l
for _, e in ipairs{"<", ">", "="} do
  for _, v in ipairs{-1, 7} do
    local s = string.pack(e .. "l", v)
    print(e, #s, (s:gsub(".", function(c) return string.format("%02x", c:byte()) end)):sub(1, 40), string.unpack(e .. "l", s))
  end
end
--## T
for _, e in ipairs{"<", ">", "="} do
  for _, v in ipairs{1, 2} do
    local s = string.pack(e .. "T", v)
    print(e, #s, (s:gsub(".", function(c) return string.format("%02x", c:byte()) end)):sub(1, 40), string.unpack(e .. "T", s))
  end
end
--## L
for _, e in ipairs{"<", ">", "="} do
  for _, v in ipairs{1, 2} do
    local s = string.pack(e .. "L", v)
    print(e, #s, (s:gsub(".", function(c) return string.format("%02x", c:byte()) end)):sub(1, 40), string.unpack(e .. "L", s))
  end
end
--## several
local s = string.pack("<i4 B z s2 d", -7, 200, "zero", "len", 1.5) print(#s, string.unpack("<i4 B z s2 d", s))
--## alignment
print(#string.pack("!4 b i4", 1, 2), #string.pack("!8 b d", 1, 2), #string.pack("!2 b i4", 1, 2), #string.pack("b Xi4 !4", 1), string.packsize("!4 b i4 b i2"))
--## packsize
print(string.packsize("<i4 i8 d"), string.packsize("b x b"), pcall(string.packsize, "z"), pcall(string.packsize, "s"))
--## overflow errors
print(pcall(string.pack, "b", 128), pcall(string.pack, "B", -1), pcall(string.pack, "i17", 1), pcall(string.pack, "i0", 1), pcall(string.pack, "c2", "abc"), pcall(string.pack, "z", "a\0b"), pcall(string.pack, "s1", ("x"):rep(300)))
--## unpack errors
print(pcall(string.unpack, "i4", "abc"), pcall(string.unpack, "z", "abc"), pcall(string.unpack, "i4", "abcd", 10), pcall(string.unpack, "y", "a"), pcall(string.unpack, "i9", ("\255"):rep(8) .. "\1"))
--## positions
local s = string.pack("<I2 I2 I2", 1, 2, 3) print(string.unpack("<I2", s, 3), string.unpack("<I2", s, -2), string.unpack("", s, 4))
--## sign extension
print(string.unpack("<i3", "\255\255\255"), string.unpack("<I3", "\255\255\255"), string.unpack("<i12", ("\255"):rep(12)), string.unpack(">i3", "\128\0\0"))
