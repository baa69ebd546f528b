// What the small units of another make have in common: serving JSON on this machine, data items, keys.
import { createHash } from 'node:crypto'
import http from 'node:http'
import { createRequire } from 'node:module'
import { solana } from '../people.mjs'

const { DataItem } = createRequire(import.meta.url)('arbundles')

export const sha256 = (...parts) => createHash('sha256').update(Buffer.concat(parts.map((p) => Buffer.from(p)))).digest('base64url')
export const bytes = (text) => Buffer.from(text, 'base64url')

/** Starts a server; what the handler gives is answered as JSON, bytes as they are, and errors with 400 or their status. */
export const serve = (handler) => new Promise((resolve) => {
  const server = http.createServer(async (req, res) => {
    const parts = []
    for await (const part of req) parts.push(part)
    let body, status = 200
    try {
      const url = new URL(req.url, 'http://unit')
      body = await handler({ method: req.method, path: url.pathname.slice(1).split('/'), query: url.searchParams, body: Buffer.concat(parts) })
      if (body?.accepted) { status = 202; body = body.accepted }
    } catch (e) {
      status = e.status ?? 400
      body = { error: e.message }
    }
    const plain = Buffer.isBuffer(body) || typeof body === 'string'
    res.writeHead(status, { 'content-type': plain ? 'application/octet-stream' : 'application/json', 'access-control-allow-origin': '*' })
    res.end(plain ? body : JSON.stringify(body))
  }).listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}`))
})

export const failing = (status, text) => Object.assign(new Error(text), { status })

/** A unit's key, and its address. */
export function unitKey () {
  const key = solana()
  return { key, address: sha256(key.publicKey) }
}

/** Reads a signed item, and refuses one whose signature does not hold. */
export async function read (raw) {
  const item = new DataItem(raw)
  if (!await item.isValid()) throw failing(400, 'this is no data item with a valid signature')
  return {
    id: item.id, raw, tags: item.tags, target: item.target, anchor: item.anchor, signature: item.signature,
    owner: { address: sha256(bytes(item.owner)), key: item.owner }, data: item.rawData
  }
}

export async function json (url, init) {
  const res = await fetch(url, init)
  const text = await res.text()
  if (!res.ok) throw failing(res.status, `${url}: ${text}`)
  return JSON.parse(text)
}

/** Where a process is scheduled, as its tags and the gateway tell. */
export async function schedulerOf (gateway, tags) {
  const query = 'query ($owners: [String!]) { transactions(owners: $owners, first: 1, sort: HEIGHT_DESC, tags: [{ name: "Type", values: ["Scheduler-Location"] }]) { edges { node { tags { name value } } } } }'
  const owners = [tags.find((t) => t.name === 'Scheduler').value]
  const found = await json(gateway + '/graphql', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ query, variables: { owners } }) })
  return found.data.transactions.edges[0].node.tags.find((t) => t.name === 'Url').value.replace(/\/$/, '')
}

/** What the gateway tells of an id; undefined if it does not know it. */
export async function byId (gateway, id) {
  const query = 'query ($ids: [ID!]!) { transactions(ids: $ids) { edges { node { id anchor signature recipient owner { address key } tags { name value } } } } }'
  const found = await json(gateway + '/graphql', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ query, variables: { ids: [id] } }) })
  return found.data.transactions.edges[0]?.node
}
