// Goes on from a memory, or from nothing, with the published loader:
//
//   node --experimental-wasm-memory64 memory.mjs MODULE.wasm FORMAT IN|- OUT < steps
//
// Standard input is one JSON object { env, messages: [text, ...] }. Standard output is one line for each message with what
// the loader answered, { response, gas } or { throws, error }, and OUT gets the memory that is left.
import { readFileSync, writeFileSync, writeSync } from 'node:fs'
import { Reference } from './loader.mjs'

const [file, format, from, to] = process.argv.slice(2)
const steps = JSON.parse(readFileSync(0, 'utf8'))
const reference = new Reference(readFileSync(file), format)
if (from !== '-') reference.memory = readFileSync(from)
const env = JSON.parse(steps.env)
for (const message of steps.messages) {
  const out = await reference.evaluate(JSON.parse(message), env)
  writeSync(1, JSON.stringify({ response: out.response, gas: out.gas, throws: out.throws }) + '\n')
}
writeFileSync(to, new Uint8Array(reference.memory))
process.exit(0)
