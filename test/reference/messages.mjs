// The messages of a recorded run. A run is a list of steps { name, msg } in the order they are evaluated.
// Everything is derived from counters and hashes, so that two recordings of one module are the same text.
import { createHash } from 'node:crypto'

const sha = (x) => createHash('sha256').update(x).digest()
export const idOf = (label) => sha('ago reference ' + label).toString('base64url')

export const OWNER = idOf('owner')
export const STRANGER = idOf('stranger')
export const MESSENGER = idOf('messenger')
export const OTHER = idOf('other process')
export const ETHEREUM = '0x1a642f0E3c3aF545E7AcBD38b07251B3990914F1'
const T0 = 1750000000000
const H0 = 1690000

const tags = (o) => Object.entries(o).map(([name, value]) => ({ name, value: String(value) }))

/** Environment, ids and a step builder for one module. */
export function stage (label, format) {
  const processId = idOf('process ' + label)
  const moduleId = idOf('module ' + label)
  const processTags = [
    ...tags({ Name: 'reference', Authority: MESSENGER }),
    ...tags({ 'Data-Protocol': 'ao', Variant: 'ao.TN.1', Type: 'Process', Module: moduleId, Scheduler: idOf('scheduler'), Timestamp: T0 })
  ]
  const moduleTags = tags({
    'Data-Protocol': 'ao', Variant: 'ao.TN.1', Type: 'Module', 'Module-Format': format,
    'Input-Encoding': 'JSON-1', 'Output-Encoding': 'JSON-1', 'Memory-Limit': '1-gb', 'Compute-Limit': '9000000000000'
  })
  const env = {
    Process: { Id: processId, Owner: OWNER, Tags: processTags },
    Module: { Id: moduleId, Owner: OWNER, Tags: moduleTags }
  }
  const steps = []
  let nonce = -1
  let chain = ''
  // The fields and their order are those a legacy unit hands to the loader.
  const add = (name, o) => {
    nonce++
    chain = nonce === 0 ? sha(Buffer.from(processId, 'base64url')).toString('base64url') : sha(chain + nonce).toString('base64url')
    const owner = o.owner ?? OWNER
    const from = o.fromProcess ?? owner
    const list = o.rawTags ?? [
      ...tags(o.tags ?? {}), ...tags({ 'Data-Protocol': 'ao', Variant: 'ao.TN.1', Type: 'Message' }),
      ...(o.fromProcess ? tags({ 'From-Process': o.fromProcess, 'From-Module': idOf('module of other'), 'Pushed-For': idOf('pushed for') }) : [])
    ]
    const msg = {
      Id: o.id ?? idOf(`${label} message ${nonce}`),
      Signature: Buffer.alloc(o.signature ?? 512, nonce % 251).toString('base64url'),
      Data: o.data === undefined ? '' : o.data,
      Owner: owner,
      Target: o.target ?? processId,
      Anchor: o.anchor === undefined ? String(nonce).padStart(32, '0') : o.anchor,
      From: from
    }
    if (o.fromProcess) msg['Forwarded-By'] = owner
    msg.Tags = list
    if (!o.cron) { msg.Epoch = 0; msg.Nonce = nonce }
    msg.Timestamp = T0 + nonce * 1000
    msg['Block-Height'] = H0 + Math.floor(nonce / 20)
    if (!o.cron) msg['Hash-Chain'] = chain
    msg.Cron = !!o.cron
    msg['Read-Only'] = !!o.readOnly
    if (o.cron) { delete msg.Id; delete msg.Signature; delete msg.Anchor }
    steps.push({ name, msg: JSON.stringify(msg), whole: !!o.whole, random: o.random })
  }
  return { processId, moduleId, processTags, env, steps, add, evalLua: (name, code, o = {}) => add(name, { ...o, data: code, tags: { Action: 'Eval', ...(o.tags ?? {}) } }) }
}

const TOKEN = `
local bint = require('.bint')(256)
Balances = Balances or { [ao.env.Process.Owner] = tostring(bint(10000) * 10 ^ 12) }
TotalMoved = TotalMoved or '0'
local function add (a, b) return tostring(bint(a) + bint(b)) end
local function sub (a, b) return tostring(bint(a) - bint(b)) end
Handlers.add('transfer', function (m) return m.Action == 'Transfer' end, function (m)
  local q, r = m.Tags.Quantity, m.Tags.Recipient
  assert(type(r) == 'string', 'Recipient is required')
  assert(bint.__lt(0, bint(q)), 'Quantity must be greater than 0')
  local have = Balances[m.From] or '0'
  if bint.__lt(bint(have), bint(q)) then
    ao.send({ Target = m.From, Action = 'Transfer-Error', Error = 'Insufficient Balance!' })
    return
  end
  Balances[m.From] = sub(have, q)
  Balances[r] = add(Balances[r] or '0', q)
  TotalMoved = add(TotalMoved, q)
  ao.send({ Target = m.From, Action = 'Debit-Notice', Recipient = r, Quantity = q })
  ao.send({ Target = r, Action = 'Credit-Notice', Sender = m.From, Quantity = q, Data = 'You received ' .. q })
end)
Handlers.add('balance', function (m) return m.Action == 'Balance' end, function (m)
  ao.send({ Target = m.From, Action = 'Balance-Is', Balance = Balances[m.Tags.Target or m.From] or '0' })
end)
Handlers.add('balances', function (m) return m.Action == 'Balances' end, function (m)
  ao.send({ Target = m.From, Data = require('json').encode(Balances) })
end)
return 'token'`

const STRFTIME = 'aAbBcCdDeFgGhHIjmMnprRStTuUVwWxXyYzZ%'

// Programs whose value tells one engine from another. [name, Lua text]
const PROGRAMS = [
  ['sum', '1+1'],
  ['sum again', 'return 1+1'],
  ['print values', 'print(1) print("a", 2) print(nil) print(true) print({1,2,{x=1}}) return nil'],
  ['nested table', '{a={b={c={d={1,2,3}}}},[1]="x",[2.5]="y",[true]="z"}'],
  ['function value', 'return type(print), type(tostring(print))'],
  ['json encode', `return require('json').encode({a=1,b={1,2,3},c="x\\n\\t\\"",d=true,e=1.5,f={}})`],
  ['json decode', `local t = require('json').decode('{"a":[1,2,{"b":null}],"c":"\\\\u00e9\\\\u20ac","d":1e3,"e":-0.5}') return tostring(t.a[1]) .. t.c .. tostring(t.d) .. tostring(t.e)`],
  ['json decode bad', `return require('json').decode('{"a":')`],
  ['pcall error', `return tostring(select(2, pcall(error, "x"))) .. tostring(select(2, pcall(function() error({code=5}) end)).code)`],
  ['pcall level', `local ok, e = pcall(function() local a = nil; return a.b.c end) return e`],
  ['xpcall traceback', `return select(2, xpcall(function() error("deep") end, function(m) return "H:" .. tostring(m) end))`],
  ['error in error handler', `return tostring(select(2, xpcall(function() error("a") end, function() error("b") end)))`],
  ['2000 pcalls', `local n = 0 for i = 1, 2000 do if not pcall(error, i) then n = n + 1 end end return n`],
  ['top-level error', `error("boom")`],
  ['error with table', `error({code = 1})`],
  ['error with nil', `error()`],
  ['assert', `assert(false, "asserted")`],
  ['nil call', `local f; f()`],
  ['nil index', `return undefinedthing.field`],
  ['arith on string', `return "abc" + 1`],
  ['compare mixed', `return 1 < "2"`],
  ['syntax error', `this is not lua`],
  ['syntax error unfinished', `for i = 1, 10 do`],
  ['syntax error string', `return "abc`],
  ['state survived', `return tostring(Survived)`],
  ['set then fail', `Survived = "no" error("after set")`],
  ['state was kept', `return tostring(Survived)`],
  ['set state', `Survived = "yes" return Survived`],
  ['state is set', `return Survived`],
  ['coroutines', `local out = {} local co = coroutine.wrap(function(a) for i = 1, 5 do a = coroutine.yield(a * i) end return "end" end) for i = 1, 6 do out[#out+1] = tostring(co(i)) end return table.concat(out, ",")`],
  ['2000 coroutines', `local n = 0 for i = 1, 2000 do local co = coroutine.create(function() for j = 1, 4 do coroutine.yield(j) end end) while coroutine.status(co) ~= "dead" do coroutine.resume(co) n = n + 1 end end return n`],
  ['coroutine error', `local co = coroutine.create(function() error("in co") end) return tostring(select(2, coroutine.resume(co))) .. coroutine.status(co)`],
  ['yield across pcall', `local co = coroutine.wrap(function() pcall(function() coroutine.yield(1) error("x") end) return 2 end) return co() + co()`],
  ['os.time', `return os.time()`],
  ['os.time of table', `return tostring(os.time{year=2026,month=11,day=20,hour=9,min=30,sec=15}) .. " " .. tostring(os.time{year=1970,month=1,day=1,hour=0})`],
  ['os.clock', `return os.clock()`],
  ['os.clock twice', `local a = os.clock() local b = os.clock() return tostring(a) .. " " .. tostring(b) .. " " .. tostring(b - a)`],
  ['os.date now', `return os.date() .. "|" .. os.date("!%c")`],
  ['os.date table', `local t = os.date("*t", 1700000000) return t.year .. "-" .. t.month .. "-" .. t.day .. " " .. t.hour .. ":" .. t.min .. ":" .. t.sec .. " " .. t.yday .. " " .. t.wday .. tostring(t.isdst)`],
  ...[0, 951782400, 1700000007, 4102444799, -86400].map((t) => ['os.date all at ' + t, `local r = {} for c in ("${STRFTIME}"):gmatch(".") do r[#r+1] = c .. "=" .. tostring(select(2, pcall(os.date, "!%" .. c, ${t}))) end return table.concat(r, "|")`]),
  ['os.date E and O', `local r = {} for _, c in ipairs{"Ec","EC","Ex","EX","Ey","EY","Od","Oe","OH","OI","Om","OM","OS","Ou","OU","OV","Ow","OW","Oy"} do r[#r+1] = c .. "=" .. tostring(select(2, pcall(os.date, "!%" .. c, 1700000007))) end return table.concat(r, "|")`],
  ['os.date bad', `return os.date("%Q")`],
  ['os rest', `return tostring(os.getenv and os.getenv("HOME")) .. tostring(os.getenv and os.getenv("PATH")) .. tostring(os.difftime and os.difftime(5, 3)) .. tostring(os.setlocale and os.setlocale())`],
  ['os.tmpname', `return tostring(pcall(os.tmpname))`],
  ['os.remove', `local a, b, c = os.remove("/nothing/here") return tostring(a) .. tostring(b) .. tostring(c)`],
  ['os.rename', `local a, b, c = os.rename("/nothing/here", "/x") return tostring(a) .. tostring(b) .. tostring(c)`],
  ['os.execute', `return tostring(os.execute and os.execute())`],
  ['io.open nothing', `if not io then return "no io" end local a, b, c = io.open("/nothing/here", "r") return tostring(a) .. tostring(b) .. tostring(c)`],
  ['io.write', `if not io then return "no io" end io.write("to stdout") io.stderr:write("to stderr") return "written"`],
  ['io.read', `if not io then return "no io" end return tostring(io.read())`],
  ['math.random', `local r = {} for i = 1, 10 do r[i] = math.random(1, 1000000) end return table.concat(r, ",")`],
  ['math.random float', `return string.format("%.14g %.14g", math.random(), math.random())`],
  ['math.randomseed', `math.randomseed(42) local r = {} for i = 1, 5 do r[i] = math.random(1, 1000) end return table.concat(r, ",")`],
  ['pairs order', `local t = {} for i = 1, 200 do t["key" .. i * 7919] = i end local r = {} for k in pairs(t) do r[#r+1] = k end return table.concat(r, " ")`],
  ['pairs order mixed', `local t = {} for i = 1, 40 do t[i * 1.5] = i; t["s" .. i] = i; t[-i] = i; t[i % 2 == 0] = i end local r = {} for k in pairs(t) do r[#r+1] = tostring(k) end return table.concat(r, " ")`],
  ['next after delete', `local t = {} for i = 1, 50 do t["k" .. i] = i end for k, v in pairs(t) do if v % 2 == 0 then t[k] = nil end end local r = {} for k in pairs(t) do r[#r+1] = k end return table.concat(r, " ")`],
  ['string.format', `return string.format("%5d|%-5d|%05d|%+d|%x|%X|%o|%c|%e|%.3f|%g|%a|%q|%s|%10.4s|%%", 42, 42, 42, 42, 255, 255, 8, 65, 12345.678, 3.14159, 1e20, 1.0, "q\\n\\0z", "s", "truncated")`],
  ['string.format floats', `local r = {} for _, v in ipairs{0.1, 1/3, 2^53, 2^63, 1e300, 5e-324, 1e15, 1e16, 123456789012345678, -0.0, 100, 1e100} do r[#r+1] = string.format("%.14g|%.17g|%g|%.0f|%e|%a", v, v, v, v, v, v) end return table.concat(r, "\\n")`],
  ['string.format bad', `return string.format("%d", 1.5)`],
  ['tostring numbers', `return table.concat({tostring(1e15), tostring(1e16), tostring(2^53), tostring(-0.0), tostring(1e100), tostring(3.0), tostring(10 // 3), tostring(10.0 // 3), tostring(7 % -3), tostring(-7 // 2), tostring(7.5 % -2)}, " ")`],
  ['NaN and infinity', `return tostring(0/0) .. " " .. tostring(-(0/0)) .. " " .. tostring(1/0) .. " " .. tostring(-1/0) .. " " .. tostring(math.huge - math.huge) .. " " .. tostring(math.huge * 0) .. " " .. tostring((0/0) ~= (0/0))`],
  ['NaN from libm', `return table.concat({tostring(math.sqrt(-1)), tostring(math.log(-1)), tostring(math.acos(2)), tostring(math.fmod(1, math.huge)), tostring(pcall(math.fmod, 1, 0)), tostring(math.fmod(1, 0.0)), tostring((-8) ^ (1/3)), tostring(math.huge % 2)}, " ")`],
  ['NaN payload bytes', `local r = {} for _, v in ipairs{0/0, -(0/0), math.huge - math.huge, math.sqrt(-1)} do r[#r+1] = (string.pack(">d", v):gsub(".", function(c) return string.format("%02x", c:byte()) end)) end return table.concat(r, " ")`],
  ['NaN as key', `local t = {} t[0/0] = 1`],
  ['libm', `local r = {} for _, f in ipairs{"sin","cos","tan","asin","acos","atan","exp","log","sqrt","floor","ceil","abs"} do for _, v in ipairs{0.1, 0.5, 0.9999, 1e-10, 0.7071067811865476} do r[#r+1] = string.format("%.17g", math[f](v)) end end return table.concat(r, " ")`],
  ['libm large', `local r = {} for _, f in ipairs{"sin","cos","tan","exp","log","sqrt","floor"} do for _, v in ipairs{1e5, 1e22, 700.5, 12345678.9} do r[#r+1] = string.format("%.17g", math[f](v)) end end return table.concat(r, " ")`],
  ['powers', `local r = {} for _, p in ipairs{{2,0.5},{10,-3},{1.0001,1e6},{-2,3},{0,0},{2,1023},{2,-1074},{1e-5,60}} do r[#r+1] = string.format("%.17g", p[1] ^ p[2]) end return table.concat(r, " ")`],
  ['atan2 and log base', `return string.format("%.17g %.17g %.17g %.17g", math.atan(1, -1), math.log(8, 2), math.log(1000, 10), math.log(7, 3))`],
  ['integers', `return table.concat({math.maxinteger, math.mininteger, math.maxinteger + 1, math.mininteger // -1, 1 << 63, 1 << 64, -1 >> 1, 5 // 0.0, ~0, 7 & 3, 7 ~ 2, 7 | 8}, " ")`],
  ['integer division by zero', `return 1 // 0`],
  ['tointeger', `return tostring(math.tointeger(3.0)) .. tostring(math.tointeger(3.5)) .. math.type(1) .. math.type(1.0) .. tostring(math.type("1")) .. tostring(math.ult(1, -1))`],
  ['tonumber', `return table.concat({tostring(tonumber("0x10")), tostring(tonumber("1e1")), tostring(tonumber("  12  ")), tostring(tonumber("12a")), tostring(tonumber("zz", 36)), tostring(tonumber("0x1p4")), tostring(tonumber("1e400")), tostring(tonumber("9223372036854775808"))}, " ")`],
  ['string.pack', `return (string.pack("<i4 >I2 =d z s1 !8 i8", -2, 513, 1.5, "zero", "len", 9):gsub(".", function(c) return string.format("%02x", c:byte()) end))`],
  ['string.unpack', `return table.concat({string.unpack("<i4 >I2 z", string.pack("<i4 >I2 z", -77, 65535, "text"))}, " ")`],
  ['string.pack overflow', `return string.pack("i1", 300)`],
  ['string library', `return table.concat({("x"):rep(3, ","), ("abc"):reverse(), ("aBc"):upper(), ("aBc"):lower(), ("hello"):byte(2), string.char(72, 105), ("hello world"):find("o w"), ("key=val"):match("(%w+)=(%w+)"), (("hello"):gsub("l", {l = "L"})), ("x"):len(), ("hello"):sub(-3)}, " ")`],
  ['gsub patterns', `return (("The (quick) [brown] %fox% 123.456"):gsub("[%(%)%[%]]", "_"):gsub("%f[%w]%w+", string.upper):gsub("%%(%w+)%%", "<%1>"):gsub("%d+", function(d) return "#" .. d end))`],
  ['balanced match', `return ("f(a(b)c)d"):match("%b()") .. ("THE (quick) fox"):find("%((%a+)%)")`],
  ['bad pattern', `return ("x"):find("[a")`],
  ['pattern too complex', `return ("a"):rep(300000):find(("a?"):rep(300000) .. "b")`],
  ['utf8', `local r = {} for p, c in utf8.codes("héllo€😀") do r[#r+1] = p .. ":" .. c end return table.concat(r, " ") .. utf8.char(233, 8364, 128512) .. utf8.len("héllo€😀") .. tostring(utf8.len("\\xff"))`],
  ['unicode text', `return "héllo €uro 日本語 😀 ñandú"`],
  ['binary output', `return "\\255\\254\\0\\1\\128abc"`],
  ['binary output long', `local r = {} for i = 0, 255 do r[#r+1] = string.char(i) end return table.concat(r)`],
  ['broken utf8 output', `return "a\\xc3(\\xe2\\x82(\\xf0\\x9f\\x98(\\xed\\xa0\\x80|\\xc0\\x80|\\xf8\\x88\\x80\\x80\\x80 tail of a long string"`],
  ['broken utf8 short', `return "\\xe2\\x82"`],
  ['control characters', `return "\\1\\2\\31\\127\\r\\n\\t\\b\\f\\\\\\""`],
  ['goto', `local i = 1 ::top:: if i < 10 then i = i + 1 goto top end do goto fin end ::fin:: return i`],
  ['integer for loop edge', `local n = 0 for i = math.maxinteger - 2, math.maxinteger - 1 do n = n + 1 end for x = 1, 0 do n = n + 100 end for x = 1.0, 2.0, 0.25 do n = n + 1 end return n`],
  ['varargs', `local function f(...) return select("#", ...), (select(-1, ...)) end local a, b = f(1, nil, 3) return tostring(a) .. tostring(b) .. #table.pack(table.unpack({1, 2, 3}, 1, 3))`],
  ['unpack too many', `return table.unpack({}, 1, 1e7)`],
  ['closures', `local fs = {} for i = 1, 5 do fs[i] = function() i = i + 1 return i end end return fs[1]() + fs[1]() + fs[5]()`],
  ['metatables', `local mt = {__add = function(a, b) return a.v + b.v end, __call = function(s, x) return x * 2 end, __tostring = function() return "obj" end, __len = function() return 42 end, __eq = function() return true end, __lt = function() return true end, __concat = function() return "cat" end, __index = function(_, k) return k .. "!" end} local a, b = setmetatable({v = 1}, mt), setmetatable({v = 2}, mt) return tostring(a + b) .. a(21) .. tostring(a) .. #a .. tostring(a == b) .. tostring(a < b) .. (a .. b) .. a.foo`],
  ['gc and weak tables', `local w = setmetatable({}, {__mode = "k"}) w[{}] = 1 w[print] = 2 collectgarbage() local n = 0 for _ in pairs(w) do n = n + 1 end return n`],
  ['finalizer', `Finalized = 0 do local x = setmetatable({}, {__gc = function() Finalized = Finalized + 1 end}) end collectgarbage() collectgarbage() return Finalized`],
  ['collectgarbage count', `return string.format("%.3f", collectgarbage("count"))`],
  ['addresses', `return tostring({}):gsub("0x", "") .. tostring(coroutine.create(print)):gsub("0x", "")`],
  ['load', `return load("return 6 * 7")() .. tostring(load("syntax error here")) .. tostring(select(2, load("x =")))`],
  ['load binary', `return tostring(select(2, load(string.dump(function() return 1 end), "x", "t")))`],
  ['string.dump and back', `return load(string.dump(function(a) return a * 2 end))(21)`],
  ['debug', `return debug and (tostring(debug.traceback("tb", 1)):sub(1, 200)) or "no debug"`],
  ['require nothing', `return require("no.such.module")`],
  ['package', `local r = {} for k in pairs(package.loaded) do r[#r+1] = k end table.sort(r) return table.concat(r, " ") .. tostring(package.path) .. tostring(package.cpath)`],
  ['globals', `local r = {} for k, v in pairs(_G) do r[#r+1] = k .. ":" .. type(v) end table.sort(r) return table.concat(r, " ")`],
  ['sort', `local t = {} local s = 12345 for i = 1, 500 do s = (s * 1103515245 + 12345) % 2147483648 t[i] = s end table.sort(t) local ok = true for i = 2, #t do ok = ok and t[i - 1] <= t[i] end return tostring(ok) .. t[1] .. t[500]`],
  ['sort invalid order', `local t = {} for i = 1, 100 do t[i] = i % 7 end return pcall(table.sort, t, function(a, b) return true end)`],
  ['table functions', `local t = {1, 2, 3} table.insert(t, 2, 9) table.remove(t, 1) table.move(t, 1, 3, 3) return table.concat(t, ",")`],
  ['bint', `local bint = require(".bint")(256) local a = bint.fromstring and bint("123456789012345678901234567890") or bint(1) return tostring(a * a) .. " " .. tostring(a // 97) .. " " .. tostring(a % 97) .. " " .. tostring(bint(2) ^ 200) .. " " .. tostring(-a) .. tostring(bint.__lt(a, bint(5)))`],
  ['crypto', `local ok, c = pcall(require, ".crypto") if not ok then return "none" end local r = {} for _, n in ipairs{"md2", "md4", "md5", "sha1", "sha2_256", "sha2_512", "keccak256", "keccak512", "sha3_256", "blake2b"} do local f = c.digest[n] if f then for _, arg in ipairs{"ago", c.utils.stream.fromString("ago")} do local good, d = pcall(f, arg) if good then local hex = type(d) == "table" and d.asHex or d r[#r+1] = n .. "=" .. tostring(type(hex) == "function" and hex() or hex) end end end end return table.concat(r, " ")`],
  ['base64', `local ok, b = pcall(require, ".base64") if not ok then return "none" end return b.encode("ago reference") .. b.decode("YWdv")`],
  ['pretty', `local ok, p = pcall(require, ".pretty") if not ok then return "none" end return p.tprint({a = 1, b = {2, 3}, c = "x"})`],
  ['stack overflow', `local function f(n) return 1 + f(n + 1) end return f(1)`],
  ['stack overflow caught', `local function f(n) return 1 + f(n + 1) end local ok, e = pcall(f, 1) return tostring(ok) .. tostring(e):sub(1, 120)`],
  ['stack overflow by error handler', `local function f() error("x") end local function h(m) return h(m) .. "x" end return tostring(select(2, xpcall(f, h))):sub(1, 200)`],
  ['C stack overflow', `local function f(s) return (s:gsub(".", f)) end return f("x")`],
  ['C stack overflow by coroutines', `local function f() return coroutine.wrap(f)() end return f()`],
  ['C levels in the parser', `return load("return " .. ("("):rep(300) .. "1" .. (")"):rep(300))`],
  ['metamethod recursion', `local t = setmetatable({}, {}) getmetatable(t).__index = function(s, k) return s[k .. "x"] end return t.a`],
  ['index chain loop', `local a, b = {}, {} setmetatable(a, {__index = b}) setmetatable(b, {__index = a}) return a.x`],
  ['deep recursion', `local function f(n) if n == 0 then return 0 end return 1 + f(n - 1) end return f(15000)`],
  ['tail calls', `local function f(n) if n == 0 then return "done" end return f(n - 1) end return f(100000)`],
  ['deep table', `local t = {} local c = t for i = 1, 2000 do c.x = {} c = c.x end Deep = t return "deep"`],
  ['encode deep table', `return #require("json").encode(Deep)`],
  ['forget deep table', `Deep = nil return collectgarbage() and "gone"`],
  ['circular json', `local t = {} t.t = t return require("json").encode(t)`],
  ['too many upvalues or locals', `return tostring(select(2, load((function() local r = {} for i = 1, 201 do r[i] = "local a" .. i .. " = " .. i end return table.concat(r, "\\n") end)())))`],
  ['string too large', `return ("x"):rep(1 << 62)`],
  ['string.rep overflow', `return ("xxxxxxxx"):rep(1 << 61)`],
  ['out of memory', `return #("x"):rep(1 << 36)`],
  ['out of memory caught', `return tostring(select(2, pcall(string.rep, "x", 1 << 36)))`],
  ['table overflow', `return tostring(select(2, pcall(function() local t = {} for i = 1, 40 do t[2 ^ i] = i end return #table.concat({("x"):rep(100)}, "", 1, 1) end)))`],
  ['20k strings', `local t = {} for i = 1, 20000 do t[#t+1] = "item " .. i end return #table.concat(t, ",")`],
  ['300k loop', `local s = 0 for i = 1, 300000 do s = s + i % 7 end return s`, 'heavy'],
  ['float loop', `local s = 0.0 for i = 1, 50000 do s = s + math.sin(i) / i end return string.format("%.17g", s)`],
  ['fib', `local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end return fib(20)`],
  ['sieve', `local n, c = 20000, 0 local s = {} for i = 2, n do if not s[i] then c = c + 1 for j = i * i, n, i do s[j] = true end end end return c`],
  ['string building', `local s = "" for i = 1, 1500 do s = s .. i end return #s`],
  ['json loop', `local j = require("json") local x = {a = {1, 2, 3}, b = "text", c = {d = {e = 1}}} for i = 1, 100 do x = j.decode(j.encode(x)) end return j.encode(x.a)`]
]

const SQL = [
  ['sqlite open', `sqlite = require("lsqlite3") db = sqlite.open_memory() return sqlite.version()`],
  ['sqlite create', `return db:exec[[CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL, v REAL, b BLOB)]]`],
  ['sqlite insert', `local st = db:prepare[[INSERT INTO t (name, v) VALUES (?, ?)]] for i = 1, 100 do st:bind_values("row " .. i, i / 3) st:step() st:reset() end st:finalize() return db:total_changes()`],
  ['sqlite select', `local r = {} for row in db:nrows[[SELECT id, name, v FROM t WHERE id % 17 = 0 ORDER BY name DESC]] do r[#r+1] = row.id .. row.name .. string.format("%.17g", row.v) end return table.concat(r, "|")`],
  ['sqlite aggregate', `for row in db:nrows[[SELECT count(*) c, sum(v) s, avg(v) a, min(name) mi, max(name) ma, group_concat(id) g FROM t WHERE id < 20]] do return row.c .. "|" .. string.format("%.17g", row.s) .. "|" .. string.format("%.17g", row.a) .. row.mi .. row.ma .. row.g end`],
  ['sqlite error', `local rc = db:exec[[SELEKT 1]] return tostring(rc) .. db:errmsg()`],
  ['sqlite constraint', `return tostring(db:exec[[INSERT INTO t (id, name) VALUES (1, 'again')]]) .. db:errmsg()`],
  ['sqlite transaction', `db:exec[[BEGIN; DELETE FROM t; ROLLBACK;]] for row in db:nrows[[SELECT count(*) c FROM t]] do return row.c end`],
  ['sqlite function', `db:create_function("twice", 1, function(ctx, v) ctx:result(v * 2) end) for row in db:nrows[[SELECT twice(21) x]] do return row.x end`],
  ['sqlite dates', `for row in db:nrows[[SELECT date(1700000000, 'unixepoch') d, strftime('%Y-%m-%dT%H:%M:%S %j %w', 1700000000, 'unixepoch') s, julianday('2026-11-20') j]] do return row.d .. "|" .. row.s .. "|" .. string.format("%.10f", row.j) end`],
  ['sqlite text functions', `for row in db:nrows[[SELECT upper('abc') u, substr('hello', 2, 3) s, replace('aXa', 'X', '-') r, hex('ago') h, printf('%05.2f|%d', 3.14159, 42) p, json_extract('{"a":[1,2]}', '$.a[1]') j]] do return row.u .. row.s .. row.r .. row.h .. row.p .. tostring(row.j) end`],
  ['sqlite recursive', `for row in db:nrows[[WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 1000) SELECT sum(x * x) s FROM c]] do return row.s end`],
  ['sqlite index', `db:exec[[CREATE INDEX tn ON t(name)]] local r = {} for row in db:nrows[[EXPLAIN QUERY PLAN SELECT * FROM t WHERE name = 'row 5']] do r[#r+1] = row.detail end return table.concat(r, "|")`],
  ['sqlite 5000 rows', `db:exec("BEGIN") local st = db:prepare[[INSERT INTO t (name, v) VALUES (?, ?)]] for i = 1, 5000 do st:bind_values("bulk " .. (i * 7919 % 5000), i) st:step() st:reset() end st:finalize() db:exec("COMMIT") for row in db:nrows[[SELECT count(DISTINCT name) c, sum(length(name)) l FROM t]] do return row.c .. "|" .. row.l end`],
  ['sqlite file', `local d, code, text = sqlite.open("/nothing/here.db") return tostring(d == nil) .. tostring(code) .. tostring(text)`],
  ['sqlite error inside a message', `db:exec[[DELETE FROM t]] error("rolled back")`],
  ['sqlite state after the error', `for row in db:nrows[[SELECT count(*) c FROM t]] do return row.c end`]
]

// Here the loader gives the module true randomness: the first shows it, both leave it in the memory.
const SQL_RANDOM = [
  ['sqlite random', `for row in db:nrows[[SELECT random() r, hex(randomblob(8)) b]] do return tostring(row.r) .. row.b end`, 'shown'],
  ['sqlite file in root', `local d, code, text = sqlite.open("file.db") if not d then return tostring(code) .. tostring(text) end local rc = d:exec[[CREATE TABLE x (y); INSERT INTO x VALUES (1)]] return tostring(rc) .. tostring(d:errmsg())`, 'hidden']
]

/** The run of an aos module. heavy: include programs too slow for the metered reference. */
export function aosRun (label, format, { sqlite = false, heavy = true, metered = false, llama = false } = {}) {
  const s = stage(label, format)
  const { add, evalLua } = s
  let n = 0
  const every = metered ? 1e9 : llama ? 1e9 : 8
  const mark = () => ({ whole: ++n % every === 0 })
  add('spawn', { id: s.processId, data: '1984', rawTags: s.processTags, whole: true })
  evalLua('first eval', '1+1', { whole: true })
  for (const [i, [name, code, weight]] of PROGRAMS.entries()) {
    if (metered && (weight === 'heavy' || /pattern too complex|tail calls|json loop|20k strings|sieve|float loop|string building|2000 coroutines|encode deep|os.date all at (0|951782400|-86400)/.test(name))) continue
    if (llama && i % 3) continue // its memory of 1.2 GB is copied twice for every message
    evalLua(name, code, mark())
  }

  // messages that are not Evals
  add('plain message', { tags: { Action: 'Nothing' }, data: 'hello' })
  add('message of a stranger', { owner: STRANGER, tags: { Action: 'Nothing' }, data: 'x' })
  add('message of an Ethereum owner', { owner: ETHEREUM, signature: 65, tags: { Action: 'Nothing' }, data: 'x' })
  evalLua('Eval by a stranger', 'return "stolen"', { owner: STRANGER })
  add('pushed message, trusted', { owner: MESSENGER, fromProcess: OTHER, tags: { Action: 'Hello', Reference: '7' }, data: 'from a process' })
  add('pushed message, not trusted', { owner: STRANGER, fromProcess: OTHER, tags: { Action: 'Hello', Reference: '8' }, data: 'x' })
  add('assigned to another target', { target: OTHER, tags: { Action: 'Hello' }, data: 'x' })
  evalLua('allow an assignment', `if not ao.addAssignable then return "none" end ao.addAssignable("hellos", function(m) return m.Action == "Hello" end) return "added"`)
  add('assigned and allowed', { target: OTHER, tags: { Action: 'Hello' }, data: 'x' })
  add('assigned, no target', { target: '', tags: { Action: 'Hello' }, data: 'x' })
  add('cron', { cron: true, tags: { Action: 'Cron' }, data: '' })
  add('read only', { readOnly: true, tags: { Action: 'Nothing' }, data: 'dry' })
  add('data null', { data: null, tags: { Action: 'Nothing' } })
  add('anchor null', { anchor: null, tags: { Action: 'Nothing' } })
  add('no tags', { rawTags: [], data: 'bare' })
  add('duplicate tags', { rawTags: [{ name: 'Action', value: 'One' }, { name: 'Action', value: 'Two' }, { name: 'action', value: 'Three' }, { name: 'x_y', value: '1' }, { name: 'Data', value: 'tag data' }, { name: 'From', value: 'liar' }, { name: '', value: 'empty name' }, { name: 'Empty', value: '' }] })
  add('128 tags', { rawTags: Array.from({ length: 128 }, (_, i) => ({ name: 'Tag-' + i, value: 'value ' + i })) })
  add('unicode data', { data: 'héllo € 日本語 😀 \u0000 \u0001 \ud83d end', tags: { Action: 'Nothing', 'Ünïcode': 'wert €' } })
  add('binary-ish data', { data: Buffer.from(Array.from({ length: 600 }, (_, i) => (i * 37) & 255)).toString('utf8'), tags: { Action: 'Nothing' } })
  add('json data', { data: '{"a":[1,2,3],"b":{"c":"d"}}', tags: { Action: 'Nothing', 'Content-Type': 'application/json' } })
  add('broken json data', { data: '{"a":', tags: { Action: 'Nothing', 'Content-Type': 'application/json' } })
  add('same message again', { id: idOf(`${label} twice`), data: 'twice', tags: { Action: 'Nothing' } })
  add('same message again', { id: idOf(`${label} twice`), data: 'twice', tags: { Action: 'Nothing' } })
  evalLua('inbox', `return #Inbox .. " " .. tostring(Inbox[#Inbox].Data)`)
  evalLua('last inbox tags', `local r = {} for k, v in pairs(Inbox[#Inbox].Tags) do r[#r+1] = tostring(k) .. "=" .. tostring(v) end table.sort(r) return table.concat(r, "|")`)

  // outbox
  evalLua('send', `ao.send({ Target = "${OTHER}", Action = "Note", Data = "text", Number = "5", ["X-Tag"] = "x", Tags = { Extra = "e", More = "m" } }) return "sent"`)
  evalLua('Send', `if not Send then return "none" end Send({ Target = "${OTHER}", Data = "text" }) return "sent"`)
  evalLua('send odd values', `ao.send({ Target = "${OTHER}", Data = 5, Count = 7, Flag = true, Tags = { { name = "A", value = "1" }, { name = "B", value = "2" } } }) return "sent"`)
  evalLua('send table data', `ao.send({ Target = "${OTHER}", Data = { a = 1 } })`)
  evalLua('send without target', `ao.send({ Data = "x" })`)
  evalLua('many sends', `for i = 1, 40 do ao.send({ Target = "${OTHER}", Action = "N" .. i, Data = tostring(i) }) end return ao.reference`)
  evalLua('spawn', `ao.spawn("${idOf('some module')}", { Name = "child", Authority = "${MESSENGER}", Data = "return 1", Tags = { Color = "red" } }) return "spawned"`)
  evalLua('spawn bad', `ao.spawn(nil, {})`)
  evalLua('assign', `ao.assign({ Processes = { ao.id, "${OTHER}" }, Message = "${idOf('assigned message')}", BaseLayer = false, Exclude = { "Data" } }) return "assigned"`)
  evalLua('send then fail', `ao.send({ Target = "${OTHER}", Action = "Lost" }) error("lost")`)
  evalLua('reference after the failure', `return tostring(ao.reference)`)
  evalLua('ao fields', `return ao.id .. " " .. tostring(ao._module) .. " " .. tostring(ao._version) .. " " .. table.concat(ao.authorities, ",") .. " " .. tostring(Owner) .. " " .. tostring(Name)`)

  // handlers, receive
  evalLua('ping handler', `Handlers.add("ping", Handlers.utils.hasMatchingTag("Action", "Ping"), function(m) if m.reply then m.reply({ Action = "Pong", Data = m.Data }) else ao.send({ Target = m.From, Action = "Pong", Data = m.Data }) end end) return #Handlers.list`)
  for (let i = 0; i < 4; i++) add('ping ' + i, { owner: MESSENGER, fromProcess: OTHER, tags: { Action: 'Ping', Reference: String(20 + i) }, data: 'payload ' + i })
  evalLua('failing handler', `Handlers.add("fail", function(m) return m.Action == "Fail" end, function(m) Failures = (Failures or 0) + 1 ao.send({Target = m.From, Data = "x"}) error("handler failed " .. Failures) end) return "ok"`)
  add('message that fails', { tags: { Action: 'Fail' } })
  add('message that fails again', { tags: { Action: 'Fail' } })
  evalLua('failures', `return tostring(Failures)`)
  evalLua('printing handler', `Handlers.add("say", function(m) return m.Action == "Say" end, function(m) print("said " .. tostring(m.Data)) print({m.From}) end) return "ok"`)
  add('message that prints', { tags: { Action: 'Say' }, data: 'something' })
  evalLua('receiver', `Handlers.add("ask", function(m) return m.Action == "Ask" end, function(m) local r = ao.send({ Target = "${OTHER}", Action = "Question" }) if not r.receive then print("no receive") return end local a = r.receive() ao.send({ Target = m.From, Action = "Answer", Data = tostring(a.Data) }) end) return "ok"`)
  add('ask', { tags: { Action: 'Ask' }, data: 'q' })
  evalLua('reference of the question', `return tostring(ao.reference) .. " " .. #Handlers.list`)
  for (const ref of [44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55]) add('answer to reference ' + ref, { owner: MESSENGER, fromProcess: OTHER, tags: { Action: 'Reply', 'X-Reference': String(ref) }, data: 'answer ' + ref })
  evalLua('Receive in an Eval', `if not Receive then return "none" end local m = Receive({ Action = "Wake" }) Woken = m.Data return "woken by " .. m.Data`)
  add('wake', { tags: { Action: 'Wake' }, data: 'morning' })
  evalLua('woken', `return tostring(Woken)`)
  evalLua('remove handlers', `for _, k in ipairs{"ping", "fail", "say", "ask"} do Handlers.remove(k) end return #Handlers.list`)

  // token
  evalLua('token', TOKEN, { whole: true })
  const transfers = metered || llama ? 5 : 24
  for (let i = 0; i < transfers; i++) add('transfer ' + i, { tags: { Action: 'Transfer', Recipient: idOf('holder ' + (i % 10)), Quantity: String(1000 + i * 7919) }, data: '', whole: i % 12 === 11 })
  add('transfer too much', { owner: STRANGER, tags: { Action: 'Transfer', Recipient: OWNER, Quantity: '1' } })
  add('transfer negative', { tags: { Action: 'Transfer', Recipient: OWNER, Quantity: '-5' } })
  add('transfer without recipient', { tags: { Action: 'Transfer', Quantity: '5' } })
  add('transfer of a process', { owner: MESSENGER, fromProcess: OTHER, tags: { Action: 'Transfer', Recipient: OWNER, Quantity: '1', Reference: '31' } })
  add('balance', { tags: { Action: 'Balance', Target: idOf('holder 3') } })
  add('balances', { tags: { Action: 'Balances' } })
  add('credit notice', { owner: MESSENGER, fromProcess: OTHER, tags: { Action: 'Credit-Notice', Quantity: '77', Sender: STRANGER, Reference: '32' } })

  if (sqlite) for (const [name, code] of SQL) evalLua(name, code, mark())
  if (llama) {
    evalLua('llama require', `return tostring(pcall(require, "llama"))`)
    evalLua('llama load nothing', `local ok, l = pcall(require, "llama") if not ok then return tostring(l) end return tostring(select(2, pcall(l.load, "/data/nothing")))`)
  }

  // large things last: they grow the memory for good
  if (metered) {
    evalLua('endless loop', `while true do end`)
    evalLua('endless loop in pcall', `while true do pcall(function() while true do end end) end`)
    evalLua('after the loops', `return tostring(Survived)`)
  } else {
    add('1 MB of data', { data: 'abcdefghij'.repeat(104858), tags: { Action: 'Nothing' }, whole: true })
    evalLua('length of it', `return #Inbox[#Inbox].Data`)
    evalLua('1 MB of output', `return ("0123456789abcdef"):rep(65536)`)
    evalLua('1 MB sent', `ao.send({ Target = "${OTHER}", Data = ("0123456789abcdef"):rep(65536) }) return "sent"`)
    evalLua('1 GB, then fail', `local s = ("x"):rep(1 << 30) error(#s)`)
    evalLua('after 1 GB', `Count = (Count or 0) + 1 return Count`, { whole: true })
    if (!llama) {
      evalLua('48 MB kept', `Big = {} for i = 1, 48 do Big[i] = (string.char(64 + i)):rep(1024 * 1024) end return #Big`, { whole: true })
      evalLua('48 MB kept, next', `Count = (Count or 0) + 1 return Count .. #Big[48]`)
      evalLua('grow, then fail', `local t = {} for i = 1, 64 do t[i] = (string.char(60 + i)):rep(1024 * 1024) end error("grown " .. #t)`)
      evalLua('after the growth', `Count = (Count or 0) + 1 return Count .. #Big[1]`, { whole: true })
      evalLua('48 MB dropped', `Big = nil collectgarbage() return Count`, { whole: true })
    }
  }
  evalLua('last', `Count = (Count or 0) + 1 return Count`, { whole: true })
  if (sqlite) for (const [name, code, random] of SQL_RANDOM) evalLua(name, code, { random })
  return s
}

/** The run of a module that is not aos: any message will do, it only has to be the same for every engine. */
export function plainRun (label, format, { datas = [] } = {}) {
  const s = stage(label, format)
  s.add('spawn', { id: s.processId, data: '1984', rawTags: s.processTags, whole: true })
  const list = ['ping', 'hello', '', '1+1', 'héllo €', '{"a":1}', ...datas]
  for (let i = 0; s.steps.length < 110; i++) {
    const d = list[i % list.length]
    const k = i % 11
    s.add(`${k}: ${d.slice(0, 24)}`, {
      data: k === 7 ? null : d + (k === 3 ? ' '.repeat(i * 40) : ''),
      tags: { Action: ['Ping', 'Eval', 'Nothing'][i % 3], N: i },
      owner: k === 4 ? STRANGER : k === 5 ? MESSENGER : OWNER,
      fromProcess: k === 5 ? OTHER : undefined,
      cron: k === 9,
      target: k === 8 ? OTHER : undefined,
      whole: i % 6 === 5
    })
  }
  s.add('1 MB of data', { data: 'abcdefghij'.repeat(104858), tags: { Action: 'Nothing' }, whole: true })
  s.add('last', { data: 'ping', tags: { Action: 'Ping' }, whole: true })
  return s
}

const PROBE = [
  'count', 'count', 'argv', 'getenv', 'echo hello', 'echo héllo € 日本語 😀', 'echo ' + 'x'.repeat(20000), 'unknown command', '', 'now', 'now', 'monotonic',
  'count-then-fail', 'now', 'count', 'count-then-error', 'count', 'count-then-trap', 'count',
  'setjmp 0', 'setjmp 1', 'setjmp 50', 'setjmp-loop 1', 'setjmp-loop 500', 'longjmp-zero', 'nested-inner', 'nested-outer', 'stale-longjmp', 'setjmp 3',
  'dates 0', 'dates 1700000007', 'dates 951782400', 'dates 4102444799', 'dates -86400', 'dates 1e11', 'gmtime 0', 'gmtime 1700000007', 'gmtime -1', 'gmtime 4102444800', 'localtime 0',
  'localtime 1700000007', 'localtime -86400', 'mktime 1', 'mktime 20', 'mktime 31', 'mktime 400', 'mktime -5', 'tzset', 'tzset',
  'printf 1 x', 'printf 2 y', 'fopen', 'math 0', 'math 0.5', 'math 2.5', 'math 1e6', 'math 1e22', 'math -3.75', 'nan', 'rand', 'rand', 'int64', 'work 0', 'work 1000', 'work 1000000',
  'copy 10', 'copy 511', 'copy 512', 'copy 513', 'copy 100000', 'size', 'grow 1000', 'size', 'grow 100000', 'size', 'grow 10000000', 'size', 'count', 'grow-and-free 3000000', 'size',
  'grow-and-free 30000000', 'size', 'grow-then-fail 40000000', 'size', 'count', 'grow 60000000', 'size', 'count', 'drop', 'size', 'grow 3000000000', 'size', 'count',
  'recurse 1', 'recurse 1000', 'recurse 1000000', 'count', 'unreachable', 'count', 'abort', 'count', 'assert', 'exit 0', 'count', 'exit 3', 'count', 'divide', 'overflow', 'truncate', 'out-of-bounds',
  'bad-call', 'wrong-type', 'count', 'null-write', 'count', 'binary', 'not-json', 'count', 'buffer', 'count', 'long 0', 'long 1000', 'long 65536', 'count'
]

/** The run of the probe module: Data is the command. */
export function probeRun (label, format) {
  const s = stage(label, format)
  s.add('spawn', { id: s.processId, data: '1984', rawTags: s.processTags, whole: true })
  PROBE.forEach((c, i) => s.add(c.slice(0, 40), { data: c, whole: i % 5 === 0 }))
  return s
}
