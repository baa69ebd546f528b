// wao's own client classes, against this network instead of the emulation they come with.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { network, skip } from './network.mjs'
import { newJwk } from './people.mjs'
import { session } from './session.mjs'

let net, ao, me
before(async () => {
  if (skip) return
  net = await network()
  me = await session(net)
  const { AO } = await import('wao')
  const gateway = new URL(net.gateway)
  const jwk = newJwk()
  ao = await new AO({
    wao: false, scheduler: net.scheduler, authority: net.authority, module: await me.moduleId(),
    aoconnect: { MU_URL: net.mu, SU_URL: net.su, CU_URL: net.cu, GATEWAY_URL: net.gateway },
    ar: { host: gateway.hostname, port: Number(gateway.port), protocol: 'http' }
  }).init(jwk)
})
after(() => net?.close())

const COUNTER = `
Count = Count or 0
Handlers.add("Add", "Add", function (msg) Count = Count + tonumber(msg.Plus) msg.reply({ Data = tostring(Count) }) end)
Handlers.add("Get", "Get", function (msg) msg.reply({ Data = tostring(Count) }) end)`

test('deploy, message and dry run of a counter', { skip }, async () => {
  const { err, p } = await ao.deploy({ src_data: COUNTER })
  assert.equal(err, null)
  assert.equal(await p.m('Add', { Plus: '3' }), '3')
  assert.equal(await p.m('Add', { Plus: '4' }), '7')
  assert.equal(await p.d('Get'), '7')
})

test('deploy with the source in the Process item', { skip }, async () => {
  const { err, p } = await ao.deploy({ boot: true, src_data: COUNTER })
  assert.equal(err, null)
  assert.equal(await p.m('Add', { Plus: '5' }), '5')
})

test('two processes, and waiting for the answer of the second', { skip }, async () => {
  const b = await ao.deploy({ src_data: 'Handlers.add("Hello", "Hello", function (msg) msg.reply({ Data = "hello from b" }) end)' })
  const a = await ao.deploy({ src_data: `Handlers.add("Start", "Start", function (msg) local r = ao.send({ Target = "${b.pid}", Action = "Hello" }).receive() msg.reply({ Data = r.Data }) end)` })
  assert.equal(a.err ?? b.err, null)
  for (const mode of ['aoconnect', 'gql']) {
    const { err } = await ao.msg({ pid: a.pid, act: 'Start', check: ['hello from b'], mode })
    assert.equal(err, null, mode)
  }
  const never = await ao.msg({ pid: a.pid, act: 'Start', check: ['hello from nobody'], timeout: 2000 })
  assert.ok(never.err)
})

test('publish data with its gateway class', { skip }, async () => {
  await ao.ar.mine?.()
  const { err, id } = await ao.ar.post({ data: 'data of wao', tags: { 'Content-Type': 'text/plain' } })
  assert.equal(err, null)
  assert.equal(await ao.ar.data(id, true), 'data of wao')
})
