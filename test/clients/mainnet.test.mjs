// aoconnect in mainnet mode against the node's AO-Core face.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { mainnet } from './hyperbeam.mjs'
import { network, skip } from './network.mjs'
import { session, until } from './session.mjs'
import { sameAsLoader } from './replay.mjs'
import { tagsOf } from './people.mjs'

let net, me, module
before(async () => {
  if (skip) return
  net = await network()
  me = mainnet(net)
  module = await (await session(net)).moduleId()
})
after(() => net?.close())

const spawn = (tags = {}, data) => me.ao.spawn({ module, data, tags: tagsOf({ Name: 'test', ...tags }) })
const say = (process, data, tags = { Action: 'Eval' }, more = {}) => me.ao.message({ process, data, tags: tagsOf(tags), ...more })
const evaluate = async (process, code) => me.ao.result({ process, message: await say(process, code) })

test('these are all functions there are', { skip }, () => {
  assert.deepEqual(Object.keys(me.ao).sort(), ['MODE', 'createDataItemSigner', 'createSigner', 'dryrun', 'getLastSlot', 'getMessageById', 'getMessages', 'message', 'request', 'result', 'results', 'spawn'])
})

test('spawn, message, result of that slot and of later ones', { skip }, async () => {
  const p = await spawn({}, 'Booted = true')
  assert.match(p, /^[\w-]{43}$/)
  const slots = []
  for (let i = 0; i < 4; i++) slots.push(await say(p, `X = (X or 0) + 1 return X`))
  assert.deepEqual(slots, [1, 2, 3, 4], 'a message is known by its slot, a number')
  for (const slot of [3, 1, 4, 2]) assert.equal((await me.ao.result({ process: p, message: String(slot) })).Output.data, String(slot), 'each slot has its own result, whatever came later')
  const { edges } = await me.ao.results({ process: p })
  assert.equal(edges[0].cursor, '4')
  assert.equal(edges[0].node.Output.data, '4')
})

test('a message may be known by its id, and answered whole', { skip }, async () => {
  const p = await spawn()
  const id = await say(p, 'return 1', undefined, { returnMessageId: true })
  assert.match(id, /^[\w-]{43}$/)
  assert.deepEqual(Object.keys(await say(p, 'return 2', undefined, { returnMessageId: true, returnAssignmentSlot: true })).sort(), ['id', 'slot'])
  const edges = JSON.parse(await (await fetch(`${net.node}/~scheduler@1.0/schedule?target=${p}&accept=application/aos-2`)).text()).edges
  assert.ok(edges.some((e) => e.node.message.Id === id), 'the id is that of the schedule')
  const whole = await me.ao.message({ process: p, data: 'return 3', tags: tagsOf({ Action: 'Eval' }), opts: { fullResponse: true } })
  assert.equal(whole.Output.data, '3')
})

test('dry runs change nothing and are from whoever signed them', { skip }, async () => {
  const p = await spawn()
  await evaluate(p, 'N = 7 Handlers.add("Info", "Info", function (m) N = N + 1 m.reply({ Data = N .. " " .. m.From .. " " .. m.Data .. " " .. (m.Color or "none") }) end)')
  for (let i = 0; i < 2; i++) {
    const r = await me.ao.dryrun({ process: p, data: 'body', tags: tagsOf({ Action: 'Info', Color: 'red' }) })
    assert.match(r.Messages[0].Data, /^8 [\w-]{43} body red$/)
  }
  assert.equal((await evaluate(p, 'return N')).Output.data, '7')
  assert.equal((await me.ao.results({ process: p })).edges[0].cursor, '2', 'no dry run has a slot')
})

test('pushed messages are followed: two processes, and a chain of answers', { skip }, async () => {
  const [a, b] = [await spawn(), await spawn()]
  await evaluate(b, 'Handlers.add("ask", "Ask", function (m) m.reply({ Action = "Answer", Data = "answer to " .. m.Data .. " of " .. m.From }) end)')
  await evaluate(a, 'Handlers.add("answer", "Answer", function (m) Got = m.Data end)')
  const slot = await say(a, `Send({ Target = "${b}", Action = "Ask", Data = "one" }) return "sent"`)
  const got = await until('the answer', async () => {
    const r = await evaluate(a, 'return tostring(Got)')
    return r.Output.data !== 'nil' && r.Output.data
  })
  assert.equal(got, `answer to one of ${a}`)
  assert.equal((await me.ao.result({ process: a, message: String(slot) })).Messages.length, 1)
})

test('a definition for the legacy network has one log through both faces', { skip }, async () => {
  const legacy = await session(net)
  const p = await legacy.spawn({ name: 'both' })
  const first = await legacy.send(p, { tags: { Action: 'Eval' }, data: 'return "by the legacy face"' })
  const slot = await say(p, 'return "by AO-Core"', { Action: 'Eval', Type: 'Message' })
  assert.equal(slot, 2)
  const last = await legacy.send(p, { tags: { Action: 'Eval' }, data: 'return "again"' })
  assert.equal((await legacy.result(p, last)).Output.data, 'again')
  for (const [i, text] of [[1, 'by the legacy face'], [3, 'again']]) {
    assert.equal((await me.ao.result({ process: p, message: String(i) })).Output.data, text)
  }
  assert.equal((await legacy.result(p, first)).Output.data, 'by the legacy face')
  assert.match(JSON.stringify(await me.ao.result({ process: p, message: '2' })), /New Message From|Error/, 'who is not the owner is answered the same way')
  const state = await (await fetch(`${net.node}/${p}~process@1.0/compute=3/results/json/body`)).json()
  const cu = await (await fetch(`${net.cu}/result/${last}?process-id=${p}`)).json()
  assert.deepEqual(state.Output, cu.Output, 'the same result in both shapes')
  await sameAsLoader(net, p)
})

test('generic requests, signed and not', { skip }, async () => {
  const ask = (o) => me.ao.request(o)
  assert.equal(await (await ask({ path: '/~message@1.0/hello', method: 'POST', hello: 'world' })).text(), 'world')
  assert.equal(await (await ask({ path: '/~message@1.0&n+integer=3/n', method: 'GET' })).text(), '3')
  assert.equal(await (await ask({ path: '/~meta@1.0/info/address', method: 'GET' })).text(), net.scheduler)
})
