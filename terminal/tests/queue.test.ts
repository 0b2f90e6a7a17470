import { createHash } from 'node:crypto'
import { beforeEach, expect, test } from 'vitest'
import { db } from '@/store/db'
import { capture, counts, NotReady, readOperation } from '@/sync/queue'
import { signOut } from '@/sync/session'
import { uuid7 } from '@/sync/ids'
import { OFFICER, TERMINAL, type FakeServer } from './fake'
import { readyWorld, visit } from './world'

let server: FakeServer
beforeEach(async () => {
  server = await readyWorld()
})

const said = (jwe: string) => server.opened(jwe)

async function chainHolds(): Promise<number> {
  const ops = await db.ops.orderBy('n').toArray()
  let prior: Uint8Array = (await db.read('identity'))!.genesis
  ops.forEach((op, i) => {
    const number = Buffer.alloc(8)
    number.writeBigUInt64BE(BigInt(i + 1))
    const sum = createHash('sha256').update('roundsman/op/1\n').update(prior).update(number).update(said(op.jwe)).digest()
    expect(op.n).toBe(i + 1)
    expect(Buffer.from(op.hash).equals(sum)).toBe(true)
    prior = op.hash
  })
  const end = await db.read('chain')
  expect(end?.n).toBe(ops.length)
  expect(Buffer.from(end!.hash).equals(Buffer.from(prior))).toBe(true)
  return ops.length
}

test('an operation has all the keys of the protocol, in compact JSON, and no others', async () => {
  const stored = await visit({ after: ['a'] })
  const op = (await readOperation(stored))!
  expect(Object.keys(op)).toEqual([
    'op', 'terminal', 'incarnation', 'n', 'kind', 'schema', 'verb', 'record', 'base', 'after', 'officer', 'session',
    'observed_at', 'recorded_at', 'clock', 'anchor', 'signoff', 'attachments', 'fields',
  ])
  expect(op).toMatchObject({ terminal: TERMINAL, incarnation: 1, n: 1, officer: OFFICER.id, signoff: null, attachments: [] })
  expect(op.anchor.size).toBe(1)
  expect(Number.isInteger(op.clock.monotonic)).toBe(true)
  expect(op.recorded_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  expect(said(stored.jwe).toString()).toBe(JSON.stringify(op))
})

test('forty captures at once, as of many tabs, make one chain without gap or fork', async () => {
  await Promise.all(Array.from({ length: 40 }, () => visit()))
  expect(await chainHolds()).toBe(40)
})

test('a store that fails in the middle leaves neither number nor operation', async () => {
  await visit()
  const fail = () => {
    throw new Error('disk full')
  }
  db.ops.hook('creating', fail)
  await expect(visit()).rejects.toThrow('disk full')
  db.ops.hook('creating').unsubscribe(fail)
  expect(await chainHolds()).toBe(1)
  await visit()
  expect(await chainHolds()).toBe(2)
})

test('the same verb on the same record is captured once, and its drafts go with it', async () => {
  const record = uuid7()
  await db.drafts.put({ key: 'd', round: 'r' } as never)
  const [one, two] = await Promise.all([visit({ record, drafts: ['d'] }), visit({ record, drafts: ['d'] })])
  expect(one.op).toBe(two.op)
  expect(await db.drafts.count()).toBe(0)
  expect(await chainHolds()).toBe(1)
})

test('after a refusal the same verb may be tried again', async () => {
  const record = uuid7()
  const first = await visit({ record, verb: 'close', base: 1 })
  await db.ops.update(first.n, { status: 'rejected' })
  expect((await visit({ record, verb: 'close', base: 1 })).n).toBe(2)
})

test('half letters and NUL never reach the server; whole ones stay', async () => {
  const stored = await visit({ fields: { note: 'a\0b\uD83Dc\uDE00d😀' } })
  expect((await readOperation<{ note: string }>(stored))?.fields.note).toBe('abcd😀')
})

test('nothing can be captured without a session', async () => {
  server.script = ['down']
  await signOut()
  await expect(capture({ kind: 'k', verb: 'v', record: 'r', base: 0, after: [], round: 'r', observedAt: '', fields: {} }))
    .rejects.toBeInstanceOf(NotReady)
})

test('the counts are those of the store', async () => {
  const ops = await Promise.all(Array.from({ length: 5 }, () => visit()))
  await db.ops.update(ops[0]!.n, { status: 'applied' })
  await db.ops.update(ops[1]!.n, { status: 'conflict' })
  await db.ops.update(ops[2]!.n, { status: 'rejected' })
  expect(await counts()).toEqual({ waiting: 2, sent: 2, refused: 1, disputed: 1 })
})
