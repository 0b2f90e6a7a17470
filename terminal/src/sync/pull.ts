import { db, type Identity, type Session } from '@/store/db'
import { noteHead } from './head'
import { callWithProof, jsonCall } from './http'
import type { PullAnswer } from './types'

const PAGE = 500
/** The state of a record that was taken away; its row is the word that it is gone. */
const REMOVED = 'removed'

async function ask(who: Identity, session: Session): Promise<PullAnswer> {
  const cursors = await db.cursors.toArray()
  const partitions = Object.fromEntries(cursors.map(({ partition, cursor }) => [partition, cursor]))
  return callWithProof<PullAnswer>(who, jsonCall('POST', '/v1/sync/pull', { partitions, limit: PAGE }), session.token)
}

/** Rows without a cursor are left over from before: their partition was not given again. */
async function sweep(): Promise<void> {
  const held = await db.cursors.toCollection().primaryKeys()
  await db.rows.where('partition').noneOf(held).delete()
}

async function drop(partition: string): Promise<void> {
  await db.rows.where('partition').equals(partition).delete()
  await db.cursors.delete(partition)
}

export type Stored = 'stored' | 'again' | 'foreign'

/**
 * Rows and cursors in one transaction. `again`: the server has opened a new epoch, so the old cursors mean nothing; they
 * are forgotten, while the rows stay on the screen until each partition is given anew. `foreign`: the officer for whom
 * it was asked has left, so nothing is kept.
 */
export function storePage(session: string, answer: PullAnswer): Promise<Stored> {
  return db.transaction('rw', db.kv, db.rows, db.cursors, async () => {
    if ((await db.read('session'))?.session !== session) return 'foreign'
    const epoch = await db.read('epoch')
    if (epoch !== undefined && epoch !== answer.epoch) {
      await db.cursors.clear()
      await db.write('epoch', answer.epoch)
      return 'again'
    }
    if (epoch === undefined) await db.write('epoch', answer.epoch)
    for (const { partition, cursor, reset, rows } of answer.partitions) {
      const anew = reset || !(await db.cursors.get(partition))
      if (anew) await db.rows.where('partition').equals(partition).delete()
      await db.rows.bulkPut(rows.filter(({ state }) => state !== REMOVED))
      await db.rows.bulkDelete(rows.filter(({ state }) => state === REMOVED).map(({ id }) => id))
      await db.cursors.put({ partition, cursor })
    }
    for (const partition of answer.gone) await drop(partition)
    if (!answer.more) await sweep()
    return 'stored'
  })
}

/** Fetches what is new in the officer's scope. */
export async function pullAll(who: Identity, session: Session): Promise<void> {
  for (;;) {
    const answer = await ask(who, session)
    await noteHead(who, answer.head)
    const stored = await storePage(session.session, answer)
    if (stored === 'foreign' || (stored === 'stored' && !answer.more)) return
  }
}
