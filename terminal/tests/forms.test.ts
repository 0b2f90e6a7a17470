import { beforeEach, expect, test } from 'vitest'
import { begunForms, formKey, keepForm, openForm } from '@/domain/formDrafts'
import { changed, fits, lacking, said } from '@/domain/forms'
import { beginnings, steps, type FormField, type Kind } from '@/domain/kinds'
import { captureForm, stepWaits } from '@/domain/records'
import { db } from '@/store/db'
import { lock } from '@/store/lock'
import type { Row } from '@/sync/types'
import type { FakeServer } from './fake'
import { readyWorld } from './world'

const text = { type: 'text', required: true, nullable: false } as const
const SORT: FormField = { ...text, name: 'sort', choices: ['a', 'b'] }
const NOTE: FormField = { ...text, name: 'note', nullable: true, min: 1, max: 3 }
const COUNT: FormField = { ...text, name: 'count', type: 'whole', min: 0, max: 200 }
const WHEN: FormField = { ...text, name: 'when', is: 'moment' }
const BED: FormField = { ...text, name: 'bed', required: false, nullable: true, max: 16 }
const TAGS: FormField = { ...text, name: 'tags', type: 'list', max: 2, of: { ...text, name: '', max: 4 } }
const CELL: FormField = { ...text, name: 'cell', type: 'group', nullable: true, fields: [COUNT, SORT] }
const WORDS = { zh: '某', en: 'some' }
const SEEN: Kind = {
  name: 'seen', schema: 3, writers: ['PAT'], text: WORDS, labels: {}, marks: {},
  verbs: {
    report: { text: WORDS, creates: true, signoff: true, confirm: false, edits: false, removes: false, watches: [], fields: [SORT, NOTE] },
    amend: { text: WORDS, creates: false, signoff: false, confirm: false, edits: true, removes: false, watches: ['state'], fields: [{ ...SORT, required: false }, { ...NOTE, required: false }] },
  },
}

test('nothing is filled in that nobody entered', () => {
  expect(lacking([SORT, NOTE, COUNT, WHEN, BED, TAGS, CELL], {})).toEqual(['sort', 'count', 'when'])
  expect(said([NOTE, BED, TAGS, CELL], {})).toEqual({ note: null, tags: [], cell: null })
})

test('each field keeps to its bounds, counted in characters', () => {
  expect([fits(SORT, 'a'), fits(SORT, 'c')]).toEqual([true, false])
  expect([fits(NOTE, '𠮷𠮷𠮷'), fits(NOTE, '𠮷𠮷𠮷𠮷'), fits(NOTE, '  ')]).toEqual([true, false, true])
  expect([fits(COUNT, 0), fits(COUNT, 201), fits(COUNT, 1.5), fits(COUNT, '3')]).toEqual([true, false, false, false])
  expect([fits(TAGS, ['x']), fits(TAGS, ['x', 'y', 'z']), fits(TAGS, ['too long'])]).toEqual([true, false, false])
  expect([fits(CELL, null), fits(CELL, {}), fits(CELL, { count: 2, sort: 'b' })]).toEqual([true, false, true])
  expect([fits(WHEN, 'yesterday'), fits(WHEN, '2026-11-22T03:14:15.123Z')]).toEqual([false, true])
})

test('what is said is what was entered, tidied, and nothing else', () => {
  const values = { sort: 'a', note: ' ab ', count: 0, when: '2026-11-22T11:14+08:00', tags: [' x '], cell: { count: 2, sort: 'b', foreign: 1 } }
  expect(said([SORT, NOTE, COUNT, WHEN, TAGS, CELL], values)).toEqual({
    sort: 'a', note: 'ab', count: 0, when: '2026-11-22T03:14:00.000Z', tags: ['x'], cell: { count: 2, sort: 'b' },
  })
})

test('an edit says what it changes, and a null where it takes something away', () => {
  const fields = SEEN.verbs.amend!.fields
  expect(changed(fields, { sort: 'b', note: 'old' }, { sort: 'a', note: 'old' })).toEqual({ sort: 'b' })
  expect(changed(fields, { note: '' }, { sort: 'a', note: 'old' })).toEqual({ note: null })
  expect(changed(fields, { note: '' }, { sort: 'a', note: null })).toEqual({})
})

test('an officer is offered what his posts may do', () => {
  expect(beginnings([SEEN], ['PAT']).map(({ verb }) => verb)).toEqual(['report'])
  expect([beginnings([SEEN], ['MED']), steps(SEEN, ['PAT']), steps(SEEN, ['MED'])]).toEqual([[], ['amend'], []])
})

let server: FakeServer
beforeEach(async () => {
  server = await readyWorld()
})

const sent = async () => (await db.ops.orderBy('n').toArray()).map(({ jwe }) => JSON.parse(Buffer.from(server.opened(jwe)).toString()) as Record<string, unknown>)

test('a form is kept from its first touch, becomes one operation, and is gone', async () => {
  const draft = await openForm('seen', 'report', '')
  await keepForm({ ...draft, values: { sort: 'a' } })
  expect(await begunForms()).toEqual(new Set([formKey('seen', 'report', '')]))
  const again = await openForm('seen', 'report', '')
  expect([again.record, again.values]).toEqual([draft.record, { sort: 'a' }])
  await captureForm(SEEN, 'report', again, undefined)
  await captureForm(SEEN, 'report', again, undefined)
  const [operation, second] = await sent()
  expect(operation).toMatchObject({
    kind: 'seen', verb: 'report', schema: 3, record: draft.record, base: 0, after: [], observed_at: again.observedAt, fields: { sort: 'a', note: null },
    signoff: { method: 'session' },
  })
  expect([second, 'seen' in operation!, (await begunForms()).size]).toEqual([undefined, false, 0])
})

test('a step says what its officer saw, and waits for the one before', async () => {
  const row = { id: 'r1', kind: 'seen', version: 2, state: 'open', doc: { sort: 'a', note: 'old' } } as unknown as Row
  const draft = { key: formKey('seen', 'amend', 'r1'), record: 'r1', observedAt: null, values: { sort: 'b' } }
  expect(await stepWaits('r1')).toBe(false)
  await captureForm(SEEN, 'amend', draft, row)
  expect(await stepWaits('r1')).toBe(true)
  const [operation] = await sent()
  expect(operation).toMatchObject({ base: 2, fields: { sort: 'b' }, seen: { sort: 'a', state: 'open' }, signoff: null })
  await db.ops.toCollection().modify({ status: 'applied', version: 3 })
  await captureForm(SEEN, 'amend', { ...draft, values: { sort: 'a' } }, { ...row, version: 3, doc: { sort: 'b', note: 'old' } })
  expect((await sent())[1]).toMatchObject({ base: 3, after: [operation!.op], fields: { sort: 'a' }, seen: { sort: 'b', state: 'open' } })
})

test('a locked device shows nobody what was entered', async () => {
  await keepForm({ ...(await openForm('seen', 'report', '')), values: { note: '某甲' } })
  const held = await db.drafts.toArray()
  expect(Buffer.from(held[0]!.sealed).toString('latin1')).not.toContain(Buffer.from('某甲').toString('latin1'))
  lock()
  await expect(openForm('seen', 'report', '')).resolves.toMatchObject({ values: {} })
})
