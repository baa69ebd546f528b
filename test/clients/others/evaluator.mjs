// One process in the published loader, in a thread of its own: the loader changes the clock and the console of its thread.
import { parentPort, workerData } from 'node:worker_threads'
import { Live, Reference } from '../../reference/loader.mjs'

const { bytes, format, env } = workerData
const live = new Live(bytes, format)
const dry = new Reference(bytes, format)

/** A result as the loader gives it, or the error that it throws. */
function read (r) {
  if (r.throws !== undefined) return { Error: r.throws }
  const { ok, response } = JSON.parse(r.response)
  return ok ? { ...response, GasUsed: r.gas } : { Error: response }
}

let before = Promise.resolve()
parentPort.on('message', ({ ask, kind, msg }) => {
  before = before.then(async () => {
    if (kind === 'state') return new Uint8Array(live.memory ?? 0)
    if (kind === 'evaluate') return read(await live.evaluate(msg, env))
    dry.memory = live.memory && new Uint8Array(live.memory)
    return read(await dry.evaluate(msg, env))
  }).then((answer) => parentPort.postMessage({ ask, answer }), (error) => parentPort.postMessage({ ask, error: String(error?.stack ?? error) }))
})
