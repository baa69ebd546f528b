// Every unit a program of its own: gateway, scheduler, compute unit behind a router, messenger. They know each other by address only.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { sameAsLoader } from './replay.mjs'
import { session, slots, until } from './session.mjs'
import { Units } from './units.mjs'

const skip = process.env.AGO_BIN ? false : 'AGO_BIN is not set'
const units = new Units()
let net, me, messenger

before(async () => {
  if (skip) return
  const { gateway, bundler } = await units.ours('gateway', ['--bundler-port', '0'])
  const su = await units.ours('su', ['--gateway-url', gateway, '--uploader-url', bundler])
  const { cu } = await units.ours('cu', ['--gateway-url', gateway])
  messenger = ['--gateway-url', gateway, '--uploader-url', bundler, '--cu-url', cu]
  const mu = await units.ours('mu', messenger)
  const { ur } = await units.ours('ur', ['--hosts', cu])
  net = { gateway, bundler, su: su.su, cu: ur, mu: mu.mu, scheduler: su.address, authority: mu.address, started: false }
  me = await session(net)
})
after(() => units.close())

test('ping and pong, a dry run, and a process that spawns', { skip, timeout: 120000 }, async () => {
  const [a, b] = [await me.spawn({ name: 'a' }), await me.spawn({ name: 'b' })]
  await me.evalLua(b, 'Handlers.add("ping", "Ping", function(m) Pinged = m.From .. " " .. m.Owner m.reply({Action = "Pong", Data = "pong of " .. m.Data}) end)')
  await me.evalLua(a, 'Handlers.add("pong", "Pong", function(m) Ponged = m.From .. " " .. m.Data end)')
  await me.evalLua(a, `ao.send({Target = "${b}", Action = "Ping", Data = "hello"}) return "sent"`)
  await until('the pong', async () => (await me.value(a, 'return tostring(Ponged)')) === `${b} pong of hello`)
  assert.equal(await me.value(b, 'return Pinged'), `${a} ${net.authority}`)
  const dry = await me.ao.dryrun({ process: a, tags: [{ name: 'Action', value: 'Pong' }], data: 'x' })
  assert.ok(Array.isArray(dry.Messages))
  const module = await me.moduleId()
  await me.evalLua(a, `Handlers.add("made", "Spawned", function(m) Child = m.Process or m.Tags.Process end) ao.spawn("${module}", {Authority = "${net.authority}", Name = "child"}) return 1`)
  await until('the child', async () => /^[\w-]{43}$/.test(await me.value(a, 'return tostring(Child)')))
  await sameAsLoader(net, a)
  await sameAsLoader(net, b)
})

test('a messenger that is killed in a rally loses and doubles nothing', { skip, timeout: 120000 }, async () => {
  const [a, b] = [await me.spawn({ name: 'a' }), await me.spawn({ name: 'b' })]
  const code = (other) => `Balls = 0 Handlers.add("ball", "Ball", function(m) Balls = Balls + 1 local n = tonumber(m.N) if n > 0 then ao.send({Target = "${other}", Action = "Ball", N = tostring(n - 1)}) end end)`
  await me.evalLua(a, code(b))
  await me.evalLua(b, code(a))
  await me.send(a, { tags: { Action: 'Ball', N: '40' } })
  for (let kill = 0; kill < 3; kill++) {
    await until('some balls', async () => (await slots(net, b)).length > 4 + kill * 3)
    await units.stop('mu', 'SIGKILL')
    net.mu = (await units.ours('mu', messenger)).mu
  }
  const other = await session(net, me.key) // its messenger has another address now
  await until('the end of the rally', async () => Number(await other.value(a, 'return Balls')) + Number(await other.value(b, 'return Balls')) === 41, 60)
  assert.equal(Number(await other.value(a, 'return Balls')), 21)
})
