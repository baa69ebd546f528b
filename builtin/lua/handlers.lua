-- The list of handlers of a process and how a message goes through it.
local handlers = {
  _version = "0.0.5",
  list = {},
  onceNonce = 0,
  coroutines = {},
  utils = require(".handlers-utils"),
}

local matches_spec = require(".utils").matchesSpec
local type, create, resume, yield = type, coroutine.create, coroutine.resume, coroutine.yield

-- finished is what a coroutine of ours yields when it is through with its message and can take another.
local finished = {}
-- idle is such a coroutine: most messages need no new one.
local idle
-- running is the name of the handler at work, trace where the error that is on its way up came from.
local running, trace

local usage = [[Invalid arguments given. Expected: 
	name : string, 	pattern : Action : string | MsgMatch : table,
		function(msg: Message) : {-1 = break, 0 = skip, 1 = continue},
	handle(msg : Message) : void) | Resolver,
	MaxRuns? : number | "inf" | nil]]

local function position(name)
  local list = handlers.list
  for i = 1, #list do
    if list[i].name == name then return i end
  end
end

--- generateResolver gives the handle of a table of specs: the first that matches is run. Its order is that of the
--- keys as text, so it is the same everywhere.
function handlers.generateResolver(resolver)
  local cases
  return function(msg)
    if type(resolver) == "function" then return resolver(msg) end
    if not cases then
      cases = {}
      for spec, handle in pairs(resolver) do cases[#cases + 1] = { spec = spec, handle = handle } end
    end
    for _, c in ipairs(cases) do
      if matches_spec(msg, c.spec) then
        if type(c.handle) == "function" then return c.handle(msg) end
        return handlers.generateResolver(c.handle)(msg)
      end
    end
  end
end

-- entry reads the arguments of add and its kin: (name, handle), or (name, pattern, handle, maxRuns).
local function entry(name, pattern, handle, max)
  if type(name) ~= "string" or pattern == nil then error(usage, 3) end
  if handle == nil then
    handle, pattern = pattern, name
  end
  if type(handle) == "table" then handle = handlers.generateResolver(handle) end
  if max == "inf" then max = nil end
  return { name = name, pattern = pattern, handle = handle, maxRuns = max }
end

-- place puts a handler at an index, or changes the one of that name where it is.
local function place(h, index)
  local at = position(h.name)
  if at then
    local old = handlers.list[at]
    old.pattern, old.handle, old.maxRuns = h.pattern, h.handle, h.maxRuns
    return
  end
  table.insert(handlers.list, index or #handlers.list + 1, h)
end

--- add(name, pattern, handle, maxRuns) puts a handler at the end of the list; one of that name is changed in its place.
--- It gives the length of the list.
function handlers.add(...)
  place(entry(...))
  return #handlers.list
end

function handlers.append(...)
  place(entry(...))
end

function handlers.prepend(...)
  place(entry(...), 1)
end

--- before(name).add(...) puts a handler in front of the one of that name.
function handlers.before(name)
  return {
    add = function(...)
      local h, at = entry(...), position(name)
      if at then place(h, at) end
    end,
  }
end

--- after(name).add(...) puts a handler behind the one of that name.
function handlers.after(name)
  return {
    add = function(...)
      local h, at = entry(...), position(name)
      if at then place(h, at + 1) end
    end,
  }
end

--- once(name, pattern, handle) or once(pattern, handle) handles one message, in front of all others.
function handlers.once(...)
  local name, pattern, handle = ...
  if select("#", ...) == 2 then
    name, pattern, handle = "_once_" .. handlers.onceNonce, name, pattern
    handlers.onceNonce = handlers.onceNonce + 1
  end
  handlers.prepend(name, pattern, handle, 1)
end

function handlers.remove(name)
  local at = position(name)
  if at then table.remove(handlers.list, at) end
end

local function forget(co)
  local list = handlers.coroutines
  for i = #list, 1, -1 do
    if list[i] == co then table.remove(list, i) end
  end
end

--- receive suspends the handler until a message matches, and gives that message.
function handlers.receive(pattern)
  local self, name = coroutine.running(), running
  handlers.once(pattern, function(msg)
    local outer = running
    running = name
    local ok, what = resume(self, msg)
    if not ok then
      trace = trace or debug and debug.traceback(self)
      error(what, 0)
    end
    if what == finished then forget(self) end
    running = outer
  end)
  return yield(pattern)
end

-- What a pattern answers, as a number: below 0 run the handler and stop, 0 pass by, above 0 run it and go on.
local function decision(match)
  if match == true then return -1 end
  if match == false then return 0 end
  local kind = type(match)
  if kind == "number" then return match end
  if kind == "string" then
    if match == "continue" then return 1 end
    if match == "break" then return -1 end
    return 0
  end
  error("Pattern result is not valid, it MUST be string, number, or boolean", 0)
end

-- Handlers may come and go while one runs. The message goes on behind the one that ran or, if that is gone, at the
-- first of those that came after it; so every handler sees a message once.
local function resume_at(h, rest, i)
  local list = handlers.list
  if list[i] == h then return i end
  local at = {}
  for k = 1, #list do at[list[k]] = k end
  if at[h] then return at[h] end
  for k = 1, #rest do
    if at[rest[k]] then return at[rest[k]] - 1 end
  end
  return #list
end

--- evaluate takes a message through the list; what no handler takes goes to the one named _default.
function handlers.evaluate(msg, env)
  if type(msg) ~= "table" then error("msg is not valid", 2) end
  if type(env) ~= "table" then error("env is not valid", 2) end
  local list, i = handlers.list, 1
  local default
  while i <= #list do
    local h = list[i]
    if h.name == "_default" then
      default = h
    else
      local pattern = h.pattern
      running = h.name
      local d
      if type(pattern) == "function" then
        d = decision(pattern(msg))
      else
        d = decision(matches_spec(msg, pattern))
      end
      if d ~= 0 then
        local rest = d > 0 and table.move(list, i + 1, #list, 1, {})
        if h.maxRuns and h.maxRuns ~= "inf" then
          h.maxRuns = h.maxRuns - 1
          if h.maxRuns < 1 then handlers.remove(h.name) end
        end
        h.handle(msg)
        if d < 0 then return end
        i = resume_at(h, rest, i)
        list = handlers.list
      end
    end
    i = i + 1
  end
  running = "_default"
  if default then return default.handle(msg, env) end
end

local function work(msg, env)
  while true do
    handlers.evaluate(msg, env)
    msg, env = yield(finished)
  end
end

--- run evaluates a message in a coroutine, so that a handler can wait for another message. It gives true; or false,
--- what was raised, the name of the handler and a traceback.
function handlers.run(msg, env)
  local co = idle or create(work)
  idle, running, trace = nil, nil, nil
  local ok, what = resume(co, msg, env)
  if not ok then return false, what, running, trace or debug and debug.traceback(co) end
  if what == finished then
    idle = co
  else
    handlers.coroutines[#handlers.coroutines + 1] = co
  end
  return true
end

return handlers
