// How a linear memory is told in a recording.
import { createHash } from 'node:crypto'

const PAGE = 4096
const ZERO = Buffer.alloc(PAGE)

/** Digest of the pages that are not all zero: for each, its index as 8 bytes little-endian and its 4096 bytes. */
export function pageDigest (memory) {
  const b = Buffer.from(memory.buffer, memory.byteOffset, memory.byteLength)
  const h = createHash('sha256')
  const index = Buffer.alloc(8)
  let count = 0
  for (let at = 0, i = 0; at < b.length; at += PAGE, i++) {
    if (b.compare(ZERO, 0, PAGE, at, at + PAGE) === 0) continue
    index.writeBigUInt64LE(BigInt(i))
    h.update(index); h.update(b.subarray(at, at + PAGE)); count++
  }
  return { pages: count, digest: h.digest('hex') }
}
