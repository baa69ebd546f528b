// Evaluating: results, errors and what they leave behind, prints, odd data, lists of results, dry runs.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { at, network, skip } from './network.mjs'
import { ethereum, signerOf } from './people.mjs'
import { output, session, sleep, until } from './session.mjs'
import { sameAsLoader } from './replay.mjs'

let net, me, pid
before(async () => {
  if (skip) return
  net = await network()
  me = await session(net)
  pid = await me.spawn()
})
after(() => net?.close())

test('values, prints and tables', { skip }, async () => {
  assert.equal(await me.value(pid, '1+1'), '2')
  assert.equal(await me.value(pid, 'X = 5 return X * 2'), '10')
  const r = await me.evalLua(pid, 'print("hello") print({a = 1, b = {2, 3}}) return nil')
  assert.match(output(r), /hello/)
  assert.match(r.Output.prompt, /aos-/)
  assert.deepEqual([r.Messages, r.Spawns, r.Assignments], [[], [], []])
})

test('an error is a result and leaves the state as it was', { skip }, async () => {
  await me.evalLua(pid, 'Kept = "before"')
  for (const code of ['Kept = "lost" error("boom")', 'Kept = "lost" local x = nil; return x.y', 'Kept = "lost" return 1 < "2"', 'this is not lua', 'Kept = "lost" return ("x"):rep(1 << 36)']) {
    const r = await me.evalLua(pid, code)
    assert.ok(r.Error, code)
  }
  assert.equal(await me.value(pid, 'return Kept'), 'before')
})

test('an error in a handler: no messages leave, the state is as before', { skip }, async () => {
  await me.evalLua(pid, 'Handlers.add("bad", "Bad", function(m) Kept = "lost" ao.send({Target = m.From, Data = "never"}) error("bad handler") end)')
  const r = await me.call(pid, { tags: { Action: 'Bad' } })
  assert.ok(r.Error)
  assert.ok(!r.Messages?.length)
  assert.equal(await me.value(pid, 'return Kept'), 'before')
})

test('an Eval by somebody else is not evaluated', { skip }, async () => {
  const r = await me.evalLua(pid, 'Kept = "stolen"', { as: signerOf(ethereum()) })
  assert.match(output(r), /New Message From/)
  assert.equal(await me.value(pid, 'return Kept'), 'before')
})

test('unicode, binary and large data', { skip }, async () => {
  await me.evalLua(pid, 'Handlers.add("len", "Len", function(m) m.reply({Action = "Len-Is", Data = tostring(#m.Data) .. " " .. m.Data:sub(1, 40)}) end)')
  const text = 'héllo € 日本語 😀'
  let r = await me.call(pid, { tags: { Action: 'Len', 'Ünïcode': 'wert €' }, data: text })
  assert.equal(r.Messages[0].Data, `${Buffer.from(text).length} ${text.slice(0, 99)}`.slice(0, 99))
  r = await me.call(pid, { tags: { Action: 'Len' }, data: 'abcdefghij'.repeat(104858) })
  assert.match(r.Messages[0].Data, /^1048580 /)
  const bytes = Buffer.from(Array.from({ length: 512 }, (_, i) => i & 255))
  r = await me.call(pid, { tags: { Action: 'Len' }, data: bytes })
  assert.match(r.Messages[0].Data, new RegExp('^' + Buffer.from(bytes.toString('utf8')).length + ' '))
  r = await me.call(pid, { tags: { Action: 'Len' } })
  assert.match(r.Messages[0].Data, /^1 /, 'no data is one space')
  r = await me.evalLua(pid, 'return ("0123456789abcdef"):rep(65536)')
  assert.equal(output(r).length, 1 << 20)
})

test('every result is the loader\'s', { skip }, async () => {
  await me.evalLua(pid, 'local t = {} for i = 1, 200 do t["key" .. i * 7919] = i end local r = {} for k in pairs(t) do r[#r+1] = k end return table.concat(r, " ")')
  await me.evalLua(pid, 'return math.random(1, 1000000) .. " " .. os.time() .. " " .. os.date() .. " " .. tostring(0/0) .. tostring({}) .. os.clock()')
  await me.evalLua(pid, 'local function f(n) return 1 + f(n + 1) end return f(1)')
  await me.evalLua(pid, 'local n = 0 for i = 1, 500 do if not pcall(error, i) then n = n + 1 end end return n .. tostring(coroutine.wrap(function() coroutine.yield(1) end)())')
  await me.evalLua(pid, 'return collectgarbage("count")')
  assert.ok(await sameAsLoader(net, pid) > 20)
})

test('results: pages up and down, limits, cursors', { skip }, async () => {
  const p = await me.spawn()
  for (let i = 1; i <= 6; i++) await me.evalLua(p, `return "value ${i}"`)
  await me.evalLua(p, 'error("left out")')
  const all = await until('seven results', async () => { const r = await me.ao.results({ process: p, limit: 100, sort: 'ASC' }); return r.edges.length >= 7 && r })
  const texts = (c) => c.edges.map((e) => e.node.Output?.data).filter((d) => /^value/.test(d))
  assert.deepEqual(texts(all), [1, 2, 3, 4, 5, 6].map((i) => 'value ' + i))
  assert.equal(all.edges.length, 7, 'the boot message and six values; errors are left out')
  const down = await me.ao.results({ process: p, limit: 100, sort: 'DESC' })
  assert.deepEqual(texts(down), [6, 5, 4, 3, 2, 1].map((i) => 'value ' + i))
  const newest = await me.ao.results({ process: p, limit: 1, sort: 'DESC' })
  assert.deepEqual(texts(newest), ['value 6'])
  const cursor = JSON.parse(atob(newest.edges[0].cursor))
  assert.equal(typeof cursor.ordinate, 'string')
  assert.equal(cursor.ordinate, '6')
  assert.equal(cursor.sort, 'DESC')
  const seen = []
  let from
  for (let i = 0; i < 20; i++) {
    const page = await me.ao.results({ process: p, limit: 2, sort: 'ASC', ...(from ? { from } : {}) })
    if (!page.edges.length) break
    seen.push(...page.edges)
    from = page.edges.at(-1).cursor
  }
  assert.deepEqual(texts({ edges: seen }), texts(all), 'each once')
  const to = await me.ao.results({ process: p, sort: 'ASC', to: all.edges[2].cursor })
  assert.equal(to.edges.length, 3)
  const between = await me.ao.results({ process: p, sort: 'ASC', from: all.edges[1].cursor, to: all.edges[4].cursor })
  assert.deepEqual(between.edges.map((e) => e.cursor), all.edges.slice(2, 5).map((e) => e.cursor))
  const raw = await (await fetch(at(net.cu, `/results/${p}?limit=3`))).json()
  assert.deepEqual(raw.pageInfo, { hasNextPage: true })
  assert.equal((await (await fetch(at(net.cu, `/results/${p}?limit=7`))).json()).pageInfo.hasNextPage, false)
})

test('the live feed of a prompt shows each printed message once', { skip }, async () => {
  const p = await me.spawn()
  await me.evalLua(p, 'Handlers.add("say", "Say", function(m) print("said " .. m.Data) end)')
  // The calls a prompt makes: the newest five downwards, from then on what is newer than the last edge it was given.
  let cursor = null
  const shown = []
  const seen = new Set()
  const look = async () => {
    const q = cursor ? { process: p, from: cursor, limit: 1000 } : { process: p, sort: 'DESC', limit: 5 }
    const { edges } = await me.ao.results(q)
    if (edges.length) cursor = edges.at(-1).cursor
    for (const e of edges.filter((e) => e.node.Output?.print === true && !seen.has(e.cursor)).sort((a, b) => Number(JSON.parse(atob(a.cursor)).ordinate) - Number(JSON.parse(atob(b.cursor)).ordinate))) {
      seen.add(e.cursor)
      shown.push(e.node.Output.data)
    }
  }
  await look()
  for (let i = 1; i <= 12; i++) {
    await me.call(p, { tags: { Action: 'Say' }, data: 'word ' + i })
    if (i % 3 === 0) await look()
  }
  await until('all words', async () => { await look(); return shown.filter((t) => /said word/.test(t)).length >= 12 })
  assert.deepEqual(shown.filter((t) => /said word/.test(t)), Array.from({ length: 12 }, (_, i) => 'said word ' + (i + 1)))
})

test('a dry run reads the state and does not change it', { skip }, async () => {
  const p = await me.spawn()
  await me.evalLua(p, 'Count = 0 Handlers.add("bump", "Bump", function(m) Count = Count + 1 m.reply({Data = tostring(Count) .. m.Data, From_Was = m.From}) end)')
  for (let i = 0; i < 8; i++) {
    const r = await me.ao.dryrun({ process: p, data: ' dry ' + i, tags: [{ name: 'Action', value: 'Bump' }], Owner: 'somebody' })
    assert.equal(r.Messages[0].Data, '1 dry ' + i)
  }
  assert.equal(await me.value(p, 'return Count'), '0')
  await me.call(p, { tags: { Action: 'Bump' }, data: '!' })
  const r = await me.ao.dryrun({ process: p, tags: [{ name: 'Action', value: 'Bump' }] })
  assert.match(r.Messages[0].Data, /^2/)
  const failing = await me.ao.dryrun({ process: p, data: 'error("x")', tags: [{ name: 'Action', value: 'Eval' }] })
  assert.ok(failing)
  assert.equal(await me.value(p, 'return Count'), '1')
})

test('the same dry run on two processes gives two answers', { skip }, async () => {
  const a = await me.spawn({ name: 'a' })
  const b = await me.spawn({ name: 'b' })
  for (const [p, v] of [[a, 'A'], [b, 'B']]) await me.evalLua(p, `Handlers.add("who", "Who", function(m) m.reply({Data = "${v}"}) end)`)
  const ask = async (p) => (await me.ao.dryrun({ process: p, tags: [{ name: 'Action', value: 'Who' }] })).Messages[0].Data
  assert.deepEqual([await ask(a), await ask(b), await ask(a)], ['A', 'B', 'A'])
})

test('a result asked for before the message was sent, and one that never comes', { skip }, async () => {
  const never = await Promise.race([fetch(at(net.cu, `/result/${'y'.repeat(42) + 'A'}?process-id=${pid}`)), sleep(40000)])
  assert.ok(never, 'it answers')
  assert.ok(never.status >= 400, `status ${never.status}`)
  const body = await never.json()
  assert.equal(typeof body.error, 'string')
})

test('many messages at once each get their own answer', { skip }, async () => {
  const p = await me.spawn()
  await me.evalLua(p, 'Handlers.add("echo", "Echo", function(m) Seen = (Seen or 0) + 1 m.reply({Data = m.Data}) end)')
  const answers = await Promise.all(Array.from({ length: 25 }, async (_, i) => (await me.call(p, { tags: { Action: 'Echo' }, data: 'n' + i })).Messages[0].Data))
  assert.deepEqual(answers, Array.from({ length: 25 }, (_, i) => 'n' + i))
  assert.equal(await me.value(p, 'return Seen'), '25')
  await sameAsLoader(net, p)
})
