import { db, type StoredOp } from '@/store/db'
import { holder } from '@/store/lock'
import { open } from '@/store/vault'
import type { Bytes } from './bytes'
import { copyFor, copyPlace } from './queue'
import { sealToServer, type SealKey } from './seal'

/** The operation's own bytes, where they can be had on this device. */
async function plain(stored: StoredOp): Promise<Bytes | null> {
  const here = holder()
  if (stored.bytes) return stored.bytes
  if (!stored.copy || here?.officer !== stored.officer) return null
  return open(here.key, copyPlace(stored.op), stored.copy)
}

async function sealAnew(stored: StoredOp, key: SealKey): Promise<void> {
  const bytes = await plain(stored)
  if (!bytes) return
  const here = holder()
  const jwe = await sealToServer(key, bytes)
  const copy = here?.officer === stored.officer ? await copyFor(here.key, stored.op, bytes) : stored.copy
  await db.ops.where('n').equals(stored.n).modify((op) => {
    Object.assign(op, { jwe, kid: key.kid, copy })
    delete op.bytes
  })
}

/**
 * Seals to the server's present key what waits under another, as far as the officer who is here can open it; and what a
 * first version of this store had kept in the clear, whosever it is. The bytes inside, and so the chain, stay as they are.
 */
export async function reseal(): Promise<void> {
  const key = await db.read('sealKey')
  if (!key || !holder()) return
  const waiting = await db.ops.where('status').equals('waiting').and(({ kid }) => kid !== key.kid).toArray()
  for (const stored of waiting) await sealAnew(stored, key)
  if (!(await db.read('inClear'))) return
  for (const stored of await db.ops.filter(({ bytes }) => bytes !== undefined).toArray()) await sealAnew(stored, key)
  await db.kv.delete('inClear')
}
