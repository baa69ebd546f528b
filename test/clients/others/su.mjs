// A scheduler that is not ours: logs in memory, given slots in the order in which items come, uploaded to a bundler.
//   node clients/others/su.mjs GATEWAY BUNDLER
import { signed, tagsOf, valueOf } from '../people.mjs'
import { byId, bytes, failing, json, read, serve, sha256, unitKey } from './serving.mjs'

const [gateway, bundler] = process.argv.slice(2)
const { key, address } = unitKey()
const processes = new Map() // id -> { item, slots: [{ message, assignment, timestamp, nonce }] }
const slots = new Map() // message or assignment -> slots of any process
let before = Promise.resolve()

const upload = (raw) => fetch(bundler + '/tx/arweave', { method: 'POST', body: raw, headers: { 'content-type': 'application/octet-stream' } })
const height = async () => String((await json(gateway + '/block/current')).height).padStart(12, '0')

/** One item after the other. */
const inTurn = (work) => { const mine = before.then(work); before = mine.catch(() => {}); return mine }

async function assign (id, message, item) {
  const p = processes.get(id)
  if (!p) throw failing(404, `process ${id} is not known`)
  const seen = (slots.get(message) ?? []).find((s) => s.process === id)
  if (seen) return seen
  const last = p.slots.at(-1)
  const timestamp = Math.max(Date.now(), (last?.timestamp ?? 0) + 1)
  const chain = last ? sha256(bytes(last.assignment.id), bytes(valueOf(last.assignment.tags, 'Hash-Chain'))) : sha256(bytes(id))
  const nonce = p.slots.length
  const made = await signed(key, {
    tags: tagsOf({
      'Data-Protocol': 'ao', Variant: 'ao.TN.1', Type: 'Assignment', Process: id, Epoch: '0', Nonce: String(nonce), 'Hash-Chain': chain,
      'Block-Height': await height(), Timestamp: String(timestamp), Message: message
    })
  })
  const slot = { process: id, message: item, assignment: await read(made.raw), timestamp, nonce }
  p.slots.push(slot)
  for (const name of [message, slot.assignment.id]) slots.set(name, [...slots.get(name) ?? [], slot])
  if (item) await upload(item.raw)
  await upload(made.raw)
  return slot
}

const shown = ({ id, owner, tags, signature, target, anchor, data }) => ({ id, owner, tags, signature, target, anchor: bytes(anchor).toString(), data: Buffer.from(data).toString() })
function edge ({ message, assignment }) {
  const { data, ...as } = shown(assignment)
  return { message: message ? shown(message) : null, assignment: { ...as, anchor: null } }
}

function page (p, query) {
  const byNonce = query.has('from-nonce') || query.has('to-nonce')
  const at = (s) => byNonce ? s.nonce : s.timestamp
  const bound = (name, otherwise) => Number(query.get(byNonce ? name + '-nonce' : name) ?? otherwise)
  const all = p.slots.filter((s) => at(s) > bound('from', -1) && at(s) <= bound('to', Infinity))
  const some = all.slice(0, Number(query.get('limit') ?? 100))
  return { page_info: { has_next_page: all.length > some.length }, edges: some.map((s) => ({ node: edge(s), cursor: String(at(s)) })) }
}

async function take (query, body) {
  if (query.has('assign')) {
    const id = query.get('assign')
    if (!await byId(gateway, id)) throw failing(400, 'Transaction not found')
    const slot = await inTurn(() => assign(query.get('process-id'), id))
    return { timestamp: Date.now(), id: slot.assignment.id }
  }
  const item = await read(body)
  const spawns = valueOf(item.tags, 'Type') === 'Process'
  return inTurn(async () => {
    const id = spawns ? item.id : item.target
    if (spawns && !processes.has(id)) processes.set(id, { item, slots: [] })
    await assign(id, item.id, item)
    return { timestamp: Date.now(), id: item.id }
  })
}

const url = await serve(async ({ method, path, query, body }) => {
  if (method === 'POST') return take(query, body)
  if (path[0] === '') return { timestamp: String(Date.now()), address }
  if (path[0] === 'timestamp') return { timestamp: String(Date.now()), block_height: await height() }
  const p = processes.get(path[0] === 'processes' ? path[1] : path[0])
  if (p && path[0] === 'processes') {
    return { process_id: p.item.id, block: valueOf(p.slots[0].assignment.tags, 'Block-Height'), timestamp: p.slots[0].timestamp, ...shown(p.item) }
  }
  if (p) return path[1] === 'latest' ? edge(p.slots.at(-1)) : page(p, query)
  const found = slots.get(path[0]) ?? []
  const slot = found.find((s) => s.process === query.get('process-id')) ?? found[0]
  if (!slot) throw failing(400, 'Message or Process not found')
  return edge(slot)
})
const location = await signed(key, { tags: tagsOf({ 'Data-Protocol': 'ao', Variant: 'ao.TN.1', Type: 'Scheduler-Location', Url: url, 'Time-To-Live': '3600000' }) })
await upload(location.raw)
console.log(JSON.stringify({ su: url, address }))
