import { liveQuery } from 'dexie'
import { beforeEach, expect, test, vi } from 'vitest'
import { db, identity } from '@/store/db'
import { keyOf } from '@/store/lock'
import { sealRow } from '@/store/rows'
import { arrive } from '@/domain/arrive'
import { draftsOf, missing, newDraft, openDraft, saveDraft, withoutTag, withTag } from '@/domain/drafts'
import type { Draft } from '@/domain/draft'
import { outboxLines, othersWaiting } from '@/domain/outbox'
import { allPlaces, placeOfTag, stopsOf, wards, type Place } from '@/domain/places'
import { closeRound, findRound, openRound, recentRounds, recordVisit, visitsOf } from '@/domain/rounds'
import { typedTag } from '@/device/tag'
import { pushAll } from '@/sync/push'
import { readOperation } from '@/sync/queue'
import { OFFICER, type FakeServer } from './fake'
import { readyWorld } from './world'

const place = (id: string, type: Place['type'], position: number, parent: string | null, tags: string[] = []) => ({
  id, kind: 'place', version: 1, partition: `place/${id}/base`, doc: { type, code: id, name: `名${id}`, parent, position, tags },
})
const tag = typedTag(' 04:a1 ')!
let server: FakeServer
let cell: Place
let gate: Place
beforeEach(async () => {
  server = await readyWorld()
  const rows = [place('w', 'ward', 1, null), place('c2', 'cell', 3, 'w'), place('c1', 'cell', 2, 'w', ['04A1']), place('g', 'checkpoint', 1, 'w', ['04B2'])]
  await db.rows.bulkPut(await Promise.all(rows.map((row) => sealRow(keyOf(OFFICER.id), row as never))))
  const stops = stopsOf('w', await allPlaces())
  gate = stops[0]!
  cell = stops[1]!
})

const answered = (draft: Draft): Draft => ({ ...withTag(draft, tag), headcount: 8, response: 'breathing', observation: 'asleep' })

test('stops stand in the order of walking, and a tag finds its stop in any spelling', async () => {
  const places = await allPlaces()
  expect(wards(places).map(({ id }) => id)).toEqual(['w'])
  expect(stopsOf('w', places).map(({ id }) => id)).toEqual(['g', 'c1', 'c2'])
  expect(placeOfTag(tag.uid, places)?.id).toBe('c1')
})

test('nothing is answered beforehand, and each answer is asked for', () => {
  const draft = newDraft('r', 'c1')
  expect(missing(draft, cell)).toEqual(['tag', 'headcount', 'response', 'observation'])
  expect(missing(draft, gate)).toEqual(['tag'])
  expect(missing(answered(draft), cell)).toEqual([])
  expect(missing({ ...answered(draft), headcount: 0 }, cell)).toEqual([])
  expect(missing({ ...answered(draft), headcount: 201 }, cell)).toEqual(['headcount'])
  expect(missing({ ...answered(draft), observation: 'other' }, cell)).toEqual(['note'])
  expect(missing(withoutTag(draft), gate)).toEqual(['note'])
  expect(missing({ ...withoutTag(draft), note: ' ' }, gate)).toEqual(['note'])
})

test('a round is seen from the queue at once, walked, closed, and the same after it was sent', async () => {
  const id = await openRound('w')
  let round = (await findRound(id, OFFICER.id))!
  expect(round).toMatchObject({ area: 'w', closed: null, status: 'waiting', here: true })
  expect(await arrive(round, gate, { uid: '04B2', medium: 'typed' })).toBe(true)
  expect(await arrive(round, cell, tag)).toBe(false)
  const draft = await openDraft(id, 'c1')
  await recordVisit(round, { ...draft, headcount: 8, response: 'breathing', observation: 'asleep' }, cell)
  await saveDraft(newDraft(id, 'c2'))
  expect((await visitsOf(id, OFFICER.id)).map((visit) => [visit.place, visit.status])).toEqual([['g', 'waiting'], ['c1', 'waiting']])
  await closeRound(round, 'interrupted', ' 警铃响 ', await draftsOf(id))
  expect(await db.drafts.count()).toBe(0)
  round = (await findRound(id, OFFICER.id))!
  expect(round.closed).toEqual({ result: 'interrupted', reason: '警铃响', visits: 2 })

  await pushAll(await identity())
  const [opening, first, second, closing] = server.operations as Record<string, any>[]
  expect(opening).toMatchObject({ kind: 'patrol.round', verb: 'open', base: 0, after: [], fields: { area: 'w', companions: [] } })
  expect(first).toMatchObject({ fields: { round: id, place: 'g', tag: { uid: '04B2', medium: 'typed', counter: null }, cell: null, note: null } })
  expect(second).toMatchObject({ after: [opening!.op], fields: { cell: { headcount: 8, response: 'breathing', observation: 'asleep' } } })
  expect(closing).toMatchObject({ verb: 'close', base: 1, after: [opening!.op], signoff: { method: 'session', evidence: [], challenge: null } })
  expect((await findRound(id, OFFICER.id))?.status).toBe('applied')
  expect((await recentRounds(OFFICER.id)).map((each) => each.id)).toEqual([id])
})

test('a row takes the place of what was queued, without doubling it', async () => {
  const id = await openRound('w')
  const round = (await findRound(id, OFFICER.id))!
  await arrive(round, gate, { uid: '04B2', medium: 'typed' })
  const [, stored] = await db.ops.orderBy('n').toArray()
  const { fields, observed_at } = (await readOperation(stored!))!
  const row = { id: stored!.record, kind: 'patrol.visit', partition: 'p', observed_at, doc: fields } as never
  await db.rows.put(await sealRow(keyOf(OFFICER.id), row))
  await db.ops.update(stored!.n, { status: 'applied' })
  expect(await visitsOf(id, OFFICER.id)).toHaveLength(1)
})

test('what a page reads after something was opened stays true as well', async () => {
  const id = await openRound('w')
  const round = (await findRound(id, OFFICER.id))!
  const doc = { round: id, place: 'c1', tag: null, cell: null, note: null }
  await db.rows.put(await sealRow(keyOf(OFFICER.id), { id: 'v', kind: 'patrol.visit', partition: 'p', observed_at: '1', doc } as never))
  const seen: number[] = []
  const watched = liveQuery(() => visitsOf(id, OFFICER.id)).subscribe((visits) => seen.push(visits.length))
  await vi.waitFor(() => expect(seen).toEqual([1]))
  await arrive(round, gate, { uid: '04B2', medium: 'typed' })
  await vi.waitFor(() => expect(seen.at(-1)).toBe(2))
  watched.unsubscribe()
})

test('a refused closing leaves the round open and says why', async () => {
  const id = await openRound('w')
  await closeRound((await findRound(id, OFFICER.id))!, 'completed', '', [])
  const problem = { code: 'signoff.missing', zh: '此操作需要签认', en: 'This needs a sign-off.' }
  server.rule = ({ verb }) => (verb === 'close' ? { status: 'rejected', problem } : undefined)
  await pushAll(await identity())
  expect(await findRound(id, OFFICER.id)).toMatchObject({ closed: null, problem })
})

test('an officer sees the words of no other officer', async () => {
  const id = await openRound('w')
  expect(await findRound(id, 'another')).toBeNull()
  expect(await recentRounds('another')).toEqual([])
  expect(await outboxLines('another')).toEqual([])
  expect(await othersWaiting('another')).toBe(1)
  expect(await outboxLines(OFFICER.id)).toMatchObject([{ verb: 'open', place: '名w', status: 'waiting' }])
})
