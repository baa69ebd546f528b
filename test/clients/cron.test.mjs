// Processes with a cron interval, and monitors.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { at, network, skip } from './network.mjs'
import { sameAsLoader } from './replay.mjs'
import { session, sleep, until } from './session.mjs'

let net, me
before(async () => {
  if (skip) return
  net = await network()
  me = await session(net)
})
after(() => net?.close())

test('cron ticks are evaluated and their messages pushed', { skip, timeout: 120000 }, async () => {
  const sink = await me.spawn({ name: 'sink' })
  const pid = await me.spawn({ name: 'cron', tags: [{ name: 'Cron-Interval', value: '2-seconds' }, { name: 'Cron-Tag-Action', value: 'Cron' }] })
  await me.evalLua(pid, `Ticks = 0 Handlers.add("cron", "Cron", function(m) Ticks = Ticks + 1 assert(m.Cron) ao.send({Target = "${sink}", Action = "Tick", Data = tostring(Ticks)}) end)`)
  assert.ok(await me.ao.monitor({ process: pid, signer: me.signer }))
  await until('three ticks at the sink', async () => Number(await me.value(sink, 'return #Inbox')) >= 4, 60)
  assert.ok(await me.ao.unmonitor({ process: pid, signer: me.signer }))
  const rows = await (await fetch(at(net.cu, `/cron/${pid}?limit=3`))).json()
  assert.equal(rows.edges.length, 3)
  const cursors = rows.edges.map((e) => JSON.parse(atob(e.cursor)))
  assert.ok(cursors.every((c) => /^0-2-seconds$/.test(c.cron)), JSON.stringify(cursors))
  assert.ok(cursors[1].timestamp - cursors[0].timestamp >= 2000)
  const data = await me.value(sink, 'local r = {} for i = 2, 4 do r[#r+1] = Inbox[i].Data end return table.concat(r, ",")')
  assert.equal(data, '1,2,3', 'in order, none twice')
  await me.value(pid, 'return Ticks')
  assert.ok(await sameAsLoader(net, pid) >= 6)
})

test('a tick between two messages is seen by the second', { skip, timeout: 60000 }, async () => {
  const pid = await me.spawn({ name: 'cron', tags: [{ name: 'Cron-Interval', value: '1-second' }, { name: 'Cron-Tag-Action', value: 'Cron' }] })
  await me.evalLua(pid, 'Ticks = 0 Handlers.add("cron", "Cron", function(m) Ticks = Ticks + 1 end)')
  await until('ticks', async () => Number(await me.value(pid, 'return Ticks')) >= 2, 30)
})

test('several timers, by time and by blocks, as the published loader evaluates them', { skip, timeout: 60000 }, async () => {
  const pid = await me.spawn({
    tags: ['1-second', '3-seconds', '2-blocks'].flatMap((value) => [{ name: 'Cron-Interval', value }, { name: 'Cron-Tag-Action', value: 'Beat' }, { name: 'Cron-Tag-Every', value }])
  })
  await me.evalLua(pid, 'Beats = {} Handlers.add("beat", "Beat", function(m) table.insert(Beats, m.Tags.Every) ao.send({Target = ao.id, Action = "Heard", At = tostring(m.Timestamp), Height = tostring(m["Block-Height"])}) end)')
  for (let i = 0; i < 4; i++) {
    await fetch(at(net.gateway, '/mine'))
    await sleep(700)
    await me.value(pid, 'return #Beats')
  }
  await sleep(2000)
  const beats = await me.value(pid, 'return table.concat(Beats, ",")')
  assert.match(beats, /1-second/)
  assert.match(beats, /3-seconds/)
  assert.match(beats, /2-blocks/)
  assert.ok(await sameAsLoader(net, pid) >= 10)
})

test('a client\'s cron helper', { skip }, async () => {
  const { serializeCron } = await import('@permaweb/aoconnect')
  const tags = serializeCron({ interval: '10-seconds', tags: [{ name: 'Action', value: 'Beat' }] })
  const pid = await me.spawn({ tags })
  assert.equal(await me.value(pid, '1+1'), '2')
})
