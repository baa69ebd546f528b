// Every method of wao's HB class, and every function of hbsig that talks to a node or makes and reads messages.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import * as hbsig from 'hbsig'
import { holds, hyperbeam, newJwk } from './hyperbeam.mjs'
import { network, skip } from './network.mjs'

let net, hb, dir
const core = newJwk()
before(async () => {
  if (skip) return
  dir = mkdtempSync(join(tmpdir(), 'ago-wallet-'))
  writeFileSync(join(dir, 'core.json'), JSON.stringify(core), { mode: 0o600 })
  net = await network(['--core-wallet', join(dir, 'core.json')]) // hbsig verifies RSA signatures only
  hb = await hyperbeam(net)
})
after(async () => {
  await net?.close()
  if (dir) rmSync(dir, { recursive: true, force: true })
})

const own = !skip && !process.env.AGO_NETWORK
const proto = async () => Object.getOwnPropertyNames(Object.getPrototypeOf(hb)).filter((n) => n !== 'constructor').sort()

test('these are all methods there are', { skip }, async () => {
  assert.deepEqual(await proto(), [
    // here
    '_init', 'isArConnect', 'setInfo', 'init', 'sign', 'send', 'signEncoded', 'commit', 'p', 'post', 'postJSON', 'g', 'get', 'getJSON', 'message',
    'getImage', 'spawnAOS', 'messageAOS', 'scheduleAOS', 'computeAOS', 'messages',
    // in hb.test.mjs
    'spawn', 'schedule', 'scheduleFlat', 'scheduleNP', 'compute', 'now', 'slot', 'cacheScript', 'cacheBinary', 'dryrun', 'results', 'getLua', 'spawnLua',
    'scheduleLua', 'computeLua', 'spawnLegacy', 'scheduleLegacy', 'computeLegacy', 'messageLegacy'
  ].filter((n) => n !== 'sign').sort(), 'sign is made by init')
  assert.deepEqual(Object.keys(hbsig).filter((n) => !n.startsWith('__') && n !== 'default').sort(), [
    'base', 'commit', 'createSigner', 'decodeSigInput', 'erl_json_from', 'erl_json_to', 'erl_str_from', 'erl_str_to', 'extractPubKey', 'flat_from', 'flat_to',
    'hashpath', 'hmacid', 'httpsig_from', 'httpsig_to', 'id', 'normalize', 'rsaid', 'send', 'sign', 'signer', 'structured_from', 'structured_to', 'toAddr', 'verify'])
})

test('get, post, and their short forms', { skip }, async () => {
  assert.equal(hb.isArConnect(), false)
  const want = { a: 'b', device: 'message@1.0', status: 200 }
  assert.deepEqual((await hb.get({ path: '/~message@1.0/set', a: 'b' })).out, want)
  const posted = (await hb.post({ path: '/~message@1.0/set', a: 'b' })).out
  delete posted.method
  assert.deepEqual(posted, want)
  assert.equal(await hb.g('/~message@1.0/a', { a: 'b' }), 'b')
  assert.equal(await hb.p('/~message@1.0/a', { a: 'b' }), 'b')
  assert.equal((await hb.getJSON({ path: '/~message@1.0/set', a: 'b' })).a, 'b')
  assert.deepEqual((await hb.postJSON({ path: '/~message@1.0/set', a: [1, { b: true }] })).a, [1, { b: true }])
})

test('messages that were signed as they are, and by the functions of hbsig', { skip }, async () => {
  const msg = { headers: { a: 'b' } }
  for (const signed of [
    await hb.signEncoded({ path: '/~message@1.0/set', ...msg }),
    await hbsig.sign({ url: net.node, jwk: hb.jwk, path: '/~message@1.0/set', msg }),
    await hbsig.createSigner(hb.jwk, net.node)({ path: '/~message@1.0/set', a: 'b' }),
    await hbsig.signer({ signer: hb.signer, url: net.node })({ path: '/~message@1.0/set', a: 'b' })
  ]) assert.equal((await hbsig.send(signed)).out.a, 'b')
})

test('answers verify, and say who signed', { skip: !own }, async () => {
  for (const fields of [{ a: 'b' }, { n: 1, l: [1, 'x', 2.5] }, { m: { x: { y: true } } }, { data: 'a\nb' }, { l: [], m: {}, s: '' }]) {
    const { headers, body } = await hb.post({ path: '/~message@1.0/set', ...fields })
    assert.ok(holds(headers), JSON.stringify(fields))
    assert.ok(!holds({ ...headers, device: 'other@1.0' }))
    if (body) assert.equal(headers['content-digest'], `sha-256=:${createHash('sha256').update(body).digest('base64')}:`)
    assert.ok((await hbsig.verify({ headers, body })).verified)
    assert.equal(hbsig.toAddr(hbsig.extractPubKey(headers).toString('base64')), hbsig.toAddr(core.n))
    const [input] = Object.values(hbsig.decodeSigInput(headers['signature-input']))
    assert.ok(input.components.includes('device') && input.params.alg === 'rsa-pss-sha512')
  }
  assert.equal(await hb.g('/~meta@1.0/info/core-address'), hbsig.toAddr(core.n))
})

test('ids of what was committed to, and of what follows', { skip }, async () => {
  const { pid } = await hb.spawn()
  const committed = await hb.commit({ type: 'Message', target: pid, n: 1, sub: { a: 1 } }, { path: false })
  const { out } = await hb.send(await hb.sign({ path: `/${pid}/schedule`, body: committed }))
  const { edges } = await hb.messages({ pid, from: out.slot })
  const [rsa] = Object.keys(committed.commitments).filter((id) => committed.commitments[id].alg === 'rsa-pss-sha512')
  assert.equal(edges[0].node.message.Id, rsa)
  assert.equal(hbsig.rsaid(committed.commitments[rsa]), rsa)
  const tag = async (path) => (await hb.get({ path })).headers['signature-input'].match(/tag="([^"]+)"/)[1]
  const [before, after] = [await tag('/~message@1.0&a=1/set&b=2/set&c=3'), await tag('/~message@1.0&a=1/set&b=2/set&c=3/set&d=4')]
  assert.equal(after.split('/')[0], hbsig.base(before), 'each step folds what came before, as the client does')
  assert.equal(after, hbsig.hashpath(before, { commitments: { [after.split('/')[1]]: {} } }))
})

const shapes = [{ a: 'b' }, { n: 1, f: 1.5, t: true }, { l: [1, 'x', 2.5, true] }, { m: { x: 'y', n: 1 } }, { a: { b: { c: 1 } } }, { l: [{ a: 1 }, { b: 'x' }] }] // what is empty is only noted in the first generation, which an unsigned message does not tell

test('what the encoders of hbsig write, the node reads', { skip }, async () => {
  const asJSON = async (sent, headers, body) => {
    const r = await fetch(`${net.node}/~message@1.0/set?require-codec=application/json`, { method: 'POST', headers: { ...headers, ...(sent && { 'codec-device': sent }) }, body })
    const text = await r.text()
    assert.equal(r.status, 200, text)
    const { device, method, 'require-codec': codec, 'content-type': type, 'codec-device': said, ...out } = JSON.parse(text)
    return out
  }
  for (const shape of shapes) {
    const { body, ...headers } = hbsig.httpsig_to(hbsig.normalize(hbsig.structured_from(hbsig.normalize(shape))))
    assert.deepEqual(await asJSON('', headers, body), shape, `httpsig of ${JSON.stringify(shape)}`)
    const whole = await (await fetch(`${net.node}/~message@1.0/set`, { method: 'POST', headers: { 'content-type': 'application/json', accept: 'application/json' }, body: JSON.stringify(hbsig.erl_json_from(hbsig.erl_json_to(shape))) })).json()
    for (const key in shape) assert.deepEqual(whole[key], shape[key])
  }
  const flat = hbsig.flat_to({ a: 'b', m: { x: 'y' } })
  assert.deepEqual(await asJSON('flat@1.0', {}, Object.entries(flat).map(([k, v]) => `${k}: ${v}`).join('\n')), hbsig.flat_from(flat))
})

test('what the node writes, the readers of hbsig read', { skip }, async () => {
  for (const shape of [...shapes.filter(({ l }) => !l), { l: [1, 'x', 2.5] }]) { // nor does it read what is quoted in lists
    const { headers, body } = await hb.post({ path: '/~message@1.0/set', ...shape })
    const out = hbsig.structured_to(hbsig.httpsig_from({ ...headers, ...(body ? { body } : {}) }))
    const asTexts = JSON.parse(JSON.stringify(shape), (_, v) => (typeof v === 'boolean' ? String(v) : v)) // it reads atoms as texts
    for (const key in shape) assert.deepEqual(JSON.parse(JSON.stringify(out[key]), (_, v) => (typeof v === 'boolean' ? String(v) : v)), asTexts[key], `${key} of ${JSON.stringify(shape)}`)
  }
  const committed = await hb.commit({ a: 'b' }, { path: false })
  const [mac] = Object.keys(committed.commitments).filter((id) => committed.commitments[id].alg === 'hmac-sha256')
  const { committed: _, ...said } = committed
  assert.equal(hbsig.hmacid({ ...said, 'signature-input': committed.commitments[mac]['signature-input'] }), mac)
  assert.equal(hbsig.id(committed), createHash('sha256').update(Object.keys(committed.commitments).sort().join(', ')).digest('base64url'))
  // A text of Erlang terms, of the client's own tests: no node speaks it.
  assert.deepEqual(hbsig.erl_str_from(hbsig.erl_str_to({ a: 'b' })), { a: 'b' })
})

test('a scheduled message, its result, and lists of messages', { skip }, async () => {
  const { pid } = await hb.spawn()
  const { slot, res } = await hb.message({ pid, data: 'x', tags: { Action: 'Any' } })
  assert.equal(slot, 1)
  assert.equal(res['at-slot'], 1)
  const list = await hb.messages({ pid, to: 0 })
  assert.equal(list.edges.length, 1)
  assert.equal(list.page_info.has_next_page, false, 'all that was asked for is there')
})

test('wasm: the image that the client brings, and a push from one process to another', { skip }, async () => {
  assert.equal(await hb.getImage(), hb.image)
  const [a, b] = [(await hb.spawnAOS()).pid, (await hb.spawnAOS()).pid]
  const evaluate = async (pid, data) => {
    const { slot } = await hb.scheduleAOS({ pid, data })
    return { slot, ...(await hb.compute({ pid, slot, path: 'results' })).output }
  }
  assert.equal((await evaluate(a, 'X = 41 return X')).data, '41')
  const at = await evaluate(a, 'X = X + 1 return X')
  assert.equal(at.data, '42')
  assert.equal((await evaluate(a, 'return X + 1')).data, '43')
  assert.equal((await hb.compute({ pid: a, slot: at.slot, path: 'results' })).output.data, '42', 'the result at a slot that was given')
  await evaluate(b, 'Handlers.add("ping", { Action = "Ping" }, function (m) Got = m.Data .. " " .. m.From Send({ Target = m.From, Action = "Pong", Data = "pong" }) end)')
  await evaluate(a, 'Handlers.add("pong", { Action = "Pong" }, function (m) Pong = m.Data .. " " .. m.From end)')
  const { slot, outbox } = await hb.messageAOS({ pid: a, data: `Send({ Target = "${b}", Action = "Ping", Data = "there" })` })
  assert.equal(outbox['1'].target, b)
  assert.equal((await hb.get({ path: `/${a}/push`, slot })).status, 200)
  assert.equal((await evaluate(b, 'return Got')).data, `there ${a}`)
  assert.equal((await evaluate(a, 'return Pong')).data, `pong ${b}`)
})
