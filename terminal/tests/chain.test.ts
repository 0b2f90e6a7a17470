import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { b64u, unb64u, utf8 } from '@/sync/bytes'
import { genesisHash, operationHash } from '@/sync/chain'
import { frameLength, frames } from '@/sync/frames'

const sha = (...parts: (string | Uint8Array)[]) => {
  const sum = createHash('sha256')
  parts.forEach((part) => sum.update(part))
  return sum.digest('base64url')
}

test('the genesis names facility, terminal, incarnation and key', async () => {
  const who = { facility: 'DEMO', terminal: '019353a0-0000-7000-8000-000000000001', incarnation: 3 }
  const expected = sha('roundsman/genesis/1\nDEMO\n019353a0-0000-7000-8000-000000000001\n3\nthumb\n')
  expect(b64u(await genesisHash(who, 'thumb'))).toBe(expected)
})

test.each([1, 255, 256, 4_294_967_296, Number.MAX_SAFE_INTEGER])('number %d is hashed as eight bytes', async (n) => {
  const prior = unb64u(sha('before'))
  const number = Buffer.alloc(8)
  number.writeBigUInt64BE(BigInt(n))
  const expected = sha('roundsman/op/1\n', prior, number, '{"说":1}')
  expect(b64u(await operationHash(prior, n, utf8('{"说":1}')))).toBe(expected)
})

test('a frame counts bytes, not letters', () => {
  const hash = unb64u(sha('x'))
  const framed = { n: 17, hash, bytes: utf8('{"a":"巡"}') }
  const body = frames([framed, { ...framed, n: 18 }])
  const one = `17 ${b64u(hash)} 11\n{"a":"巡"}\n`
  expect(Buffer.from(body).toString()).toBe(one + one.replace('17', '18'))
  expect(frameLength(framed)).toBe(Buffer.byteLength(one))
})

test('base64url goes there and back, and refuses the other alphabet', () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
  expect(unb64u(b64u(bytes))).toEqual(bytes)
  expect(b64u(bytes)).toBe(Buffer.from(bytes).toString('base64url'))
  expect(() => unb64u('a+b/')).toThrow()
})
