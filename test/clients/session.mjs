// What one user does with a network through aoconnect in legacy mode, unmodified.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { at, imported, modulesDir, W32, W64 } from './network.mjs'
import { arweave, signed, signerOf, tagsOf } from './people.mjs'

// Clients ask one public host whatever they are configured with. It is answered here: no such process, go on with the gateway.
const realFetch = globalThis.fetch
globalThis.fetch = (input, init) => {
  const url = new URL(input?.url ?? input)
  if (!['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname)) return Promise.resolve(new Response('not in this test', { status: 404 }))
  return realFetch(input, init)
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Repeats a look until it gives something that is not undefined or false. */
export async function until (what, look, seconds = 20) {
  const end = performance.now() + seconds * 1000
  let last
  while (performance.now() < end) {
    try { const r = await look(); if (r !== undefined && r !== false) return r } catch (e) { last = e }
    await sleep(100)
  }
  throw new Error(`${what}: not within ${seconds} s${last ? ', last: ' + last.message : ''}`)
}

export async function session (net, key = arweave()) {
  process.env.GRAPHQL_URL = at(net.gateway, '/graphql')
  process.env.GATEWAY_URL = net.gateway
  const { connect } = await import('@permaweb/aoconnect')
  const ao = connect({ MODE: 'legacy', MU_URL: net.mu, CU_URL: net.cu, GATEWAY_URL: net.gateway, GRAPHQL_URL: at(net.gateway, '/graphql') })
  const signer = signerOf(key)
  const published = new Map()

  const s = { net, ao, key, signer }

  /** Puts a module on the network as a data item, through the bundler; gives its id. */
  s.publish = async (name = 'aos2_0_6', format = name.endsWith('_32') ? W32 : W64) => {
    const label = name + format
    if (!published.has(label)) {
      published.set(label, (async () => {
        const it = await signed(key, { data: readFileSync(join(modulesDir, name + '.wasm')), tags: moduleTags(format) })
        const res = await fetch(at(net.bundler, '/tx'), { method: 'POST', body: it.raw, headers: { 'content-type': 'application/octet-stream' } })
        if (!res.ok) throw new Error(`bundler: ${res.status} ${await res.text()}`)
        return it.id
      })())
    }
    return published.get(label)
  }

  /** The id of a module: the one AGO_NETWORK names, the imported one if this test started the network, else published now. */
  s.moduleId = async (name = 'aos2_0_6') => net.module ? net.module : net.started ? imported[name].id : s.publish(name)

  s.spawn = async ({ module, tags = {}, data, trust = true, name = 'test' } = {}) => ao.spawn({
    module: module ?? await s.moduleId(), scheduler: net.scheduler, signer, data,
    tags: [...tagsOf({ Name: name, ...(trust ? { Authority: net.authority } : {}) }), ...(Array.isArray(tags) ? tags : tagsOf(tags))]
  })

  s.send = (process, { data, tags = {}, anchor, as } = {}) => ao.message({ process, data, anchor, tags: Array.isArray(tags) ? tags : tagsOf(tags), signer: as ?? signer })
  s.result = (process, message) => ao.result({ process, message })
  s.call = async (process, o) => s.result(process, await s.send(process, o))
  s.evalLua = (process, code, o = {}) => s.call(process, { ...o, data: code, tags: { Action: 'Eval', ...(o.tags ?? {}) } })
  s.value = async (process, code) => output(await s.evalLua(process, code))
  return s
}

/** What a result shows to a user: the text of its Output, whatever the age of the aos that made it. */
export function output (r) {
  if (r.Error) throw new Error(`Error in the result: ${typeof r.Error === 'string' ? r.Error : JSON.stringify(r.Error)}`)
  const d = r.Output?.data ?? r.Output
  return typeof d === 'object' && d !== null ? d.output ?? JSON.stringify(d) : d
}

export const moduleTags = (format) => tagsOf({
  'Data-Protocol': 'ao', Variant: 'ao.TN.1', Type: 'Module', 'Module-Format': format, 'Input-Encoding': 'JSON-1', 'Output-Encoding': 'JSON-1',
  'Memory-Limit': '1-gb', 'Compute-Limit': '9000000000000', 'Content-Type': 'application/wasm'
})

export async function graphql (net, query, variables) {
  const res = await fetch(at(net.gateway, '/graphql'), { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ query, variables }) })
  const body = await res.json()
  if (body.errors) throw new Error(JSON.stringify(body.errors))
  return body.data
}

/** All edges the scheduler gives for a process, oldest first. */
export async function slots (net, process, query = '') {
  const edges = []
  let from = ''
  for (;;) {
    const res = await fetch(at(net.su, `/${process}?process-id=${process}${from}${query}`))
    if (!res.ok) throw new Error(`scheduler: ${res.status} ${await res.text()}`)
    const page = await res.json()
    edges.push(...page.edges)
    if (!page.page_info.has_next_page || !page.edges.length) return edges
    from = '&from=' + page.edges.at(-1).cursor
  }
}
