// What the aos console calls when it talks to a legacy network, in its form and order: find or make a process by its name,
// connect, evaluate lines, load files, follow the live feed, run dry, watch timers, update itself.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { at, network, skip } from './network.mjs'
import { newJwk, signed, arweave, tagsOf, valueOf } from './people.mjs'
import { graphql, moduleTags, output, session, sleep, until } from './session.mjs'
import { sameAsLoader } from './replay.mjs'

// The console always names this messenger besides those that --tag-name Authority names.
const LEGACY_AUTHORITY = 'fcoN_xJeisVsPXA-trzVAuIiqO3ydLQxM-L4XbrQKzY'

let net, ao, aoconnect, address, jwk, pid
before(async () => {
  if (skip) return
  net = await network()
  jwk = newJwk()
  await session(net, arweave(jwk)) // only for what it sets up
  aoconnect = await import('@permaweb/aoconnect')
  ao = aoconnect.connect({ GATEWAY_URL: net.gateway, CU_URL: net.cu, MU_URL: net.mu })
  address = Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(jwk.n, 'base64url'))).toString('base64url')
})
after(() => net?.close())

const signer = () => aoconnect.createDataItemSigner(jwk)

/** Queries are unnamed, the name of the process stands in their text, and the second owner is empty. */
const find = (name) => graphql(net, `query ($owners: [String!]!) {
    transactions(
      first: 10,
      owners: $owners,
      tags: [
        { name: "Data-Protocol", values: ["ao"] },
        { name: "Type", values: ["Process"]},
        { name: "Name", values: ["${name}"]}
      ]
    ) { edges { node { id tags { name value } } } }
  }`, { owners: [address, ''] }).then((d) => d.transactions.edges.map((e) => e.node))

const spawn = async (name, tags = []) => ao.spawn({
  module: net.started ? 'ISShJH1ij-hPPt9St5UFFr_8Ys3Kj5cyg7zrMGt7H9s' : net.module,
  scheduler: net.scheduler,
  signer: signer(),
  tags: [...tagsOf({ 'App-Name': 'aos', Name: name, Authority: net.authority }), ...tags, ...tagsOf({ Authority: LEGACY_AUTHORITY, 'aos-Version': '2.0.16' })],
  data: ''
})

/** A line: sent, and its result asked for half a second later. */
async function line (data, process = pid) {
  const message = await ao.message({ process, signer: signer(), tags: [{ name: 'Action', value: 'Eval' }], data })
  await sleep(500)
  return ao.result({ message, process })
}
const prompt = (r) => r.Output.prompt || r.Output.data?.prompt

test('a name that nobody has yet is spawned, and found at once', { skip }, async () => {
  assert.deepEqual(await find('console'), [])
  pid = await spawn('console')
  const [hit, ...more] = await find('console')
  assert.deepEqual([hit.id, more], [pid, []])
  assert.equal(valueOf(hit.tags, 'Variant'), 'ao.TN.1', 'by this the console knows that the process is one of the legacy network')
  assert.equal(valueOf(hit.tags, 'aos-Version'), '2.0.16')
})

test('--list has all processes of the wallet', { skip }, async () => {
  const second = await spawn('another')
  const all = await graphql(net, `query ($owners: [String!]!) {
    transactions(
      first: 100,
      owners: $owners,
      tags: [
        { name: "Data-Protocol", values: ["ao"] },
        { name: "Type", values: ["Process"]}
      ]
    ) { edges { node { id owner { address } tags { name value } } } }
  }`, { owners: [address] })
  assert.deepEqual(new Set(all.transactions.edges.map((e) => e.node.id)), new Set([pid, second]))
  assert.ok(all.transactions.edges.every((e) => e.node.owner.address === address))
})

test('--module NAME finds modules by name, the newest first', { skip }, async () => {
  const ids = []
  for (const data of ['\0asm older', '\0asm newer']) {
    const it = await signed(arweave(jwk), { data, tags: [...moduleTags('wasm64-unknown-emscripten-draft_2024_02_15'), ...tagsOf({ Name: 'my-module' })] })
    assert.ok((await fetch(at(net.bundler, '/tx'), { method: 'POST', body: it.raw })).ok)
    ids.unshift(it.id)
    if (net.started) await fetch(at(net.gateway, '/mine'))
  }
  const found = await graphql(net, `query FindAoModuleByName($name: String!) {
    transactions(
      tags: [
        { name: "Type", values: ["Module"] },
        { name: "Data-Protocol", values: ["ao"] },
        { name: "Name", values: [$name] }
      ],
      sort: HEIGHT_DESC,
      first: 100
    ) { edges { node { id tags { name value } block { timestamp } } } }
  }`, { name: 'my-module' })
  const nodes = found.transactions.edges.map((e) => e.node)
  assert.deepEqual(nodes.map((n) => n.id), ids)
  if (net.started) assert.ok(nodes.every((n) => Number.isFinite(new Date(n.block.timestamp * 1000).getTime()) && n.block.timestamp < 1e11), 'seconds')
})

test('a process of an id is known by what the gateway tells of it', { skip }, async () => {
  const tx = await (await fetch(at(net.gateway, '/tx/' + pid))).json()
  const tags = tx.tags.map((t) => ({ name: Buffer.from(t.name, 'base64url').toString(), value: Buffer.from(t.value, 'base64url').toString() }))
  assert.equal(valueOf(tags, 'Variant'), 'ao.TN.1')
  assert.equal(valueOf(tags, 'Name'), 'console')
})

test('connecting asks for the version, and takes the prompt', { skip }, async () => {
  const r = await line('require(\'.process\')._version')
  assert.match(output(r), /^\d+\.\d+\.\d+$/)
  assert.match(prompt(r), /console.*@.*aos-.*Inbox:.*> $/s)
})

test('lines, errors with their place, and the prompt after them', { skip }, async () => {
  assert.equal(output(await line('1 + 41')), '42')
  assert.match(output(await line('{ a = 1, "b" }')), /a.*=/)
  assert.match(output(await line('print("one") print("two")')), /one\s+two/)
  const r = await line('local a = 1\nerror("no")')
  assert.match(String(r.Error), /:2: no/, 'the console shows the line that failed')
  assert.match(String((await line('not lua at all')).Error), /syntax error|near/)
})

test('.load, .load-blueprint, .editor and .update send one text', { skip, timeout: 60000 }, async () => {
  const project = `

-- module: "lib"
local function _loaded_mod_lib()
local m = {}
function m.twice(x) return 2 * x end
return m
end

_G.package.loaded["lib"] = _loaded_mod_lib()

local lib = require("lib")
Twice = lib.twice(21)
return "loaded " .. Twice
`
  assert.equal(output(await line(project)), 'loaded 42')
  const blueprint = `local bint = require('.bint')(256)
Balances = Balances or { [ao.id] = tostring(bint(1000)) }
Handlers.add('balance', Handlers.utils.hasMatchingTag('Action', 'Balance'), function(msg)
  msg.reply({ Action = 'Balance-Notice', Data = Balances[msg.Tags.Recipient or msg.From] or '0' })
end)
`
  assert.ok(!(await line(blueprint)).Error)
  const long = Array.from({ length: 2000 }, (_, i) => `-- ${i} ${'a long comment '.repeat(4)}`).join('\n')
  const update = `local function load_extra()
${long}
return { _version = "9.9.9" }
end
_G.package.loaded[".extra"] = load_extra()
print([[
Updated AOS to version ]] .. require('.extra')._version)`
  assert.ok(update.length > 100_000)
  assert.match(output(await line(update)), /Updated AOS to version 9\.9\.9/)
})

test('a dry run as owner, and one that reads a handler', { skip }, async () => {
  const dry = (data, action = 'Eval') => ao.dryrun({ process: pid, Owner: address, tags: [{ name: 'Action', value: action }], data })
  assert.equal(output(await dry('Dry = 5 return "dry" .. Dry')), 'dry5')
  assert.equal(output(await line('return tostring(Dry)')), 'nil')
  const r = await ao.dryrun({ process: pid, Owner: address, tags: tagsOf({ Action: 'Balance', Recipient: pid }), data: '' })
  assert.equal(r.Messages[0].Data, '1000')
})

test('the live feed shows what others cause, in order, and goes on from its cursor', { skip, timeout: 60000 }, async () => {
  let cursor
  const shown = new Map()
  const look = async () => {
    const results = await ao.results(cursor ? { process: pid, limit: 1000, from: cursor } : { process: pid, limit: 5, sort: 'DESC' })
    const edges = results.edges.filter((e) => e.node?.Output?.print === true)
    edges.sort((a, b) => JSON.parse(atob(a.cursor)).ordinate - JSON.parse(atob(b.cursor)).ordinate)
    for (const e of edges) if (!shown.has(e.cursor)) shown.set(e.cursor, e.node.Output)
    if (results.edges.length) cursor = results.edges.at(-1).cursor
  }
  await look()
  assert.ok(cursor)
  shown.clear()
  for (let i = 0; i < 3; i++) await line(`Send({ Target = ao.id, Data = "note ${i}" })`)
  const seen = () => [...shown.values()].map((o) => /note \d/.exec(o.data)?.[0]).filter(Boolean)
  await until('three notes', async () => { await look(); return seen().length === 3 })
  for (let i = 0; i < 3; i++) await look()
  assert.deepEqual(seen(), ['note 0', 'note 1', 'note 2'])
  assert.ok([...shown.values()].every((o) => /aos-/.test(o.prompt)), 'each brings the next prompt')
})

test('--cron, .monitor and .unmonitor', { skip, timeout: 60000 }, async () => {
  const timed = await spawn('timed', tagsOf({ 'Cron-Interval': '1-second', 'Cron-Tag-Action': 'Cron' }))
  await line(`Ticks = 0 Handlers.add("tick", "Cron", function(m) Ticks = Ticks + 1 ao.send({ Target = "${pid}", Data = "tick " .. Ticks }) end)`, timed)
  assert.ok(await ao.monitor({ process: timed, signer: signer() }))
  await until('a tick in the other inbox', async () => Number(output(await line('local n = 0 for _, m in ipairs(Inbox) do if m.From == "' + timed + '" then n = n + 1 end end return n'))) >= 2, 40)
  assert.ok(await ao.unmonitor({ process: timed, signer: signer() }))
})

test('the check for an update ends softly', { skip }, async () => {
  // Only the public host has updates. Where it is redirected to a gateway, the answer is one that the console takes for "none".
  assert.equal((await fetch(at(net.gateway, '/no-update'))).status, 404)
})

test('every result was the loader\'s', { skip, timeout: 60000 }, async () => {
  assert.ok(await sameAsLoader(net, pid) >= 15)
})
