import { beforeEach, expect, test, vi, afterEach } from 'vitest'
import { db, identity } from '@/store/db'
import { hold, holder, lock } from '@/store/lock'
import { askApproval, enrol, fingerprint, forgetEnrolment } from '@/sync/enrol'
import { jsonCall, NoAnswer, Problem } from '@/sync/http'
import { pullAll } from '@/sync/pull'
import { asker, isOver, officerHere, signIn } from '@/sync/session'
import { freshWorld, OFFICER, thumbprintOf, type FakeServer } from './fake'
import { readyWorld, SECRET, visit } from './world'

let server: FakeServer
beforeEach(async () => {
  server = await readyWorld()
})
afterEach(() => {
  vi.restoreAllMocks()
})

const pull = async () => pullAll(await identity(), (await asker())!)

test('a token near its end is renewed before it is used, and the new pair is kept', async () => {
  await pull()
  expect(server.calls).toEqual(['/v1/sync/pull'])
  const started = performance.now()
  vi.spyOn(performance, 'now').mockImplementation(() => started + 9.5 * 60_000)
  await pull()
  vi.spyOn(performance, 'now').mockImplementation(() => started + 10 * 60_000)
  await pull()
  expect(server.calls.slice(1)).toEqual(['/v1/sessions/refresh', '/v1/sync/pull', '/v1/sync/pull'])
  expect(server.token).toBe('token of refresh 1')
})

test('a token that the server calls over is renewed once', async () => {
  server.token = 'another'
  await pull()
  expect(server.calls).toEqual(['/v1/sync/pull', '/v1/sessions/refresh', '/v1/sync/pull'])
})

test('a clock that is set moves nothing', async () => {
  vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 24 * 3_600_000)
  await pull()
  expect(server.calls).toEqual(['/v1/sync/pull'])
})

test('two that renew at one moment end with one pair, the newest', async () => {
  server.token = 'another'
  await Promise.all([pull(), pull()])
  server.token = 'yet another'
  await pull()
  expect([server.successors.size, server.refreshToken]).toEqual([2, 'refresh 2'])
  expect([...server.successors.keys()]).toEqual(['refresh 0', 'refresh 1'])
})

test('an answer that was lost is got again with the same token', async () => {
  server.token = 'another'
  server.script = [{ status: 401, body: { code: 'session.expired' } }, 'lose']
  await expect(pull()).rejects.toBeInstanceOf(NoAnswer)
  await pull()
  expect(server.successors.size).toBe(1)
})

test('refused, the session is over; too many requests are not a refusal', async () => {
  server.token = 'another'
  server.script = [{ status: 401, body: { code: 'session.expired' } }, { status: 429, body: { code: 'rate.limited' }, headers: { 'Retry-After': '7' } }]
  await expect(pull()).rejects.toMatchObject({ code: 'rate.limited', retryAfter: 7 })
  server.refreshToken = 'gone'
  const over = await pull().catch((error: unknown) => error)
  expect(isOver(over)).toBe(true)
})

test('a session that the server no longer knows is over as well', async () => {
  const unknown = { status: 401, body: { code: 'session.missing', zh: '请先登录', en: 'Sign in first.' } }
  server.script = [unknown, unknown]
  expect(isOver(await pull().catch((error: unknown) => error))).toBe(true)
  expect(server.calls).toEqual(['/v1/sync/pull', '/v1/sessions/refresh'])
})

test('a renewed pair is not written over the session of the next officer', async () => {
  server.token = 'another'
  const asking = (await asker())!
  server.officer = { id: 'b', number: '2', name: '乙', posts: [] }
  await signIn('2', 'another secret')
  const pass = await db.read('pass')
  await expect(asking.ask(jsonCall('GET', '/v1/kinds'))).rejects.toThrow()
  expect(await db.read('pass')).toEqual(pass)
  expect(await officerHere()).toMatchObject({ name: '乙' })
})

test('the limits of a session are those that the server gives, and must_change is kept', async () => {
  server.session = { must_change: true, unlock: { hours: 8, tries: 4, idle_minutes: 2 } }
  await signIn('100007', SECRET)
  expect(await db.read('session')).toMatchObject({ mustChange: true, unlock: { hours: 8, tries: 4, idle_minutes: 2 } })
})

test('a proof names the address without its query', async () => {
  await (await asker())!.ask(jsonCall('GET', '/v1/things?a=1'))
  expect(server.proofs.at(-1)).toMatchObject({ htm: 'GET', htu: 'https://server.test/v1/things' })
})

test('a device waits to be let in, shows the beginning of its thumbprint, and goes on by itself', async () => {
  server = await freshWorld()
  server.state = 'pending'
  await enrol('7Q2M-K8ZD-41XT', 'PDA-07')
  const who = await identity()
  expect(who.approved).toBe(false)
  const print = await fingerprint(who)
  expect(print).toMatch(/^.{4} .{4} .{4} .{4}$/)
  expect(thumbprintOf(who.jwk).startsWith(print.replace(/ /g, ''))).toBe(true)
  await expect(askApproval(who)).rejects.toMatchObject({ code: 'terminal.pending' })
  expect((await identity()).approved).toBe(false)
  server.state = 'active'
  await askApproval(who)
  expect((await identity()).approved).toBe(true)
})

test('one that was not let in may begin again, one with a queue may not', async () => {
  await visit()
  await forgetEnrolment()
  expect(await db.read('identity')).toBeDefined()
  server = await freshWorld()
  server.state = 'pending'
  await enrol('7Q2M-K8ZD-41XT', 'PDA-07')
  server.state = 'refused'
  await expect(askApproval(await identity())).rejects.toBeInstanceOf(Problem)
  await forgetEnrolment()
  expect(await db.read('identity')).toBeUndefined()
})

test('two tabs are open together, locked together, and make one chain', async () => {
  const first = { lock: await import('@/store/lock'), queue: await import('@/sync/queue') }
  await first.lock.shareLock()
  vi.resetModules()
  const second = { lock: await import('@/store/lock'), queue: await import('@/sync/queue') }
  expect(second.lock.holder()).toBeNull()
  await second.lock.shareLock()
  expect(second.lock.holder()?.officer).toBe(OFFICER.id)
  const wanted = (record: string) => ({ kind: 'k', verb: 'v', record, base: 0, after: [], round: 'r', observedAt: '', fields: {} })
  const tabs = Array.from({ length: 20 }, (_, i) => [first.queue.capture(wanted(`a${i}`)), second.queue.capture(wanted(`b${i}`))])
  const made = await Promise.all(tabs.flat())
  expect(made.map(({ n }) => n).sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1))
  second.lock.lock()
  await vi.waitFor(() => expect(holder()).toBeNull())
  hold({ officer: OFFICER.id, key: made[0] as never })
  await vi.waitFor(() => expect(second.lock.holder()).not.toBeNull())
  lock()
})
