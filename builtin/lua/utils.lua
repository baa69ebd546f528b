-- Functional helpers and the matching of messages against specs.
local utils = { _version = "0.0.5" }

local find, lower, type, pairs, ipairs = string.find, string.lower, type, pairs, ipairs

-- A text with one of these characters is a Lua pattern. Case does not matter in either.
local magic = "[%^%$%(%)%%%.%[%]%*%+%-%?]"

local function is_array(t)
  if type(t) ~= "table" then return false end
  local n = 0
  for k in pairs(t) do
    if type(k) ~= "number" then return false end
    n = n + 1
  end
  return n == #t
end

local function expect(ok, text)
  if not ok then error(text, 3) end
end

--- matchesPattern tells whether a value of msg fits: "_" fits anything, a function decides by itself, a list fits
--- if one of its entries does, a text is a Lua pattern or compared without regard to case.
function utils.matchesPattern(pattern, value, msg)
  local kind = type(pattern)
  if kind == "string" then
    if pattern == "_" or pattern == value then return true end
    kind = type(value)
    if kind == "number" then value = tostring(value) elseif kind ~= "string" then return false end
    if find(pattern, magic) and find(value, pattern) then return true end
    value, pattern = lower(value), lower(pattern)
    return value == pattern or find(pattern, magic) and find(value, pattern) ~= nil or false
  elseif kind == "function" then
    return not not pattern(value, msg)
  elseif kind == "table" then
    -- A table for a value that is itself a table (Tags = { Name = "x" }) is a spec of its own.
    if type(value) == "table" and #pattern == 0 then return utils.matchesSpec(value, pattern) end
    for _, p in ipairs(pattern) do
      if utils.matchesPattern(p, value, msg) then return true end
    end
  end
  return false
end

local matches = utils.matchesPattern

--- matchesSpec tells whether msg fits spec: a function is asked, a text is the Action, and of a table every key has
--- to fit the message's value (or tag) of that name.
function utils.matchesSpec(msg, spec)
  local kind = type(spec)
  if kind == "function" then return spec(msg) end
  if kind == "table" then
    local tags = msg.Tags
    for key, pattern in pairs(spec) do
      local value = msg[key]
      if value == nil then
        if tags then value = tags[key] end
        if value == nil then return false end
      end
      if not matches(pattern, value, msg) then return false end
    end
    return true
  end
  if kind == "string" then return msg.Action == spec end
  return false
end

function utils.curry(fn, arity)
  expect(type(fn) == "function", "function is required as first argument")
  if not arity then
    local info = debug and debug.getinfo and debug.getinfo(fn, "u")
    arity = info and info.nparams or 2
  end
  if arity < 2 then return fn end
  local function collect(args, n)
    return function(...)
      local all, m = { table.unpack(args, 1, n) }, n
      for i = 1, select("#", ...) do
        m = m + 1
        all[m] = (select(i, ...))
      end
      if m >= arity then return fn(table.unpack(all, 1, m)) end
      return collect(all, m)
    end
  end
  return collect({}, 0)
end

local curry = utils.curry

utils.concat = curry(function(a, b)
  expect(is_array(a), "first argument should be a table that is an array")
  expect(is_array(b), "second argument should be a table that is an array")
  local out = table.move(a, 1, #a, 1, {})
  return table.move(b, 1, #b, #a + 1, out)
end, 2)

utils.reduce = curry(function(fn, initial, t)
  expect(type(fn) == "function", "first argument should be a function that accepts (result, value, key)")
  expect(is_array(t), "third argument should be a table that is an array")
  local result = initial
  for k, v in ipairs(t) do
    if result == nil then result = v else result = fn(result, v, k) end
  end
  return result
end, 3)

utils.map = curry(function(fn, t)
  expect(type(fn) == "function", "first argument should be a unary function")
  expect(is_array(t), "second argument should be an Array")
  local out = {}
  for k, v in ipairs(t) do out[k] = fn(v, k) end
  return out
end, 2)

utils.filter = curry(function(fn, t)
  expect(type(fn) == "function", "first argument should be a unary function")
  expect(is_array(t), "second argument should be an Array")
  local out = {}
  for _, v in ipairs(t) do
    if fn(v) then out[#out + 1] = v end
  end
  return out
end, 2)

utils.find = curry(function(fn, t)
  expect(type(fn) == "function", "first argument should be a unary function")
  expect(type(t) == "table", "second argument should be a table that is an array")
  for _, v in ipairs(t) do
    if fn(v) then return v end
  end
end, 2)

utils.propEq = curry(function(name, value, object)
  expect(type(name) == "string", "first argument should be a string")
  expect(type(value) == "string", "second argument should be a string")
  expect(type(object) == "table", "third argument should be a table<object>")
  return object[name] == value
end, 3)

function utils.reverse(t)
  expect(is_array(t), "argument needs to be a table that is an array")
  local out, n = {}, #t
  for i = n, 1, -1 do out[n - i + 1] = t[i] end
  return out
end

--- compose gives the function that applies the last one first.
function utils.compose(...)
  local fns = table.pack(...)
  return function(v)
    for i = fns.n, 1, -1 do v = fns[i](v) end
    return v
  end
end

utils.prop = curry(function(name, object) return object[name] end, 2)

utils.includes = curry(function(value, t)
  expect(type(t) == "table", "argument needs to be a table")
  for _, v in ipairs(t) do
    if v == value then return true end
  end
  return false
end, 2)

-- Keys and values come in one order on every machine: numbers before texts, each ascending.
local function before(a, b)
  local ta, tb = type(a), type(b)
  if ta ~= tb then return ta == "number" or tb ~= "number" and ta < tb end
  if ta == "number" or ta == "string" then return a < b end
  return tostring(a) < tostring(b)
end

function utils.keys(t)
  expect(type(t) == "table", "argument needs to be a table")
  local out = {}
  for k in pairs(t) do out[#out + 1] = k end
  table.sort(out, before)
  return out
end

function utils.values(t)
  expect(type(t) == "table", "argument needs to be a table")
  local out = {}
  for i, k in ipairs(utils.keys(t)) do out[i] = t[k] end
  return out
end

function utils.capitalize(text)
  return (text:gsub("^%l", string.upper))
end

--- normalize gives the form of tag names that messages have: Title-Case with dashes.
function utils.normalize(v)
  if type(v) == "string" then
    return (v:gsub("_", "-"):lower():gsub("^%l", string.upper):gsub("%-%l", string.upper))
  end
  return v
end

return utils
