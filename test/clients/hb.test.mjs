// wao's HB class and hbsig against the node's AO-Core face.
import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { holds, hyperbeam, newJwk } from './hyperbeam.mjs'
import { at, imported, modulesDir, network, skip } from './network.mjs'

let net, hb, operator, dir, own
before(async () => {
  if (skip) return
  const options = []
  if (!process.env.AGO_NETWORK) { // with a wallet of its own the tests can be the operator too
    dir = mkdtempSync(join(tmpdir(), 'ago-wallet-'))
    own = newJwk()
    writeFileSync(join(dir, 'wallet.json'), JSON.stringify(own), { mode: 0o600 })
    options.push('--wallet', join(dir, 'wallet.json'))
  }
  net = await network(options)
  hb = await hyperbeam(net)
  operator = own && await hyperbeam(net, own)
})
after(async () => {
  await net?.close()
  if (dir) rmSync(dir, { recursive: true, force: true })
})

test('the operator is known by address', { skip }, async () => {
  assert.equal(hb.operator, net.scheduler)
  if (own) assert.equal(operator.addr, hb.operator)
})

test('spawn, schedule, and the state after every slot by path', { skip }, async () => {
  const { pid, res } = await hb.spawn()
  assert.match(pid, /^[\w-]{43}$/)
  assert.equal(res.out.slot, 0)
  for (let i = 1; i <= 20; i++) assert.equal((await hb.schedule({ pid, data: `message ${i}`, tags: { Action: 'Any', count: i, list: [i, 'two'] } })).slot, i)
  assert.equal((await hb.now({ pid }))['at-slot'], 20)
  for (const slot of [7, 20, 0, 1, 13]) {
    const state = await hb.compute({ pid, slot })
    assert.equal(state['at-slot'], slot)
    assert.deepEqual(state['already-seen'], Array.from({ length: slot + 1 }, (_, i) => slot - i))
    assert.equal((await hb.compute({ pid, slot, path: 'results' }))['assignment-slot'], slot)
  }
  const { current } = await hb.slot({ pid })
  assert.equal(current, 20)
  assert.equal(await hb.g(`/${pid}/slot/current`), '20')
  assert.equal(await hb.g(`/${pid}/compute/at-slot`, { slot: 4 }), '4')
})

test('messages are listed in pages, and each is read by its id', { skip }, async () => {
  const { pid } = await hb.spawn()
  for (let i = 1; i <= 6; i++) await hb.schedule({ pid, data: `message ${i}`, tags: { Action: `A${i}` } })
  const all = await hb.messages({ pid })
  assert.deepEqual(all.edges.map((e) => e.cursor), [0, 1, 2, 3, 4, 5, 6])
  assert.equal(all.edges[0].node.message.Id, pid)
  const some = await hb.messages({ pid, from: 2, to: 4 })
  assert.deepEqual(some.edges.map((e) => e.node.message.Data), ['message 2', 'message 3', 'message 4'])
  for (const { node: { message, assignment } } of some.edges) {
    assert.equal(message.Owner, hb.addr)
    assert.equal(message.Target, pid)
    assert.equal(assignment.Owner, net.scheduler)
    const action = message.Tags.find((t) => t.name === 'Action').value
    assert.equal(await hb.g(`/${message.Id}/action`), action)
    assert.equal(await hb.g(`/${message.Id}/data`), message.Data)
    assert.ok([true, 'true'].includes(await hb.g(`/${message.Id}/verify`)), 'what is kept verifies')
    assert.equal(await (await fetch(`${net.node}/${message.Id}/committers/1`)).text(), hb.addr)
  }
})

test('a whole request as the message', { skip }, async () => {
  const { pid } = await hb.spawn()
  const { slot } = await hb.scheduleFlat({ pid, data: 'flat', tags: { Action: 'Any' } })
  assert.equal(slot, 1)
  const { edges } = await hb.messages({ pid, from: slot })
  assert.equal(await hb.g(`/${edges[0].node.message.Id}/body/data`), 'flat')
})

test('messages signed by hbsig verify, and changed ones are refused everywhere', { skip }, async () => {
  const { pid } = await hb.spawn()
  const signed = await hb.sign({ path: `/${pid}/schedule`, body: await hb.commit({ type: 'Message', target: pid, action: 'Pay', quantity: '1' }, { path: false }) })
  assert.ok(holds(signed.headers))
  const body = await new Blob([signed.body]).text()
  const post = (headers, body) => fetch(signed.url, { method: 'POST', headers, body })
  const refused = async (headers, body) => {
    const r = await post(headers, body)
    assert.ok([400, 401].includes(r.status), `${r.status} ${await r.text()}`)
  }
  await refused(signed.headers, body.replace('quantity: 1', 'quantity: 9'))
  await refused({ ...signed.headers, signature: signed.headers.signature.replace(/=:(.)/, (_, c) => '=:' + (c === 'A' ? 'B' : 'A')) }, body)
  const unsigned = { ...signed.headers }
  delete unsigned.signature
  delete unsigned['signature-input']
  assert.equal((await post({ 'content-type': 'application/json' }, JSON.stringify({ type: 'Message', target: pid, action: 'Pay' }))).status, 400)
  assert.equal((await hb.slot({ pid })).current, 0, 'nothing of it has a slot')
  assert.equal((await hb.send(signed)).out.slot, 1, 'as it was signed it has')
})

test('commit, and verify at the node', { skip }, async () => {
  for (const message of [{ a: 'b' }, { n: 1, t: true, l: [1, 'x', true] }, { data: 'the data', empty: '', list: [] }]) {
    const committed = await hb.commit(message, { path: false })
    const { pid } = await hb.spawn()
    const signed = await hb.sign({ path: `/${pid}/schedule`, body: committed })
    const { out } = await hb.send(signed)
    assert.equal(out.slot, 1, JSON.stringify(message))
  }
})

test('a legacy module: every result as the compute unit gives it', { skip: skip || !!process.env.AGO_NETWORK }, async () => {
  const { pid } = await hb.spawnLegacy({ module: imported.aos2_0_6.id })
  assert.equal((await hb.messageLegacy({ pid, data: 'X = 41 return X' })).res.Output.data, '41')
  const { slot, res } = await hb.messageLegacy({ pid, data: 'X = X + 1 Send({ Target = ao.id, Action = "Note", Data = "to myself" }) return X' })
  assert.equal(res.Output.data, '42')
  assert.equal(res.Messages.length, 1)
  assert.equal((await hb.computeLegacy({ pid, slot: 1 })).Output.data, '41')
  const dry = await hb.dryrun({ pid, action: 'Eval', data: 'return X' })
  assert.equal(dry.Output.data, '42')
  const { edges } = await hb.results({ process: pid, limit: 2 })
  assert.equal(edges.length, 2)
  const outbox = await hb.compute({ pid, slot, path: 'results/outbox/1' })
  assert.equal(outbox.data, 'to myself')
})

test('lua: hyper-aos evaluates, and what it sends arrives and is answered', { skip }, async () => {
  const module = await hb.getLua()
  const spawn = async (authority) => (await hb.spawn({ 'data-protocol': 'ao', variant: 'ao.N.1', module, authority, 'execution-device': 'lua@5.3a', 'push-device': 'push@1.0' })).pid
  const results = async (pid, data) => hb.computeLua({ pid, slot: (await hb.scheduleLua({ pid, data })).slot })
  const value = async (pid, data) => (await results(pid, data)).output.data
  const asks = (await hb.spawnLua()).pid
  assert.equal(await value(asks, 'Count = 5 return Count'), '5')
  assert.equal(await value(asks, 'Count = Count + 1 return Count'), '6')
  const answers = await spawn(asks) // hyper-aos takes messages of processes that its authority names
  await value(answers, 'Handlers.add("ping", "Ping", function (m) Pinged = m.body.data .. " from " .. m.body["from-process"] m.reply({ action = "Pong", data = "pong" }) end) return 1')
  const { out } = await hb.post({ path: `/${asks}~process@1.0/push`, 'result-depth': 3, body: await hb.commit({ type: 'Message', target: asks, action: 'Eval', data: `Send({ target = "${answers}", action = "Ping", data = "there" }) return 2` }, { path: false }) })
  assert.equal(out.process, asks)
  assert.equal(out['1'].target, answers, 'the push tells where the message went')
  assert.equal(out['1']['resulted-in']['1'].target, asks, 'and where its answer')
  assert.equal(await value(answers, 'return Pinged'), `there from ${asks}`)
  const pong = (await hb.messages({ pid: asks })).edges.map((e) => e.node.message).find((m) => m.Tags.some((t) => t.name === 'Action' && t.value === 'Pong'))
  assert.equal(pong.From, answers)
  assert.equal(pong.Owner, net.scheduler)
})

test('lua: a module of one\'s own, state by path, dry runs of its functions', { skip }, async () => {
  const module = await hb.cacheScript(`
    function compute(base, req, opts)
      base.count = (base.count or 0) + 1
      base.last = req.body.word
      base.cache = { words = (base.cache and base.cache.words or "") .. (req.body.word or "-") }
      base.results = { outbox = {}, said = "slot " .. req.slot }
      return base
    end
    function greet(base, req) return "hello " .. (req.name or "you") .. ", " .. base.count end`)
  const { pid } = await hb.spawn({ module, 'execution-device': 'lua@5.3a' })
  for (const word of ['a', 'b', 'c']) await hb.schedule({ pid, tags: { word } })
  assert.equal(await hb.g(`/${pid}/now/count`), '4')
  assert.equal(await hb.g(`/${pid}/now/cache/words`), '-abc')
  assert.equal(await hb.g(`/${pid}/compute=2/cache/words`), '-ab')
  assert.equal(await hb.g(`/${pid}/compute&slot=1/results/said`), 'slot 1')
  assert.equal(await hb.g(`/${pid}~process@1.0/as=execution/greet`, { name: 'Ada' }), 'hello Ada, 4')
  assert.equal(await hb.g(`/${pid}/now/count`), '4')
})

test('wasm: the aos stack of devices', { skip: skip || !!process.env.AGO_NETWORK }, async () => {
  const image = await hb.cacheBinary(readFileSync(join(modulesDir, 'aos2_0_6.wasm')), 'application/wasm')
  assert.match(image, /^[\w-]{43}$/)
  const { pid } = await hb.spawnAOS(image)
  const { outbox } = await hb.messageAOS({ pid, data: 'X = 5 Send({ Target = ao.id, Data = "hi " .. X })' })
  assert.equal(outbox['1'].data ?? outbox['1'].Data, 'hi 5')
  const { slot } = await hb.scheduleAOS({ pid, data: 'return X + 1' })
  const results = await hb.compute({ pid, slot, path: 'results' })
  assert.equal(results.output.data, '6')
})

test('relay: GET and POST through the node', { skip }, async () => {
  const r = await hb.post({ path: '/~relay@1.0/call', method: 'GET', 'relay-path': at(net.gateway, '/info') })
  assert.equal(JSON.parse(r.body).network, JSON.parse(await (await fetch(at(net.gateway, '/info'))).text()).network)
})

test('cron: a timed request, and its end', { skip }, async () => {
  const { pid } = await hb.spawn()
  const task = await (await fetch(`${net.node}/~cron@1.0/every?interval=200-milliseconds&cron-path=/~message@1.0/set`)).text()
  assert.match(task, /^[\w-]{43}$/)
  const stopped = await fetch(`${net.node}/~cron@1.0/stop?task=${task}`)
  assert.equal(stopped.status, 200)
  assert.equal((await fetch(`${net.node}/~cron@1.0/stop?task=${task}`)).status, 400)
  assert.ok(pid)
})

test('patches that a process sends are its state, read by path', { skip }, async () => {
  const module = await hb.cacheScript(`
    function compute(base, req, opts)
      local word = req.body.word
      if word then
        base.results = { outbox = {
          ["1"] = { device = "patch@1.0", cache = { last = word, ["said-" .. word] = "at " .. req.slot } },
          ["2"] = { target = "nobody", data = word }
        } }
      end
      return base
    end`)
  const { pid } = await hb.spawn({
    module, 'execution-device': 'stack@1.0', 'device-stack': ['lua@5.3a', 'patch@1.0'], 'patch-from': '/results/outbox', 'patch-to': '/' })
  for (const word of ['one', 'two']) await hb.schedule({ pid, tags: { word } })
  assert.equal(await hb.g(`/${pid}/now/cache/last`), 'two')
  assert.equal(await hb.g(`/${pid}/now/cache/said-one`), 'at 1', 'what was there stays')
  assert.equal(await hb.g(`/${pid}/compute=1/cache/last`), 'one')
  assert.equal(await hb.g(`/${pid}/compute&slot=2/results/outbox/2/data`), 'two', 'what is no patch is sent')
  assert.equal((await fetch(`${net.node}/${pid}/compute&slot=2/results/outbox/1`)).status, 404, 'a patch is not')
})

test('cron: a signed message that a task brings to a process changes its state', { skip }, async () => {
  const until = async (path, want) => {
    let got
    for (const end = Date.now() + 20000; Date.now() < end && got !== want;) got = await hb.g(path)
    assert.equal(got, want, path)
  }
  const module = await hb.cacheScript(`
    function compute(base, req, opts)
      base.ticks = (base.ticks or 0) + (req.body.action == "Tick" and 1 or 0)
      return base
    end`)
  const { pid } = await hb.spawn({ module, 'execution-device': 'lua@5.3a' })
  const tick = (number) => hb.commit({ type: 'Message', target: pid, action: 'Tick', number }, { path: false })
  const schedule = `/${pid}~process@1.0/schedule`
  await hb.post({ path: '/~cron@1.0/once', 'cron-path': schedule, body: await tick(1) })
  await until(`/${pid}/slot/current`, '1')
  assert.equal(await hb.g(`/${pid}/now/ticks`), '1')
  const { edges } = await hb.messages({ pid, from: 1 })
  assert.deepEqual(edges.map((e) => e.node.message.Owner), [hb.addr], 'it is from who signed it')
})

test('what is written is read, by id and by device', { skip }, async () => {
  const w = await hb.post({ path: '/~cache@1.0/write', body: 'kept for all' })
  const path = w.out.path ?? w.out
  assert.ok(path, 'a path is answered')
  assert.equal(await (await fetch(`${net.node}/~cache@1.0/read?target=${path}`)).text(), 'kept for all')
})

test('the operator sets what the node does, and nobody else', { skip: skip || !!process.env.AGO_NETWORK }, async () => {
  await operator.post({ path: '/~meta@1.0/info', motd: 'welcome' })
  assert.equal(await hb.g('/~meta@1.0/info/motd'), 'welcome')
  await assert.rejects(hb.post({ path: '/~meta@1.0/info', motd: 'mine now' }), /40[013]/)
  assert.equal(await hb.g('/~meta@1.0/info/motd'), 'welcome')
})

test('a process of the node, by its name', { skip: skip || !!process.env.AGO_NETWORK }, async () => {
  await operator.post({ path: '/~meta@1.0/info', node_processes: { counter: { device: 'process@1.0', type: 'Process', 'execution-device': 'test-device@1.0' } } })
  const { slot } = await hb.scheduleNP({ pid: 'counter', data: 'one', tags: { type: 'Message' } })
  assert.equal(slot, 1)
  assert.equal(await hb.g('/counter~node-process@1.0/now/at-slot'), '1')
})
