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

const without = (tags) => tags.filter((t) => t.name !== 'From' && t.name !== 'Owner')
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

const shape = (r) => ({ Output: r.Output ?? '', Messages: r.Messages ?? [], Spawns: r.Spawns ?? [], Assignments: r.Assignments ?? [], Error: r.Error, GasUsed: r.GasUsed })

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
  const messages = []
  for (const e of edges) messages.push(await messageOf(net, e.node))
  const want = await replay({ bytes, format: valueOf(meta.tags, 'Module-Format'), env, messages, computeLimit })
  for (const [i, msg] of messages.entries()) {
    const res = await fetch(at(net.cu, `/result/${msg.Id}?process-id=${process}`))
    const got = shape(await res.json())
    if (want[i].throws !== undefined) assert.ok(got.Error, `nonce ${i}: the loader throws ${want[i].throws}, the network gives no error`)
    else assert.deepEqual(JSON.parse(JSON.stringify(got)), JSON.parse(JSON.stringify(shape(want[i].result))), `nonce ${i} (${valueOf(msg.Tags, 'Action')}: ${String(msg.Data).slice(0, 80)})`)
  }
  return messages.length
}
