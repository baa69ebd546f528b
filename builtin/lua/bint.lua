-- Whole numbers of a fixed number of bits, in two's complement: require(".bint")(256) is the type of 256 bits.
-- A number is a list of words of 32 bits, the lowest first. Results wrap around as integers of the machine do.
local word_bits = 32
local word_mask = 0xffffffff

local types = {}

local function new_type(bits)
  bits = bits or 256
  if types[bits] then return types[bits] end
  assert(bits > 0 and bits % word_bits == 0, "the number of bits must be a multiple of 32")

  local size = bits // word_bits
  local bint = { bits = bits }
  bint.__index = bint
  types[bits] = bint

  local function make() return setmetatable({}, bint) end

  local function fill(word)
    local x = make()
    for i = 1, size do x[i] = word end
    return x
  end

  local function isbint(x) return getmetatable(x) == bint end
  bint.isbint = isbint

  local function copy(x)
    local y = make()
    for i = 1, size do y[i] = x[i] end
    return y
  end

  function bint.zero() return fill(0) end

  function bint.one()
    local x = fill(0)
    x[1] = 1
    return x
  end

  function bint.mininteger()
    local x = fill(0)
    x[size] = 1 << word_bits - 1
    return x
  end

  function bint.maxinteger()
    local x = fill(word_mask)
    x[size] = word_mask >> 1
    return x
  end

  local function negative(x) return x[size] >> word_bits - 1 ~= 0 end

  local function is_zero(x)
    for i = 1, size do
      if x[i] ~= 0 then return false end
    end
    return true
  end

  function bint.frominteger(n)
    n = math.tointeger(n)
    if not n then return nil end
    local x, rest = make(), n < 0 and word_mask or 0
    x[1] = n & word_mask
    if size > 1 then x[2] = n >> word_bits & word_mask end
    for i = 3, size do x[i] = rest end
    return x
  end

  function bint.fromuinteger(n)
    n = math.tointeger(n)
    if not n then return nil end
    local x = fill(0)
    x[1] = n & word_mask
    if size > 1 then x[2] = n >> word_bits & word_mask end
    return x
  end

  -- In place: x = x * factor + add, for a factor below 2^31. It gives what did not fit.
  local function scale(x, factor, add)
    local carry = add
    for i = 1, size do
      local v = x[i] * factor + carry
      x[i] = v & word_mask
      carry = v >> word_bits
    end
    return carry
  end

  -- In place: x = x // divisor as an unsigned number, for a divisor below 2^31. It gives the remainder.
  local function shrink(x, divisor)
    local rest = 0
    for i = size, 1, -1 do
      local v = rest << word_bits | x[i]
      x[i] = v // divisor
      rest = v % divisor
    end
    return rest
  end

  local function negate(x)
    local y, carry = make(), 1
    for i = 1, size do
      local v = (~x[i] & word_mask) + carry
      y[i] = v & word_mask
      carry = v >> word_bits
    end
    return y
  end
  bint.__unm = function(x) return negate(bint.new(x)) end

  --- frombase reads a text in a base from 2 to 36; nil if it is none.
  function bint.frombase(text, base)
    if type(text) ~= "string" then return nil end
    base = base or 10
    if not (base >= 2 and base <= 36) then return nil end
    local sign, digits = text:lower():match("^([+-]?)(%w+)$")
    if not digits then return nil end
    local x = fill(0)
    -- Several digits at a time, as many as fit a word.
    local chunk = 1
    while base ^ (chunk + 1) < 2 ^ 31 do chunk = chunk + 1 end
    for at = 1, #digits, chunk do
      local part = digits:sub(at, at + chunk - 1)
      local v = tonumber(part, base)
      if not v then return nil end
      scale(x, base ^ #part // 1 | 0, v)
    end
    if sign == "-" then x = negate(x) end
    return x
  end

  --- fromstring reads decimal digits, or the forms 0x and 0b; nil if it is none.
  function bint.fromstring(text)
    if type(text) ~= "string" then return nil end
    if text:find("^[+-]?%d+$") then return bint.frombase(text, 10) end
    local sign, kind, digits = text:lower():match("^([+-]?)0([xb])(%w+)$")
    if not kind then return nil end
    return bint.frombase(sign .. digits, kind == "x" and 16 or 2)
  end

  local function from_bytes(text)
    local x = fill(0)
    for i = 1, math.min(#text, size * 4) do
      local w = (i - 1) // 4 + 1
      x[w] = x[w] | text:byte(i) << (i - 1) % 4 * 8
    end
    return x
  end

  --- fromle and frombe read bytes, the lowest first or last.
  function bint.fromle(text)
    assert(type(text) == "string", "buffer is not a string")
    return from_bytes(text)
  end

  function bint.frombe(text)
    assert(type(text) == "string", "buffer is not a string")
    return from_bytes(text:reverse())
  end

  function bint.tole(x, trim)
    x = bint.new(x)
    local out = {}
    for i = 1, size do out[i] = string.pack("<I4", x[i]) end
    local text = table.concat(out)
    if trim then
      text = text:gsub("\0+$", "")
      if text == "" then text = "\0" end
    end
    return text
  end

  function bint.tobe(x, trim) return bint.tole(x, trim):reverse() end

  --- new gives the number of a bint, an integer (also as a float) or a text; it raises an error for anything else.
  function bint.new(v)
    if isbint(v) then return copy(v) end
    local kind, x = type(v), nil
    if kind == "number" then
      x = bint.frominteger(v)
    elseif kind == "string" then
      x = bint.fromstring(v)
    end
    if not x then error("value cannot be represented by a bint", 2) end
    return x
  end

  -- The number of a value without a copy.
  local function as_bint(v)
    if getmetatable(v) == bint then return v end
    local ok, x = pcall(bint.new, v)
    if ok then return x end
  end

  function bint.tobint(v, clone)
    if isbint(v) then return clone and copy(v) or v end
    return as_bint(v)
  end

  --- parse gives a bint where that is exact, otherwise the number itself.
  function bint.parse(v, clone)
    local x = bint.tobint(v, clone)
    if x then return x end
    local n = tonumber(v)
    return n
  end

  function bint.touinteger(x)
    x = as_bint(x)
    if not x then return nil end
    return x[1] | (x[2] or 0) << word_bits
  end

  function bint.tointeger(x)
    if not isbint(x) then return math.tointeger(tonumber(x)) end
    if size == 1 then
      return negative(x) and x[1] - (1 << word_bits) or x[1]
    end
    return x[1] | x[2] << word_bits
  end

  local function fits_integer(x)
    local rest = x[2] and x[2] >> word_bits - 1 ~= 0 and word_mask or 0
    for i = 3, size do
      if x[i] ~= rest then return false end
    end
    return true
  end

  --- tonumber gives an integer if the number fits one, otherwise the nearest float.
  function bint.tonumber(x)
    if not isbint(x) then return tonumber(x) end
    if fits_integer(x) then return bint.tointeger(x) end
    return tonumber(bint.tobase(x, 10) .. ".0")
  end

  local digits = "0123456789abcdefghijklmnopqrstuvwxyz"

  --- tobase gives the text in a base; unsigned numbers are meant if base is not 10, unless said otherwise.
  function bint.tobase(v, base, unsigned)
    local x = as_bint(v)
    if not x then return nil end
    base = base or 10
    if not (base >= 2 and base <= 36) then return nil end
    if unsigned == nil then unsigned = base ~= 10 end
    local minus = not unsigned and negative(x)
    x = minus and negate(x) or copy(x)
    local chunk, power = 1, base
    while power * base < 2 ^ 31 do chunk, power = chunk + 1, power * base end
    local out = {}
    repeat
      local part, text = shrink(x, power), {}
      for i = chunk, 1, -1 do
        local d = part % base + 1
        text[i] = digits:sub(d, d)
        part = part // base
      end
      out[#out + 1] = table.concat(text)
    until is_zero(x)
    local all = {}
    for i = #out, 1, -1 do all[#all + 1] = out[i] end
    local text = table.concat(all):gsub("^0+(.)", "%1")
    return minus and "-" .. text or text
  end

  function bint.__tostring(x) return bint.tobase(x, 10) end

  function bint.iszero(x)
    if isbint(x) then return is_zero(x) end
    return x == 0
  end

  function bint.isone(x)
    if not isbint(x) then return x == 1 end
    if x[1] ~= 1 then return false end
    for i = 2, size do
      if x[i] ~= 0 then return false end
    end
    return true
  end

  function bint.isminusone(x)
    if not isbint(x) then return x == -1 end
    for i = 1, size do
      if x[i] ~= word_mask then return false end
    end
    return true
  end

  function bint.isneg(x)
    if isbint(x) then return negative(x) end
    return x < 0
  end

  function bint.ispos(x)
    if isbint(x) then return not negative(x) and not is_zero(x) end
    return x > 0
  end

  function bint.iseven(x)
    if isbint(x) then return x[1] & 1 == 0 end
    return math.abs(x) % 2 == 0
  end

  function bint.isodd(x)
    if isbint(x) then return x[1] & 1 == 1 end
    return math.abs(x) % 2 == 1
  end

  function bint.isintegral(x) return isbint(x) or math.type(x) == "integer" end
  function bint.isnumeric(x) return isbint(x) or type(x) == "number" end

  function bint.type(x)
    if isbint(x) then return "bint" end
    return math.type(x)
  end

  local function compare_unsigned(x, y)
    for i = size, 1, -1 do
      if x[i] ~= y[i] then return x[i] < y[i] and -1 or 1 end
    end
    return 0
  end

  local function compare(x, y)
    local nx, ny = negative(x), negative(y)
    if nx ~= ny then return nx and -1 or 1 end
    return compare_unsigned(x, y)
  end

  -- Operands that are no whole numbers make the operation one on floats.
  local function pair(a, b)
    local x, y = as_bint(a), as_bint(b)
    if x and y then return x, y end
  end

  local function float(v)
    local n = bint.tonumber(v)
    if not n then error("attempt to perform arithmetic on a " .. type(v) .. " value", 3) end
    return n + 0.0
  end

  function bint.eq(a, b)
    local x, y = pair(a, b)
    if x then return compare_unsigned(x, y) == 0 end
    return a == b
  end

  function bint.__eq(a, b) return compare_unsigned(a, b) == 0 end

  function bint.__lt(a, b)
    local x, y = pair(a, b)
    if x then return compare(x, y) < 0 end
    return bint.tonumber(a) < bint.tonumber(b)
  end

  function bint.__le(a, b)
    local x, y = pair(a, b)
    if x then return compare(x, y) <= 0 end
    return bint.tonumber(a) <= bint.tonumber(b)
  end

  function bint.ult(a, b) return compare_unsigned(bint.new(a), bint.new(b)) < 0 end
  function bint.ule(a, b) return compare_unsigned(bint.new(a), bint.new(b)) <= 0 end

  function bint.max(a, b)
    local x, y = pair(a, b)
    if x then return copy(compare(x, y) > 0 and x or y) end
    return math.max(bint.tonumber(a), bint.tonumber(b))
  end

  function bint.min(a, b)
    local x, y = pair(a, b)
    if x then return copy(compare(x, y) < 0 and x or y) end
    return math.min(bint.tonumber(a), bint.tonumber(b))
  end

  local function add(x, y)
    local z, carry = make(), 0
    for i = 1, size do
      local v = x[i] + y[i] + carry
      z[i] = v & word_mask
      carry = v >> word_bits
    end
    return z
  end

  local function subtract(x, y)
    local z, borrow = make(), 0
    for i = 1, size do
      local v = x[i] - y[i] - borrow
      z[i] = v & word_mask
      borrow = v < 0 and 1 or 0
    end
    return z
  end

  local function used(x)
    for i = size, 1, -1 do
      if x[i] ~= 0 then return i end
    end
    return 0
  end

  local function multiply(x, y)
    local z, ux, uy = fill(0), used(x), used(y)
    for i = 1, ux do
      local xi, carry = x[i], 0
      if xi ~= 0 then
        local lo, hi = xi & 0xffff, xi >> 16
        for j = 1, size - i + 1 do
          if j > uy and carry == 0 then break end
          -- A product of two words can pass 2^63, so it is made of two.
          local yj = y[j]
          local k = i + j - 1
          local low = lo * yj + z[k] + carry
          local high = hi * yj
          local v = low + ((high & 0xffff) << 16)
          z[k] = v & word_mask
          carry = (v >> word_bits) + (high >> 16)
        end
      end
    end
    return z
  end

  local function shift_left(x, n)
    if n < 0 then return nil end
    if n >= bits then return fill(0) end
    local z, words, rest = make(), n // word_bits, n % word_bits
    for i = size, 1, -1 do
      local v = (x[i - words] or 0) << rest
      if rest > 0 then v = v | (x[i - words - 1] or 0) >> word_bits - rest end
      z[i] = v & word_mask
    end
    return z
  end

  local function shift_right(x, n)
    if n >= bits then return fill(0) end
    local z, words, rest = make(), n // word_bits, n % word_bits
    for i = 1, size do
      local v = (x[i + words] or 0) >> rest
      if rest > 0 then v = v | (x[i + words + 1] or 0) << word_bits - rest end
      z[i] = v & word_mask
    end
    return z
  end

  -- Quotient and remainder of unsigned numbers.
  local function divide(x, y)
    local n = used(y)
    if n == 0 then error("attempt to divide by zero", 3) end
    if compare_unsigned(x, y) < 0 then return fill(0), copy(x) end
    if n == 1 and y[1] < 1 << 31 then
      local q, r = copy(x), fill(0)
      r[1] = shrink(q, y[1])
      return q, r
    end
    -- Bit by bit, from the highest bit of the dividend.
    local q, r = fill(0), fill(0)
    for i = used(x), 1, -1 do
      for bit = word_bits - 1, 0, -1 do
        local carry = x[i] >> bit & 1
        for k = 1, size do
          local v = r[k] << 1 | carry
          r[k] = v & word_mask
          carry = v >> word_bits
        end
        if compare_unsigned(r, y) >= 0 then
          local borrow = 0
          for k = 1, size do
            local v = r[k] - y[k] - borrow
            r[k] = v & word_mask
            borrow = v < 0 and 1 or 0
          end
          q[i] = q[i] | 1 << bit
        end
      end
    end
    return q, r
  end

  function bint.udivmod(a, b) return divide(bint.new(a), bint.new(b)) end
  function bint.udiv(a, b) return (divide(bint.new(a), bint.new(b))) end

  function bint.umod(a, b)
    local _, r = divide(bint.new(a), bint.new(b))
    return r
  end

  local function truncating(x, y)
    local nx, ny = negative(x), negative(y)
    local q, r = divide(nx and negate(x) or x, ny and negate(y) or y)
    if nx ~= ny then q = negate(q) end
    if nx then r = negate(r) end
    return q, r
  end

  local function flooring(x, y)
    local q, r = truncating(x, y)
    if not is_zero(r) and negative(x) ~= negative(y) then
      q, r = subtract(q, bint.one()), add(r, y)
    end
    return q, r
  end

  --- tdivmod and its parts round towards zero.
  function bint.tdivmod(a, b)
    local x, y = pair(a, b)
    if x then return truncating(x, y) end
    local m, n = float(a), float(b)
    local q = m / n
    q = q < 0 and math.ceil(q) or math.floor(q)
    return q, math.fmod(m, n)
  end

  function bint.tdiv(a, b) return (bint.tdivmod(a, b)) end

  function bint.tmod(a, b)
    local _, r = bint.tdivmod(a, b)
    return r
  end

  --- idivmod, // and % round down.
  function bint.idivmod(a, b)
    local x, y = pair(a, b)
    if x then return flooring(x, y) end
    local m, n = float(a), float(b)
    return m // n, m % n
  end

  function bint.__idiv(a, b) return (bint.idivmod(a, b)) end

  function bint.__mod(a, b)
    local _, r = bint.idivmod(a, b)
    return r
  end

  --- / is a division of floats, as it is for integers.
  function bint.__div(a, b) return float(a) / float(b) end

  local function arithmetic(whole, other)
    return function(a, b)
      local x, y = pair(a, b)
      if x then return whole(x, y) end
      return other(float(a), float(b))
    end
  end

  bint.__add = arithmetic(add, function(a, b) return a + b end)
  bint.__sub = arithmetic(subtract, function(a, b) return a - b end)
  bint.__mul = arithmetic(multiply, function(a, b) return a * b end)

  --- ipow raises to a power that is not negative.
  function bint.ipow(a, b)
    local base, n = bint.new(a), bint.new(b)
    if negative(n) then
      if bint.isone(base) then return base end
      return fill(0)
    end
    local z = bint.one()
    while not is_zero(n) do
      if n[1] & 1 == 1 then z = multiply(z, base) end
      n = shift_right(n, 1)
      if not is_zero(n) then base = multiply(base, base) end
    end
    return z
  end

  --- upowmod is a^b % m of unsigned numbers.
  function bint.upowmod(a, b, m)
    m = bint.new(m)
    if bint.isone(m) then return fill(0) end
    local wide = new_type(bits * 2)
    local function widen(x) return wide.fromle(bint.tole(x)) end
    local wm = widen(m)
    local base, n, z = wide.umod(widen(bint.new(a)), wm), bint.new(b), wide.one()
    while not is_zero(n) do
      if n[1] & 1 == 1 then z = wide.umod(z * base, wm) end
      base = wide.umod(base * base, wm)
      n = shift_right(n, 1)
    end
    return bint.fromle(wide.tole(z):sub(1, bits // 8))
  end

  --- ^ is a power of floats, as it is for integers; ipow stays whole.
  function bint.__pow(a, b) return float(a) ^ float(b) end

  function bint.__shl(a, n)
    n = bint.tointeger(n)
    local x = bint.new(a)
    if n < 0 then return shift_right(x, -n) end
    return shift_left(x, n)
  end

  function bint.__shr(a, n)
    n = bint.tointeger(n)
    local x = bint.new(a)
    if n < 0 then return shift_left(x, -n) end
    return shift_right(x, n)
  end

  local function bitwise(f)
    return function(a, b)
      local x, y, z = bint.new(a), bint.new(b), make()
      for i = 1, size do z[i] = f(x[i], y[i]) end
      return z
    end
  end

  bint.__band = bitwise(function(a, b) return a & b end)
  bint.__bor = bitwise(function(a, b) return a | b end)
  bint.__bxor = bitwise(function(a, b) return a ~ b end)

  function bint.__bnot(a)
    local x, z = bint.new(a), make()
    for i = 1, size do z[i] = ~x[i] & word_mask end
    return z
  end

  --- brol and bror turn the bits left and right.
  function bint.brol(a, n)
    n = bint.tointeger(n) % bits
    local x = bint.new(a)
    return bint.__bor(shift_left(x, n), shift_right(x, bits - n))
  end

  function bint.bror(a, n) return bint.brol(a, -bint.tointeger(n)) end

  --- bwrap keeps the lowest n bits.
  function bint.bwrap(a, n)
    n = bint.tointeger(n)
    if n <= 0 then return fill(0) end
    if n >= bits then return bint.new(a) end
    return bint.__band(a, subtract(shift_left(bint.one(), n), bint.one()))
  end

  function bint.inc(a)
    local x = as_bint(a)
    if x then return add(x, bint.one()) end
    return float(a) + 1
  end

  function bint.dec(a)
    local x = as_bint(a)
    if x then return subtract(x, bint.one()) end
    return float(a) - 1
  end

  function bint.abs(a)
    local x = as_bint(a)
    if not x then return math.abs(float(a)) end
    return negative(x) and negate(x) or copy(x)
  end

  function bint.floor(a)
    if isbint(a) then return copy(a) end
    return bint.new(math.floor(tonumber(a)))
  end

  function bint.ceil(a)
    if isbint(a) then return copy(a) end
    return bint.new(math.ceil(tonumber(a)))
  end

  function bint.trunc(a)
    if isbint(a) then return copy(a) end
    local n = tonumber(a)
    return bint.new(n < 0 and math.ceil(n) or math.floor(n))
  end

  -- The forms that change their first operand.
  local function assign(x, y)
    y = bint.new(y)
    for i = 1, size do x[i] = y[i] end
    return x
  end
  bint._assign = assign
  function bint._add(x, y) return assign(x, add(x, bint.new(y))) end
  function bint._sub(x, y) return assign(x, subtract(x, bint.new(y))) end
  function bint._inc(x) return assign(x, bint.inc(x)) end
  function bint._dec(x) return assign(x, bint.dec(x)) end
  function bint._abs(x) return assign(x, bint.abs(x)) end
  function bint._unm(x) return assign(x, negate(x)) end
  function bint._band(x, y) return assign(x, bint.__band(x, y)) end
  function bint._bor(x, y) return assign(x, bint.__bor(x, y)) end
  function bint._bxor(x, y) return assign(x, bint.__bxor(x, y)) end
  function bint._bnot(x) return assign(x, bint.__bnot(x)) end
  function bint._shlone(x) return assign(x, shift_left(x, 1)) end
  function bint._shrone(x) return assign(x, shift_right(x, 1)) end
  function bint._shlwords(x, n) return assign(x, shift_left(x, n * word_bits)) end
  function bint._shrwords(x, n) return assign(x, shift_right(x, n * word_bits)) end

  return setmetatable(bint, { __call = function(_, v) return bint.new(v) end })
end

return new_type
