import { db, type Head, type HeadAlarm, type Identity } from '@/store/db'
import { verifyJws, type PublicJwk } from './jws'

/** A signed head that does not hold: nothing of the answer around it is believed. */
export class HeadInvalid extends Error {}

type Signer = { serverKey: PublicJwk; serverThumbprint: string; facility: { id: string } }

export async function readHead(by: Signer, token: string): Promise<Head> {
  const jws = await verifyJws(by.serverKey, token).catch(() => {
    throw new HeadInvalid('the head is not signed by our server')
  })
  const { facility, epoch, size, root, at } = jws.payload
  const fits = jws.header.typ === 'roundsman-head+jwt' && jws.header.kid === by.serverThumbprint
  if (!fits || facility !== by.facility.id) throw new HeadInvalid('a head of another log')
  if (!Number.isSafeInteger(epoch) || !Number.isSafeInteger(size) || typeof root !== 'string') {
    throw new HeadInvalid('a head without its numbers')
  }
  return { epoch: epoch as number, size: size as number, root, at: String(at) }
}

/** What the newly shown head says against the one held, if anything. Within an epoch a log only grows. */
export function compareHeads(held: Head | undefined, shown: Head): HeadAlarm | null {
  if (!held || held.epoch !== shown.epoch) return null
  if (shown.size < held.size) return { code: 'shorter', held, shown }
  if (shown.size === held.size && shown.root !== held.root) return { code: 'differs', held, shown }
  return null
}

/**
 * Keeps the newest verified head; it is what the next operations name as their anchor. An older one is never taken in its
 * place: this device is a witness, and says what it saw.
 */
export async function noteHead(who: Identity, token: string): Promise<void> {
  const shown = await readHead(who, token)
  await db.transaction('rw', db.kv, async () => {
    const held = await db.read('head')
    const alarm = compareHeads(held, shown)
    if (alarm) await db.write('headAlarm', alarm)
    const newer = !held || shown.epoch > held.epoch || (shown.epoch === held.epoch && shown.size > held.size)
    if (newer) await db.write('head', shown)
  })
}
