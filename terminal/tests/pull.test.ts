import { beforeEach, expect, test } from 'vitest'
import { db, type Identity, type Session } from '@/store/db'
import { rowOf } from '@/store/rows'
import { pullAll, storePage } from '@/sync/pull'
import { asker, type Asker } from '@/sync/session'
import type { PullAnswer, Row } from '@/sync/types'
import type { FakeServer } from './fake'
import { readyWorld } from './world'

let server: FakeServer
let who: Identity
let session: Session
let asking: Asker
beforeEach(async () => {
  server = await readyWorld()
  who = (await db.read('identity'))!
  session = (await db.read('session'))!
  asking = (await asker())!
})

const row = (id: string, partition: string, version = 1) => ({ id, partition, version, kind: 'place', doc: {} }) as unknown as Row
const page = (change: Partial<PullAnswer>): PullAnswer => ({ epoch: 1, at: 9, more: false, partitions: [], gone: [], head: '', time: '', ...change })
const ids = async () => (await db.rows.toCollection().primaryKeys()).sort()

test('rows and cursors are stored; a row replaces the one of its id', async () => {
  await storePage(session, page({ partitions: [{ partition: 'p', cursor: 5, rows: [row('a', 'p'), row('b', 'p')] }] }))
  await storePage(session, page({ partitions: [{ partition: 'p', cursor: 9, rows: [row('a', 'p', 2)] }] }))
  expect(await ids()).toEqual(['a', 'b'])
  expect((await rowOf('a'))?.version).toBe(2)
  expect((await db.cursors.get('p'))?.cursor).toBe(9)
})

test('what has left the scope is removed with its cursor', async () => {
  const both = [{ partition: 'p', cursor: 5, rows: [row('a', 'p')] }, { partition: 'q', cursor: 5, rows: [row('b', 'q')] }]
  await storePage(session, page({ partitions: both }))
  await storePage(session, page({ gone: ['p'] }))
  expect(await ids()).toEqual(['b'])
  expect(await db.cursors.get('p')).toBeUndefined()
})

test('nothing is stored for an officer who has left', async () => {
  const stored = await storePage({ ...session, session: 'another' }, page({ partitions: [{ partition: 'p', cursor: 5, rows: [row('a', 'p')] }] }))
  expect(stored).toBe('foreign')
  expect(await ids()).toEqual([])
})

test('in a new epoch all is asked for anew, and what is not given again goes', async () => {
  const both = [{ partition: 'p', cursor: 5, rows: [row('a', 'p'), row('old', 'p')] }, { partition: 'q', cursor: 5, rows: [row('b', 'q')] }]
  await storePage(session, page({ partitions: both }))
  server.epoch = 2
  server.page = { partitions: [{ partition: 'p', cursor: 3, rows: [row('a', 'p')] }], gone: [], more: false }
  await pullAll(who, asking)
  expect(await ids()).toEqual(['a'])
  expect(await db.cursors.toArray()).toEqual([{ partition: 'p', cursor: 3 }])
})

test('a pull that breaks off keeps what its pages brought', async () => {
  server.page = { partitions: [{ partition: 'p', cursor: 5, rows: [row('a', 'p')] }], gone: [], more: true }
  const pulled = pullAll(who, asking)
  server.script = [{ status: 200, body: { epoch: 1, head: server.head(), ...server.page } }, 'down']
  await expect(pulled).rejects.toThrow()
  expect((await db.cursors.get('p'))?.cursor).toBe(5)
})

test('a removed record goes, and a partition that is reset begins anew', async () => {
  const gone = { ...row('a', 'p', 2), state: 'removed' } as Row
  await storePage(session, page({ partitions: [{ partition: 'p', cursor: 5, rows: [row('a', 'p'), row('b', 'p')] }] }))
  await storePage(session, page({ partitions: [{ partition: 'p', cursor: 6, rows: [gone] }] }))
  expect(await ids()).toEqual(['b'])
  await storePage(session, page({ partitions: [{ partition: 'p', cursor: 7, reset: true, rows: [row('c', 'p')] }] }))
  expect(await ids()).toEqual(['c'])
})
