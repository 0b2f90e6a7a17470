import { db, type Identity } from '@/store/db'
import { keyOf } from '@/store/lock'
import { sealRow } from '@/store/rows'
import { jsonCall } from './http'
import type { Asker } from './session'
import type { PullAnswer } from './types'
import { noteHead } from './witness'

const PAGE = 500
/** The state of a record that was taken away; its row is the word that it is gone. */
const REMOVED = 'removed'

async function ask(asking: Asker): Promise<PullAnswer> {
  const cursors = await db.cursors.toArray()
  const partitions = Object.fromEntries(cursors.map(({ partition, cursor }) => [partition, cursor]))
  return asking.ask<PullAnswer>(jsonCall('POST', '/v1/sync/pull', { partitions, limit: PAGE }))
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
 * Rows, sealed to the officer, and cursors in one transaction. `again`: the server has opened a new epoch, so the old cursors mean nothing; they
 * are forgotten, while the rows stay on the screen until each partition is given anew. `foreign`: the officer for whom
 * it was asked has left, so nothing is kept.
 */
export async function storePage({ session, officer }: { session: string; officer: string }, answer: PullAnswer): Promise<Stored> {
  const key = keyOf(officer)
  const kept = answer.partitions.flatMap(({ rows }) => rows.filter(({ state }) => state !== REMOVED))
  // Sealed before the transaction: IndexedDB would commit while WebCrypto works.
  const sealed = new Map((await Promise.all(kept.map((row) => sealRow(key, row)))).map((row) => [row.id, row]))
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
      await db.rows.bulkPut(rows.flatMap(({ id, state }) => (state === REMOVED ? [] : [sealed.get(id)!])))
      await db.rows.bulkDelete(rows.filter(({ state }) => state === REMOVED).map(({ id }) => id))
      await db.cursors.put({ partition, cursor })
    }
    for (const partition of answer.gone) await drop(partition)
    if (!answer.more) await sweep()
    return 'stored'
  })
}

/** Fetches what is new in the officer's scope. */
export async function pullAll(who: Identity, asking: Asker): Promise<void> {
  for (;;) {
    const answer = await ask(asking)
    await noteHead(who, answer.head)
    const stored = await storePage(asking.session, answer)
    if (stored === 'foreign' || (stored === 'stored' && !answer.more)) return
  }
}
