// What the scheduler and the messenger say, as clients and compute units read them.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { at, network, skip } from './network.mjs'
import { signed, tagsOf, valueOf } from './people.mjs'
import { output, session, slots } from './session.mjs'
import { checkChain } from './replay.mjs'

let net, me, pid
before(async () => {
  if (skip) return
  net = await network()
  me = await session(net)
  pid = await me.spawn()
})
after(() => net?.close())

const ao = { 'Data-Protocol': 'ao', Variant: 'ao.TN.1', Type: 'Message' }
const post = (raw, base = net.mu) => fetch(at(base, '/'), { method: 'POST', body: raw, headers: { 'content-type': 'application/octet-stream', accept: 'application/json' } })
const get = async (path) => { const r = await fetch(at(net.su, path)); return { status: r.status, body: await r.json().catch(() => null) } }

test('the process and its slots', { skip }, async () => {
  const { body: p } = await get('/processes/' + pid)
  assert.equal(p.process_id, pid)
  assert.match(p.block, /^\d{12}$/)
  assert.equal(typeof p.timestamp, 'number')
  assert.equal(valueOf(p.tags, 'Scheduler'), net.scheduler)
  for (let i = 0; i < 6; i++) await me.evalLua(pid, 'return ' + i)
  const edges = await slots(net, pid)
  assert.equal(edges.length, 7)
  checkChain(pid, edges)
  let last = 0
  for (const { node: { assignment, message }, cursor } of edges) {
    assert.equal(valueOf(assignment.tags, 'Process'), pid)
    assert.equal(valueOf(assignment.tags, 'Epoch'), '0')
    assert.equal(valueOf(assignment.tags, 'Type'), 'Assignment')
    assert.equal(valueOf(assignment.tags, 'Data-Protocol'), 'ao')
    assert.match(valueOf(assignment.tags, 'Block-Height'), /^\d{12}$/)
    assert.equal(valueOf(assignment.tags, 'Message'), message.id === pid ? undefined : message.id)
    assert.equal(assignment.owner.address, net.scheduler)
    assert.equal(createHash('sha256').update(Buffer.from(assignment.owner.key, 'base64url')).digest('base64url'), assignment.owner.address)
    const t = Number(valueOf(assignment.tags, 'Timestamp'))
    assert.ok(t > last, 'timestamps grow')
    last = t
    assert.equal(cursor, String(t))
  }
  const paged = await slots(net, pid, '&limit=1')
  assert.deepEqual(paged.map((e) => e.node.assignment.id), edges.map((e) => e.node.assignment.id))
})

test('ranges by time and by nonce', { skip }, async () => {
  const edges = await slots(net, pid)
  const time = (i) => valueOf(edges[i].node.assignment.tags, 'Timestamp')
  const nonces = (b) => b.edges.map((e) => Number(valueOf(e.node.assignment.tags, 'Nonce')))
  assert.deepEqual(nonces((await get(`/${pid}?process-id=${pid}&from=${time(2)}`)).body), [3, 4, 5, 6], 'from is exclusive')
  assert.deepEqual(nonces((await get(`/${pid}?process-id=${pid}&from=${time(2)}&to=${time(4)}`)).body), [3, 4], 'to is inclusive')
  assert.deepEqual(nonces((await get(`/${pid}?process-id=${pid}&from-nonce=2&to-nonce=5`)).body), [3, 4, 5])
  assert.deepEqual(nonces((await get(`/${pid}?process-id=${pid}&from-nonce=-1&limit=3`)).body), [0, 1, 2])
  const full = (await get(`/${pid}?process-id=${pid}&limit=7`)).body
  assert.equal(full.page_info.has_next_page, false)
  assert.equal((await get(`/${pid}?process-id=${pid}&limit=6`)).body.page_info.has_next_page, true)
})

test('one message, the latest, the clock', { skip }, async () => {
  const edges = await slots(net, pid)
  const one = (await get(`/${edges[3].node.message.id}?process-id=${pid}`)).body
  assert.equal(one.assignment.id, edges[3].node.assignment.id)
  assert.equal(one.message.data, edges[3].node.message.data)
  const latest = (await get(`/${pid}/latest`)).body
  assert.equal(latest.assignment.id, edges.at(-1).node.assignment.id)
  const clock = (await get('/timestamp?process-id=' + pid)).body
  assert.match(clock.timestamp, /^\d+$/)
  assert.match(clock.block_height, /^\d{12}$/)
  const self = (await get('/?process-id=' + pid)).body
  assert.equal(self.address, net.scheduler)
  assert.ok((await get(`/${'n'.repeat(42) + 'A'}?process-id=${pid}`)).status >= 400)
})

test('the client\'s own readers of the scheduler', { skip }, async () => {
  const edges = await slots(net, pid)
  const last = await me.ao.getLastSlot({ processId: pid })
  assert.equal(last, valueOf(edges.at(-1).node.assignment.tags, 'Nonce'))
  const one = await me.ao.getMessageById({ processId: pid, messageId: edges[2].node.message.id })
  assert.equal(one.message.id, edges[2].node.message.id)
  const page = await me.ao.getMessages({ processId: pid, from: '0', to: String(Date.now() + 1000), limit: '4' })
  assert.equal(page.edges.length, 4)
  const slot = await me.ao.message({ process: pid, data: 'return "slot"', tags: tagsOf({ Action: 'Eval' }), signer: me.signer, returnAssignmentSlot: true })
  assert.equal(String(slot), String(edges.length))
})

test('a message posted twice has one slot', { skip }, async () => {
  const it = await signed(me.key, { target: pid, data: 'Twice = (Twice or 0) + 1 return Twice', tags: tagsOf({ Action: 'Eval', ...ao }), anchor: '7'.repeat(32) })
  const first = await post(it.raw)
  assert.ok(first.ok, `status ${first.status}`)
  assert.equal((await first.json()).id, it.id)
  await post(it.raw)
  await Promise.all([post(it.raw), post(it.raw), post(it.raw, net.su)])
  assert.equal((await slots(net, pid)).filter((e) => e.node.message?.id === it.id).length, 1)
  assert.equal(output(await me.result(pid, it.id)), '1')
  assert.equal(await me.value(pid, 'return Twice'), '1')
})

test('a process posted twice is one process', { skip }, async () => {
  const it = await signed(me.key, { data: '1', tags: tagsOf({ Authority: net.authority, 'Data-Protocol': 'ao', Variant: 'ao.TN.1', Type: 'Process', Module: await me.moduleId(), Scheduler: net.scheduler }) })
  assert.ok((await post(it.raw)).ok)
  await post(it.raw)
  const edges = await slots(net, it.id)
  assert.equal(edges.length, 1)
  assert.equal(await me.value(it.id, '1+1'), '2')
})

test('signed by the client, sent later', { skip }, async () => {
  const { id, raw } = await me.ao.signMessage({ process: pid, data: 'return "later"', tags: tagsOf({ Action: 'Eval' }), signer: me.signer })
  assert.equal(await me.ao.sendSignedMessage({ id, raw }), id)
  assert.equal(output(await me.result(pid, id)), 'later')
})

test('items that are refused', { skip }, async () => {
  const before = (await slots(net, pid)).length
  const good = { target: pid, data: 'return 1', tags: tagsOf({ Action: 'Eval', ...ao }) }
  const refused = async (what, raw, base) => {
    const r = await post(raw, base)
    assert.ok(r.status >= 400, `${what}: status ${r.status}`)
    assert.equal(typeof (await r.json()).error, 'string', what)
  }
  for (const [what, where] of [['signature', 10], ['owner', 600], ['data', -1]]) {
    const { raw } = await signed(me.key, good)
    raw[where < 0 ? raw.length + where : where] ^= 1
    await refused('flipped ' + what, raw)
    await refused('flipped ' + what + ', at the scheduler', raw, net.su)
  }
  await refused('nothing', Buffer.alloc(0))
  await refused('noise', Buffer.from('not a data item at all, and rather short'))
  await refused('no protocol', (await signed(me.key, { ...good, tags: tagsOf({ Type: 'Message' }) })).raw)
  await refused('no type', (await signed(me.key, { ...good, tags: tagsOf({ 'Data-Protocol': 'ao' }) })).raw)
  await refused('a process without a module', (await signed(me.key, { data: '1', tags: tagsOf({ 'Data-Protocol': 'ao', Variant: 'ao.TN.1', Type: 'Process', Scheduler: net.scheduler }) })).raw)
  const { raw } = await signed(me.key, good)
  await refused('cut short', raw.subarray(0, raw.length - 3))
  assert.equal((await slots(net, pid)).length, before, 'none of them has a slot')
  assert.equal(await me.value(pid, '2+2'), '4')
})

test('half an assignment is refused', { skip }, async () => {
  const r = await fetch(at(net.mu, `/?process-id=${pid}`), { method: 'POST' })
  assert.ok(r.status >= 400)
})

test('a browser may ask every unit', { skip }, async () => {
  for (const [unit, path] of [['mu', '/'], ['su', '/'], ['cu', '/'], ['gateway', '/graphql'], ['bundler', '/tx']]) {
    const r = await fetch(at(net[unit], path), { method: 'OPTIONS', headers: { origin: 'http://page.example', 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type,accept' } })
    assert.ok(r.ok, `${unit}: preflight ${r.status}`)
    assert.ok(['*', 'http://page.example'].includes(r.headers.get('access-control-allow-origin')), unit)
  }
})
