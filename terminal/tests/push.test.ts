import { beforeEach, expect, test } from 'vitest'
import { db, type Identity } from '@/store/db'
import { HeadInvalid } from '@/sync/head'
import { NoAnswer, Problem } from '@/sync/http'
import { PUSH_OPERATIONS, pushAll } from '@/sync/push'
import { strangerKey, type FakeServer } from './fake'
import { readyWorld, visit } from './world'

let server: FakeServer
let who: Identity
beforeEach(async () => {
  server = await readyWorld()
  who = (await db.read('identity'))!
})

async function queue(count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) await visit()
}

const statuses = async () => (await db.ops.orderBy('n').toArray()).map(({ status }) => status)

test('all that waits is sent in parts, once, in order', async () => {
  await queue(PUSH_OPERATIONS + 3)
  expect(await pushAll(who)).toBe(PUSH_OPERATIONS + 3)
  expect(server.calls).toEqual(['/v1/sync/push', '/v1/sync/push'])
  expect(server.operations.map(({ n }) => n)).toEqual(Array.from({ length: PUSH_OPERATIONS + 3 }, (_, i) => i + 1))
  expect(new Set(await statuses())).toEqual(new Set(['applied']))
  expect(await pushAll(who)).toBe(0)
  expect(server.calls).toHaveLength(2)
})

test('an answer that was lost is got again, and nothing is applied twice', async () => {
  await queue(3)
  server.script = ['lose']
  await expect(pushAll(who)).rejects.toBeInstanceOf(NoAnswer)
  expect(await statuses()).toEqual(['waiting', 'waiting', 'waiting'])
  await queue(1)
  await pushAll(who)
  expect(await statuses()).toEqual(['applied', 'applied', 'applied', 'applied'])
  expect(server.operations).toHaveLength(4)
})

test('one refused operation does not hold the others', async () => {
  const problem = { code: 'field.invalid', zh: '不对', en: 'wrong', field: 'fields.note' }
  server.rule = ({ n }) => (n === 2 ? { status: 'rejected', problem } : undefined)
  await queue(3)
  await pushAll(who)
  expect(await statuses()).toEqual(['applied', 'rejected', 'applied'])
  expect((await db.ops.get(2))?.problem).toEqual(problem)
})

test('a server that lost its end is sent again what it misses', async () => {
  await queue(4)
  await db.ops.where('n').belowOrEqual(3).modify({ status: 'applied' })
  server.script = [{ status: 409, body: { code: 'chain.gap', detail: { next: 1 } } }]
  await pushAll(who)
  expect(server.operations.map(({ n }) => n)).toEqual([1, 2, 3, 4])
  expect(await statuses()).toEqual(['applied', 'applied', 'applied', 'applied'])
})

test('a server that keeps asking for the same is not asked for ever', async () => {
  await queue(2)
  const gap = { status: 409, body: { code: 'chain.gap', detail: { next: 1 } } }
  server.script = [gap, gap, gap, gap]
  await expect(pushAll(who)).rejects.toMatchObject({ code: 'chain.gap' })
})

test('too large a batch is halved until it passes', async () => {
  await queue(8)
  const tooLarge = { status: 413, body: { code: 'batch.too_large' } }
  server.script = [tooLarge, tooLarge]
  await pushAll(who)
  expect(server.operations).toHaveLength(8)
  expect(server.calls).toHaveLength(2 + 4)
})

test('an answer under a false head is not believed', async () => {
  await queue(1)
  server.headKey = strangerKey()
  await expect(pushAll(who)).rejects.toBeInstanceOf(HeadInvalid)
  expect(await statuses()).toEqual(['waiting'])
})

test('an outcome that names another operation is not taken', async () => {
  await queue(1)
  server.rule = () => ({ status: 'applied', op: 'another' })
  await expect(pushAll(who)).rejects.toBeInstanceOf(Problem)
  expect(await statuses()).toEqual(['waiting'])
})

test('the newest head becomes the anchor of what follows; a shorter log is noticed', async () => {
  await queue(1)
  await pushAll(who)
  expect((await db.read('head'))?.size).toBe(2)
  server.size = 0
  await queue(1)
  await pushAll(who)
  expect((await db.read('head'))?.size).toBe(2)
  expect(await db.read('headAlarm')).toMatchObject({ code: 'shorter', shown: { size: 1 }, held: { size: 2 } })
})
