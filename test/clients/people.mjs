// Wallets of the tests and what they sign. Keys are made anew for every run.
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'

const { createData, ArweaveSigner, EthereumSigner, SolanaSigner, HexSolanaSigner } = createRequire(import.meta.url)('arbundles')

export const newJwk = () => generateKeyPairSync('rsa', { modulusLength: 4096, publicExponent: 0x10001 }).privateKey.export({ format: 'jwk' })

const base58 = (bytes) => {
  const letters = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
  let n = BigInt('0x' + Buffer.from(bytes).toString('hex'))
  let out = ''
  for (; n > 0n; n /= 58n) out = letters[Number(n % 58n)] + out
  for (const b of bytes) { if (b) break; out = '1' + out }
  return out
}
const solanaKey = () => {
  const { privateKey } = generateKeyPairSync('ed25519')
  const { d, x } = privateKey.export({ format: 'jwk' })
  return base58(Buffer.concat([Buffer.from(d, 'base64url'), Buffer.from(x, 'base64url')]))
}

export const arweave = (jwk = newJwk()) => new ArweaveSigner(jwk)
export const ethereum = (key = randomBytes(32).toString('hex')) => new EthereumSigner(key)
export const solana = () => new SolanaSigner(solanaKey())
export const hexSolana = () => new HexSolanaSigner(solanaKey())

/** A signed data item: { id, raw, item }. */
export async function signed (key, { data = '', tags = [], target, anchor }) {
  const item = createData(data, key, { tags, target, anchor })
  await item.sign(key)
  return { id: item.id, raw: item.getRaw(), item }
}

/** A signer as aoconnect takes it, that signs with any key arbundles knows. */
export const signerOf = (key) => async (create) => {
  const { data, tags, target, anchor } = await create({ passthrough: true })
  const { id, raw } = await signed(key, { data, tags, target, anchor })
  return { id, raw }
}
export const tag = (name, value) => ({ name, value })
export const tagsOf = (o) => Object.entries(o).map(([name, value]) => tag(name, value))
export const valueOf = (tags, name) => tags.find((t) => t.name === name)?.value
