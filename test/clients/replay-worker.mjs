// Runs the loader in a thread of its own, since it changes the clock and the console of the thread it runs in.
import { parentPort, workerData } from 'node:worker_threads'
import { Live, Reference } from '../reference/loader.mjs'

const { bytes, format, env, messages, drive, computeLimit, live } = workerData
const files = drive ? { WeaveDrive: (await import('@permaweb/weavedrive')).default, ARWEAVE: drive, spawn: { id: env.Process.Id, tags: env.Process.Tags }, module: { id: env.Module.Id, tags: env.Module.Tags } } : {}
const reference = new (live ? Live : Reference)(bytes, format, computeLimit, files)
const out = []
for (const msg of messages) {
  const r = await reference.evaluate(msg, env)
  if (r.throws !== undefined) { out.push({ throws: r.throws }); continue }
  const { ok, response } = JSON.parse(r.response)
  out.push(ok ? { result: { ...response, GasUsed: r.gas } } : { result: { Error: response } })
}
parentPort.postMessage(out)
