// Units as programs of their own: those of ours, and the small ones of another make in others/.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** Programs that tell in one line of JSON where they answer. */
export class Units {
  #data = mkdtempSync(join(tmpdir(), 'ago-units-'))
  #units = new Map()

  async #run (name, program, args) {
    const { GATEWAY_URL, GRAPHQL_URL, ...env } = process.env // sessions set these for clients, and units would heed them
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
    const exited = new Promise((resolve) => child.once('exit', resolve))
    this.#units.set(name, { child, exited })
    const line = new Promise((resolve) => createInterface(child.stdout).once('line', resolve))
    return JSON.parse(await Promise.race([line, exited.then((code) => { throw new Error(`${name}: exit ${code}`) })]))
  }

  /** Starts a unit of ours; its data stays when it is stopped and started again. */
  ours (name, options) {
    const data = name === 'ur' ? [] : ['--data', join(this.#data, name)]
    return this.#run(name, process.env.AGO_BIN, [name, '-o', 'json', ...data, '--port', '0', ...options])
  }

  /** Starts a unit of another make. */
  other (name, ...args) {
    return this.#run(name, process.execPath, ['--experimental-wasm-memory64', '--no-warnings', fileURLToPath(new URL(`./others/${name}.mjs`, import.meta.url)), ...args])
  }

  async stop (name, signal = 'SIGTERM') {
    const { child, exited } = this.#units.get(name)
    child.kill(signal)
    const hard = setTimeout(() => child.kill('SIGKILL'), 5000)
    await exited
    clearTimeout(hard)
  }

  async close () {
    for (const name of [...this.#units.keys()].reverse()) await this.stop(name)
    rmSync(this.#data, { recursive: true, force: true })
  }
}
