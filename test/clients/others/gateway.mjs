// A gateway and a bundler that are not ours: items are kept in memory, found by GraphQL, and served by id.
import { failing, read, serve } from './serving.mjs'

const items = new Map() // in the order they came
const block = () => ({ id: 'b'.repeat(64), height: 1_600_000, timestamp: Math.floor(Date.now() / 1000), previous: 'a'.repeat(64) })

/** Reads the arguments of a field of a query: strings, numbers, lists, objects, words and variables. Commas are blanks. */
function argumentsOf (query, field, variables) {
  const text = query.replace(/#[^\n"]*$/gm, '')
  const start = new RegExp(`\\b${field}\\s*\\(`).exec(text)
  if (!start) return {}
  const token = /\s*,*\s*("(?:[^"\\]|\\.)*"|\$\w+|-?[\d.]+|\w+|[[\]{}():])/y
  token.lastIndex = start.index + start[0].length
  const next = () => { const m = token.exec(text); return m && m[1] }
  const value = (t) => {
    if (t === '[') { const list = []; for (let u; (u = next()) !== ']';) list.push(value(u)); return list }
    if (t === '{') return object('}')
    if (t.startsWith('$')) return variables[t.slice(1)]
    if (/^["\d-]/.test(t)) return JSON.parse(t)
    return t
  }
  const object = (end) => {
    const o = {}
    for (let name; (name = next()) !== end;) {
      if (next() !== ':') throw failing(400, 'the arguments of ' + field)
      o[name] = value(next())
    }
    return o
  }
  return object(')')
}

const one = (x) => x === undefined || x === null ? undefined : [].concat(x)

function graphql ({ query, variables = {} }) {
  if (/\bblocks\b/.test(query)) {
    const { height: { min = 0 } = {} } = argumentsOf(query, 'blocks', variables)
    return { data: { blocks: { pageInfo: { hasNextPage: false }, edges: min > block().height ? [] : [{ cursor: '0', node: block() }] } } }
  }
  const { ids, owners, recipients, tags = [], first = 10, sort = 'HEIGHT_DESC' } = argumentsOf(query, 'transactions?', variables)
  const has = (it, { name, values }) => it.tags.some((t) => t.name === name && one(values).includes(t.value))
  let found = [...items.values()].filter((it) => (!ids || one(ids).includes(it.id)) && (!owners || one(owners).includes(it.owner.address)) &&
    (!recipients || one(recipients).includes(it.target)) && tags.every((t) => has(it, t)))
  if (sort === 'HEIGHT_DESC') found.reverse()
  found = found.slice(0, first)
  const node = (it) => ({
    id: it.id, anchor: it.anchor, signature: it.signature, recipient: it.target, owner: it.owner, tags: it.tags, block: block(), parent: null, bundledIn: null,
    data: { size: String(it.data.length), type: null }, fee: { winston: '0', ar: '0' }, quantity: { winston: '0', ar: '0' }
  })
  return { data: { transactions: { pageInfo: { hasNextPage: false }, edges: found.map((it) => ({ cursor: it.id, node: node(it) })) } } }
}

const url = await serve(async ({ method, path, body }) => {
  if (method === 'POST' && path[0] === 'graphql') return graphql(JSON.parse(body))
  if (method === 'POST' && path[0] === 'tx') {
    const item = await read(body)
    items.set(item.id, items.get(item.id) ?? item)
    return { id: item.id, timestamp: Date.now(), owner: item.owner.address }
  }
  if (path[0] === '' || path[0] === 'info') return { network: 'another', height: block().height, current: block().id }
  if (path[0] === 'block') return { ...block(), indep_hash: block().id, previous_block: block().previous }
  const item = items.get(path[0] === 'raw' ? path[1] : path[0])
  if (!item) throw failing(404, 'there is nothing of this id')
  return Buffer.from(item.data)
})
console.log(JSON.stringify({ gateway: url, bundler: url }))
