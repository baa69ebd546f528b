// Units are exchangeable: each in turn is one of another make, the others are ours, and unmodified clients notice nothing.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { at } from './network.mjs'
import { arweave, valueOf } from './people.mjs'
import { sameAsLoader } from './replay.mjs'
import { output, session, slots, until } from './session.mjs'
import { Units } from './units.mjs'

const skip = process.env.AGO_BIN ? false : 'AGO_BIN is not set'

/** Starts a network of units, of which one is of another make. */
async function networkWith (units, other) {
  const make = (name, options, ...args) => name === other ? units.other(name, ...args) : units.ours(name, options)
  const { gateway, bundler } = await make('gateway', ['--bundler-port', '0'])
  const su = await make('su', ['--gateway-url', gateway, '--uploader-url', bundler], gateway, bundler)
  const { cu } = await make('cu', ['--gateway-url', gateway], gateway)
  const mu = await make('mu', ['--gateway-url', gateway, '--uploader-url', bundler, '--cu-url', cu], gateway, bundler, cu)
  return { gateway, bundler, cu, su: su.su, mu: mu.mu, scheduler: su.address, authority: mu.address, started: false }
}

const key = arweave() // one person: making such a key takes seconds

const make = (other) => describe(other === 'none' ? 'all units are ours' : `the ${other} is of another make`, { skip, concurrency: false }, () => {
  const units = new Units()
  let net, me, a, b
  before(async () => {
    net = await networkWith(units, other)
    me = await session(net, key)
    ;[a, b] = await Promise.all([me.spawn({ name: 'a' }), me.spawn({ name: 'b' })])
  })
  after(() => units.close())

  test('evaluating, handlers, errors', { timeout: 30000 }, async () => {
    assert.equal(await me.value(a, 'Kept = 1 return 1 + 1'), '2')
    const r = await me.evalLua(a, 'Kept = 2 error("boom")')
    assert.match(String(r.Error), /boom/)
    assert.equal(await me.value(a, 'return Kept'), '1', 'an error leaves the state as it was')
    await me.evalLua(a, 'Handlers.add("greet", "Greet", function(m) m.reply({ Action = "Greeting", Data = "hello " .. m.Data }) end)')
    const greeted = await me.call(a, { tags: { Action: 'Greet' }, data: 'world' })
    assert.equal(greeted.Messages[0].Data, 'hello world')
    assert.equal(valueOf(greeted.Messages[0].Tags, 'Action'), 'Greeting')
  })

  test('messages between two processes, and a process that spawns', { timeout: 30000 }, async () => {
    await me.evalLua(b, 'Handlers.add("ping", "Ping", function(m) Pinged = m.From .. " " .. m.Owner m.reply({Action = "Pong", Data = "pong of " .. m.Data}) end)')
    await me.evalLua(a, 'Handlers.add("pong", "Pong", function(m) Ponged = m.From .. " " .. m.Data end)')
    await me.evalLua(a, `ao.send({Target = "${b}", Action = "Ping", Data = "hello"}) return "sent"`)
    await until('the pong', async () => (await me.value(a, 'return tostring(Ponged)')) === `${b} pong of hello`)
    assert.equal(await me.value(b, 'return Pinged'), `${a} ${net.authority}`)
    await me.evalLua(a, `Handlers.add("made", "Spawned", function(m) Child = m.Process or m.Tags.Process end) ao.spawn("${await me.moduleId()}", {Authority = "${net.authority}", Name = "child"}) return 1`)
    const child = await until('the child', async () => { const c = await me.value(a, 'return tostring(Child)'); return /^[\w-]{43}$/.test(c) && c })
    assert.equal(await me.value(a, `ao.send({Target = "${child}", Action = "Note"}) return "told"`), 'told')
    await until('the note', async () => (await slots(net, child)).length === 2)
  })

  test('a message assigned to a second process', { timeout: 30000 }, async () => {
    await me.evalLua(b, 'ao.addAssignable("news", function(m) return m.Action == "News" end) Handlers.add("news", "News", function(m) News = m.Target .. " " .. m.Data end)')
    const id = await me.send(a, { tags: { Action: 'News' }, data: 'headline' })
    const assignment = await until('the assignment', () => me.ao.assign({ process: b, message: id })) // the gateway may hear of the message later
    await until('the news', async () => (await me.value(b, 'return tostring(News)')) === `${a} headline`)
    assert.equal((await slots(net, b)).find((e) => e.node.assignment.id === assignment).node.message, null)
  })

  test('a dry run changes nothing; a page of results; the memory', { timeout: 30000 }, async () => {
    const dry = await me.ao.dryrun({ process: a, tags: [{ name: 'Action', value: 'Greet' }], data: 'nobody' })
    assert.equal(dry.Messages[0].Data, 'hello nobody')
    const owner = (await slots(net, a))[0].node.message.owner.address
    const kept = await me.ao.dryrun({ process: a, Owner: owner, tags: [{ name: 'Action', value: 'Eval' }], data: 'Kept = "dry" return Kept' })
    assert.equal(output(kept), 'dry')
    assert.equal(await me.value(a, 'return Kept'), '1')
    const page = await me.ao.results({ process: a, sort: 'DESC', limit: 3 })
    assert.equal(page.edges.length, 3)
    assert.equal(output(page.edges[0].node), '1')
    const older = await me.ao.results({ process: a, from: page.edges[2].cursor, limit: 1000 })
    assert.deepEqual(older.edges.map((e) => JSON.parse(atob(e.cursor)).ordinate), page.edges.slice(0, 2).map((e) => JSON.parse(atob(e.cursor)).ordinate), 'what is newer than the cursor, the newest first')
    const state = new Uint8Array(await (await fetch(at(net.cu, '/state/' + a))).arrayBuffer())
    assert.ok(state.length > 1 << 20)
  })

  test('timers, watched through the messenger', { timeout: 60000 }, async () => {
    const c = await me.spawn({ name: 'cron', tags: [{ name: 'Cron-Interval', value: '1-second' }, { name: 'Cron-Tag-Action', value: 'Cron' }] })
    await me.evalLua(b, 'Handlers.add("tick", "Tick", function(m) Heard = (Heard or "") .. m.Data .. "," end)')
    await me.evalLua(c, `Ticks = 0 Handlers.add("cron", "Cron", function(m) Ticks = Ticks + 1 ao.send({Target = "${b}", Action = "Tick", Data = tostring(Ticks)}) end)`)
    await me.ao.monitor({ process: c, signer: me.signer })
    await until('ticks', async () => (await me.value(b, 'return tostring(Heard)')).startsWith('1,2,'), 40)
    await me.ao.unmonitor({ process: c, signer: me.signer })
    assert.match(await me.value(b, 'return Heard'), /^1,2,(3,)?(4,)?/, 'in order, none twice')
  })

  test('every result is the loader\'s', { timeout: 60000 }, async () => {
    assert.ok(await sameAsLoader(net, a) >= 10)
    assert.ok(await sameAsLoader(net, b) >= 5)
  })
})

// All at once: most of the time somebody waits for a timer.
describe('units', { concurrency: true }, () => { for (const other of ['none', 'gateway', 'su', 'cu', 'mu']) make(other) })
