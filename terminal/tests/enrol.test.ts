import { beforeEach, expect, test } from 'vitest'
import { db } from '@/store/db'
import { b64u } from '@/sync/bytes'
import { enrol, tidyCode } from '@/sync/enrol'
import { HeadInvalid } from '@/sync/head'
import { NoAnswer, Problem } from '@/sync/http'
import { signIn, signOut } from '@/sync/session'
import { freshWorld, strangerKey, type FakeServer } from './fake'
import { readyWorld, SECRET, visit } from './world'

let server: FakeServer
beforeEach(async () => {
  server = await freshWorld()
})

test('a code is read as Crockford meant it', () => {
  expect(tidyCode('7q2m k8zd41xt')).toBe('7Q2M-K8ZD-41XT')
  expect(tidyCode('oIl2')).toBe('0112')
})

test('enrolment keeps key, server key, head and the start of the chain', async () => {
  await enrol('7Q2M-K8ZD-41XT', 'PDA-07')
  const who = await db.read('identity')
  expect(who?.label).toBe('PDA-07')
  expect(who?.key.extractable).toBe(false)
  expect(who?.serverKey.x).toBe(server.jwk.x)
  const end = await db.read('chain')
  expect(end?.n).toBe(0)
  expect(b64u(end!.hash)).toBe(b64u(who!.genesis))
  expect((await db.read('head'))?.size).toBe(1)
  expect(await db.read('pending')).toBeUndefined()
})

test('an answer that was lost is asked for again with the same key; another code gets another key', async () => {
  server.script = ['lose']
  await expect(enrol('7Q2M-K8ZD-41XT', 'PDA-07')).rejects.toThrow(NoAnswer)
  const first = await db.read('pending')
  server.script = ['down']
  await expect(enrol('7q2mk8zd41xt', 'PDA-07')).rejects.toThrow(NoAnswer)
  expect((await db.read('pending'))?.jwk).toEqual(first?.jwk)
  server.script = ['down']
  await expect(enrol('0000-0000-0000', 'PDA-07')).rejects.toThrow(NoAnswer)
  expect((await db.read('pending'))?.jwk).not.toEqual(first?.jwk)
})

test('a genesis that does not fit, or a head by another key, enrols nothing', async () => {
  server.genesis = b64u(new Uint8Array(32))
  await expect(enrol('7Q2M-K8ZD-41XT', 'PDA-07')).rejects.toMatchObject({ code: 'enrolment.mismatch' })
  server.genesis = ''
  server.headKey = strangerKey()
  await expect(enrol('7Q2M-K8ZD-41XT', 'PDA-07')).rejects.toThrow(HeadInvalid)
  expect(await db.read('identity')).toBeUndefined()
})

test('a wrong secret changes nothing; signing out keeps the queue', async () => {
  server = await readyWorld()
  await visit()
  server.script = [{ status: 401, body: { code: 'session.refused', zh: '不对', en: 'wrong' } }]
  await expect(signIn('100007', 'x')).rejects.toBeInstanceOf(Problem)
  expect(await db.read('session')).toBeDefined()
  server.script = ['down']
  await signOut()
  expect(await db.read('session')).toBeUndefined()
  expect(await db.ops.count()).toBe(1)
})

test('another officer sees no rows of the one before', async () => {
  server = await readyWorld()
  await db.cursors.put({ partition: 'p', cursor: 7 })
  await signIn('100007', SECRET)
  expect(await db.cursors.count()).toBe(1)
  server.officer = { id: 'b', number: '2', name: '乙', posts: [] }
  await signIn('2', 'secret')
  expect(await db.cursors.count()).toBe(0)
})
