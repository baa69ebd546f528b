// Every kind of key a user may sign with.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createRequire } from 'node:module'
import { createDataItemSigner } from '@permaweb/aoconnect'
import { at, network, skip } from './network.mjs'
import { arweave, ethereum, hexSolana, newJwk, signerOf, solana } from './people.mjs'
import { output, session, slots } from './session.mjs'
import { addressOf, sameAsLoader } from './replay.mjs'

const dha = createRequire(import.meta.url)('@dha-team/arbundles')
let net
before(async () => { if (!skip) net = await network() })
after(() => net?.close())

const jwk = newJwk()
const signers = {
  'RSA, the client\'s own signer': () => createDataItemSigner(jwk),
  'RSA through arbundles': () => signerOf(arweave(jwk)),
  'RSA through the other arbundles': () => async (create) => {
    const { data, tags, target, anchor } = await create({ passthrough: true })
    const key = new dha.ArweaveSigner(jwk)
    const item = dha.createData(data, key, { tags, target, anchor })
    await item.sign(key)
    return { id: item.id, raw: item.getRaw() }
  },
  Ethereum: () => signerOf(ethereum()),
  'Solana, raw': () => signerOf(solana()),
  'Solana, hex': () => signerOf(hexSolana())
}
for (const [name, make] of Object.entries(signers)) {
  test(`${name}: spawn, evaluate, be known to the process`, { skip }, async () => {
    const me = await session(net)
    const signer = make()
    const pid = await me.ao.spawn({ module: await me.moduleId(), scheduler: net.scheduler, signer, tags: [{ name: 'Authority', value: net.authority }] })
    const call = async (data) => output(await me.result(pid, await me.ao.message({ process: pid, data, tags: [{ name: 'Action', value: 'Eval' }], signer })))
    assert.equal(await call('return 6 * 7'), '42', 'the spawner may evaluate')
    const first = (await slots(net, pid))[0].node.message
    const owner = addressOf(first.owner)
    assert.equal(await call('return Owner'), owner)
    assert.equal(await call('return ao.env.Process.Owner'), owner)
    if (name === 'Ethereum') assert.match(owner, /^0x[0-9a-fA-F]{40}$/)
    const other = signerOf(ethereum())
    const r = await me.result(pid, await me.ao.message({ process: pid, data: 'return "stolen"', tags: [{ name: 'Action', value: 'Eval' }], signer: other }))
    assert.match(output(r), /New Message From/)
    await sameAsLoader(net, pid)
    assert.ok((await fetch(at(net.gateway, '/raw/' + pid))).ok)
  })
}
