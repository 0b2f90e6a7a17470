import { Dexie } from 'dexie'
import { db, type OpStatus, type StoredOp } from '@/store/db'
import { rowOf } from '@/store/rows'
import { readOperation } from '@/sync/queue'
import type { BilingualProblem, Mark } from '@/sync/types'
import type { RoundFields, VisitFields } from './words'

/** How many operations the page lists; those that were refused are listed always. */
export const LISTED = 100

export interface OutboxLine {
  n: number
  kind: string
  verb: string
  place: string | null
  what: string
  /** Null where only the server can read it. */
  recordedAt: string | null
  status: OpStatus
  problem: BilingualProblem | null
  marks: Mark[]
}

async function nameOf(place: string | undefined): Promise<string | null> {
  if (!place) return null
  return (await rowOf<{ name: string }>(place))?.doc.name ?? null
}

/** The ward of a round: from its row, or from the operation that opened it. */
async function areaOf(round: string): Promise<string | undefined> {
  const row = await rowOf<{ area: string }>(round)
  if (row) return row.doc.area
  const opening = await db.ops.where('record').equals(round).and(({ verb }) => verb === 'open').first()
  return opening && (await readOperation<RoundFields>(opening))?.fields.area
}

async function line(stored: StoredOp): Promise<OutboxLine> {
  const operation = await readOperation<Partial<VisitFields>>(stored)
  const place = operation?.fields.place ?? (stored.round ? await areaOf(stored.round) : undefined)
  return {
    n: stored.n,
    kind: stored.kind,
    verb: stored.verb,
    place: await nameOf(place),
    what: operation?.fields.note ?? '',
    recordedAt: operation?.recorded_at ?? null,
    status: stored.status,
    problem: stored.problem,
    marks: stored.marks,
  }
}

/** The officer's own operations, newest first. What others captured on this device is counted, never read. */
export async function outboxLines(officer: string): Promise<OutboxLine[]> {
  const range = [[officer, Dexie.minKey], [officer, Dexie.maxKey]] as const
  const newest = await db.ops.where('[officer+n]').between(...range).reverse().limit(LISTED).toArray()
  const listed = new Set(newest.map(({ n }) => n))
  const bad = await db.ops.where('status').anyOf('rejected', 'quarantined', 'conflict', 'held', 'escrowed').reverse().limit(LISTED).toArray()
  const older = bad.filter((op) => op.officer === officer && !listed.has(op.n))
  return Promise.all([...newest, ...older].map(line))
}

export async function othersWaiting(officer: string): Promise<number> {
  return db.ops.where('status').equals('waiting').and((op) => op.officer !== officer).count()
}
