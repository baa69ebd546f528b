// Publishing modules and data, and starting processes from them.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import Arweave from 'arweave'
import { at, imported, modulesDir, network, skip, W32, W64 } from './network.mjs'
import { arweave, newJwk, signed, tagsOf, valueOf } from './people.mjs'
import { graphql, moduleTags, output, session, slots } from './session.mjs'
import { sameAsLoader } from './replay.mjs'

let net, me, jwk
before(async () => {
  if (skip) return
  net = await network()
  jwk = newJwk()
  me = await session(net, arweave(jwk))
})
after(() => net?.close())

test('a module published through the bundler comes back byte for byte, with its tags', { skip }, async () => {
  const id = await me.publish('aos2_0_6')
  const bytes = readFileSync(join(modulesDir, 'aos2_0_6.wasm'))
  const raw = Buffer.from(await (await fetch(at(net.gateway, '/raw/' + id))).arrayBuffer())
  assert.ok(raw.equals(bytes), '/raw is the data')
  const page = await fetch(at(net.gateway, '/' + id))
  assert.equal(page.headers.get('content-type'), 'application/wasm')
  assert.equal(Buffer.from(await page.arrayBuffer()).length, bytes.length)
  const node = (await graphql(net, `query { transactions(ids: ["${id}"]) { edges { node { id owner { address key } tags { name value } data { size type } } } } }`)).transactions.edges[0].node
  assert.deepEqual(node.tags, moduleTags(W64))
  assert.equal(Number(node.data.size), bytes.length)
  assert.equal(node.owner.address, createHash('sha256').update(Buffer.from(jwk.n, 'base64url')).digest('base64url'))
})

test('a bundler receipt names the item', { skip }, async () => {
  const it = await signed(me.key, { data: 'receipt', tags: tagsOf({ 'Content-Type': 'text/plain' }) })
  const res = await fetch(at(net.bundler, '/tx'), { method: 'POST', body: it.raw, headers: { 'content-type': 'application/octet-stream' } })
  assert.equal(res.status, 200)
  const receipt = await res.json()
  assert.equal(receipt.id, it.id)
  assert.equal(typeof receipt.timestamp, 'number')
  assert.equal(await (await fetch(at(net.gateway, '/' + it.id))).text(), 'receipt')
})

test('an item with a flipped byte is refused by the bundler', { skip }, async () => {
  const it = await signed(me.key, { data: 'flip me' })
  it.raw[it.raw.length - 1] ^= 1
  const res = await fetch(at(net.bundler, '/tx'), { method: 'POST', body: it.raw, headers: { 'content-type': 'application/octet-stream' } })
  assert.ok(res.status >= 400, `status ${res.status}`)
})

test('a module published as an arweave transaction with chunks can be spawned', { skip }, async () => {
  const url = new URL(net.gateway)
  const ar = Arweave.init({ host: url.hostname, port: Number(url.port), protocol: 'http' })
  const address = await ar.wallets.jwkToAddress(jwk)
  await fetch(at(net.gateway, `/mint/${address}/1000000000000000`))
  const bytes = readFileSync(join(modulesDir, 'aos2_0_4_32.wasm'))
  const tx = await ar.createTransaction({ data: bytes }, jwk)
  for (const { name, value } of moduleTags(W32)) tx.addTag(name, value)
  await ar.transactions.sign(tx, jwk)
  const uploader = await ar.transactions.getUploader(tx)
  while (!uploader.isComplete) await uploader.uploadChunk()
  await fetch(at(net.gateway, '/mine'))
  const raw = Buffer.from(await (await fetch(at(net.gateway, '/raw/' + tx.id))).arrayBuffer())
  assert.ok(raw.equals(bytes))
  const status = await (await fetch(at(net.gateway, `/tx/${tx.id}/status`))).json()
  assert.ok(status.number_of_confirmations >= 0)
  const pid = await me.spawn({ module: tx.id })
  assert.equal(await me.value(pid, 'return 6 * 7'), '42')
})

test('an arweave transaction small enough to carry its data', { skip }, async () => {
  const url = new URL(net.gateway)
  const ar = Arweave.init({ host: url.hostname, port: Number(url.port), protocol: 'http' })
  const tx = await ar.createTransaction({ data: 'small data' }, jwk)
  tx.addTag('Content-Type', 'text/plain')
  await ar.transactions.sign(tx, jwk)
  const res = await ar.transactions.post(tx)
  assert.equal(res.status, 200)
  await fetch(at(net.gateway, '/mine'))
  assert.equal(await (await fetch(at(net.gateway, '/' + tx.id))).text(), 'small data')
})

for (const name of ['aos', 'aos2_0_1', 'aos2_0_3', 'aos2_0_4_32', 'aos2_0_6', 'sqlite']) {
  test(`spawn ${name}, with and without data, and evaluate`, { skip }, async () => {
    const module = await me.publish(name)
    const plain = await me.spawn({ module, name: 'plain' })
    const boot = await me.result(plain, plain)
    assert.ok(Array.isArray(boot.Messages), 'the boot message has a result')
    assert.match(String(output(await me.evalLua(plain, 'return 40 + 2'))), /42/)
    const withData = await me.spawn({ module, name: 'with data', data: 'X = 1' })
    const first = (await slots(net, withData))[0].node
    assert.equal(first.message.id, withData)
    assert.equal(first.message.data, 'X = 1')
    assert.equal(valueOf(first.assignment.tags, 'Nonce'), '0')
    assert.ok(!(await me.evalLua(withData, 'return Name')).Error)
    assert.equal(await sameAsLoader(net, plain), 2)
    assert.equal(await sameAsLoader(net, withData), 2)
  })
}

test('On-Boot: Data evaluates the data of the Process item', { skip }, async () => {
  const pid = await me.spawn({ tags: { 'On-Boot': 'Data' }, data: 'Booted = "from data"\nHandlers.add("hi", "Hi", function(m) m.reply({Data = Booted}) end)' })
  assert.equal(await me.value(pid, 'return Booted'), 'from data')
  const r = await me.call(pid, { tags: { Action: 'Hi' } })
  assert.equal(r.Messages[0].Data, 'from data')
  await sameAsLoader(net, pid)
})

test('a module that is not aos', { skip }, async () => {
  const pid = await me.spawn({ module: await me.publish('process') })
  const r = await me.call(pid, { data: 'ping' })
  assert.ok(r.Messages.length > 0)
  await sameAsLoader(net, pid)
})

test('a module that does not exist is refused by the client', { skip }, async () => {
  await assert.rejects(me.spawn({ module: 'x'.repeat(43) }))
})

test('something that is no module is refused by the client', { skip }, async () => {
  const it = await signed(me.key, { data: 'no module', tags: tagsOf({ 'Data-Protocol': 'ao', Type: 'Message' }) })
  await fetch(at(net.bundler, '/tx'), { method: 'POST', body: it.raw, headers: { 'content-type': 'application/octet-stream' } })
  await assert.rejects(me.spawn({ module: it.id }))
})

test('modules served from files have their ids and run', { skip }, async (t) => {
  if (!net.started) return t.skip('the network was not started by this test')
  for (const [name, m] of Object.entries(imported)) {
    const node = (await graphql(net, `query { transactions(ids: ["${m.id}"]) { edges { node { tags { name value } } } } }`)).transactions.edges[0].node
    assert.equal(valueOf(node.tags, 'Module-Format'), m.format, name)
  }
  const pid = await me.spawn({ module: imported.aos2_0_6.id })
  assert.equal(await me.value(pid, '1 + 1'), '2')
})
