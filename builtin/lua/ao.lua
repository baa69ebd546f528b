-- The process's way out: messages, spawns and assignments, and who may talk to it.
local Handlers = require(".handlers")

local ao = {
  _version = "0.0.6",
  id = "",
  _module = "",
  authorities = {},
  reference = 0,
  outbox = { Output = {}, Messages = {}, Spawns = {}, Assignments = {} },
  nonExtractableTags = {
    "Data-Protocol", "Variant", "From-Process", "From-Module", "Type", "From", "Owner", "Anchor", "Target", "Data",
    "Tags", "Read-Only",
  },
  nonForwardableTags = {
    "Data-Protocol", "Variant", "From-Process", "From-Module", "Type", "From", "Owner", "Anchor", "Target", "Tags",
    "TagArray", "Hash-Chain", "Timestamp", "Nonce", "Epoch", "Signature", "Forwarded-By", "Pushed-For", "Read-Only",
    "Cron", "Block-Height", "Reference", "Id", "Reply-To",
  },
}

local type, pairs, tostring, format = type, pairs, tostring, string.format

-- Keys of the table given to send or spawn that are no tags.
local fields = { Target = true, Data = true, Anchor = true, Tags = true, From = true }

local function set(list)
  local out = {}
  for _, name in ipairs(list) do out[name] = true end
  return out
end

local function has(list, name)
  for i = 1, #list do
    if list[i] == name then return true end
  end
  return false
end

--- clone copies a value with all that is in it, cycles and metatables included.
function ao.clone(v, seen)
  if type(v) ~= "table" then return v end
  seen = seen or {}
  if seen[v] then return seen[v] end
  local out = {}
  seen[v] = out
  for k, x in pairs(v) do out[ao.clone(k, seen)] = ao.clone(x, seen) end
  return setmetatable(out, getmetatable(v))
end

--- normalize copies the tags of a message onto the message itself.
function ao.normalize(msg)
  for _, tag in ipairs(msg.Tags) do
    if not has(ao.nonExtractableTags, tag.name) then msg[tag.name] = tag.value end
  end
  return msg
end

--- sanitize gives a copy of a message without what belongs to its own way here.
function ao.sanitize(msg)
  local out, drop = ao.clone(msg), set(ao.nonForwardableTags)
  for k in pairs(msg) do
    if drop[k] then out[k] = nil end
  end
  return out
end

function ao.clearOutbox()
  ao.outbox = { Output = {}, Messages = {}, Spawns = {}, Assignments = {} }
end

-- clear is clearOutbox without garbage where nothing was put in since.
local function clear()
  local o = ao.outbox
  o.Error = nil
  if type(o.Output) ~= "table" or next(o.Output) ~= nil then o.Output = {} end
  if o.Messages[1] ~= nil then o.Messages = {} end
  if o.Spawns[1] ~= nil then o.Spawns = {} end
  if o.Assignments[1] ~= nil then o.Assignments = {} end
end

--- init takes the environment of a message: who the process is and whom it trusts.
function ao.init(env)
  clear()
  ao.env = env
  local process = env.Process
  ao.id = process.Id
  local list = process.TagArray or process.Tags or {}
  local map = {}
  for i = 1, #list do
    local name, value = list[i].name, list[i].value
    if map[name] == nil then map[name] = value end
    if name == "Authority" then
      -- Most processes name one: nothing to take apart.
      for part in (has(ao.authorities, value) and "" or value):gmatch("[^,%s]+") do
        part = part:match('^"(.*)"$') or part -- as lists of texts are written over HTTP
        if part ~= "" and not has(ao.authorities, part) then ao.authorities[#ao.authorities + 1] = part end
      end
    end
  end
  process.TagArray, process.Tags = list, map
  ao._module = map.Module or ao._module
end

-- A tag is text. Numbers and booleans become it; a table stays what it is, for devices that take structured values.
local function tag(name, value)
  local kind = type(value)
  if kind == "number" or kind == "boolean" then value = tostring(value) end
  return { name = name, value = value }
end

-- extras adds the tags that the caller names: keys of the table itself in the order of their names, then its Tags.
local function extras(tags, msg, given)
  local names, n = {}, 0
  for k, v in pairs(msg) do
    if not fields[k] and type(v) ~= "function" and not (given and given[k] ~= nil) then
      n = n + 1
      names[n] = k
    end
  end
  if given then
    for k in pairs(given) do
      n = n + 1
      names[n] = k
    end
  end
  if n > 1 then table.sort(names) end
  local at = #tags
  for i = 1, n do
    local k = names[i]
    local v = given and given[k]
    if v == nil then v = msg[k] end
    at = at + 1
    tags[at] = tag(k, v)
  end
  local more = msg.Tags
  if more then
    if more[1] ~= nil then
      for i = 1, #more do
        at = at + 1
        tags[at] = tag(more[i].name, more[i].value)
      end
    else
      local keys, m = {}, 0
      for k in pairs(more) do
        m = m + 1
        keys[m] = k
      end
      if m > 1 then table.sort(keys) end
      for i = 1, m do
        at = at + 1
        tags[at] = tag(keys[i], more[keys[i]])
      end
    end
  end
end

local function next_reference()
  local n = ao.reference + 1
  ao.reference = n
  return tostring(n), format("%032d", n)
end

local function text_of(data, tags)
  if type(data) ~= "table" then return data end
  tags[#tags + 1] = { name = "Content-Type", value = "application/json" }
  return require("json").encode(data)
end

-- post puts one message into the outbox. given holds tags that go before those of msg.
local function post(msg, target, given)
  local reference, anchor = next_reference()
  local tags = {
    { name = "Data-Protocol", value = "ao" },
    { name = "Variant", value = "ao.TN.1" },
    { name = "Type", value = "Message" },
    { name = "Reference", value = reference },
  }
  local data = text_of(msg.Data, tags)
  extras(tags, msg, given)
  local messages = ao.outbox.Messages
  messages[#messages + 1] = { Target = target, Data = data, Anchor = anchor, Tags = tags }
  local function answer(from) return { From = from or target, ["X-Reference"] = reference } end
  return {
    Target = target,
    Data = data,
    Anchor = anchor,
    Tags = tags,
    receive = function(from) return Handlers.receive(answer(from)) end,
    onReply = function(...)
      if select("#", ...) == 2 then
        local from, resolver = ...
        return Handlers.once(answer(from), resolver)
      end
      return Handlers.once(answer(), (...))
    end,
  }
end

--- send puts a message into the outbox. The answer's receive() waits for the reply, onReply(f) calls f with it.
function ao.send(msg)
  assert(type(msg) == "table", "msg should be a table")
  return post(msg, msg.Target)
end

-- Where the answer to an answer has to go, and by which reference the first asker will know it.
local function thread(msg)
  return msg["X-Reference"] or msg.Reference
end

--- reply answers msg.
function ao.reply(msg, answer)
  assert(type(answer) == "table", "reply needs a table")
  return post(answer, msg["Reply-To"] or answer.Target or msg.From,
    { ["X-Reference"] = thread(msg), ["X-Origin"] = msg["X-Origin"] })
end

--- forward sends msg on to target, with what changes overrides; the answer goes to the first sender.
function ao.forward(msg, target, changes)
  local drop, out = set(ao.nonForwardableTags), {}
  for k, v in pairs(msg) do
    if not drop[k] and type(v) ~= "function" then out[k] = v end
  end
  if changes then
    for k, v in pairs(changes) do out[k] = v end
  end
  return post(out, target, {
    ["Reply-To"] = msg["Reply-To"] or msg.From,
    ["X-Reference"] = thread(msg),
    ["X-Origin"] = msg["X-Origin"] or msg.From,
  })
end

--- spawn asks for a new process of a module. receive() waits for the message that says its id.
function ao.spawn(module, msg)
  assert(type(module) == "string", "Module source id is required!")
  assert(type(msg) == "table", "Message must be a table")
  local reference, anchor = next_reference()
  local tags = {
    { name = "Data-Protocol", value = "ao" },
    { name = "Variant", value = "ao.TN.1" },
    { name = "Type", value = "Process" },
    { name = "From-Process", value = ao.id },
    { name = "From-Module", value = ao._module },
    { name = "Module", value = module },
    { name = "Reference", value = reference },
  }
  local data = text_of(msg.Data, tags) or "NODATA"
  extras(tags, msg)
  local spawns = ao.outbox.Spawns
  spawns[#spawns + 1] = { Data = data, Anchor = anchor, Tags = tags }
  local function born() return { Action = "Spawned", From = ao.id, Reference = reference } end
  return {
    Data = data,
    Anchor = anchor,
    Tags = tags,
    receive = function() return Handlers.receive(born()) end,
    onReply = function(f) return Handlers.once(born(), f) end,
  }
end

--- assign asks for an existing message to be given to other processes too.
function ao.assign(assignment)
  assert(type(assignment) == "table", "assignment should be a table")
  assert(type(assignment.Processes) == "table", "Processes should be a table")
  assert(type(assignment.Message) == "string", "Message should be a string")
  local list = ao.outbox.Assignments
  list[#list + 1] = assignment
end

--- isTrusted tells whether one of the process's authorities stands behind a message of another process.
function ao.isTrusted(msg)
  for _, authority in ipairs(ao.authorities) do
    if msg.From == authority or msg.Owner == authority then return true end
  end
  return false
end

--- log adds to the Output that result gives if the caller names none.
function ao.log(text)
  local o = ao.outbox
  if type(o.Output) == "string" then o.Output = { o.Output } end
  table.insert(o.Output, text)
end

--- result is what an evaluation answers: an error alone, or the outbox.
function ao.result(result)
  local o = ao.outbox
  if o.Error or result.Error then return { Error = result.Error or o.Error } end
  return {
    Output = result.Output or o.Output,
    Messages = o.Messages,
    Spawns = o.Spawns,
    Assignments = o.Assignments,
  }
end

require(".assignment").init(ao)

return ao
