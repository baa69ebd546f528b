// What users of AO-Core do with a node through the published clients, unmodified.
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

export { newJwk }
