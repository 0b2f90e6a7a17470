/** The vectors that server, headless terminal and phone share. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { b64u, sha256, unb64u, type Bytes } from '@/sync/bytes'
import { genesisHash, operationHash } from '@/sync/chain'
import { frames } from '@/sync/frames'
import { readHead } from '@/sync/head'
import { thumbprint, type PublicJwk } from '@/sync/jws'

interface Vectors {
  jwk: PublicJwk
  thumbprint: string
  genesis: { facility: string; terminal: string; incarnation: number; hash: string }
  chain: { n: number; raw_base64: string; hash: string }[]
  frames: { body_base64: string }
  digest: { raw_base64: string; sha256: string }
  head: { server_key: PublicJwk; jws: string; payload: Record<string, unknown> }
}

const path = new URL('../../tests/vectors/protocol.json', import.meta.url)
const vectors = JSON.parse(readFileSync(path, 'utf-8')) as Vectors
const raw = (base64: string): Bytes => Uint8Array.from(Buffer.from(base64, 'base64'))

test('genesis and thumbprint', async () => {
  expect(await thumbprint(vectors.jwk)).toBe(vectors.thumbprint)
  expect(b64u(await genesisHash(vectors.genesis, vectors.thumbprint))).toBe(vectors.genesis.hash)
})

test('chain', async () => {
  let prior = unb64u(vectors.genesis.hash)
  for (const { n, raw_base64, hash } of vectors.chain) {
    prior = await operationHash(prior, n, raw(raw_base64))
    expect(b64u(prior)).toBe(hash)
  }
})

test('frames', () => {
  const operations = vectors.chain.map(({ n, raw_base64, hash }) => ({ n, hash: unb64u(hash), bytes: raw(raw_base64) }))
  expect(Buffer.from(frames(operations)).toString('base64')).toBe(vectors.frames.body_base64)
})

test('digest', async () => {
  expect(b64u(await sha256(raw(vectors.digest.raw_base64)))).toBe(vectors.digest.sha256)
})

test('signed head', async () => {
  const { server_key: serverKey, jws, payload } = vectors.head
  const by = { facility: payload.facility as string, keys: [{ kid: await thumbprint(serverKey), jwk: serverKey, upto: null }] }
  const { facility, ...held } = payload
  expect(facility).toBe('DEMO')
  expect(await readHead(by, jws)).toEqual({ ...held, token: jws })
  await expect(readHead({ ...by, facility: 'OTHER' }, jws)).rejects.toThrow('another log')
})
