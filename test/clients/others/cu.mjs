// A compute unit that is not ours: the published loader behind the routes of compute units. It finds the scheduler of a process
// by the gateway, reads the log in pages by time, and knows nothing else of the network. One line tells where it answers.
//   node --experimental-wasm-memory64 clients/others/cu.mjs GATEWAY
import http from 'node:http'
import { Worker } from 'node:worker_threads'
import { addressOf, blocksFrom, messageOf, resultOf, tickOf, ticksBetween, timersOf, without } from '../replay.mjs'
import { valueOf } from '../people.mjs'
import { graphql, until } from '../session.mjs'

const net = { gateway: process.argv[2] }
const listed = 'edges { node { id owner { address key } tags { name value } } }'

async function json (url) {
  const res = await fetch(url)
  if (!res.ok) throw new Error(`${url}: ${res.status} ${await res.text()}`)
  return res.json()
}
const byId = async (id) => (await graphql(net, `query ($ids: [ID!]!) { transactions(ids: $ids) { ${listed} } }`, { ids: [id] })).transactions.edges[0]?.node
async function schedulerOf (process_) {
  const tx = await until(`process ${process_} at the gateway`, () => byId(process_), 10)
  const query = `query ($owners: [String!]) { transactions(owners: $owners, first: 1, sort: HEIGHT_DESC, tags: [{ name: "Type", values: ["Scheduler-Location"] }]) { ${listed} } }`
  const location = (await graphql(net, query, { owners: [valueOf(tx.tags, 'Scheduler')] })).transactions.edges[0].node
  return valueOf(location.tags, 'Url').replace(/\/$/, '')
}

/** One process: what was evaluated, in order, and the thread that evaluates. */
class Process {
  evaluated = [] // { timestamp, ordinate, cron, message, result }
  #turn = Promise.resolve()
  #asked = new Map()
  #questions = 0
  #last // message of the log

  constructor (id) { this.id = id }

  async start () {
    this.su = await schedulerOf(this.id)
    this.about = await json(`${this.su}/processes/${this.id}`)
    this.owner = addressOf(this.about.owner)
    this.timers = timersOf(this.about.tags)
    const moduleId = valueOf(this.about.tags, 'Module')
    const module = await until(`module ${moduleId} at the gateway`, () => byId(moduleId), 10)
    const bytes = new Uint8Array(await (await fetch(`${net.gateway}/raw/${moduleId}`)).arrayBuffer())
    const env = {
      Process: { Id: this.id, Owner: this.owner, Tags: this.about.tags },
      Module: { Id: moduleId, Owner: module.owner.key ? addressOf(module.owner) : module.owner.address, Tags: module.tags }
    }
    this.thread = new Worker(new URL('./evaluator.mjs', import.meta.url), { workerData: { bytes, format: valueOf(module.tags, 'Module-Format'), env } })
    this.thread.on('message', ({ ask, answer, error }) => {
      const { resolve, reject } = this.#asked.get(ask)
      this.#asked.delete(ask)
      if (error) reject(new Error(error)); else resolve(answer)
    })
    return this
  }

  ask (kind, msg) {
    return new Promise((resolve, reject) => {
      const ask = ++this.#questions
      this.#asked.set(ask, { resolve, reject })
      this.thread.postMessage({ ask, kind, msg })
    })
  }

  /** One at a time: whoever comes meanwhile goes on where the one before stopped. */
  turn (work) {
    const mine = this.#turn.then(work)
    this.#turn = mine.catch(() => {})
    return mine
  }

  /** Evaluates what the scheduler has, and with now the ticks up to its time. */
  advance (now) {
    return this.turn(async () => {
      for (let more = true; more;) {
        const page = await json(`${this.su}/${this.id}?process-id=${this.id}&limit=1000${this.#last ? '&from=' + this.#last.Timestamp : ''}`)
        for (const { node } of page.edges) {
          const msg = await messageOf(net, node)
          await this.#ticks(msg)
          await this.#evaluate(msg, { timestamp: msg.Timestamp, ordinate: String(msg.Nonce), message: msg.Id })
          this.#last = msg
        }
        more = page.page_info.has_next_page
      }
      if (now) await this.#ticks({ Timestamp: Number((await json(`${this.su}/timestamp?process-id=${this.id}`)).timestamp) })
    })
  }

  async #evaluate (msg, at) {
    this.evaluated.push({ ...at, result: resultOf(await this.ask('evaluate', msg)) })
  }

  async #ticks (right) {
    if (!this.#last || !(this.timers.byBlock.length + this.timers.byTime.length)) return
    this.origin ??= { Timestamp: this.about.timestamp, 'Block-Height': Number(this.about.block) }
    const blocks = this.timers.byBlock.length ? await blocksFrom(net, this.#last['Block-Height']) : []
    const done = this.evaluated.at(-1)
    for (const { t, at, height } of ticksBetween(this.timers, this.origin, this.#last, right, blocks)) {
      if (this.evaluated.some((e) => e.cron === t.name && e.timestamp === at) || (done.cron && at < done.timestamp)) continue
      await this.#evaluate(tickOf(this.id, this.owner, t, at, height), { timestamp: at, ordinate: String(this.#last.Nonce), cron: t.name })
    }
  }

  /** The result of a message or an assignment, evaluated if it was not yet. */
  async result (message) {
    const nonce = message === this.id ? '0' : valueOf((await json(`${this.su}/${message}?process-id=${this.id}`)).assignment.tags, 'Nonce')
    const find = () => this.evaluated.find((e) => e.ordinate === nonce && !e.cron)
    if (!find()) await this.advance()
    if (!find()) throw new Error(`message ${message} is not in the log of ${this.id}`)
    return find().result
  }

  /** The newest state answers, and nothing of it is kept. */
  async dryRun (body) {
    await this.advance()
    return this.turn(async () => {
      const { Timestamp, 'Block-Height': height } = this.#last
      const msg = { Timestamp, 'Block-Height': height, Cron: false, Target: this.id, ...body, From: valueOf(body.Tags ?? [], 'From-Process') ?? body.Owner, Tags: without(body.Tags ?? []), 'Read-Only': true }
      return resultOf(await this.ask('dry', msg))
    })
  }

  page (query, cronOnly) {
    const rowKey = (e) => [e.timestamp, e.ordinate, e.cron].filter((x) => x !== undefined && x !== null).join(',')
    const edge = (text) => { if (!text) return {}; try { const c = JSON.parse(atob(text)); return { key: rowKey(c), sort: c.sort } } catch { return { key: text } } }
    const from = edge(query.get('from'))
    const to = edge(query.get('to'))
    const sort = from.sort ?? query.get('sort') ?? 'ASC'
    let rows = this.evaluated.filter((e) => (!cronOnly || e.cron) && !e.result.Error && (!from.key || rowKey(e) > from.key) && (!to.key || rowKey(e) <= to.key + ',\uffff'))
    if (sort === 'DESC') rows.reverse()
    const limit = Number(query.get('limit') ?? 25)
    const more = rows.length > limit
    rows = rows.slice(0, limit)
    return {
      pageInfo: { hasNextPage: more },
      edges: rows.map(({ timestamp, ordinate, cron, result: { GasUsed, ...node } }) => ({ node, cursor: btoa(JSON.stringify({ timestamp, ordinate, cron, sort })) }))
    }
  }
}

const processes = new Map()
function known (id) {
  if (!/^[\w-]{43}$/.test(id ?? '')) throw new Error('a process has an id of 43 characters')
  if (!processes.has(id)) processes.set(id, new Process(id).start().catch((e) => { processes.delete(id); throw e }))
  return processes.get(id)
}

async function answer (req, url) {
  const [what, id] = url.pathname.slice(1).split('/')
  if (what === '') return { timestamp: Date.now(), address: 'a compute unit of another make' }
  const p = await known(what === 'result' || what === 'dry-run' ? url.searchParams.get('process-id') : id)
  if (what === 'result') return p.result(id)
  if (what === 'dry-run') {
    const parts = []
    for await (const part of req) parts.push(part)
    return p.dryRun(JSON.parse(Buffer.concat(parts)))
  }
  await p.advance(what === 'cron')
  if (what === 'results' || what === 'cron') return p.page(url.searchParams, what === 'cron')
  if (what === 'state') return Buffer.from(await p.ask('state'))
  throw new Error(`there is no ${url.pathname}`)
}

http.createServer((req, res) => {
  answer(req, new URL(req.url, 'http://cu')).then((body) => {
    const binary = Buffer.isBuffer(body)
    res.writeHead(200, { 'content-type': binary ? 'application/octet-stream' : 'application/json', 'access-control-allow-origin': '*' })
    res.end(binary ? body : JSON.stringify(body))
  }, (e) => {
    res.writeHead(400, { 'content-type': 'application/json' })
    res.end(JSON.stringify({ error: e.message }))
  })
}).listen(0, '127.0.0.1', function () { console.log(JSON.stringify({ cu: `http://127.0.0.1:${this.address().port}` })) })
