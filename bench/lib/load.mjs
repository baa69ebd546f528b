// GET load on paths of this machine, by the load command (built on first use).
import { execFileSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { r3 } from './util.mjs'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
let bin
const tool = () => {
  if (!bin) { bin = join(ROOT, 'bin', 'load'); execFileSync('go', ['build', '-o', bin, './bench/load'], { cwd: ROOT }) }
  return bin
}

// urls: of one server. Gives the median run of `runs` by requests per second.
export function load (urls, c, { secs = 4, runs = 3 } = {}) {
  const u = new URL(urls[0])
  const file = join(mkdtempSync(join(tmpdir(), 'load-')), 'paths')
  writeFileSync(file, urls.map((x) => { const p = new URL(x); return p.pathname + p.search }).join('\n'))
  const all = []
  for (let k = 0; k < runs; k++) all.push(JSON.parse(execFileSync(tool(), ['-addr', u.host, '-paths', file, '-c', String(c), '-d', secs + 's']).toString()))
  if (all.some((x) => x.bad > 0)) throw new Error('answers failed: the run does not count')
  all.sort((a, b) => a.rps - b.rps)
  const m = all[runs >> 1]
  return { rps_median: r3(m.rps), rps: all.map((x) => r3(x.rps)), p50_ms: r3(m.p50_ms), p99_ms: r3(m.p99_ms) }
}
