-- What a test file sees: test, before, and the object t. The file runs on a Lua machine of its own, beside the network;
-- whatever needs the network is asked of the host: the test's coroutine yields a question and is resumed with the answer.
local json = require("json")

local tests, befores, printed = {}, {}, {}
local co -- of the test that runs

function print(...)
  local words = table.pack(...)
  for i = 1, words.n do words[i] = tostring(words[i]) end
  printed[#printed + 1] = table.concat(words, "\t")
end

-- where gives "file:line: " of a caller: 1 is the one that called where.
local function where(level)
  return (select(2, pcall(error, "", level + 2)))
end

local Failure = {}
Failure.__index = Failure
function Failure.__tostring(f) return f.at .. f.message end

local function fail(level, failure)
  failure.at = where(level + 1)
  error(setmetatable(failure, Failure), 0)
end

-- show writes a value the same way every time: keys in order, tables over several lines when they are long.
local function show(v, indent, seen)
  indent, seen = indent or "", seen or {}
  if type(v) == "string" then return (string.format("%q", v):gsub("\\\n", "\\n")) end
  if type(v) ~= "table" then return tostring(v) end
  local meta = getmetatable(v)
  if meta and meta.__tostring then return tostring(v) end
  if seen[v] then return "(itself)" end
  seen[v] = true
  local keys, list = {}, #v
  for k in pairs(v) do
    if not (math.type(k) == "integer" and k >= 1 and k <= list) then keys[#keys + 1] = k end
  end
  table.sort(keys, function(a, b)
    if type(a) == type(b) and (type(a) == "string" or type(a) == "number") then return a < b end
    return type(a) .. tostring(a) < type(b) .. tostring(b)
  end)
  local parts, length = {}, 0
  local function add(text)
    parts[#parts + 1] = text
    length = length + #text + 2
  end
  for i = 1, list do add(show(v[i], indent .. "  ", seen)) end
  for _, k in ipairs(keys) do
    local name = type(k) == "string" and k:match("^[%a_][%w_]*$") or "[" .. show(k, indent, seen) .. "]"
    add(name .. " = " .. show(v[k], indent .. "  ", seen))
  end
  seen[v] = nil
  if #parts == 0 then return "{}" end
  local one = table.concat(parts, ", ")
  if length < 70 and not one:find("\n") then return "{" .. one .. "}" end
  return "{\n" .. indent .. "  " .. table.concat(parts, ",\n" .. indent .. "  ") .. "\n" .. indent .. "}"
end

-- difference gives the path of the first place where two values differ.
local function difference(got, want, path)
  if got == want then return nil end
  if type(got) ~= "table" or type(want) ~= "table" then return path end
  local keys = {}
  for k in pairs(want) do keys[#keys + 1] = k end
  for k in pairs(got) do
    if want[k] == nil then keys[#keys + 1] = k end
  end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, k in ipairs(keys) do
    local step = type(k) == "string" and k:match("^[%a_][%w_]*$") and "." .. k or "[" .. show(k) .. "]"
    local at = difference(got[k], want[k], path .. step)
    if at then return at end
  end
end

-- ask has the host do something. Its refusal is a failure at the line of the test that asked.
local function ask(level, op, args)
  if coroutine.running() ~= co then
    fail(level + 1, {message = "the network can only be used by the test itself, not inside a coroutine of its own"})
  end
  local answer = coroutine.yield({op = op, args = args})
  if answer.error then fail(level + 1, {message = answer.error, detail = answer.detail}) end
  return answer.value
end

local function text(v)
  if type(v) == "table" then
    local meta = getmetatable(v)
    if meta and meta.__tostring then return tostring(v) end
    return json.encode(v)
  end
  if math.type(v) == "float" and v == math.floor(v) and v > -1e15 and v < 1e15 then return string.format("%d", v) end
  return tostring(v)
end

local reserved = {Data = true, Tags = true, Target = true, Anchor = true, From = true, Owner = true}

-- parts takes a message as people write it apart: every key that is not the message's own is a tag.
local function parts(message)
  message = message or {}
  local tags, names = {}, {}
  local function gather(from, skip)
    local own = {}
    for k in pairs(from) do
      if type(k) == "string" and not (skip and reserved[k]) then own[#own + 1] = k end
    end
    table.sort(own)
    for _, k in ipairs(own) do tags[#tags + 1] = {name = k, value = text(from[k])} end
  end
  gather(message, true)
  if message.Tags then
    if #message.Tags > 0 then
      for _, tag in ipairs(message.Tags) do tags[#tags + 1] = {name = tag.name, value = text(tag.value)} end
    else
      gather(message.Tags, false)
    end
  end
  return {tags = tags, data = message.Data ~= nil and text(message.Data) or ""}
end

-- lifted gives a message its tags by name, as handlers see them.
local function lifted(m)
  local tags = {}
  for _, tag in ipairs(m.Tags or {}) do
    tags[tag.name] = tag.value
    if m[tag.name] == nil then m[tag.name] = tag.value end
  end
  m.TagArray, m.Tags = m.Tags, tags
  return m
end

local function result(r)
  for _, list in ipairs({r.Messages, r.Spawns}) do
    for _, m in ipairs(list) do lifted(m) end
  end
  for _, c in ipairs(r.Caused) do
    for _, m in ipairs(c.Messages) do lifted(m) end
  end
  return r
end

local Process, Wallet, T = {}, {}, {}
Process.__index, Wallet.__index, T.__index = Process, Wallet, T
function Process.__tostring(p) return p.id end
function Process.__concat(a, b) return tostring(a) .. tostring(b) end
function Wallet.__tostring(w) return w.address end
function Wallet.__concat(a, b) return tostring(a) .. tostring(b) end

local function send(level, wallet, process, message)
  local p = parts(message)
  return result(ask(level, "send", {process = tostring(process), wallet = wallet, tags = p.tags, data = p.data}))
end

--- send sends a message signed by the test's own wallet and waits until all it causes was evaluated.
function Process:send(message) return send(2, "", self, message) end
function T:send(process, message) return send(2, "", process, message) end
function Wallet:send(process, message) return send(2, self.name, process, message) end

--- read evaluates a message without keeping anything.
local function read(level, owner, process, message)
  local p = parts(message)
  return result(ask(level, "read", {process = tostring(process), wallet = owner, tags = p.tags, data = p.data}))
end
function Process:read(message) return read(2, "", self, message) end
function T:read(process, message) return read(2, "", process, message) end
function Wallet:read(process, message) return read(2, self.name, process, message) end

--- eval evaluates Lua in a process of the test, and gives what it printed and returned.
function Process:eval(code) return (ask(2, "eval", {process = self.id, code = code})) end
function T:eval(process, code) return (ask(2, "eval", {process = tostring(process), code = code})) end

--- get gives the value of an expression in a process, without changing it.
local function get(level, process, expression)
  local got = ask(level, "get", {process = tostring(process), code = expression})
  return json.decode(got)[1]
end
function Process:get(expression) return get(2, self, expression) end
function T:get(process, expression) return get(2, process, expression) end

--- load evaluates a further file in a process.
function Process:load(file) return (ask(2, "load", {process = self.id, file = file})) end

--- spawn makes a process: of a file, of Lua text, or of {file=, source=, blueprint=, and tags}.
function T:spawn(what, tags)
  local o = what
  if type(what) ~= "table" then
    o = {}
    if what ~= nil then o[what:match("%.lua$") and "file" or "source"] = what end
  end
  local own = {}
  for k, v in pairs(o) do
    if k ~= "file" and k ~= "source" and k ~= "blueprint" and k ~= "wallet" then own[k] = v end
  end
  for k, v in pairs(tags or {}) do own[k] = v end
  local p = parts(own)
  local wallet = o.wallet and o.wallet.name or ""
  local id = ask(2, "spawn", {file = o.file, source = o.source, blueprint = o.blueprint, tags = p.tags, data = p.data, wallet = wallet})
  return setmetatable({id = id}, Process)
end

--- wallet gives somebody else who can send; the same name is the same address in every run.
function T:wallet(name)
  return setmetatable({name = name, address = ask(2, "wallet", {name = name})}, Wallet)
end

--- inbox gives what processes have sent to the wallet so far.
function Wallet:inbox()
  local all = ask(2, "inbox", {address = self.address})
  for _, m in ipairs(all) do lifted(m) end
  return all
end

--- process gives a process by its id, one that another process has made for example.
function T:process(id) return setmetatable({id = tostring(id)}, Process) end

--- advance moves the network's clock: "1h30m", or a number of seconds.
function T:advance(time) return (ask(2, "advance", {by = type(time) == "number" and time .. "s" or time})) end

--- mine adds blocks, one without a number. A second passes.
function T:mine(blocks) return (ask(2, "mine", {blocks = blocks or 1})) end

--- now is the network's time in milliseconds.
function T:now() return (ask(2, "now", {})) end

function T:log(...) print(...) end
function T:skip(why) error(setmetatable({skipped = why or ""}, Failure), 0) end
function T:fail(message) fail(2, {message = message or "failed"}) end

function T:equal(got, want, message)
  local path = difference(got, want, "")
  if path == nil then return end
  fail(2, {message = message or "not equal", path = path ~= "" and path or nil, got = show(got), want = show(want), compared = true})
end

function T:unequal(got, other, message)
  if difference(got, other, "") == nil then fail(2, {message = message or "equal to " .. show(got)}) end
end

function T:ok(value, message)
  if not value then fail(2, {message = message or "got " .. tostring(value)}) end
  return value
end

function T:match(value, pattern, message)
  if type(value) == "string" and value:find(pattern) then return end
  fail(2, {message = message or "does not match", got = show(value), want = show(pattern), compared = true})
end

--- contains looks for a text in a text, or for a value in a list.
function T:contains(where_, what, message)
  if type(where_) == "string" then
    if where_:find(what, 1, true) then return end
  elseif type(where_) == "table" then
    for _, v in pairs(where_) do
      if difference(v, what, "") == nil then return end
    end
  end
  fail(2, {message = message or "does not contain " .. show(what), got = show(where_)})
end

--- fails calls a function that has to fail, with an error that matches the pattern, and gives the error's text.
function T:fails(run, pattern)
  local ok, why = pcall(run)
  if ok then fail(2, {message = "does not fail"}) end
  if getmetatable(why) == Failure and why.skipped then error(why, 0) end
  local said = getmetatable(why) == Failure and why.message or tostring(why)
  if pattern and not said:find(pattern) then
    fail(2, {message = "fails with another error", got = show(said), want = show(pattern), compared = true})
  end
  return said
end

--- test defines a test; before, what runs ahead of each.
function test(name, run)
  if type(name) ~= "string" or type(run) ~= "function" then error("test needs a name and a function", 2) end
  tests[#tests + 1] = {name = name, run = run, at = where(2)}
end

function before(run)
  if type(run) ~= "function" then error("before needs a function", 2) end
  befores[#befores + 1] = run
end

local function flush()
  local lines = printed
  printed = {}
  return table.concat(lines, "\n")
end

local function failure(why, trace)
  if getmetatable(why) == Failure then
    if why.skipped then return {skipped = why.skipped} end
    return {at = why.at, message = why.message, detail = why.detail, path = why.path, got = why.got, want = why.want, compared = why.compared}
  end
  local said = type(why) == "table" and show(why) or tostring(why)
  local at, rest = said:match("^([^\n]-:%d+: )(.*)$")
  return {at = at or "", message = rest or said, trace = trace}
end

local function step(ok, value)
  if not ok then
    local trace = debug and debug.traceback and debug.traceback(co) or ""
    return {failure = failure(value, trace), printed = flush()}
  end
  if coroutine.status(co) == "dead" then return {done = true, printed = flush()} end
  return {call = value, printed = flush()}
end

local commands = {}

function commands.load(m)
  local run, why = load(m.chunk, "=bundle", "t")
  if not run then return {failure = failure(why), printed = flush()} end
  local ok, raised = xpcall(run, function(e)
    return getmetatable(e) == Failure and e or {raised = e, trace = debug and debug.traceback and debug.traceback() or ""}
  end)
  if not ok then
    if getmetatable(raised) == Failure then return {failure = failure(raised), printed = flush()} end
    return {failure = failure(raised.raised, raised.trace), printed = flush()}
  end
  local names = {}
  for i, t in ipairs(tests) do names[i] = {name = t.name, at = t.at} end
  return {tests = names, printed = flush()}
end

function commands.run(m)
  local t = setmetatable({name = tests[m.index].name}, T)
  co = coroutine.create(function()
    for _, run in ipairs(befores) do run(t) end
    tests[m.index].run(t)
  end)
  return step(coroutine.resume(co))
end

function commands.answer(m) return step(coroutine.resume(co, m.answer)) end

function handle(m) return commands[m.command](m) end
