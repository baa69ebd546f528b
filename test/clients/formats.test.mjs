// Every module format, through the network: own small modules for the old formats, aos with metering.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { at, modulesDir, network, skip } from './network.mjs'
import { signed, valueOf } from './people.mjs'
import { moduleTags, output, session } from './session.mjs'
import { sameAsLoader } from './replay.mjs'

const own = fileURLToPath(new URL('../reference/modules', import.meta.url))
let net, me
before(async () => {
  if (skip) return
  net = await network()
  me = await session(net)
})
after(() => net?.close())

async function publish (file, format, changes = {}) {
  const tags = moduleTags(format).map((t) => ({ ...t, value: changes[t.name] ?? t.value }))
  const it = await signed(me.key, { data: readFileSync(file), tags })
  const res = await fetch(at(net.bundler, '/tx'), { method: 'POST', body: it.raw, headers: { 'content-type': 'application/octet-stream' } })
  assert.ok(res.ok)
  return it.id
}

// What shows the host's path, language or stack depth is left out.
const COMMANDS = ['count', 'echo héllo €', 'setjmp 3', 'setjmp-loop 50', 'nested-inner', 'nested-outer', 'count-then-fail', 'now', 'count', 'count-then-error', 'count-then-trap', 'count', 'dates 1700000007', 'gmtime 1700000007',
  'localtime 0', 'mktime 20', 'tzset', 'printf 1 x', 'fopen', 'math 2.5', 'nan', 'rand', 'int64', 'copy 100000', 'grow 10000000', 'size', 'grow-then-fail 40000000', 'size', 'count', 'exit 3', 'abort', 'divide', 'out-of-bounds', 'binary', 'buffer',
  'long 1000', 'count']

for (const [n, format] of [[1, 'wasm32-unknown-emscripten'], [2, 'wasm32-unknown-emscripten2'], [3, 'wasm32-unknown-emscripten3']]) {
  test(`${format}: every result is the loader's`, { skip }, async () => {
    const pid = await me.spawn({ module: await publish(join(own, `probe${n}.wasm`), format) })
    for (const c of COMMANDS) await me.call(pid, { data: c })
    assert.equal((await me.call(pid, { data: 'count' })).Output, '6')
    assert.equal(await sameAsLoader(net, pid), COMMANDS.length + 2)
  })
}

for (const [name, format] of [['aos2_0_4_32', 'wasm32-unknown-emscripten-metering'], ['aos2_0_6', 'wasm64-unknown-emscripten-draft_2024_10_16-metering']]) {
  test(`${format}: gas as the loader counts it, and its end`, { skip, timeout: 240000 }, async () => {
    const module = await publish(join(modulesDir, name + '.wasm'), format, { 'Compute-Limit': '30000000000' })
    const pid = await me.spawn({ module })
    const r = await me.evalLua(pid, 'Kept = "yes" return 1 + 1')
    assert.equal(output(r), '2')
    assert.ok(r.GasUsed > 1e6, `gas ${r.GasUsed}`)
    for (const code of ['while true do end', 'while true do pcall(function() while true do end end) end']) {
      const stopped = await me.evalLua(pid, code)
      assert.match(JSON.stringify(stopped.Error), /out of gas/)
    }
    assert.match(output(await me.evalLua(pid, 'return Kept')), /yes$/)
    assert.equal(await sameAsLoader(net, pid, 30e9), 5)
  })
}

test('an unknown format is refused', { skip }, async () => {
  const module = await publish(join(own, 'probe1.wasm'), 'wasm32-unknown-nothing')
  const refused = await me.spawn({ module }).then(async (pid) => (await fetch(at(net.cu, `/result/${pid}?process-id=${pid}`))).status >= 400, () => true)
  assert.ok(refused)
})

test('bytes that are no module are refused', { skip }, async () => {
  const it = await signed(me.key, { data: 'not wasm at all', tags: moduleTags('wasm32-unknown-emscripten4') })
  await fetch(at(net.bundler, '/tx'), { method: 'POST', body: it.raw, headers: { 'content-type': 'application/octet-stream' } })
  const pid = await me.spawn({ module: it.id }).catch(() => null)
  if (!pid) return
  const res = await fetch(at(net.cu, `/result/${pid}?process-id=${pid}`))
  assert.ok(res.status >= 400, `status ${res.status}`)
  assert.equal(typeof (await res.json()).error, 'string')
})

test('a process states its own limits', { skip }, async () => {
  const pid = await me.spawn({ tags: { 'Memory-Limit': '512-mb', 'Compute-Limit': '1000000000' } })
  assert.equal(await me.value(pid, '1+1'), '2')
  const about = await (await fetch(at(net.su, '/processes/' + pid))).json()
  assert.equal(valueOf(about.tags, 'Memory-Limit'), '512-mb')
})
