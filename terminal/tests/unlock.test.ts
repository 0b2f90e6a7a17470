import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { db, identity } from '@/store/db'
import { holder, lock, lockIfIdle, touch } from '@/store/lock'
import { elapsedMs, noteTime, unlock } from '@/store/unlock'
import { NoAnswer } from '@/sync/http'
import { pushAll } from '@/sync/push'
import { readOperation } from '@/sync/queue'
import { asker, changeSecret, signIn, signOut } from '@/sync/session'
import { OFFICER, type FakeServer } from './fake'
import { readyWorld, SECRET, visit } from './world'

const HOUR = 3_600_000

let server: FakeServer
beforeEach(async () => {
  server = await readyWorld()
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

/** The device's clock stands at so many hours from now, whatever has passed. */
function clockAt(hours: number): void {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + hours * HOUR })
}

test('the secret opens the device without a network, and what was captured can be read again', async () => {
  const stored = await visit()
  lock()
  server.script = ['down', 'down']
  await unlock(SECRET)
  expect(holder()?.officer).toBe(OFFICER.id)
  expect(await readOperation(stored)).toMatchObject({ op: stored.op })
  expect(server.calls).toEqual([])
})

test('wrong secrets are counted on the disk; a right one gives all tries back', async () => {
  lock()
  await expect(unlock('wrong')).rejects.toMatchObject({ why: 'wrong', left: 2 })
  expect((await db.vaults.get(OFFICER.id))?.left).toBe(2)
  await unlock(SECRET)
  expect((await db.vaults.get(OFFICER.id))?.left).toBe(3)
})

test('a try is spent before the secret is tried, so a battery that is pulled gives none back', async () => {
  lock()
  const left = async () => (await db.vaults.get(OFFICER.id))?.left
  let during: number | undefined
  vi.spyOn(crypto.subtle, 'deriveKey').mockImplementationOnce(async () => {
    during = await left()
    throw new Error('the battery is out')
  })
  await expect(unlock(SECRET)).rejects.toThrow('the battery is out')
  expect([during, await left()]).toEqual([2, 2])
  expect(holder()).toBeNull()
})

test('after the last wrong one the key and the rows are gone; the sealed queue stays and is sent', async () => {
  const stored = await visit()
  await db.cursors.put({ partition: 'p', cursor: 7 })
  lock()
  await expect(unlock('1')).rejects.toMatchObject({ left: 2 })
  await expect(unlock('2')).rejects.toMatchObject({ left: 1 })
  await expect(unlock('3')).rejects.toMatchObject({ why: 'gone' })
  await expect(unlock(SECRET)).rejects.toMatchObject({ why: 'gone' })
  expect([await db.vaults.count(), await db.cursors.count(), await db.drafts.count()]).toEqual([0, 0, 0])
  expect(await db.read('session')).toBeUndefined()
  expect(await db.read('destroyed')).toBe('100007')
  expect((await db.ops.get(1))?.copy).toBeNull()
  expect(await pushAll(await identity())).toBe(1)
  expect(server.operations).toMatchObject([{ op: stored.op }])
  await signIn('100007', SECRET)
  expect(await db.read('destroyed')).toBeUndefined()
  expect(await readOperation((await db.ops.get(1))!)).toBeNull()
})

test('tries made at once are counted one by one', async () => {
  lock()
  const ends = await Promise.allSettled(['1', '2', '3', '4', '5'].map(unlock))
  expect(ends.every(({ status }) => status === 'rejected')).toBe(true)
  expect(await db.vaults.count()).toBe(0)
})

test('so many hours after the sign-in only the server opens it', async () => {
  lock()
  clockAt(11.9)
  await unlock(SECRET)
  lock()
  clockAt(12.1)
  await expect(unlock(SECRET)).rejects.toMatchObject({ why: 'hours' })
  expect((await db.vaults.get(OFFICER.id))?.left).toBe(3)
  await signIn('100007', SECRET)
  lock()
  await unlock(SECRET)
})

test('a clock that is set back gives no hours', async () => {
  lock()
  clockAt(13)
  await expect(unlock(SECRET)).rejects.toMatchObject({ why: 'hours' })
  clockAt(-24)
  await expect(unlock(SECRET)).rejects.toMatchObject({ why: 'hours' })
})

test('hours that the app has run, or that the server has signed, count though the clock stands still', async () => {
  lock()
  await noteTime(13 * HOUR)
  await expect(unlock(SECRET)).rejects.toMatchObject({ why: 'hours' })
  await signIn('100007', SECRET)
  lock()
  await unlock(SECRET)
  lock()
  await noteTime(0, new Date(Date.now() + 13 * HOUR).toISOString())
  await expect(unlock(SECRET)).rejects.toMatchObject({ why: 'hours' })
})

test('elapsed is the largest of the three', () => {
  const none = { from: 5, high: 5 }
  expect(elapsedMs({ wall: { from: 5, high: 9 }, server: none, run: 1 })).toBe(4)
  expect(elapsedMs({ wall: none, server: { from: 5, high: 12 }, run: 1 })).toBe(7)
  expect(elapsedMs({ wall: none, server: none, run: 8 })).toBe(8)
})

test('nobody touches it: it locks; by either clock, whichever way one was set', () => {
  touch()
  lockIfIdle(5)
  expect(holder()).not.toBeNull()
  clockAt(-1)
  lockIfIdle(5)
  expect(holder()).toBeNull()
})

test('a locked device asks for nobody; signing out locks it', async () => {
  expect(await asker()).not.toBeNull()
  lock()
  expect(await asker()).toBeNull()
  await unlock(SECRET)
  await signOut()
  expect(holder()).toBeNull()
  await expect(unlock(SECRET)).rejects.toMatchObject({ why: 'gone' })
})

test('a changed secret opens the device, the old one no longer; what was sealed stays readable', async () => {
  server.secret = SECRET
  const stored = await visit()
  await changeSecret(SECRET, 'the next secret')
  expect(server.secret).toBe('the next secret')
  lock()
  await expect(unlock(SECRET)).rejects.toMatchObject({ why: 'wrong' })
  await unlock('the next secret')
  expect(await readOperation(stored)).toMatchObject({ op: stored.op })
})

test('the wrong old secret costs a try and is not sent to the server', async () => {
  await expect(changeSecret('wrong', 'the next secret')).rejects.toMatchObject({ why: 'wrong', left: 2 })
  expect(server.calls).toEqual([])
})

test('while nobody knows whether the server has changed it, both secrets open the device; a sign-in decides', async () => {
  server.secret = SECRET
  const stored = await visit()
  server.script = [{ status: 401, body: { code: 'proof.nonce_required' } }, 'lose']
  await expect(changeSecret(SECRET, 'the next secret')).rejects.toBeInstanceOf(NoAnswer)
  for (const secret of [SECRET, 'the next secret']) {
    lock()
    await unlock(secret)
  }
  server.secret = 'the next secret'
  await signIn('100007', 'the next secret')
  expect(await readOperation(stored)).toMatchObject({ op: stored.op })
  lock()
  await expect(unlock(SECRET)).rejects.toMatchObject({ why: 'wrong' })
})

test('a secret that the server refuses changes nothing here', async () => {
  server.script = [{ status: 422, body: { code: 'secret.weak', zh: '太弱', en: 'weak' } }]
  await expect(changeSecret(SECRET, '123456')).rejects.toMatchObject({ code: 'secret.weak' })
  lock()
  await expect(unlock('123456')).rejects.toMatchObject({ why: 'wrong' })
  await unlock(SECRET)
})

test('a secret that an administrator has given again: the old key is of no use, and the queue is still sent', async () => {
  await visit()
  await signIn('100007', 'given by the administrator')
  expect((await db.ops.get(1))?.copy).toBeNull()
  expect(await pushAll(await identity())).toBe(1)
  lock()
  await unlock('given by the administrator')
})
