import { Dexie } from 'dexie'
import type { Row } from '@/sync/types'
import { db } from './db'

/** Rows whose document has the shape of their kind, as the server's schema of the kind says. */
export async function rowsOfKind<D>(kind: string): Promise<Row<D>[]> {
  return (await db.rows.where('kind').equals(kind).toArray()) as unknown as Row<D>[]
}

export async function newestRows<D>(kind: string, most: number): Promise<Row<D>[]> {
  const range = [[kind, Dexie.minKey], [kind, Dexie.maxKey]] as const
  const rows = await db.rows.where('[kind+observed_at]').between(...range).reverse().limit(most).toArray()
  return rows as unknown as Row<D>[]
}

export async function rowsOfRound<D>(round: string): Promise<Row<D>[]> {
  return (await db.rows.where('doc.round').equals(round).toArray()) as unknown as Row<D>[]
}

export async function rowOf<D>(id: string): Promise<Row<D> | undefined> {
  return (await db.rows.get(id)) as unknown as Row<D> | undefined
}
