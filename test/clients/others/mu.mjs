// A messenger that is not ours: it brings items to the scheduler of their process and pushes what results send. It forgets all
// of this when it ends.
//   node clients/others/mu.mjs GATEWAY BUNDLER COMPUTE-UNIT
import { signed, tagsOf, valueOf } from '../people.mjs'
import { sleep, until } from '../session.mjs'
import { byId, failing, json, read, schedulerOf, serve, unitKey } from './serving.mjs'

const [gateway, bundler, cu] = process.argv.slice(2)
const { key, address } = unitKey()
const known = new Map() // process -> { su, tags }
const monitors = new Map() // process -> cursor

/** A process by its id: the one that was just made here, or as the gateway tells. */
async function processOf (id) {
  if (!known.has(id)) {
    const tx = await byId(gateway, id)
    if (!tx || valueOf(tx.tags, 'Type') !== 'Process') return undefined
    known.set(id, { su: await schedulerOf(gateway, tx.tags), tags: tx.tags })
  }
  return known.get(id)
}

const octets = { 'content-type': 'application/octet-stream' }

/** Gives an item to the scheduler of its process; what is for no process goes to the bundler, and undefined comes back. */
async function schedule (item) {
  const spawns = valueOf(item.tags, 'Type') === 'Process'
  if (spawns) known.set(item.id, { su: await schedulerOf(gateway, item.tags), tags: item.tags })
  const id = spawns ? item.id : item.target
  const p = await processOf(id)
  if (!p) {
    await fetch(bundler + '/tx/arweave', { method: 'POST', body: item.raw, headers: octets })
    return undefined
  }
  await json(p.su, { method: 'POST', body: item.raw, headers: octets })
  return id
}

const without = (tags, ...names) => tags.filter((t) => !names.includes(t.name))

/** What a result sends: each is sent, and what that causes is pushed in turn. */
async function push (from, { Messages = [], Spawns = [], Assignments = [] }, first) {
  const module = valueOf((await processOf(from)).tags, 'Module')
  const pushedFor = first ? tagsOf({ 'Pushed-For': first }) : []
  const send = async (target, tags, anchor, data) => {
    const { raw } = await signed(key, { target, anchor, data: data || ' ', tags: [...tags, ...tagsOf({ 'Data-Protocol': 'ao', Type: 'Message', 'From-Process': from, 'From-Module': module }), ...pushedFor] })
    const item = await read(raw)
    if (await schedule(item)) follow(target, item.id, first)
  }
  for (const m of Messages) await send(m.Target, without(m.Tags, 'Data-Protocol', 'Type', 'From-Process', 'From-Module'), m.Anchor, m.Data)
  for (const s of Spawns) {
    const parent = await processOf(from)
    const tags = without(s.Tags, 'Data-Protocol', 'Type')
    const { raw } = await signed(key, {
      anchor: s.Anchor,
      data: s.Data || ' ',
      tags: [...tags, ...tagsOf({ Variant: 'ao.TN.1', 'Data-Protocol': 'ao', Type: 'Process', 'From-Process': from }), ...pushedFor,
        ...valueOf(tags, 'Scheduler') ? [] : tagsOf({ Scheduler: valueOf(parent.tags, 'Scheduler') })]
    })
    const made = await read(raw)
    await schedule(made)
    await send(from, [...without(s.Tags, 'Data-Protocol', 'Variant', 'Type', 'From-Process', 'From-Module'), ...tagsOf({ Process: made.id, Action: 'Spawned', Variant: 'ao.TN.1' })])
  }
  for (const { Processes, Message } of Assignments) {
    for (const id of Processes) {
      const { id: assignment } = await json(`${(await processOf(id)).su}/?process-id=${id}&assign=${Message}`, { method: 'POST' })
      follow(id, assignment, first)
    }
  }
}

/** Asks for a result and pushes it, while nobody waits. */
function follow (id, message, first) {
  until(`the result of ${message}`, async () => json(`${cu}/result/${message}?process-id=${id}&no-busy=1`))
    .then((result) => push(id, result, first)).catch((e) => console.error(e))
}

async function look () {
  for (const [id, cursor] of monitors) {
    const page = await json(`${cu}/cron/${id}?limit=50${cursor ? '&from=' + encodeURIComponent(cursor) : ''}`)
    for (const edge of page.edges) {
      await push(id, edge.node)
      if (monitors.has(id)) monitors.set(id, edge.cursor)
    }
  }
}
(async () => {
  for (;;) {
    await look().catch((e) => console.error(e))
    await sleep(1000)
  }
})()

const url = await serve(async ({ method, path, query, body }) => {
  if (path[0] === 'monitor') {
    if ((await read(body)).target !== path[1]) throw failing(400, 'the item is for another process')
    if (method === 'DELETE') return monitors.delete(path[1]) ? 'Process deleted' : 'Process monitor not found'
    const newest = await json(`${cu}/results/${path[1]}?sort=DESC&limit=1`)
    monitors.set(path[1], newest.edges[0]?.cursor)
    return 'Monitoring process'
  }
  if (method !== 'POST') return 'ao messenger unit'
  if (query.has('assign')) {
    const id = query.get('process-id')
    const got = await json(`${(await processOf(id)).su}/?${query}`, { method: 'POST' })
    follow(id, got.id, got.id)
    return { accepted: { message: 'Processing Assignment', id: got.id } }
  }
  const item = await read(body)
  const id = await schedule(item)
  if (id) follow(id, item.id, item.id)
  return { accepted: { message: 'Processing DataItem', id: item.id } }
})
console.log(JSON.stringify({ mu: url, address }))
