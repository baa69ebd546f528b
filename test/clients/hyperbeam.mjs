// What users of AO-Core do with a node through the published clients, unmodified.
import { constants, createPublicKey, verify } from 'node:crypto'
import { connect, createSigner } from '@permaweb/aoconnect'
import { newJwk } from './people.mjs'

/** aoconnect in mainnet mode, as one user. */
export function mainnet (net, jwk = newJwk()) {
  const ao = connect({ MODE: 'mainnet', URL: net.node, SCHEDULER: net.scheduler, signer: createSigner(jwk), GATEWAY_URL: net.gateway })
  return { ao, jwk, signer: createSigner(jwk) }
}

/** wao's client of HyperBEAM nodes, which signs with hbsig, as one user. */
export async function hyperbeam (net, jwk = newJwk()) {
  const { HB } = await import('wao')
  return new HB({ url: net.node, cu: net.cu, jwk }).init(jwk)
}

/** Whether the signature of an answer of the first generation holds, by OpenSSL: hbsig's verify says so of every signature. */
export function holds (headers) {
  const [, input] = headers['signature-input'].match(/^[\w-]+=(.*)$/)
  const [, signature] = headers.signature.match(/^[\w-]+=:(.*):$/)
  const names = [...input.slice(0, input.indexOf(')')).matchAll(/"([^"]+)"/g)].map(([, n]) => n.replace(/^@/, ''))
  const base = [...names.map((n) => `"${n}": ${headers[n]}`), `"@signature-params": ${input}`].join('\n')
  const [, n] = input.match(/keyid="([^"]+)"/)
  const key = { key: createPublicKey({ key: { kty: 'RSA', n, e: 'AQAB' }, format: 'jwk' }), padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO }
  return verify('sha512', Buffer.from(base), key, Buffer.from(signature, 'base64'))
}

export { newJwk }
