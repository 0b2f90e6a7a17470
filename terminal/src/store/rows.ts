import { Dexie } from 'dexie'
import type { Row } from '@/sync/types'
import { db, type SealedRow } from './db'
import { reveal } from './lock'
import { sealJson } from './vault'

const place = (id: string) => `roundsman/row/${id}`

export async function sealRow(key: CryptoKey, row: Row): Promise<SealedRow> {
  const { id, kind, partition, observed_at, doc } = row
  const round = typeof doc.round === 'string' ? doc.round : null
  return { id, kind, partition, observed_at, round, sealed: await sealJson(key, place(id), row) }
}

function openRow<D>({ id, sealed }: SealedRow): Promise<Row<D>> {
  return reveal<Row<D>>(place(id), sealed)
}

/** Rows whose document has the shape of their kind, as the server's schema of the kind says. */
export async function rowsOfKind<D = Record<string, unknown>>(kind: string): Promise<Row<D>[]> {
  const sealed = await db.rows.where('kind').equals(kind).toArray()
  return Promise.all(sealed.map(openRow<D>))
}

export async function newestRows<D = Record<string, unknown>>(kind: string, most: number): Promise<Row<D>[]> {
  const range = [[kind, Dexie.minKey], [kind, Dexie.maxKey]] as const
  const sealed = await db.rows.where('[kind+observed_at]').between(...range).reverse().limit(most).toArray()
  return Promise.all(sealed.map(openRow<D>))
}

export async function rowsOfRound<D>(round: string): Promise<Row<D>[]> {
  const sealed = await db.rows.where('round').equals(round).toArray()
  return Promise.all(sealed.map(openRow<D>))
}

export async function rowOf<D = Record<string, unknown>>(id: string): Promise<Row<D> | undefined> {
  const sealed = await db.rows.get(id)
  return sealed && openRow<D>(sealed)
}
