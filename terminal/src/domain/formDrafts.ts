import { clockNow } from '@/device/clock'
import { db } from '@/store/db'
import { conceal, holder, reveal } from '@/store/lock'
import { serially } from '@/store/serially'
import { uuid7 } from '@/sync/ids'
import type { Values } from './forms'

/** A form that is being filled in. It lies in the store from the first touch, so that a kill does not lose it. */
export interface FormDraft {
  key: string
  /** The id of the record that it will make, or that it is about. */
  record: string
  /** When the first of it was entered; null before that. */
  observedAt: string | null
  values: Values
}

const ROUND = 'form'
const place = (key: string) => `roundsman/form/${key}`

/** One draft a form and record: who comes back finds what he had entered. */
export function formKey(kind: string, verb: string, record: string): string {
  return `${ROUND}/${kind}/${verb}/${record}`
}

export async function openForm(kind: string, verb: string, record: string): Promise<FormDraft> {
  const key = formKey(kind, verb, record)
  const held = await db.drafts.get(key)
  if (held && held.officer === holder()?.officer) return reveal<FormDraft>(place(key), held.sealed)
  return { key, record: record || uuid7(), observedAt: null, values: {} }
}

export function keepForm(draft: FormDraft): Promise<void> {
  const kept = JSON.parse(JSON.stringify({ ...draft, observedAt: draft.observedAt ?? clockNow().now })) as FormDraft
  draft.observedAt = kept.observedAt
  return serially(async () => {
    await db.drafts.put({ key: kept.key, round: ROUND, officer: holder()?.officer ?? '', sealed: await conceal(place(kept.key), kept) })
  })
}

export async function dropForm(key: string): Promise<void> {
  await db.drafts.delete(key)
}

/** The forms that the officer who has unlocked the device has begun. */
export async function begunForms(): Promise<Set<string>> {
  const officer = holder()?.officer
  const held = await db.drafts.where('round').equals(ROUND).and((draft) => draft.officer === officer).toArray()
  return new Set(held.map(({ key }) => key))
}
