// Messages of every shape, committed to, sent and read with hbsig and wao's HB class.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { hyperbeam } from './hyperbeam.mjs'
import { network, skip } from './network.mjs'

let net, hb, pid
before(async () => {
  if (skip) return
  net = await network()
  hb = await hyperbeam(net)
  ;({ pid } = await hb.spawn())
})
after(() => net?.close())

const long = 'x'.repeat(10000)
const shapes = {
  'a text': { a: 'b' },
  numbers: { n: -5, zero: 0, large: 9007199254740991 },
  floats: { f: 1.5, l: [1.5, 2.25] },
  atoms: { t: true, f: false, n: null },
  'a list of texts': { l: ['a', 'b'] },
  'a list of everything': { l: [1.5, 'x', 2, true, { b: 'x' }, ['y', 3]] },
  'lists of maps': { l: [{ a: 1 }, { b: 'x', c: [1, 2] }] },
  'lists of lists': { l: [[1, 2], ['x'], [{ a: 1 }]] },
  'a map': { sub: { a: '1', n: 1, t: true } },
  'maps three deep': { a: { b: { c: 'deep', n: 7 }, x: 'y' } },
  'what is empty': { m: {}, l: [], s: '' },
  'what is empty, in a map': { m: { e: {}, l: [], s: '' } },
  'what is empty, in a list': { l: ['', [], {}] },
  'long data': { data: long },
  'long texts': { k: long, m: { k: long } },
  'data and a map': { data: 'd', sub: { a: 1 } },
  'data that is a map': { data: { a: 1, b: { c: 'x' } } },
  'a body and data': { body: 'b', data: 'd' },
  'a body that is a map': { body: { x: { y: 1 } }, k: 'v' },
  'lines in data': { data: 'a\nb\nc' },
  'lines in a map': { m: { s: 'one\ntwo' } },
  'keys with capitals': { Action: 'Eval', m: { 'Reply-To': 'x' } }
}

const lowered = (v) => v && typeof v === 'object' && !Array.isArray(v)
  ? Object.fromEntries(Object.entries(v).map(([k, e]) => [k.toLowerCase(), lowered(e)]))
  : v
const json = async (path) => {
  const r = await fetch(`${net.node}${path}`, { headers: { accept: 'application/json', 'accept-bundle': 'true' } })
  const text = await r.text()
  assert.equal(r.status, 200, text)
  return r.headers.get('content-type')?.startsWith('application/json') ? JSON.parse(text) : text
}

for (const [name, shape] of Object.entries(shapes)) {
  test(`committed to, scheduled, verified and read again: ${name}`, { skip }, async () => {
    const committed = await hb.commit({ type: 'Message', target: pid, ...shape }, { path: false })
    const { out } = await hb.send(await hb.sign({ path: `/${pid}/schedule`, body: committed }))
    const { edges } = await hb.messages({ pid, from: out.slot })
    const id = edges[0].node.message.Id
    assert.ok(id in committed.commitments, 'it is known by the id that the client gave it')
    assert.equal(edges[0].node.message.Owner, hb.addr)
    const [mac] = Object.keys(committed.commitments).filter((i) => i !== id)
    for (const at of [id, mac]) {
      assert.equal(await (await fetch(`${net.node}/${at}/verify`)).text(), 'true', at)
      for (const [key, want] of Object.entries(lowered(shape))) {
        const whole = await json(`/~cache@1.0/read?target=${at}&require-codec=application/json`)
        assert.deepEqual(whole[key] ?? null, want, key)
      }
    }
  })
}
