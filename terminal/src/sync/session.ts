import { db, identity, type Session } from '@/store/db'
import { callWithProof, jsonCall } from './http'
import type { SessionAnswer } from './types'

/** Needs the server. The queue is not touched; rows of another officer's scope are. */
export async function signIn(number: string, secret: string): Promise<void> {
  const who = await identity()
  const answer = await callWithProof<SessionAnswer>(who, jsonCall('POST', '/v1/sessions', { number, secret }))
  const session: Session = {
    session: answer.session,
    officer: answer.officer,
    token: answer.access_token,
    expiresAt: answer.expires_at,
    ended: false,
  }
  await db.transaction('rw', db.kv, db.rows, db.cursors, async () => {
    if ((await db.read('rowsOf')) !== session.officer.id) {
      await Promise.all([db.rows.clear(), db.cursors.clear()])
      await db.write('rowsOf', session.officer.id)
    }
    await db.write('session', session)
  })
}

/** Takes effect on the device at once; the server is told if it can be reached. */
export async function signOut(): Promise<void> {
  const session = await db.read('session')
  if (!session) return
  await db.kv.delete('session')
  const told = callWithProof(await identity(), jsonCall('DELETE', '/v1/sessions/current'), session.token)
  await told.catch(() => undefined)
}

/** The server no longer takes the token. Capturing goes on under the session, as the protocol allows. */
export async function markEnded(session: string): Promise<void> {
  await db.transaction('rw', db.kv, async () => {
    const held = await db.read('session')
    if (held?.session === session) await db.write('session', { ...held, ended: true })
  })
}
