import { clockNow } from '@/device/clock'
import { db } from '@/store/db'
import { rowOf, rowsOfKind } from '@/store/rows'
import { capture } from '@/sync/queue'
import type { Row, SignOff } from '@/sync/types'
import type { FormDraft } from './formDrafts'
import { changed, said, type Values } from './forms'
import type { Kind } from './kinds'

const BY_SESSION: SignOff = { method: 'session', evidence: [], challenge: null }

/** Something that a field can refer to. */
export interface Known {
  id: string
  kind: string
  name: string
  more: string
}

const text = (value: unknown) => (typeof value === 'string' ? value : '')

export function titleOf({ kind, doc }: Pick<Row, 'kind' | 'doc'>): { name: string; more: string } {
  if (kind === 'person') return { name: text(doc.name) || text(doc.remarks), more: text(doc.number) }
  if (kind === 'place') return { name: text(doc.name), more: text(doc.code) }
  const asks = doc.asks as { zh?: string } | null | undefined
  return { name: text(asks?.zh) || text(doc.text) || text(doc.directive) || text(doc.title) || text(doc.name), more: '' }
}

/** Officers are known by what they have written; there is no list of them on the device. */
async function officers(): Promise<Known[]> {
  const seen = new Map<string, string>()
  for (const kind of ['shift.roster', 'duty', 'patrol.round', 'dynamic_info', 'talk']) {
    for (const { author } of await rowsOfKind(kind)) if (author) seen.set(author.officer, author.name)
  }
  return [...seen].map(([id, name]) => ({ id, kind: 'officer', name, more: '' }))
}

/** What is on this device that a field may refer to: places, persons, officers, then other records of the given kinds. */
export async function knownThings(others: string[]): Promise<Known[]> {
  const of = async (kind: string) => {
    const things = (await rowsOfKind(kind)).map((row) => ({ id: row.id, kind, ...titleOf(row) }))
    return things.sort((a, b) => a.more.localeCompare(b.more) || a.name.localeCompare(b.name))
  }
  const lists = await Promise.all(['place', 'person', ...others].map(of))
  return [...lists.flat(), ...(await officers())]
}

export async function nameOf(id: string): Promise<string | null> {
  const row = await rowOf(id)
  return row ? titleOf(row).name || null : null
}

/** Whether an earlier step on a record waits for its answer: until then nobody here knows how the record stands. */
export async function stepWaits(record: string): Promise<boolean> {
  const ops = await db.ops.where('record').equals(record).toArray()
  return ops.some(({ status }) => status === 'waiting' || status === 'held')
}

async function lastOn(record: string): Promise<string[]> {
  const ops = await db.ops.where('record').equals(record).sortBy('n')
  return ops.slice(-1).map(({ op }) => op)
}

/** Captures a filled form: a new record, or a step on one as its officer sees it. */
export async function captureForm(kind: Kind, verb: string, draft: FormDraft, row: Row | undefined): Promise<void> {
  const form = kind.verbs[verb]!
  const standing: Values = { state: row?.state ?? null, ...((row?.doc ?? {}) as Values) }
  const fields = form.edits ? changed(form.fields, draft.values, standing) : said(form.fields, draft.values)
  const compared = [...(form.edits ? Object.keys(fields) : []), ...form.watches]
  const seen = Object.fromEntries(compared.map((name) => [name, standing[name] ?? null]))
  await capture({
    kind: kind.name,
    verb,
    schema: kind.schema,
    record: draft.record,
    base: row?.version ?? 0,
    after: await lastOn(draft.record),
    round: '',
    observedAt: draft.observedAt ?? clockNow().now,
    fields,
    drafts: [draft.key],
    ...(compared.length > 0 ? { seen } : {}),
    ...(form.signoff ? { signoff: BY_SESSION } : {}),
  })
}
