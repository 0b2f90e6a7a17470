import { Dexie } from 'dexie'
import { db, identity, type OpStatus, type StoredOp } from '@/store/db'
import { newestRows, rowOf, rowsOfRound } from '@/store/rows'
import { capture, readOperation, refused } from '@/sync/queue'
import { uuid7 } from '@/sync/ids'
import type { BilingualProblem, Row } from '@/sync/types'
import { clockNow } from '@/device/clock'
import type { Draft } from './draft'
import { visitFields } from './drafts'
import type { Place } from './places'
import type { CloseFields, Result, RoundDoc, RoundFields, VisitFields } from './words'

/** A round or a visit as the officer sees it: from the server's rows and, before those, from the queue. */
export interface Round {
  id: string
  area: string
  openedAt: string
  officer: string
  /** Opened on this terminal; another one's round can be looked at, and not walked here. */
  here: boolean
  closed: CloseFields | null
  version: number
  /** The operation that a next one on this record has to name. */
  last: string
  status: OpStatus
  problem: BilingualProblem | null
}

export interface Visit extends VisitFields {
  id: string
  observedAt: string
  status: OpStatus
  problem: BilingualProblem | null
}

const RECENT = 200

function roundOfRow(row: Row<RoundDoc>, terminal: string): Round {
  const { area, result, reason, visits } = row.doc
  return {
    id: row.id,
    area,
    openedAt: row.observed_at,
    officer: row.author?.officer ?? '',
    here: row.terminal === terminal,
    closed: result ? { result, reason: reason ?? null, visits: visits ?? 0 } : null,
    version: row.version,
    last: row.op,
    status: 'applied',
    problem: null,
  }
}

async function roundOfOpening(stored: StoredOp): Promise<Round | null> {
  const operation = await readOperation<RoundFields>(stored)
  return operation && {
    id: stored.record,
    area: operation.fields.area,
    openedAt: operation.observed_at,
    officer: stored.officer,
    here: true,
    closed: null,
    version: stored.version ?? 1,
    last: stored.op,
    status: stored.status,
    problem: stored.problem,
  }
}

/** Lays a closing that is still in the queue, or was refused, over the round. */
async function withClosing(round: Round, stored: StoredOp): Promise<Round> {
  if (refused(stored)) return { ...round, problem: stored.problem }
  const operation = await readOperation<CloseFields>(stored)
  if (!operation) return round
  const { result, reason, visits } = operation.fields
  return { ...round, closed: { result, reason, visits }, last: stored.op, status: stored.status }
}

async function merge(rows: Row<RoundDoc>[], ops: StoredOp[]): Promise<Round[]> {
  const { terminal } = await identity()
  const rounds = new Map(rows.map((row) => [row.id, roundOfRow(row, terminal)]))
  for (const stored of ops) {
    const held = rounds.get(stored.record)
    const opened = stored.verb === 'open'
    const round = opened ? (held ?? (await roundOfOpening(stored))) : held && !held.closed ? await withClosing(held, stored) : null
    if (round) rounds.set(stored.record, round)
  }
  return [...rounds.values()].sort((a, b) => b.openedAt.localeCompare(a.openedAt))
}

/** The newest rounds that this officer may see, newest first. Another officer's queue stays closed. */
export async function recentRounds(officer: string): Promise<Round[]> {
  const range = [[officer, 'patrol.round', Dexie.minKey], [officer, 'patrol.round', Dexie.maxKey]] as const
  const ops = await db.ops.where('[officer+kind+n]').between(...range).reverse().limit(RECENT).toArray()
  const rows = await newestRows<RoundDoc>('patrol.round', RECENT)
  return merge(rows, ops.reverse())
}

export async function findRound(id: string, officer: string): Promise<Round | null> {
  const row = await rowOf<RoundDoc>(id)
  const ops = await db.ops.where('record').equals(id).sortBy('n')
  const [round] = await merge(row ? [row] : [], ops.filter((op) => op.officer === officer))
  return round ?? null
}

/** The visits of a round, oldest first. */
export async function visitsOf(round: string, officer: string): Promise<Visit[]> {
  const rows = await rowsOfRound<VisitFields>(round)
  const visits = new Map<string, Visit>()
  for (const row of rows) {
    visits.set(row.id, { ...row.doc, id: row.id, observedAt: row.observed_at, status: 'applied', problem: null })
  }
  const queued = await db.ops.where('round').equals(round).toArray()
  for (const stored of queued) {
    if (stored.kind !== 'patrol.visit' || stored.officer !== officer || visits.has(stored.record)) continue
    const operation = await readOperation<VisitFields>(stored)
    if (!operation) continue
    const { fields, observed_at } = operation
    const { record: id, status, problem } = stored
    visits.set(id, { ...fields, id, observedAt: observed_at, status, problem })
  }
  return [...visits.values()].sort((a, b) => a.observedAt.localeCompare(b.observedAt))
}

/** How many visits this terminal recorded for the round: said when it is closed, so that a loss shows. */
export async function recordedHere(round: string): Promise<number> {
  const ops = db.ops.where('round').equals(round)
  return ops.and(({ kind }) => kind === 'patrol.visit').count()
}

export async function openRound(ward: string): Promise<string> {
  const record = uuid7()
  const fields: RoundFields = { area: ward, companions: [] }
  const base = { kind: 'patrol.round', verb: 'open', record, base: 0, after: [], round: record }
  await capture({ ...base, observedAt: clockNow().now, fields })
  return record
}

export async function recordVisit(round: Round, draft: Draft, place: Place): Promise<void> {
  if (draft.observedAt === null) throw new Error('a visit without its moment')
  await capture({
    kind: 'patrol.visit',
    verb: 'record',
    record: draft.record,
    base: 0,
    after: [round.last],
    round: round.id,
    observedAt: draft.observedAt,
    fields: visitFields(draft, place),
    drafts: [draft.key],
  })
}

/** Signed by the session: face verification is not there yet, and the record says which of the two it was. */
export async function closeRound(round: Round, result: Result, reason: string, unfinished: Draft[]): Promise<void> {
  const fields: CloseFields = {
    result,
    reason: result === 'interrupted' ? reason.trim() : null,
    visits: await recordedHere(round.id),
  }
  await capture({
    kind: 'patrol.round',
    verb: 'close',
    record: round.id,
    base: round.version,
    after: [round.last],
    round: round.id,
    observedAt: clockNow().now,
    fields,
    signoff: { method: 'session', evidence: [], challenge: null },
    drafts: unfinished.map(({ key }) => key),
  })
}
