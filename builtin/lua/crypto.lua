-- Digests, message authentication and key derivation. A message is a text, a list of bytes, or a stream: a function
-- that gives one byte after the other and then nil.
local crypto = { _version = "0.0.1" }

local char, byte, pack, unpack, format, concat = string.char, string.byte, string.pack, string.unpack, string.format, table.concat

local function bytes_of(text)
  local out = {}
  for i = 1, #text do out[i] = byte(text, i) end
  return out
end

local function text_of(bytes)
  local out = {}
  for i = 1, #bytes do out[i] = char(bytes[i]) end
  return concat(out)
end

local function hex_of(text)
  return (text:gsub(".", function(c) return format("%02x", byte(c)) end))
end

local function from_hex(hex)
  return (hex:gsub("%x%x", function(h) return char(tonumber(h, 16)) end))
end

-- The text of a message in whichever form it is given.
local function message(v)
  if type(v) == "string" then return v end
  if type(v) == "table" then return text_of(v) end
  local out, b = {}, v()
  while b do
    out[#out + 1] = char(b)
    b = v()
  end
  return concat(out)
end

-- What a digest gives: its bytes in three forms.
local function digest(text)
  return {
    asString = function() return text end,
    asHex = function() return hex_of(text) end,
    asBytes = function() return bytes_of(text) end,
  }
end

-- The message with a one bit, zeros and its length in bits, whole blocks long.
local function padded(text, block, length)
  local zeros = -(#text + 1 + length) % block
  return text .. "\128" .. ("\0"):rep(zeros + length - 8)
end

-- The fractions of the cube roots of the first eighty primes, and of the square roots of the first eight. SHA-256
-- takes the upper halves.
local cubes = {
  0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
  0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
  0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
  0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
  0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
  0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
  0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
  0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
  0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
  0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
  0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
  0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
  0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
  0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
  0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
  0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
  0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
  0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
  0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
  0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
}
local squares = {
  0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
  0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
}

local function sha2_256(text)
  local data = padded(text, 64, 8) .. pack(">I8", #text * 8)
  local h, w = {}, {}
  for i = 1, 8 do h[i] = squares[i] >> 32 end
  for at = 1, #data, 64 do
    for i = 1, 16 do w[i] = unpack(">I4", data, at + (i - 1) * 4) end
    for i = 17, 64 do
      -- A word beside its copy turns by a shift.
      local x, y = w[i - 15], w[i - 2]
      local xx, yy = x << 32 | x, y << 32 | y
      w[i] = (w[i - 16] + (xx >> 7 ~ xx >> 18 ~ x >> 3) + w[i - 7] + (yy >> 17 ~ yy >> 19 ~ y >> 10)) & 0xffffffff
    end
    local a, b, c, d, e, f, g, k = table.unpack(h)
    for i = 1, 64 do
      local ee, aa = e << 32 | e, a << 32 | a
      local t = k + ((ee >> 6 ~ ee >> 11 ~ ee >> 25) & 0xffffffff) + (e & f ~ ~e & g) + (cubes[i] >> 32) + w[i]
      local u = ((aa >> 2 ~ aa >> 13 ~ aa >> 22) & 0xffffffff) + (a & b ~ a & c ~ b & c)
      k, g, f, e, d, c, b, a = g, f, e, (d + t) & 0xffffffff, c, b, a, (t + u) & 0xffffffff
    end
    for i, v in ipairs({ a, b, c, d, e, f, g, k }) do h[i] = (h[i] + v) & 0xffffffff end
  end
  return pack(">I4I4I4I4I4I4I4I4", table.unpack(h))
end

local function turn(x, n) return x >> n | x << 64 - n end

local function sha2_512(text)
  local data = padded(text, 128, 16) .. pack(">I8", #text * 8)
  local h, w = { table.unpack(squares) }, {}
  for at = 1, #data, 128 do
    for i = 1, 16 do w[i] = unpack(">i8", data, at + (i - 1) * 8) end
    for i = 17, 80 do
      local x, y = w[i - 15], w[i - 2]
      w[i] = w[i - 16] + (turn(x, 1) ~ turn(x, 8) ~ x >> 7) + w[i - 7] + (turn(y, 19) ~ turn(y, 61) ~ y >> 6)
    end
    local a, b, c, d, e, f, g, k = table.unpack(h)
    for i = 1, 80 do
      local t = k + (turn(e, 14) ~ turn(e, 18) ~ turn(e, 41)) + (e & f ~ ~e & g) + cubes[i] + w[i]
      local u = (turn(a, 28) ~ turn(a, 34) ~ turn(a, 39)) + (a & b ~ a & c ~ b & c)
      k, g, f, e, d, c, b, a = g, f, e, d + t, c, b, a, t + u
    end
    for i, v in ipairs({ a, b, c, d, e, f, g, k }) do h[i] = h[i] + v end
  end
  return pack(">i8i8i8i8i8i8i8i8", table.unpack(h))
end

local function left(x, n) return (x << n | x >> 32 - n) & 0xffffffff end

local function sha1(text)
  local data = padded(text, 64, 8) .. pack(">I8", #text * 8)
  local h, w = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 }, {}
  for at = 1, #data, 64 do
    for i = 1, 16 do w[i] = unpack(">I4", data, at + (i - 1) * 4) end
    for i = 17, 80 do w[i] = left(w[i - 3] ~ w[i - 8] ~ w[i - 14] ~ w[i - 16], 1) end
    local a, b, c, d, e = table.unpack(h)
    for i = 1, 80 do
      local f, k
      if i <= 20 then f, k = b & c | ~b & d, 0x5a827999
      elseif i <= 40 then f, k = b ~ c ~ d, 0x6ed9eba1
      elseif i <= 60 then f, k = b & c | b & d | c & d, 0x8f1bbcdc
      else f, k = b ~ c ~ d, 0xca62c1d6 end
      a, b, c, d, e = (left(a, 5) + (f & 0xffffffff) + e + k + w[i]) & 0xffffffff, a, left(b, 30), c, d
    end
    for i, v in ipairs({ a, b, c, d, e }) do h[i] = (h[i] + v) & 0xffffffff end
  end
  return pack(">I4I4I4I4I4", table.unpack(h))
end

local md5_turns = { { 7, 12, 17, 22 }, { 5, 9, 14, 20 }, { 4, 11, 16, 23 }, { 6, 10, 15, 21 } }

local function md5(text)
  local data = padded(text, 64, 8) .. pack("<I8", #text * 8)
  local h, w = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 }, {}
  for at = 1, #data, 64 do
    for i = 0, 15 do w[i] = unpack("<I4", data, at + i * 4) end
    local a, b, c, d = table.unpack(h)
    for i = 0, 63 do
      local round, f, k = i // 16, nil, nil
      if round == 0 then f, k = b & c | ~b & d, i
      elseif round == 1 then f, k = d & b | ~d & c, (5 * i + 1) % 16
      elseif round == 2 then f, k = b ~ c ~ d, (3 * i + 5) % 16
      else f, k = c ~ (b | ~d & 0xffffffff), 7 * i % 16 end
      local constant = math.floor(math.abs(math.sin(i + 1)) * 4294967296.0)
      f = ((f & 0xffffffff) + a + constant + w[k]) & 0xffffffff
      a, d, c, b = d, c, b, (b + left(f, md5_turns[round + 1][i % 4 + 1])) & 0xffffffff
    end
    for i, v in ipairs({ a, b, c, d }) do h[i] = (h[i] + v) & 0xffffffff end
  end
  return pack("<I4I4I4I4", table.unpack(h))
end

-- The constants of Keccak's rounds come out of a shift register of eight bits.
local rounds

local function keccak_rounds()
  local out, register = {}, 1
  for round = 1, 24 do
    local v = 0
    for j = 0, 6 do
      if register & 1 == 1 then v = v | 1 << (1 << j) - 1 end
      register = register << 1
      if register & 256 ~= 0 then register = register ~ 0x171 end
    end
    out[round] = v
  end
  return out
end

local function permute(s)
  rounds = rounds or keccak_rounds()
  local c, b = {}, {}
  for round = 1, 24 do
    for x = 0, 4 do c[x] = s[x] ~ s[x + 5] ~ s[x + 10] ~ s[x + 15] ~ s[x + 20] end
    for x = 0, 4 do
      local right = c[(x + 1) % 5]
      local d = c[(x + 4) % 5] ~ (right << 1 | right >> 63)
      for y = 0, 20, 5 do s[x + y] = s[x + y] ~ d end
    end
    local x, y = 1, 0
    b[0] = s[0]
    for t = 0, 23 do
      local n, v = (t + 1) * (t + 2) // 2 % 64, s[x + 5 * y]
      x, y = y, (2 * x + 3 * y) % 5
      b[x + 5 * y] = v << n | v >> 64 - n
    end
    for row = 0, 20, 5 do
      for i = 0, 4 do s[row + i] = b[row + i] ~ ~b[row + (i + 1) % 5] & b[row + (i + 2) % 5] end
    end
    s[0] = s[0] ~ rounds[round]
  end
end

-- Keccak with the first bits of its padding, which tell SHA-3 from the original.
local function keccak(text, size, suffix)
  local rate = 200 - 2 * size
  local data = text .. char(suffix)
  data = data .. ("\0"):rep(-#data % rate)
  data = data:sub(1, -2) .. char(byte(data, -1) | 0x80)
  local s = {}
  for i = 0, 24 do s[i] = 0 end
  for at = 1, #data, rate do
    for i = 0, rate // 8 - 1 do s[i] = s[i] ~ unpack("<i8", data, at + i * 8) end
    permute(s)
  end
  local out = {}
  for i = 0, size // 8 - 1 do out[#out + 1] = pack("<i8", s[i]) end
  return concat(out)
end

local sigma = {
  { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 }, { 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3 },
  { 11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4 }, { 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8 },
  { 9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13 }, { 2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9 },
  { 12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11 }, { 13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10 },
  { 6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5 }, { 10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0 },
}
local columns = {
  { 1, 5, 9, 13 }, { 2, 6, 10, 14 }, { 3, 7, 11, 15 }, { 4, 8, 12, 16 },
  { 1, 6, 11, 16 }, { 2, 7, 12, 13 }, { 3, 8, 9, 14 }, { 4, 5, 10, 15 },
}

local function blake2b(text, size, key)
  size, key = size or 64, key or ""
  assert(size >= 1 and size <= 64, "a BLAKE2b digest has 1 to 64 bytes")
  assert(#key <= 64, "a BLAKE2b key has at most 64 bytes")
  local h, m, v = { table.unpack(squares) }, {}, {}
  h[1] = h[1] ~ 0x01010000 ~ #key << 8 ~ size
  if #key > 0 then text = key .. ("\0"):rep(128 - #key) .. text end
  local total = #text
  local data = text .. ("\0"):rep(total == 0 and 128 or -total % 128)
  for at = 1, #data, 128 do
    for i = 0, 15 do m[i] = unpack("<i8", data, at + i * 8) end
    for i = 1, 8 do v[i], v[i + 8] = h[i], squares[i] end
    v[13] = v[13] ~ math.min(at + 127, total)
    if at + 128 > #data then v[15] = ~v[15] end
    for round = 0, 11 do
      local order = sigma[round % 10 + 1]
      for i, p in ipairs(columns) do
        local a, b, c, d = v[p[1]], v[p[2]], v[p[3]], v[p[4]]
        a = a + b + m[order[2 * i - 1]]
        d = turn(d ~ a, 32)
        c = c + d
        b = turn(b ~ c, 24)
        a = a + b + m[order[2 * i]]
        d = turn(d ~ a, 16)
        c = c + d
        b = turn(b ~ c, 63)
        v[p[1]], v[p[2]], v[p[3]], v[p[4]] = a, b, c, d
      end
    end
    for i = 1, 8 do h[i] = h[i] ~ v[i] ~ v[i + 8] end
  end
  return pack("<i8i8i8i8i8i8i8i8", table.unpack(h)):sub(1, size)
end

local function public(f)
  return function(v) return digest(f(message(v))) end
end

crypto.digest = {
  _version = "0.0.1",
  md5 = public(md5),
  sha1 = public(sha1),
  sha2_256 = public(sha2_256),
  sha2_512 = public(sha2_512),
  sha3_256 = public(function(text) return keccak(text, 32, 0x06) end),
  sha3_512 = public(function(text) return keccak(text, 64, 0x06) end),
  keccak256 = public(function(text) return keccak(text, 32, 0x01) end),
  keccak512 = public(function(text) return keccak(text, 64, 0x01) end),
  blake2b = function(v, size, key) return digest(blake2b(message(v), size, key)) end,
}

local algorithms = { sha1 = { sha1, 64 }, sha256 = { sha2_256, 64 }, sha512 = { sha2_512, 128 } }

local function hmac(f, block, key, text)
  if #key > block then key = f(key) end
  key = key .. ("\0"):rep(block - #key)
  local function masked(mask)
    return (key:gsub(".", function(c) return char(byte(c) ~ mask) end))
  end
  return f(masked(0x5c) .. f(masked(0x36) .. text))
end

local function algorithm(name)
  local a = algorithms[name or "sha1"]
  if not a then error("Unsupported algorithm: " .. tostring(name), 3) end
  return a[1], a[2]
end

crypto.mac = {
  _version = "0.0.1",
  --- createHmac(data, key, algorithm) is HMAC with sha1 (the default), sha256 or sha512.
  createHmac = function(data, key, name)
    local f, block = algorithm(name)
    return digest(hmac(f, block, message(key), message(data)))
  end,
}

crypto.kdf = {
  _version = "0.0.1",
  --- pbkdf2(password, salt, iterations, length, algorithm) derives a key of length bytes.
  pbkdf2 = function(password, salt, iterations, length, name)
    local f, block = algorithm(name)
    password, salt = message(password), message(salt)
    local out, have, index = {}, 0, 0
    while have < length do
      index = index + 1
      local u = hmac(f, block, password, salt .. pack(">I4", index))
      local sum = bytes_of(u)
      for _ = 2, iterations do
        u = hmac(f, block, password, u)
        for i = 1, #sum do sum[i] = sum[i] ~ byte(u, i) end
      end
      out[index], have = text_of(sum), have + #sum
    end
    local derived = digest(concat(out):sub(1, length))
    -- In capitals, as processes know it.
    local hex = derived.asHex
    derived.asHex = function() return hex():upper() end
    return derived
  end,
}

local array = {}
array.fromString = bytes_of
array.toString = text_of
function array.fromHex(hex) return bytes_of(from_hex(hex)) end
function array.toHex(a) return hex_of(text_of(a)) end
function array.fromStream(s) return bytes_of(message(s)) end
function array.size(a) return #a end
function array.copy(a) return table.move(a, 1, #a, 1, {}) end
function array.concat(a, b) return table.move(b, 1, #b, #a + 1, array.copy(a)) end
function array.truncate(a, n) return table.move(a, 1, math.min(n, #a), 1, {}) end
function array.slice(a, from, to) return table.move(a, from, to, 1, {}) end

function array.XOR(a, b)
  local out = {}
  for i = 1, math.min(#a, #b) do out[i] = a[i] ~ b[i] end
  return out
end

local stream = {}

function stream.fromArray(a)
  local i = 0
  return function()
    i = i + 1
    return a[i]
  end
end

function stream.fromString(text) return stream.fromArray(bytes_of(text)) end
function stream.fromHex(hex) return stream.fromString(from_hex(hex)) end
function stream.toString(s) return message(s) end
function stream.toHex(s) return hex_of(message(s)) end
function stream.toArray(s) return bytes_of(message(s)) end
array.toStream = stream.fromArray

crypto.utils = {
  _version = "0.0.1",
  array = array,
  stream = stream,
  hex = { stringToHex = hex_of, hexToString = from_hex },
}

--- random gives a whole number; with a seed it begins the process's sequence anew.
function crypto.random(min, max, seed)
  local chance = require(".chance")
  if seed then
    local n = 0
    for _, b in ipairs(bytes_of(tostring(seed))) do n = n + b end
    chance.seed(n)
  end
  return chance.integer(min or 0, max or 4294967295)
end

return crypto
