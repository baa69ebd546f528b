// Every unit a program of its own: gateway, scheduler, compute unit behind a router, messenger. They know each other by address only.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { sameAsLoader } from './replay.mjs'
import { session, slots, until } from './session.mjs'

const skip = process.env.AGO_BIN ? false : 'AGO_BIN is not set'
const data = mkdtempSync(join(tmpdir(), 'ago-units-'))
const units = new Map()
let net, me

/** Starts a unit and gives what it prints once it answers. */
async function start (name, options) {
  const child = spawn(process.env.AGO_BIN, [name, '-o', 'json', '--data', join(data, name), '--port', '0', ...options], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = new Promise((resolve) => child.once('exit', resolve))
  units.set(name, { child, exited })
  const line = new Promise((resolve) => createInterface(child.stdout).once('line', resolve))
  const first = await Promise.race([line, exited.then((code) => { throw new Error(`ago ${name}: exit ${code}`) })])
  return JSON.parse(first)
}

async function stop (name, signal = 'SIGTERM') {
  const { child, exited } = units.get(name)
  child.kill(signal)
  const hard = setTimeout(() => child.kill('SIGKILL'), 5000)
  await exited
  clearTimeout(hard)
}

let messenger
before(async () => {
  if (skip) return
  const gateway = await start('gateway', ['--bundler-port', '0'])
  const bundler = gateway.bundler
  const su = await start('su', ['--gateway-url', gateway.gateway, '--uploader-url', bundler])
  const cu = await start('cu', ['--gateway-url', gateway.gateway])
  messenger = ['--gateway-url', gateway.gateway, '--uploader-url', bundler, '--cu-url', cu.cu]
  const mu = await start('mu', messenger)
  const ur = spawn(process.env.AGO_BIN, ['ur', '-o', 'json', '--port', '0', '--hosts', cu.cu], { stdio: ['ignore', 'pipe', 'inherit'] })
  units.set('ur', { child: ur, exited: new Promise((resolve) => ur.once('exit', resolve)) })
  const router = JSON.parse(await new Promise((resolve) => createInterface(ur.stdout).once('line', resolve)))
  net = { gateway: gateway.gateway, bundler, su: su.su, cu: router.ur, mu: mu.mu, scheduler: su.address, authority: mu.address, started: false }
  me = await session(net)
})
after(async () => {
  for (const name of [...units.keys()].reverse()) await stop(name)
  rmSync(data, { recursive: true, force: true })
})

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
    await stop('mu', 'SIGKILL')
    net.mu = (await start('mu', messenger)).mu
  }
  const other = await session(net, me.key) // its messenger has another address now
  await until('the end of the rally', async () => Number(await other.value(a, 'return Balls')) + Number(await other.value(b, 'return Balls')) === 41, 60)
  assert.equal(Number(await other.value(a, 'return Balls')), 21)
})
