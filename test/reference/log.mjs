// Evaluates the log of a process that a scheduler serves, with the published loader, and prints one line for each slot: the
// result as JSON with sorted keys, or {"throws": text}. Nothing but the log and the module is asked for.
//   node --experimental-wasm-memory64 reference/log.mjs SCHEDULER GATEWAY PROCESS
import { addressOf, checkChain, messageOf, replay, resultOf } from '../clients/replay.mjs'
import { valueOf } from '../clients/people.mjs'

const [su, gateway, process_] = process.argv.slice(2)
const json = async (url, init) => {
  const res = await fetch(url, init)
  if (!res.ok) throw new Error(`${url}: ${res.status} ${await res.text()}`)
  return res.json()
}

/** The whole log, page after page, as compute units read it. */
async function log () {
  const all = []
  for (let from = ''; ;) {
    const page = await json(`${su}/${process_}?process-id=${process_}&limit=1000${from}`)
    all.push(...page.edges)
    if (!page.page_info.has_next_page) return all
    from = '&from=' + page.edges.at(-1).cursor
  }
}

const sorted = (v) => Array.isArray(v) ? v.map(sorted) : v && typeof v === 'object' ? Object.fromEntries(Object.keys(v).sort().map((k) => [k, sorted(v[k])])) : v

const about = await json(`${su}/processes/${process_}`)
const moduleId = valueOf(about.tags, 'Module')
const meta = (await json(`${gateway}/graphql`, { method: 'POST', body: JSON.stringify({ query: 'query ($ids: [ID!]!) { transactions(ids: $ids) { edges { node { owner { address key } tags { name value } } } } }', variables: { ids: [moduleId] } }) })).data.transactions.edges[0].node
const bytes = new Uint8Array(await (await fetch(`${gateway}/raw/${moduleId}`)).arrayBuffer())
const edges = await log()
checkChain(process_, edges)
const messages = []
for (const e of edges) messages.push(await messageOf({ gateway }, e.node))
const env = {
  Process: { Id: process_, Owner: addressOf(about.owner), Tags: about.tags },
  Module: { Id: moduleId, Owner: addressOf(meta.owner), Tags: meta.tags }
}
const results = await replay({ bytes, format: valueOf(meta.tags, 'Module-Format'), env, messages, live: true })
process.stdout.write(results.map((r) => JSON.stringify(sorted(r.throws !== undefined ? { throws: r.throws } : resultOf(r.result))) + '\n').join(''))
