import { readFileSync } from 'node:fs'
import { beforeEach, expect, test } from 'vitest'
import { db, identity } from '@/store/db'
import { unb64u, type Bytes } from '@/sync/bytes'
import { HeadInvalid } from '@/sync/head'
import { isBeginning } from '@/sync/merkle'
import { pushAll } from '@/sync/push'
import { signIn } from '@/sync/session'
import { goOn, LogBroken, noteHead, reportAlarm, settleHeads } from '@/sync/witness'
import { leavesOf, proofOf, rootOf, strangerKey, type FakeServer } from './fake'
import { readyWorld, SECRET, visit } from './world'

const bytes = (buffer: Buffer): Bytes => Uint8Array.from(buffer)
const tree = (size: number, log?: string) => ({ size, root: bytes(rootOf(leavesOf(size, log))) })

test('every consistency proof of trees up to 20 leaves holds, and no other root, size, order or length does', async () => {
  for (let second = 1; second <= 20; second += 1) {
    for (let first = 1; first <= second; first += 1) {
      const proof = proofOf(first, leavesOf(second)).map(bytes)
      expect(await isBeginning(tree(first), tree(second), proof)).toBe(true)
      expect(await isBeginning(tree(first, 'other'), tree(second), proof)).toBe(false)
      expect(await isBeginning(tree(first), tree(second, 'other'), proof)).toBe(false)
      expect(await isBeginning(tree(first), tree(second), [...proof, bytes(rootOf(leavesOf(1)))])).toBe(false)
      if (proof.length > 0) expect(await isBeginning(tree(first), tree(second), proof.slice(1))).toBe(false)
      if (first < second) expect(await isBeginning(tree(second), tree(first), proof)).toBe(false)
    }
  }
})

interface Published {
  roots: string[]
  consistency: { first: number; second: number; path: string[] }[]
}

const published = JSON.parse(readFileSync(new URL('../../tests/vectors/merkle.json', import.meta.url), 'utf-8')) as Published
const hex = (text: string) => bytes(Buffer.from(text, 'hex'))

test.each(published.consistency)('published: from $first to $second leaves', async ({ first, second, path: said }) => {
  const at = (size: number) => ({ size, root: hex(published.roots[size]!) })
  const path = said.map(hex)
  expect(await isBeginning(at(first), at(second), path)).toBe(true)
  for (const [i, each] of path.entries()) {
    const changed = path.map((other, k) => (k === i ? Uint8Array.from(each, (byte, at) => (at === 0 ? byte ^ 1 : byte)) : other))
    expect(await isBeginning(at(first), at(second), changed)).toBe(false)
  }
})

let server: FakeServer
beforeEach(async () => {
  server = await readyWorld()
})

async function push(count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) await visit()
  await pushAll(await identity())
}

const settle = async () => settleHeads(await identity())
const size = async () => (await db.read('head'))?.size
const proofs = () => server.calls.filter((path) => path.includes('consistency'))

test('a newer head is taken only with its proof, one request a turn', async () => {
  await push(3)
  server.size = 9
  await noteHead(await identity(), server.head())
  expect(await size()).toBe(1)
  await settle()
  expect(await size()).toBe(9)
  expect(proofs()).toEqual(['/v1/audit/consistency?epoch=1&first=1&second=9'])
  await settle()
  expect(proofs()).toHaveLength(1)
  expect(unb64u((await db.read('head'))!.root)).toEqual(tree(9).root)
})

test('the proven head is shown with each push', async () => {
  await push(1)
  expect(server.shown.at(-1)).toMatchObject({ size: 1 })
  await settle()
  await push(1)
  expect(server.shown.at(-1)).toMatchObject({ size: 2 })
})

test('a log that was written anew is found out: nothing is taken, the server is told once', async () => {
  await push(3)
  await settle()
  server.log = 'another history'
  server.size = 9
  await noteHead(await identity(), server.head())
  await expect(settle()).rejects.toBeInstanceOf(LogBroken)
  expect(await size()).toBe(4)
  expect(await db.read('headAlarm')).toMatchObject({ code: 'proof', held: { size: 4 }, shown: { size: 9 }, told: false })
  await reportAlarm(await identity())
  await reportAlarm(await identity())
  expect(server.alarms).toHaveLength(1)
  const alarm = (await db.read('headAlarm'))!
  expect(server.alarms[0]).toEqual({ held: alarm.held.token, shown: alarm.shown.token, why: 'proof' })
  expect(alarm.told).toBe(true)
  // Capturing goes on, under the head that was proven.
  expect((await visit()).n).toBe(4)
})

test('refused a proof, the device stops too; it goes on when its holder says so, from the head that it holds', async () => {
  await push(3)
  server.script = [{ status: 404, body: { code: 'route.unknown' } }]
  await expect(settle()).rejects.toBeInstanceOf(LogBroken)
  const alarm = (await db.read('headAlarm'))!
  expect(alarm).toMatchObject({ code: 'refused', held: { size: 1 }, shown: { size: 4 }, told: true })
  await reportAlarm(await identity())
  expect(server.alarms).toEqual([{ held: alarm.held.token, shown: alarm.shown.token, why: 'refused' }])
  await goOn()
  expect([await db.read('headAlarm'), await size()]).toEqual([undefined, 1])
  await noteHead(await identity(), server.head())
  await settle()
  expect(await size()).toBe(4)
})

const NONE = { status: 404, body: { code: 'route.unknown' } }
const BEHIND = { status: 503, body: { code: 'server.behind' } }

test('a server that says to the report that it is behind raises no alarm: both heads stay, until an epoch or a proof', async () => {
  await push(3)
  for (const refusal of [NONE, { status: 422, body: { code: 'request.invalid' } }]) {
    server.script = [refusal, BEHIND]
    await expect(settle()).rejects.toMatchObject({ status: 503, code: 'server.behind' })
    expect([await size(), (await db.read('newer'))?.size, await db.read('headAlarm')]).toEqual([1, 4, undefined])
  }
  expect(server.calls.filter((path) => path === '/v1/audit/alarms')).toHaveLength(2)
  await settle()
  expect(await size()).toBe(4)
})

test('nor does a smaller head of a server that is behind', async () => {
  await push(3)
  await settle()
  server.size = 2
  await noteHead(await identity(), server.head())
  server.script = [NONE, BEHIND]
  await expect(settle()).rejects.toMatchObject({ code: 'server.behind' })
  expect([await size(), (await db.read('smaller'))?.size, await db.read('headAlarm')]).toEqual([4, 2, undefined])
  server.epoch = 2
  await noteHead(await identity(), server.head())
  await settle()
  expect(await db.read('head')).toMatchObject({ epoch: 2, size: 2 })
})

test('a report without an answer leaves both heads for the next turn', async () => {
  await push(3)
  server.script = [NONE, 'down']
  await expect(settle()).rejects.toThrow('no answer')
  expect([await size(), (await db.read('newer'))?.size, await db.read('headAlarm')]).toEqual([1, 4, undefined])
})

test.each([401, 409, 422, 429, 503])('a report that is answered %i otherwise alarms, and is made again', async (status) => {
  await push(3)
  server.script = [NONE, { status, body: { code: 'another' } }]
  await expect(settle()).rejects.toBeInstanceOf(LogBroken)
  expect([await size(), await db.read('headAlarm')]).toMatchObject([1, { code: 'refused', told: false }])
  await reportAlarm(await identity())
  expect(server.alarms).toHaveLength(1)
})

test('a proof that does not hold alarms whatever the server would say to the report', async () => {
  await push(3)
  server.script = [{ status: 200, body: { proof: [] } }, BEHIND]
  await expect(settle()).rejects.toBeInstanceOf(LogBroken)
  expect(await db.read('headAlarm')).toMatchObject({ code: 'proof', told: false })
})

test('two roots for one size void the answer at once', async () => {
  await push(3)
  await settle()
  server.log = 'another history'
  await expect(noteHead(await identity(), server.head())).rejects.toBeInstanceOf(LogBroken)
  expect(await db.read('headAlarm')).toMatchObject({ code: 'roots', held: { size: 4 } })
})

test('an old head that comes late is proven to be the beginning; a log that was cut cannot be', async () => {
  await push(5)
  const old = (() => {
    const now = server.size
    server.size = 3
    const head = server.head()
    server.size = now
    return head
  })()
  await settle()
  await noteHead(await identity(), old)
  await settle()
  expect(await size()).toBe(6)
  expect(await db.read('headAlarm')).toBeUndefined()
  server.size = 3
  await noteHead(await identity(), server.head())
  await expect(settle()).rejects.toBeInstanceOf(LogBroken)
  expect(await db.read('headAlarm')).toMatchObject({ code: 'refused', held: { size: 6 }, shown: { size: 3 } })
})

test('without an answer nothing is taken and nothing is alarming', async () => {
  await push(3)
  server.script = ['down']
  await expect(settle()).rejects.toThrow('no answer')
  server.script = [{ status: 503, body: { code: 'server.busy' } }]
  await expect(settle()).rejects.toMatchObject({ status: 503 })
  expect([await size(), await db.read('headAlarm')]).toEqual([1, undefined])
  await settle()
  expect(await size()).toBe(4)
})

test.each([{ proof: 'no list' }, { proof: ['!!'] }, {}, { proof: [] }])('a proof of no form (%j) is none', async (body) => {
  await push(3)
  server.script = [{ status: 200, body }]
  await expect(settle()).rejects.toBeInstanceOf(LogBroken)
})

test('a new epoch begins another log and needs no proof; one of an earlier epoch is old', async () => {
  await push(3)
  const old = server.head()
  server.epoch = 2
  server.size = 2
  await noteHead(await identity(), server.head())
  expect(await db.read('head')).toMatchObject({ epoch: 2, size: 2 })
  await noteHead(await identity(), old)
  await settle()
  expect(await db.read('head')).toMatchObject({ epoch: 2, size: 2 })
  expect(proofs()).toEqual([])
})

test('a key that was handed over is followed from the one that is trusted, and each signs its own stretch', async () => {
  await push(3)
  await settle()
  const late = server.head()
  server.rotate()
  server.size = 7
  const retired = server.headBy(0)
  await noteHead(await identity(), server.head())
  await settle()
  expect(await size()).toBe(7)
  expect(server.calls.filter((path) => path === '/v1/audit/keys')).toHaveLength(1)
  await noteHead(await identity(), late)
  await expect(noteHead(await identity(), retired)).rejects.toThrow('wrong key')
  server.size = 3
  await expect(noteHead(await identity(), server.head())).rejects.toThrow('wrong key')
  server.size = 7
  server.rotate()
  server.rotate()
  await signIn('100007', SECRET)
  expect(await db.read('headKeys')).toHaveLength(4)
})

test.each(['by another', 'for another facility', 'of another key'])('a key whose statement is %s is not followed', async (false_) => {
  const before = await db.read('headKeys')
  server.rotate(false_)
  await expect(noteHead(await identity(), server.head())).rejects.toBeInstanceOf(HeadInvalid)
  await expect(signIn('100007', SECRET)).rejects.toBeInstanceOf(HeadInvalid)
  expect(await db.read('headKeys')).toEqual(before)
})

test('a head by another key is not even looked at', async () => {
  server.headKey = strangerKey()
  await expect(noteHead(await identity(), server.head())).rejects.toBeInstanceOf(HeadInvalid)
  expect(await db.read('newer')).toBeUndefined()
})
