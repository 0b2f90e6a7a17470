import { clockNow } from '@/device/clock'
import type { TagReading } from '@/device/tag'
import { db, type SealedDraft } from '@/store/db'
import { conceal, holder, reveal } from '@/store/lock'
import { serially } from '@/store/serially'
import { uuid7 } from '@/sync/ids'
import type { Draft } from './draft'
import type { Place } from './places'
import { MAX_HEADCOUNT, type CellAnswers, type VisitFields } from './words'

export type Missing = 'tag' | 'headcount' | 'response' | 'observation' | 'note'

export function draftKey(round: string, place: string): string {
  return `${round}/${place}`
}

export function newDraft(round: string, place: string): Draft {
  const empty = { tag: null, headcount: null, response: null, observation: null }
  return { key: draftKey(round, place), round, place, record: uuid7(), observedAt: null, note: '', ...empty }
}

const sealPlace = (key: string) => `roundsman/draft/${key}`

function unsealed({ key, sealed }: SealedDraft): Promise<Draft> {
  return reveal<Draft>(sealPlace(key), sealed)
}

export async function openDraft(round: string, place: string): Promise<Draft> {
  const held = await db.drafts.get(draftKey(round, place))
  return held && held.officer === holder()?.officer ? unsealed(held) : newDraft(round, place)
}

/** The drafts of a round that the officer who has unlocked the device is entering. */
export async function draftsOf(round: string): Promise<Draft[]> {
  const officer = holder()?.officer
  const held = await db.drafts.where('round').equals(round).and((draft) => draft.officer === officer).toArray()
  return Promise.all(held.map(unsealed))
}

export function saveDraft(draft: Draft): Promise<void> {
  const { key, round } = draft
  const said = JSON.parse(JSON.stringify(draft)) as Draft
  return serially(async () => {
    const officer = holder()?.officer ?? ''
    const sealed = await conceal(sealPlace(key), said)
    await db.drafts.put({ key, round, officer, sealed })
  })
}

/** The reading is the moment of the visit. A browser sees no counter of the tag. */
export function withTag(draft: Draft, { uid, medium }: TagReading): Draft {
  return { ...draft, observedAt: clockNow().now, tag: { uid, medium, counter: null } }
}

export function withoutTag(draft: Draft): Draft {
  return { ...draft, observedAt: clockNow().now, tag: null }
}

/** What still has to be answered, in the order of the screen. */
export function missing(draft: Draft, place: Place): Missing[] {
  const open: Missing[] = []
  if (draft.observedAt === null) open.push('tag')
  if (place.type === 'cell') {
    const { headcount } = draft
    if (headcount === null || headcount < 0 || headcount > MAX_HEADCOUNT) open.push('headcount')
    if (draft.response === null) open.push('response')
    if (draft.observation === null) open.push('observation')
  }
  if (noteNeeded(draft) && draft.note.trim() === '') open.push('note')
  return open
}

export function noteNeeded(draft: Draft): boolean {
  const tagless = draft.observedAt !== null && draft.tag === null
  return tagless || draft.observation === 'other'
}

export function visitFields(draft: Draft, place: Place): VisitFields {
  const { headcount, response, observation } = draft
  const cell = place.type === 'cell' ? ({ headcount, response, observation } as CellAnswers) : null
  return { round: draft.round, place: draft.place, tag: draft.tag && { ...draft.tag }, cell, note: draft.note.trim() || null }
}
