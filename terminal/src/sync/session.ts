import { db, identity, type Session } from '@/store/db'
import { conceal, holder, hold, lock, Locked, reveal } from '@/store/lock'
import { disown, prepareSecret, SEALED, settleSecret, vaultFor } from '@/store/unlock'
import { sealJson } from '@/store/vault'
import { b64u, type Bytes } from './bytes'
import { callWithProof, jsonCall, Problem } from './http'
import { trustFor } from './keys'
import { reseal } from './reseal'
import { readSeal } from './seal'
import type { Limits, Officer, RefreshAnswer, SessionAnswer } from './types'

/** What a session is asked with. It lies on the device sealed to its officer. */
interface Pass {
  token: string
  refresh: string | null
  officer: Officer
}

/** A pass, and the bytes from which it was opened: what says whether another tab has renewed it meanwhile. */
interface Held {
  pass: Pass
  sealed: Bytes
}

const AHEAD_MS = 60_000
const LIMITS: Limits = { hours: 12, tries: 5, idle_minutes: 5 }

const place = (session: string) => `roundsman/pass/${session}`

/** When a token is to be renewed, by this page's count of time: the device's clock may be wrong, or be set. */
let due: { token: string; at: number } | null = null

function count(answer: { access_token: string; expires_at: string; time: string }): void {
  const lasts = Date.parse(answer.expires_at) - Date.parse(answer.time) || 0
  due = { token: answer.access_token, at: performance.now() + Math.max(lasts - AHEAD_MS, lasts * 0.8) }
}

/** Needs the server. The queue is not touched; rows of another officer's scope are. */
export async function signIn(number: string, secret: string): Promise<void> {
  const who = await identity()
  const answer = await callWithProof<SessionAnswer>(who, jsonCall('POST', '/v1/sessions', { number, secret }))
  const sealKey = await readSeal(await trustFor(who, answer.seal), answer.seal)
  const { session: id, officer } = answer
  const limits = { ...LIMITS, ...answer.unlock }
  const { key, vault, lost } = await vaultFor(officer.id, secret, limits.tries)
  const pass: Pass = { token: answer.access_token, refresh: answer.refresh_token ?? null, officer }
  const sealed = await sealJson(key, place(id), pass)
  const session: Session = {
    session: id, officer: officer.id, number: officer.number, ended: false, mustChange: answer.must_change === true, unlock: limits,
  }
  await db.transaction('rw', SEALED, async () => {
    if (lost) await disown(officer.id)
    if ((await db.read('rowsOf')) !== officer.id) {
      await Promise.all([db.rows.clear(), db.cursors.clear()])
      await db.write('rowsOf', officer.id)
    }
    const [wall, server] = [Date.now(), Date.parse(answer.time) || 0]
    await db.vaults.put(vault)
    await db.write('elapsed', { wall: { from: wall, high: wall }, server: { from: server, high: server }, run: 0 })
    await db.write('sealKey', sealKey)
    await db.write('pass', sealed)
    await db.write('session', session)
    await db.kv.delete('destroyed')
  })
  count(answer)
  hold({ officer: officer.id, key })
  await reseal()
}

/** The officer who has unlocked the device, as the server named him. */
export async function officerHere(): Promise<Officer | null> {
  return (await readPass())?.pass.officer ?? null
}

/** Null while the device is locked, or when the session (if one is named) is no longer the one here. */
async function readPass(of?: string): Promise<Held | null> {
  const [session, sealed] = await db.transaction('r', db.kv, async () => [await db.read('session'), await db.read('pass')] as const)
  if (!session || !sealed || holder()?.officer !== session.officer || (of && of !== session.session)) return null
  return { pass: await reveal<Pass>(place(session.session), sealed), sealed }
}

/** Takes effect on the device at once; the server is told if it can be reached. */
export async function signOut(): Promise<void> {
  const held = await readPass()
  await db.kv.bulkDelete(['session', 'pass', 'elapsed'])
  lock()
  if (!held) return
  const told = callWithProof(await identity(), jsonCall('DELETE', '/v1/sessions/current'), held.pass.token)
  await told.catch(() => undefined)
}

async function change(session: string, part: Partial<Session>): Promise<void> {
  await db.transaction('rw', db.kv, async () => {
    const held = await db.read('session')
    if (held?.session === session) await db.write('session', { ...held, ...part })
  })
}

/** The next access token, or null where the session is over. An answer that was lost is got again by the same request. */
async function refresh(session: string, { pass, sealed }: Held): Promise<string | null> {
  if (!pass.refresh) return null
  const call = jsonCall('POST', '/v1/sessions/refresh', { refresh_token: pass.refresh })
  const answer = await callWithProof<RefreshAnswer>(await identity(), call).catch((error: unknown) => {
    if (error instanceof Problem && error.status === 401) return null
    throw error
  })
  if (!answer) return null
  const next: Pass = { ...pass, token: answer.access_token, refresh: answer.refresh_token }
  const resealed = await conceal(place(session), next)
  await db.transaction('rw', db.kv, async () => {
    const [now, kept] = [await db.read('session'), await db.read('pass')]
    // Another tab was quicker: an older token must not be put over its newer one, which the server would take for theft.
    if (now?.session !== session || !kept || b64u(kept) !== b64u(sealed)) return
    await db.write('pass', resealed)
    await db.write('session', { ...now, mustChange: answer.must_change === true })
  })
  count(answer)
  return next.token
}

export interface Asker {
  session: Session
  ask: <T>(call: ReturnType<typeof jsonCall>) => Promise<T>
}

/**
 * Asks as the officer who is signed in and has unlocked the device; null when there is none. A token that is near its end
 * is renewed before, one that the server calls over is renewed once; after that the session has ended.
 */
export async function asker(): Promise<Asker | null> {
  const session = await db.read('session')
  if (!session || session.ended || !(await readPass())) return null
  return { session, ask: <T>(call: ReturnType<typeof jsonCall>) => askAs<T>(session.session, call) }
}

async function askAs<T>(session: string, call: ReturnType<typeof jsonCall>): Promise<T> {
  const who = await identity()
  const held = await readPass(session)
  if (!held) throw new Locked()
  const near = due?.token === held.pass.token && performance.now() >= due.at
  // Where renewing ahead fails, the request itself tells what is wrong.
  const ahead = near ? await refresh(session, held).catch(() => null) : null
  try {
    return await callWithProof<T>(who, call, ahead ?? held.pass.token)
  } catch (error) {
    if (!isOver(error) || ahead) throw error
  }
  const renewed = await refresh(session, held)
  if (!renewed) throw sessionOver()
  return callWithProof<T>(who, call, renewed)
}

/** Only the tokens are over, or the server no longer knows the session: the queue needs neither, so this is no failure of the line. */
export function isOver(error: unknown): boolean {
  return error instanceof Problem && (error.code === 'session.expired' || error.code === 'session.missing')
}

function sessionOver(): Problem {
  return new Problem(401, 'session.expired', '登录已到期，请重新登录', 'The session has ended; sign in again.', null, {}, null)
}

/** Capturing goes on under the session, as the protocol allows. */
export function markEnded(session: string): Promise<void> {
  return change(session, { ended: true })
}

export function markTemporary(session: string): Promise<void> {
  return change(session, { mustChange: true })
}

/** Changes the officer's secret with the server, and what opens this device with it. */
export async function changeSecret(old: string, secret: string): Promise<void> {
  const asking = await asker()
  if (!asking) throw sessionOver()
  const { session, ask } = asking
  await prepareSecret(session, old, secret)
  try {
    await ask(jsonCall('PUT', '/v1/officers/current/secret', { old, new: secret }))
  } catch (error) {
    // Refused, it has not changed; without an answer nobody knows, and either opens the device.
    if (error instanceof Problem && error.status < 500) await settleSecret(session.officer, false)
    throw error
  }
  await settleSecret(session.officer, true)
  await change(session.session, { mustChange: false })
}
