import { expect, test } from 'vitest'
import { uuid7 } from '@/sync/ids'
import { makeKey, signJws, thumbprint, verifyJws } from '@/sync/jws'
import { thumbprintOf } from './fake'

test('the key signs, cannot be read out, and is known by its thumbprint', async () => {
  const { key, jwk } = await makeKey()
  expect(key.extractable).toBe(false)
  await expect(crypto.subtle.exportKey('jwk', key)).rejects.toThrow()
  expect(await thumbprint(jwk)).toBe(thumbprintOf(jwk))
  const token = await signJws(key, { typ: 't' }, { 巡: '安' })
  expect(await verifyJws(jwk, token)).toEqual({ header: { alg: 'ES256', typ: 't' }, payload: { 巡: '安' } })
})

test('another key, and a changed word, are found out', async () => {
  const [mine, other] = [await makeKey(), await makeKey()]
  const token = await signJws(mine.key, {}, { size: 1 })
  const [header, , signature] = token.split('.')
  const forged = [header, Buffer.from('{"size":2}').toString('base64url'), signature].join('.')
  await expect(verifyJws(other.jwk, token)).rejects.toThrow()
  await expect(verifyJws(mine.jwk, forged)).rejects.toThrow()
  await expect(verifyJws(mine.jwk, 'a.b')).rejects.toThrow()
})

test('ids are UUIDv7, in order within a burst and when the clock steps back', () => {
  const now = Date.now() + 1000
  const ids = [...Array.from({ length: 5000 }, () => uuid7(now)), uuid7(now - 60_000)]
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect([...ids].sort()).toEqual(ids)
  expect(new Set(ids).size).toBe(ids.length)
})
