// Drives the published loader as a legacy compute unit does: the memory is handed in with every message and taken out as
// a copy; after an error the memory of before is kept and the instance is thrown away.
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
export const loaderVersion = require('@permaweb/ao-loader/package.json').version

/** What an import that waits throws is nobody's to catch in the loader: it arrives as an unhandled rejection, and the call never ends. */
function orRejected (call) {
  let stop
  const rejected = new Promise((resolve, reject) => { stop = reject; process.once('unhandledRejection', reject) })
  return Promise.race([call, rejected]).finally(() => process.off('unhandledRejection', stop))
}

/** A process run by the loader. Loading it changes Date.now, Math.random and console.log of this thread. */
export class Reference {
  #compiled; #handle; #options
  memory = null
  live = false // see Live

  constructor (bytes, format, computeLimit = 9e12, more = {}) {
    this.bytes = bytes
    this.#options = () => ({ format, inputEncoding: 'JSON-1', outputEncoding: 'JSON-1', memoryLimit: '1073741824', computeLimit, extensions: {}, ...more })
  }

  async #load () {
    const Loader = require('@permaweb/ao-loader')
    this.#compiled ??= await WebAssembly.compile(this.bytes, { format: this.#options().format })
    const make = (info, done) => WebAssembly.instantiate(this.#compiled, info).then((instance) => done(instance, this.#compiled))
    return Loader(make, this.#options())
  }

  /** Evaluates one message; gives { response, gas } or { throws, error }, and failed. */
  async evaluate (msg, env) {
    const hot = this.live && this.#handle
    this.#handle ??= await this.#load()
    const parse = JSON.parse
    const out = {}
    let text = null
    JSON.parse = (t, ...rest) => {
      let v
      try { v = parse(t, ...rest) } catch (e) { text = t; throw e }
      if (typeof v?.ok === 'boolean') text = t // a drive parses answers of its gateway, too
      return v
    }
    try {
      const res = await orRejected(this.#handle(hot ? null : this.memory, msg, env))
      out.response = text
      if (res.GasUsed !== undefined) out.gas = res.GasUsed
      out.failed = !!res.Error
      const printed = res.Output?.data?.output ?? res.Output
      const noBuffer = typeof printed === 'string' && printed.endsWith('not enough memory for buffer allocation')
      out.dropped = out.failed || noBuffer
      if (!out.dropped) this.memory = res.Memory
    } catch (e) {
      out.failed = out.dropped = true
      if (text !== null) out.response = text
      else { out.throws = String(e?.message ?? e); out.error = e?.name ?? typeof e }
    } finally { JSON.parse = parse }
    if (out.failed || (this.live && out.dropped)) this.#handle = null
    return out
  }
}

/**
 * The same for logs of thousands of messages: the instance keeps its memory, and none is copied in or out. After a result
 * whose memory does not count the messages since the one before of that kind are evaluated again from the memory of that time,
 * and have to give what they gave.
 */
export class Live extends Reference {
  #kept = null
  #since = []

  constructor (...of) {
    super(...of)
    this.live = true
    const slice = Uint8Array.prototype.slice
    // The loader hands out a copy of its whole memory with every result. Nothing else of this size is sliced as a whole.
    Uint8Array.prototype.slice = function (...range) { return range.length === 0 && this.length > 16 << 20 ? this : slice.apply(this, range) }
  }

  async evaluate (msg, env) {
    const r = await super.evaluate(msg, env)
    if (!r.dropped) {
      this.#since.push([msg, r.response])
      return r
    }
    this.memory = this.#kept
    for (const [earlier, response] of this.#since) {
      const again = await super.evaluate(earlier, env)
      if (again.response !== response) throw new Error(`message ${earlier.Id} gives another result when it is evaluated again`)
    }
    if (this.#since.length) this.#kept = new Uint8Array(this.memory)
    this.#since = []
    return r
  }
}
