// The gateway as each client asks it.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { after, before, test } from 'node:test'
import { at, network, skip } from './network.mjs'
import { signed, tagsOf, valueOf } from './people.mjs'
import { replay } from './replay.mjs'
import { graphql, session, slots, until } from './session.mjs'

const require = createRequire(import.meta.url)
let net, me, pid, owner
before(async () => {
  if (skip) return
  net = await network()
  me = await session(net)
  pid = await me.spawn({ name: 'findme', tags: { 'App-Name': 'aos' } })
  await me.evalLua(pid, 'return 1')
  owner = (await slots(net, pid))[0].node.message.owner.address
})
after(() => net?.close())

test('scheduler-utils finds the scheduler of a process, validates it and says where it is', { skip }, async () => {
  const su = require('@permaweb/ao-scheduler-utils')
  const { locate, validate, raw } = su.connect({ GRAPHQL_URL: at(net.gateway, '/graphql'), cacheSize: 10, followRedirects: false })
  const where = await locate(pid)
  assert.equal(where.address, net.scheduler)
  assert.equal((await (await fetch(at(where.url, '/processes/' + pid))).json()).process_id, pid)
  assert.equal((await locate(pid, net.scheduler)).url, where.url)
  assert.equal(await validate(net.scheduler), true)
  await assert.rejects(validate('x'.repeat(42) + 'A'), { name: 'TransactionNotFound' })
  assert.equal((await raw(net.scheduler)).url, where.url)
  const follow = su.connect({ GRAPHQL_URL: at(net.gateway, '/graphql'), cacheSize: 10, followRedirects: true })
  assert.equal((await follow.locate(pid)).address, net.scheduler)
})

test('the whole transaction, with fields asked for twice', { skip }, async () => {
  const q = `query ($transactionIds: [ID!]!) { transactions(ids: $transactionIds) { pageInfo { hasNextPage } edges { cursor node { id anchor signature recipient owner { address key } fee { winston ar } quantity { winston ar } data { size type } tags { name value } block { id timestamp height previous } parent { id } block { timestamp } } } } }`
  const { transactions: t } = await graphql(net, q, { transactionIds: [pid] })
  assert.equal(t.pageInfo.hasNextPage, false)
  const n = t.edges[0].node
  assert.equal(n.id, pid)
  assert.equal(n.owner.address, owner)
  assert.equal(valueOf(n.tags, 'Name'), 'findme')
  assert.equal(n.quantity.winston, '0')
  assert.ok(n.block === null || typeof n.block.height === 'number')
})

test('the newest Scheduler-Location, from a query with a comment', { skip }, async () => {
  const q = `query GetSchedulerLocation ($owner: String!) {
    transactions (
      owners: [$owner]
      tags: [
        { name: "Data-Protocol", values: ["ao"] },
        { name: "Type", values: ["Scheduler-Location"] }
      ]
      # Only need the most recent Scheduler-Location
      sort: HEIGHT_DESC
      first: 1
    ) { edges { node { tags { name value } } } } }`
  const tags = (await graphql(net, q, { owner: net.scheduler })).transactions.edges[0].node.tags
  assert.ok(valueOf(tags, 'Url').startsWith('http'))
  assert.ok(Number(valueOf(tags, 'Time-To-Live')) > 0)
})

test('a literal id list without variables, a skipped field, an alias and a type name', { skip }, async () => {
  const a = await graphql(net, `query { transactions(ids: ["${pid}"]) { edges { node { id signature anchor owner { address key } tags { name value } recipient } } } }`)
  assert.equal(a.transactions.edges.length, 1)
  const q = 'query GetTransactionMeta ($transactionIds: [ID!]!, $skipTags: Boolean!, $skipSignature: Boolean!, $skipAnchor: Boolean!) { transactions(ids: $transactionIds) { edges { node { id signature @skip(if: $skipSignature) anchor @skip(if: $skipAnchor) owner { address key } tags @skip(if: $skipTags) { name value } recipient } } } }'
  const n = (await graphql(net, q, { transactionIds: [pid], skipTags: true, skipSignature: false, skipAnchor: true })).transactions.edges[0].node
  assert.equal(n.tags, undefined)
  assert.ok(n.signature)
  const b = await graphql(net, `{ mine: transaction(id: "${pid}") { __typename theId: id } }`)
  assert.deepEqual(b.mine, { __typename: 'Transaction', theId: pid })
})

test('a prompt finds its process by name, with an empty owner in the list', { skip }, async () => {
  const q = `query ($owners: [String!]!) { transactions(first: 10, owners: $owners, tags: [ { name: "Data-Protocol", values: ["ao"] }, { name: "Type", values: ["Process"] }, { name: "Name", values: ["findme"] } ]) { edges { node { id tags { name value } } } } }`
  const { transactions } = await graphql(net, q, { owners: [owner, ''] })
  assert.deepEqual(transactions.edges.map((e) => e.node.id), [pid])
  const none = await graphql(net, q, { owners: [''] })
  assert.equal(none.transactions.edges.length, 0)
  const list = await graphql(net, `query ($owners: [String!]!) { transactions(first: 100, owners: $owners, tags: [{name: "Data-Protocol", values: ["ao"]}, {name: "Type", values: ["Process"]}]) { edges { node { id owner { address } tags { name value } } } } }`, { owners: [owner, ''] })
  assert.ok(list.transactions.edges.some((e) => e.node.id === pid))
})

test('modules by name, newest first', { skip }, async () => {
  const tags = tagsOf({ 'Data-Protocol': 'ao', Variant: 'ao.TN.1', Type: 'Module', Name: 'named-module', 'Module-Format': 'x', 'Input-Encoding': 'JSON-1', 'Output-Encoding': 'JSON-1' })
  const it = await signed(me.key, { data: 'module', tags })
  assert.ok((await fetch(at(net.bundler, '/tx/arweave'), { method: 'POST', body: it.raw, headers: { 'content-type': 'application/octet-stream' } })).ok)
  const q = 'query ($name: String!) { transactions(tags: [{name: "Type", values: ["Module"]}, {name: "Data-Protocol", values: ["ao"]}, {name: "Name", values: [$name]}], sort: HEIGHT_DESC, first: 100) { edges { node { id tags { name value } block { timestamp } } } } }'
  assert.deepEqual((await graphql(net, q, { name: 'named-module' })).transactions.edges.map((e) => e.node.id), [it.id])
})

test('messages and assignments are found by recipient, owner and tags, page by page', { skip }, async () => {
  for (let i = 0; i < 5; i++) await me.send(pid, { tags: { Action: 'Paged' }, data: 'p' + i })
  const q = 'query ($to: [String!], $after: String) { transactions(recipients: $to, tags: [{name: "Action", values: ["Paged"]}], first: 2, after: $after) { pageInfo { hasNextPage } edges { cursor node { id recipient } } } }'
  const ids = []
  let after = null
  for (let i = 0; i < 10; i++) {
    const { transactions: t } = await graphql(net, q, { to: [pid], after })
    ids.push(...t.edges.map((e) => e.node.id))
    if (!t.pageInfo.hasNextPage) break
    after = t.edges.at(-1).cursor
  }
  assert.equal(ids.length, 5)
  assert.equal(new Set(ids).size, 5)
  const edges = await slots(net, pid)
  const wanted = edges.map((e) => e.node.assignment.id)
  const found = await until('assignments on the gateway', async () => {
    const r = await graphql(net, 'query ($o: [String!], $p: [String!]!) { transactions(owners: $o, first: 100, tags: [{name: "Type", values: ["Assignment"]}, {name: "Process", values: $p}]) { edges { node { id } } } }', { o: [net.scheduler], p: [pid] })
    const got = r.transactions.edges.map((e) => e.node.id)
    return wanted.every((id) => got.includes(id)) && got
  })
  assert.equal(found.length, wanted.length)
})

test('blocks by height', { skip }, async () => {
  const info = await (await fetch(at(net.gateway, '/info'))).json()
  assert.equal(typeof info.height, 'number')
  await fetch(at(net.gateway, '/mine'))
  const { blocks } = await graphql(net, 'query ($min: Int, $first: Int) { blocks(height: {min: $min}, first: $first, sort: HEIGHT_ASC) { pageInfo { hasNextPage } edges { cursor node { id timestamp height previous } } } }', { min: info.height, first: 2 })
  assert.ok(blocks.edges.length >= 1)
  assert.equal(blocks.edges[0].node.height, info.height)
  assert.ok(blocks.edges[0].node.timestamp < 1e11, 'seconds')
  const b = await (await fetch(at(net.gateway, '/block/height/' + info.height))).json()
  assert.equal(b.height, info.height)
  assert.equal(b.indep_hash, blocks.edges[0].node.id)
})

test('an item pending and then in a block', { skip }, async () => {
  const it = await signed(me.key, { data: 'in a block', tags: tagsOf({ App: 'blocks' }) })
  await fetch(at(net.bundler, '/tx'), { method: 'POST', body: it.raw, headers: { 'content-type': 'application/octet-stream' } })
  await fetch(at(net.gateway, '/mine'))
  const n = (await graphql(net, `query { transactions(ids: ["${it.id}"]) { edges { node { block { id height timestamp } } } } }`)).transactions.edges[0].node
  assert.ok(n.block.height > 0)
})

test('errors are errors in the answer, with status 200', { skip }, async () => {
  for (const query of ['query { nothing { x } }', 'query { transactions(first: "x") { edges { node { id } } } }', 'not graphql {']) {
    const r = await fetch(at(net.gateway, '/graphql'), { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ query }) })
    assert.equal(r.status, 200)
    assert.ok((await r.json()).errors.length > 0)
  }
})

test('ranges, heads and things that are not there', { skip }, async () => {
  const it = await signed(me.key, { data: '0123456789'.repeat(100), tags: tagsOf({ 'Content-Type': 'text/plain' }) })
  await fetch(at(net.bundler, '/tx'), { method: 'POST', body: it.raw, headers: { 'content-type': 'application/octet-stream' } })
  const part = await fetch(at(net.gateway, '/' + it.id), { headers: { range: 'bytes=5-14' } })
  assert.equal(part.status, 206)
  assert.equal(await part.text(), '5678901234')
  const past = await fetch(at(net.gateway, '/' + it.id), { headers: { range: 'bytes=1000-1001' } })
  assert.deepEqual([past.status, await past.text()], [416, ''], 'a reader that does not look at the status takes the body for data')
  const over = await fetch(at(net.gateway, '/' + it.id), { headers: { range: 'bytes=990-1000' } })
  assert.deepEqual([over.status, await over.text()], [206, '0123456789'])
  for (const range of ['bytes=0120-12', 'nonsense']) { // what is no range is ignored; a published reader depends on it
    const whole = await fetch(at(net.gateway, '/' + it.id), { headers: { range } })
    assert.deepEqual([whole.status, (await whole.text()).length], [200, 1000], range)
  }
  const head = await fetch(at(net.gateway, '/' + it.id), { method: 'HEAD' })
  assert.equal(head.headers.get('content-length'), '1000')
  assert.equal((await fetch(at(net.gateway, '/' + 'z'.repeat(42) + 'A'))).status, 404)
  assert.equal((await fetch(at(net.gateway, `/tx/${'z'.repeat(42)}A/status`))).status, 404)
})

test('weavedrive, in the loader, boots a process from data of this gateway', { skip }, async () => {
  const it = await signed(me.key, { data: 'Booted = "through the drive, " .. #"".. "héllo"', tags: tagsOf({ 'Content-Type': 'application/lua' }) })
  await fetch(at(net.bundler, '/tx'), { method: 'POST', body: it.raw, headers: { 'content-type': 'application/octet-stream' } })
  const module = await me.moduleId()
  const tags = tagsOf({ Authority: net.authority, 'On-Boot': it.id, 'Data-Protocol': 'ao', Variant: 'ao.TN.1', Type: 'Process', Module: module, Scheduler: net.scheduler })
  const id = 'p'.repeat(42) + 'A'
  const bytes = new Uint8Array(await (await fetch(at(net.gateway, '/raw/' + module))).arrayBuffer())
  const moduleTagList = (await graphql(net, `query { transactions(ids: ["${module}"]) { edges { node { tags { name value } } } } }`)).transactions.edges[0].node.tags
  const message = (nonce, rest) => ({ Id: id, Signature: '', Data: ' ', Owner: owner, Target: id, Anchor: '', From: owner, Tags: tags, Epoch: 0, Nonce: nonce, Timestamp: 1750000000000 + nonce, 'Block-Height': 1600000, Cron: false, 'Read-Only': false, ...rest })
  const messages = [message(0), message(1, { Id: 'm'.repeat(42) + 'A', Data: 'return Booted', Tags: tagsOf({ Action: 'Eval' }) })]
  const env = { Process: { Id: id, Owner: owner, Tags: tags }, Module: { Id: module, Owner: owner, Tags: moduleTagList } }
  const got = await replay({ bytes, format: valueOf(moduleTagList, 'Module-Format'), env, messages, drive: at(net.gateway, '') })
  assert.equal(got[0].throws ?? got[0].result.Error, undefined)
  assert.equal(got[1].throws ?? got[1].result.Error, undefined)
  assert.equal(got[1].result.Output.data, 'through the drive, 0héllo')
})

test('a process of the network boots from data of its gateway', { skip }, async () => {
  const it = await signed(me.key, { data: 'Booted = "from the gateway"', tags: tagsOf({ 'Content-Type': 'application/lua' }) })
  await fetch(at(net.bundler, '/tx'), { method: 'POST', body: it.raw, headers: { 'content-type': 'application/octet-stream' } })
  const p = await me.spawn({ tags: { 'On-Boot': it.id } })
  assert.equal(await me.value(p, 'return tostring(Booted)'), 'from the gateway')
})
