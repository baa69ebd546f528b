// Evaluates a process of the network again with the published loader, from what the scheduler and the gateway say, and
// compares every result with what the network answers.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import { computeAddress } from '@ethersproject/transactions'
import { at } from './network.mjs'
import { valueOf } from './people.mjs'
import { graphql, slots } from './session.mjs'

/** The owner as processes see it: Ethereum keys as checksummed addresses, all others as the scheduler says. */
export function addressOf (owner) {
  const key = Buffer.from(owner.key, 'base64url')
  return key.length === 65 ? computeAddress(key) : owner.address
}

export const without = (tags) => tags.filter((t) => t.name !== 'From' && t.name !== 'Owner')
const number = (tags, name) => parseInt(valueOf(tags, name))

async function itemOf (net, id) {
  const q = await graphql(net, `query ($ids: [ID!]!) { transactions(ids: $ids) { edges { node { id signature anchor owner { address key } tags { name value } recipient } } } }`, { ids: [id] })
  const node = q.transactions.edges[0].node
  const data = await (await fetch(at(net.gateway, '/raw/' + id))).text()
  return { id, signature: node.signature, anchor: node.anchor, owner: node.owner, tags: node.tags, target: node.recipient, data }
}

/** The message a compute unit hands to the module for one edge of the scheduler. */
export async function messageOf (net, { message, assignment }) {
  const assigned = !message
  const m = message ?? await itemOf(net, valueOf(assignment.tags, 'Message'))
  const owner = addressOf(m.owner)
  const fromProcess = valueOf(m.tags, 'From-Process')
  const msg = { Id: m.id, Signature: m.signature, Data: m.data, Owner: owner, Target: assigned ? m.target : valueOf(assignment.tags, 'Process'), Anchor: m.anchor, From: fromProcess ?? owner }
  // What is assigned by id is fetched from the gateway, where the rule for forwarded items is not applied.
  if (fromProcess !== undefined && !assigned) msg['Forwarded-By'] = owner
  return Object.assign(msg, {
    Tags: without(m.tags), Epoch: number(assignment.tags, 'Epoch'), Nonce: number(assignment.tags, 'Nonce'), Timestamp: number(assignment.tags, 'Timestamp'),
    'Block-Height': number(assignment.tags, 'Block-Height'), 'Hash-Chain': valueOf(assignment.tags, 'Hash-Chain'), Cron: false, 'Read-Only': false
  })
}

/** Checks the chain of hashes over a process's assignments. */
export function checkChain (process, edges) {
  const bytes = (s) => Buffer.from(s, 'base64url')
  const sha = (...parts) => createHash('sha256').update(Buffer.concat(parts)).digest('base64url')
  let previous
  edges.forEach(({ node: { assignment } }, i) => {
    const want = previous ? sha(bytes(previous.id), bytes(valueOf(previous.tags, 'Hash-Chain'))) : sha(bytes(process))
    assert.equal(valueOf(assignment.tags, 'Hash-Chain'), want, `hash chain at nonce ${i}`)
    assert.equal(valueOf(assignment.tags, 'Nonce'), String(i), 'nonces have no gaps')
    assert.equal(createHash('sha256').update(bytes(assignment.signature)).digest('base64url'), assignment.id, 'an id is the hash of its signature')
    previous = assignment
  })
}

/** What the loader answers to messages, one after the other; drive is the base of a gateway to read files from. */
export const replay = (workerData) => new Promise((resolve, reject) => {
  const w = new Worker(new URL('./replay-worker.mjs', import.meta.url), { workerData })
  w.once('message', resolve)
  w.once('error', reject)
})

/** What compute units answer of a result: all but the memory. */
export const resultOf = (r) => ({ Output: r.Output ?? '', Messages: r.Messages ?? [], Spawns: r.Spawns ?? [], Assignments: r.Assignments ?? [], Error: r.Error, GasUsed: r.GasUsed })

const spans = { second: 1, seconds: 1, minute: 60, minutes: 60, block: 'block', blocks: 'block' }

/** The timers in a Process's tags: those by blocks first, then those by time, the shortest first. */
export function timersOf (tags) {
  const all = []
  for (const { name, value } of tags) {
    if (name === 'Cron-Interval') {
      const [n, unit] = value.split('-')
      all.push({ text: value, blocks: spans[unit] === 'block', every: spans[unit] === 'block' ? Number(n) : Number(n) * spans[unit], tags: [] })
    } else if (name.startsWith('Cron-Tag-')) all.at(-1).tags.push({ name: name.slice(9), value })
  }
  const byBlock = all.filter((t) => t.blocks)
  const byTime = all.filter((t) => !t.blocks).sort((a, b) => a.every - b.every)
  for (const list of [byBlock, byTime]) list.forEach((t, i) => { t.name = `${i}-${t.text}` })
  return { byBlock, byTime }
}

/** The ticks between two messages, found by looking at each second, as the legacy compute unit does. */
export function * ticksBetween ({ byBlock, byTime }, origin, left, right, blocks) {
  const second = (ms) => Math.floor(ms / 1000)
  const inside = blocks.filter((b) => b.timestamp > left.Timestamp && b.timestamp < right.Timestamp)
  let height = left['Block-Height']
  function * pass (to) {
    while (inside.length && inside[0].timestamp <= to) {
      const b = inside.shift()
      height = b.height
      for (const t of byBlock) if (b.height !== origin['Block-Height'] && (b.height - origin['Block-Height']) % t.every === 0) yield { t, at: b.timestamp, height }
    }
  }
  for (let at = left.Timestamp; at < right.Timestamp; at += 1000) {
    yield * pass(at)
    const since = second(at) - second(origin.Timestamp)
    for (const t of byTime) if (since !== 0 && since % t.every === 0) yield { t, at, height }
  }
  yield * pass(right.Timestamp)
}

export async function blocksFrom (net, height) {
  const q = await graphql(net, 'query ($min: Int!) { blocks(height: { min: $min }, first: 90, sort: HEIGHT_ASC) { edges { node { height timestamp } } } }', { min: height })
  return q.blocks.edges.map(({ node }) => ({ height: node.height, timestamp: node.timestamp * 1000 }))
}

/** The message that a timer makes. */
export const tickOf = (process, owner, timer, at, height) => ({
  Owner: owner, Target: process, From: owner, Tags: without(timer.tags), Timestamp: at, 'Block-Height': height, Cron: true, 'Read-Only': false
})

/** Messages of the log with the ticks between them. What a tick is known by is its time and its timer. */
async function withTicks (net, about, messages) {
  const timers = timersOf(about.tags)
  if (!timers.byBlock.length && !timers.byTime.length) return messages
  const blocks = await blocksFrom(net, messages[0]['Block-Height'])
  const owner = addressOf(about.owner)
  const all = []
  messages.forEach((msg, i) => {
    for (const { t, at, height } of i === 0 ? [] : ticksBetween(timers, messages[0], messages[i - 1], msg, blocks)) {
      all.push(Object.defineProperty(tickOf(about.process_id, owner, t, at, height), 'timer', { value: t.name, enumerable: false }))
    }
    all.push(msg)
  })
  return all
}

/** The results of ticks that the compute unit lists, as they are asked for by time and timer. */
async function tickResults (net, process) {
  const found = new Map()
  const page = await (await fetch(at(net.cu, `/cron/${process}?limit=1000`))).json()
  for (const { node, cursor } of page.edges) {
    const { timestamp, cron } = JSON.parse(atob(cursor))
    found.set(`${timestamp} ${cron}`, node)
  }
  return found
}

/** Fails unless every result of the process is what the loader gives. Returns the number of messages compared. */
export async function sameAsLoader (net, process, computeLimit) {
  const about = await (await fetch(at(net.su, '/processes/' + process))).json()
  const moduleId = valueOf(about.tags, 'Module')
  const meta = (await graphql(net, `query ($ids: [ID!]!) { transactions(ids: $ids) { edges { node { owner { address key } tags { name value } } } } }`, { ids: [moduleId] })).transactions.edges[0].node
  const bytes = new Uint8Array(await (await fetch(at(net.gateway, '/raw/' + moduleId))).arrayBuffer())
  const env = {
    Process: { Id: process, Owner: addressOf(about.owner), Tags: about.tags },
    Module: { Id: moduleId, Owner: meta.owner.key ? addressOf(meta.owner) : meta.owner.address, Tags: meta.tags }
  }
  const edges = await slots(net, process)
  checkChain(process, edges)
  const log = []
  for (const e of edges) log.push(await messageOf(net, e.node))
  const messages = await withTicks(net, about, log)
  const ticks = messages.length > log.length ? await tickResults(net, process) : new Map()
  const want = await replay({ bytes, format: valueOf(meta.tags, 'Module-Format'), env, messages, computeLimit, live: true })
  for (const [i, msg] of messages.entries()) {
    if (msg.Cron) {
      const got = ticks.get(`${msg.Timestamp} ${msg.timer}`)
      assert.ok(got, `there is no tick ${msg.timer} at ${msg.Timestamp}`)
      const { GasUsed, ...result } = resultOf(want[i].result)
      assert.deepEqual(JSON.parse(JSON.stringify(resultOf(got))), JSON.parse(JSON.stringify(result)), `tick ${msg.timer} at ${msg.Timestamp}`)
      ticks.delete(`${msg.Timestamp} ${msg.timer}`)
      continue
    }
    const res = await fetch(at(net.cu, `/result/${msg.Id}?process-id=${process}`))
    const got = resultOf(await res.json())
    if (want[i].throws !== undefined) assert.ok(got.Error, `nonce ${i}: the loader throws ${want[i].throws}, the network gives no error`)
    else assert.deepEqual(JSON.parse(JSON.stringify(got)), JSON.parse(JSON.stringify(resultOf(want[i].result))), `nonce ${i} (${valueOf(msg.Tags, 'Action')}: ${String(msg.Data).slice(0, 80)})`)
  }
  for (const left of ticks.keys()) assert.ok(Number(left.split(' ')[0]) >= messages.at(-1).Timestamp, `nothing says that there is a tick ${left}`)
  return messages.length
}
