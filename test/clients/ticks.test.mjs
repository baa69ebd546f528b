// Tasks of cron@1.0 that call a process again and again, begun and stopped with wao's HB class.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { hyperbeam, newJwk } from './hyperbeam.mjs'
import { network, skip } from './network.mjs'
import { until } from './session.mjs'

let net, hb, data
const jwk = newJwk()
const restartable = !skip && !process.env.AGO_NETWORK
const start = async () => {
  net = await network(restartable ? ['--data', data] : [])
  hb = await hyperbeam(net, jwk)
}
before(async () => {
  if (skip) return
  data = mkdtempSync(join(tmpdir(), 'ago-ticks-'))
  await start()
})
after(async () => {
  await net?.close()
  if (data) rmSync(data, { recursive: true, force: true })
})

const clock = async () => {
  const module = await hb.cacheScript(`
    function compute(base, req, opts)
      if req.body.action == "Cron" then
        base.ticks = (base.ticks or 0) + 1
        base.task = req.body["cron-task"]
        base.late = req.body["cron-due"] <= (base.due or 0)
        base.due = req.body["cron-due"]
        base.words = (base.words or "") .. (req.body.body and req.body.body.sub.word or "-")
      end
      return base
    end`)
  return (await hb.spawn({ module, 'execution-device': 'lua@5.3a' })).pid
}
const every = async (pid, interval, more = {}) => (await hb.post({ path: '/~cron@1.0/every', interval, 'cron-path': `/${pid}~process@1.0/schedule`, ...more })).body
const ticks = async (pid) => Number(await hb.g(`/${pid}/now/ticks`) ?? 0)
const atLeast = (pid, n) => until(`${n} ticks`, async () => await ticks(pid) >= n, 30)

test('every interval a process gets a message of its own, until the task is stopped', { skip }, async () => {
  const pid = await clock()
  const task = await every(pid, '100-milliseconds', { body: await hb.commit({ type: 'Message', target: pid, sub: { word: 'a' } }, { path: false }) })
  assert.match(task, /^[\w-]{43}$/)
  await atLeast(pid, 4)
  const listed = await (await fetch(`${net.node}/~cron@1.0/list`, { headers: { accept: 'application/json' } })).json()
  assert.equal(listed[task].interval, 100)
  assert.equal((await hb.post({ path: '/~cron@1.0/stop', task })).status, 200)
  const n = await until('what was under way', async () => { // each tick has a slot
    const { current } = await hb.slot({ pid })
    return await ticks(pid) === current && current
  }, 10)
  assert.match(await hb.g(`/${pid}/now/words`), new RegExp(`^a{${n}}$`), 'each brings what the request had as its body')
  assert.equal(await hb.g(`/${pid}/now/task`), task)
  assert.equal(await hb.g(`/${pid}/now/late`), 'false')
  const { edges } = await hb.messages({ pid, from: 1 })
  assert.equal(new Set(edges.map((e) => e.node.message.Id)).size, n)
  assert.ok(edges.every((e) => e.node.message.Owner === net.scheduler), 'the node signs them')
  assert.equal((await hb.slot({ pid })).current, n, 'none comes after')
})

test('a task goes on after a restart, with what it brings', { skip: !restartable, timeout: 90000 }, async () => {
  const pid = await clock()
  const task = await every(pid, '1-second', { body: await hb.commit({ type: 'Message', target: pid, sub: { word: 'b', more: [1.5, { x: 'y' }] } }, { path: false }) })
  await atLeast(pid, 2)
  await net.close()
  await start()
  const before = await ticks(pid)
  await atLeast(pid, before + 2)
  assert.match(await hb.g(`/${pid}/now/words`), /^b+$/)
  assert.equal(await hb.g(`/${pid}/now/late`), 'false', 'none was made twice')
  assert.equal((await hb.post({ path: '/~cron@1.0/stop', task })).status, 200)
  assert.equal((await fetch(`${net.node}/~cron@1.0/stop?task=${task}`)).status, 400, 'it is gone')
})
