-- One message from beginning to end.
local Colors = {
  red = "\27[31m", green = "\27[32m", blue = "\27[34m", reset = "\27[0m", gray = "\27[90m",
}

_G.Colors = Colors
_G.Bell = "\x07"
_G.Inbox = Inbox or {}
_G.Errors = Errors or {}
_G.HANDLER_PRINT_LOGS = {}
_G.Seeded = false

local Handlers = require(".handlers")
local ao = require(".ao")
local stringify = require(".stringify")
local chance = require(".chance")
local json = require("json")

_G.ao, _G.Handlers = ao, Handlers
_G.Utils, _G.Dump = require(".utils"), require(".dump")

local process = { _version = "2.0.4", _runtime = "ago-1" }

local type, tostring, concat, lower, upper, gsub = type, tostring, table.concat, string.lower, string.upper, string.gsub

-- Tags that never become a key of the message: what signer, scheduler and unit say of it is not for its sender to say.
local fixed = {
  ["Data-Protocol"] = true, Variant = true, ["From-Process"] = true, ["From-Module"] = true, Type = true, From = true,
  Owner = true, Anchor = true, Target = true, Data = true, Tags = true, ["Read-Only"] = true,
  Id = true, Signature = true, Epoch = true, Nonce = true, Timestamp = true, ["Block-Height"] = true,
  ["Hash-Chain"] = true, Cron = true, ["Forwarded-By"] = true, TagArray = true,
}

-- Names in Title-Case with dashes, by the name as it came. Most processes see the same few names over and over.
local titles, titles_left = {}, 512

local function title(name)
  local t = lower(gsub(name, "_", "-"))
  t = gsub(gsub(t, "^%l", upper), "%-%l", upper)
  if titles_left > 0 and #name <= 64 then
    titles_left = titles_left - 1
    titles[name] = t
  end
  return t
end

local function normalize(msg)
  local list = msg.Tags or {}
  local tags = {}
  for i = 1, #list do
    local tag = list[i]
    local name, value = tag.name, tag.value
    local t = titles[name] or title(name)
    tag.name = t
    if tags[t] == nil then tags[t] = value end
    if not fixed[t] then msg[t] = value end
  end
  msg.TagArray, msg.Tags = list, tags
  if tags["Content-Type"] == "application/json" and type(msg.Data) == "string" then
    local ok, data = pcall(json.decode, msg.Data)
    if ok then msg.Data = data end
  end
end

local now = 0

local calendar = os.time
--- os.time() is the time of the message in milliseconds.
os.time = function(t)
  if t ~= nil then return calendar(t) end
  return now
end

function math.random(...)
  local n = select("#", ...)
  if n == 0 then return chance.random() end
  local low, high = ...
  if n == 1 then low, high = 1, low end
  return chance.integer(low, high)
end

math.randomseed = chance.seed

local function printed(v)
  local kind = type(v)
  if kind == "string" then return v end
  if kind == "table" then return stringify.format(v) end
  if kind == "number" then return Colors.green .. tostring(v) .. Colors.reset end
  if kind == "boolean" then return Colors.blue .. tostring(v) .. Colors.reset end
  if v == nil then return Colors.red .. "nil" .. Colors.reset end
  return tostring(v)
end

function print(...)
  local n = select("#", ...)
  local text
  if n <= 1 then
    text = printed((...))
  else
    local parts = { ... }
    for i = 1, n do parts[i] = printed(parts[i]) end
    text = concat(parts, "\t")
  end
  local logs = HANDLER_PRINT_LOGS
  logs[#logs + 1] = text
end

--- Prompt is the line the console shows.
function Prompt()
  return Colors.green .. Name .. Colors.gray .. "@" .. Colors.blue .. process._runtime .. Colors.gray .. "[Inbox:"
    .. Colors.red .. #Inbox .. Colors.gray .. "]" .. Colors.reset .. "> "
end

function Version()
  print("version: " .. process._version .. " (" .. process._runtime .. ")")
end

function Send(msg)
  if not msg.Target then
    print("WARN: No target specified for message. Data will be stored, but no process will receive it.")
  end
  local sent = ao.send(msg)
  return { output = "Message added to outbox", receive = sent.receive, onReply = sent.onReply }
end

function Spawn(module, msg)
  local spawned = ao.spawn(module, msg)
  return { output = "Spawn process request added to outbox", receive = spawned.receive }
end

function Assign(assignment)
  ao.assign(assignment)
  print("Assignment added to outbox.")
  return "Assignment added to outbox."
end

Receive = Handlers.receive

local function from_process(env)
  return env.Process.Tags["From-Process"]
end

local function sum(text)
  local n = 0
  for i = 1, #text do n = n + text:byte(i) end
  return n
end

local started = false

-- start is for the first message only, which is the Process item unless its boot failed. The owner is set here and
-- never again, so a process can give it up.
local function start(msg, env)
  started = true
  if not Seeded then
    local seed = (msg["Block-Height"] or 0) .. sum((msg.Owner or "") .. (msg.Module or "") .. (msg.Id or ""))
    chance.seed(tonumber(seed) or 0)
    Seeded = true
  end
  if not Owner then
    Owner = from_process(env) or msg.Id == env.Process.Id and msg.From or env.Process.Owner
  end
  if not Name then Name = env.Process.Tags.Name or "aos" end
  Handlers.once("_boot", function(m) return m.Tags.Type == "Process" and m.From == Owner end, require(".boot")(ao))
end

-- The two handlers that are always there, whatever the process does to its list.
local eval_handler = {
  name = "_eval",
  pattern = function(msg) return msg.Action == "Eval" and msg.From == Owner end,
  handle = require(".eval")(ao),
}
local default_handler = {
  name = "_default",
  pattern = function() return true end,
  handle = require(".default")(),
}
local standing = { eval_handler, default_handler }
local handles = { eval_handler.handle, default_handler.handle }
local patterns = { eval_handler.pattern, default_handler.pattern }

local function stand()
  local list = Handlers.list
  for i = 1, 2 do
    local h, there = standing[i], false
    for k = 1, #list do
      if list[k].name == h.name then
        h, there = list[k], true
        break
      end
    end
    h.pattern, h.handle = patterns[i], handles[i]
    if not there then list[#list + 1] = h end
  end
end

local function readable(err)
  if type(err) == "string" then return err end
  local mt = getmetatable(err)
  if type(err) == "table" and not (mt and mt.__tostring) then return stringify.format(err) end
  return tostring(err)
end

-- The lines of a traceback that are the user's own.
local function own_lines(trace)
  local out = {}
  for line in (trace or ""):gmatch("\n(%s+[^\n]+)") do
    if not line:find("^%s+%.[%w-]+:%d+:") and not line:find("^%s+%[C%]") and not line:find("^%s+%(%.%.%.") then
      out[#out + 1] = line
    end
    if #out == 20 then break end
  end
  return concat(out, "\n")
end

-- A boot that fails, and an error in Eval, read like the rest; the error itself comes last, alone.
local function failed(msg, err, handler, trace)
  err = readable(err)
  local logs = HANDLER_PRINT_LOGS
  if msg.Action ~= "Eval" then
    local about = msg.Action and "with Action = " .. tostring(msg.Action) or ""
    print(Colors.red .. "Error" .. Colors.gray .. " handling message " .. about .. Colors.reset)
    print(Colors.green .. err .. Colors.reset)
    print("\n" .. Colors.gray .. "handler: " .. tostring(handler) .. "\nstack traceback:\n" .. own_lines(trace)
      .. Colors.reset)
  end
  return { Error = concat(logs, "\n") .. "\n\n" .. Colors.red .. "error:\n" .. Colors.reset .. err }
end

local function answer(msg)
  local out = { data = concat(HANDLER_PRINT_LOGS, "\n"), prompt = Prompt() }
  if msg.Action ~= "Eval" then out.print = true end
  return ao.result({ Output = out })
end

--- handle evaluates a message in its environment and gives the response.
function process.handle(msg, env)
  local logs = HANDLER_PRINT_LOGS
  if logs[1] ~= nil then HANDLER_PRINT_LOGS = {} end
  ao.init(env)
  normalize(msg)
  now = msg.Timestamp or 0
  if not started then start(msg, env) end
  stand()

  if msg.From ~= msg.Owner and not ao.isTrusted(msg) then
    print("Message is not trusted! From: " .. tostring(msg.From) .. " - Owner: " .. tostring(msg.Owner))
    return answer(msg)
  end
  if msg.Target ~= ao.id and not ao.isAssignable(msg) then
    ao.send({ Target = msg.From, Data = "Assignment is not trusted by this process!" })
    print("Assignment is not trusted! From: " .. tostring(msg.From) .. " - Owner: " .. tostring(msg.Owner))
    return answer(msg)
  end

  msg.reply = function(reply) return ao.reply(msg, reply) end
  msg.forward = function(target, changes) return ao.forward(msg, target, changes) end

  local ok, err, handler, trace = Handlers.run(msg, env)
  if not ok then return failed(msg, err, handler, trace) end
  ao.Nonce = msg.Nonce
  -- The process may have changed Prompt, so what it raises is the process's error.
  local fine, response = pcall(answer, msg)
  if fine then return response end
  return failed(msg, response, "Prompt")
end

return process
