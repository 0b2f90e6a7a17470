import { beforeEach, expect, test } from 'vitest'
import { db, type Identity } from '@/store/db'
import { HeadInvalid } from '@/sync/head'
import { NoAnswer, Problem } from '@/sync/http'
import { askHeld, PUSH_OPERATIONS, pushAll } from '@/sync/push'
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

test('a restored server is sent again what it has lost', async () => {
  await queue(4)
  await db.ops.where('n').belowOrEqual(2).modify({ status: 'applied' })
  const outcome = (n: number, op: string) => ({ n, op, status: 'applied', record: 'r', version: 1, seq: n, marks: [] })
  const all = await db.ops.orderBy('n').toArray()
  const told = all.slice(2).map(({ n, op }) => outcome(n, op))
  const answer = { terminal: '', incarnation: 1, epoch: 2, next: 1, missing: [[1, 2]], outcomes: told, head: server.head(), time: '' }
  server.script = [{ status: 200, body: answer }]
  await pushAll(who)
  expect(server.operations.map(({ n }) => n)).toEqual([1, 2])
  expect(await statuses()).toEqual(['applied', 'applied', 'applied', 'applied'])
})

test('what the server has in custody is asked for until it is judged', async () => {
  const problem = { code: 'operation.held', zh: '收存', en: 'held', field: null }
  server.rule = ({ n }) => (n === 2 ? { status: 'held', missing: [{ op: 'x' }], until: '', problem } : undefined)
  await queue(3)
  await pushAll(who)
  expect(await statuses()).toEqual(['applied', 'held', 'applied'])
  await askHeld(who)
  expect(await statuses()).toEqual(['applied', 'held', 'applied'])
  server.release(2)
  await askHeld(who)
  expect(await statuses()).toEqual(['applied', 'applied', 'applied'])
  const calls = server.calls.length
  await askHeld(who)
  expect(server.calls).toHaveLength(calls)
})

test('what is of a form that the server does not take stays, and the rest goes around it', async () => {
  await queue(4)
  const unsupported = { status: 426, body: { code: 'schema.unsupported', detail: { kind: 'patrol.visit', n: 2, supported: [2] } } }
  const outcome = (n: number, op: string) => ({ n, op, status: 'applied', record: 'r', version: 1, seq: n, marks: [] })
  const all = await db.ops.orderBy('n').toArray()
  const answer = (from: number, to: number) => ({
    status: 200,
    body: { terminal: '', incarnation: 1, epoch: 1, next: 2, missing: from > 2 ? [[2, 2]] : [], head: server.head(), time: '',
      outcomes: all.filter(({ n }) => n >= from && n <= to).map(({ n, op }) => outcome(n, op)) },
  })
  server.script = [unsupported, answer(1, 1), answer(3, 4)]
  await expect(pushAll(who)).rejects.toMatchObject({ code: 'schema.unsupported' })
  expect(await statuses()).toEqual(['applied', 'waiting', 'applied', 'applied'])
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
