import type { Head } from '@/store/db'
import { jwsHeader, verifyJws } from './jws'
import type { Trust } from './keys'

/** Something signed that does not hold: nothing of the answer around it is believed. */
export class HeadInvalid extends Error {}

function after(a: { epoch: number; size: number }, b: { epoch: number; size: number }): boolean {
  return a.epoch > b.epoch || (a.epoch === b.epoch && a.size > b.size)
}

/** A head as one of the server's keys has signed it: each may sign only its own stretch of the log. */
export async function readHead({ facility, keys }: Trust, token: string): Promise<Head> {
  const at = keys.findIndex(({ kid }) => kid === jwsHeader(token).kid)
  const key = keys[at]
  if (!key) throw new HeadInvalid('the head is not signed by our server')
  const { header, payload } = await verifyJws(key.jwk, token).catch(() => {
    throw new HeadInvalid('the head is not signed by our server')
  })
  if (header.typ !== 'roundsman-head+jwt' || payload.facility !== facility) throw new HeadInvalid('a head of another log')
  const { epoch, size, root, at: signed } = payload
  if (!Number.isSafeInteger(epoch) || !Number.isSafeInteger(size) || typeof root !== 'string') {
    throw new HeadInvalid('a head without its numbers')
  }
  const head: Head = { epoch: epoch as number, size: size as number, root, at: String(signed), token }
  const before = keys[at - 1]?.upto
  if ((key.upto && after(head, key.upto)) || (before && !after(head, before))) throw new HeadInvalid('a head by the wrong key')
  return head
}
