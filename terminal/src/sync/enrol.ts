import { db, type Identity, type PendingEnrolment } from '@/store/db'
import { b64u, unb64u } from './bytes'
import { genesisHash } from './chain'
import { readHead } from './head'
import { callWithProof, jsonCall, Problem } from './http'
import { makeKey, thumbprint } from './jws'
import { trustOf } from './keys'
import { readSeal } from './seal'
import type { EnrolAnswer } from './types'

/** Crockford's base 32: case and hyphens do not count, and the letters that look like digits are those digits. */
export function tidyCode(typed: string): string {
  const plain = typed.toUpperCase().replace(/[^0-9A-Z]/g, '').replace(/O/g, '0').replace(/[IL]/g, '1')
  return plain.replace(/(.{4})(?=.)/g, '$1-')
}

async function pendingFor(code: string): Promise<PendingEnrolment> {
  const held = await db.read('pending')
  if (held?.code === code) return held
  const made = { code, ...(await makeKey()) }
  // Before anything is sent: if the answer is lost, only the same key can get it again.
  await db.write('pending', made)
  return made
}

function mismatch(): Problem {
  const zh = '服务器的回答与本机密钥不符，未登记'
  return new Problem(502, 'enrolment.mismatch', zh, "The server's answer does not fit this device's key", null, {}, null)
}

async function check(answer: EnrolAnswer, pending: PendingEnrolment, label: string): Promise<Identity> {
  const genesis = await genesisHash(
    { facility: answer.facility.id, terminal: answer.terminal, incarnation: answer.incarnation },
    await thumbprint(pending.jwk),
  )
  if (b64u(genesis) !== answer.genesis) throw mismatch()
  return {
    facility: answer.facility,
    terminal: answer.terminal,
    incarnation: answer.incarnation,
    label,
    genesis: unb64u(answer.genesis),
    serverKey: answer.server_key,
    serverThumbprint: await thumbprint(answer.server_key),
    key: pending.key,
    jwk: pending.jwk,
    approved: answer.state !== 'pending',
  }
}

export async function enrol(typedCode: string, label: string): Promise<void> {
  const code = tidyCode(typedCode)
  const pending = await pendingFor(code)
  const body = { code, label, jwk: pending.jwk }
  const answer = await callWithProof<EnrolAnswer>(pending, jsonCall('POST', '/v1/terminals', body))
  const who = await check(answer, pending, label)
  const trust = await trustOf(who)
  const head = await readHead(trust, answer.head)
  const sealKey = await readSeal(trust, answer.seal)
  await db.transaction('rw', db.kv, async () => {
    if (await db.read('identity')) return
    await db.write('identity', who)
    await db.write('head', head)
    await db.write('sealKey', sealKey)
    await db.write('chain', { n: 0, hash: who.genesis })
    await db.kv.delete('pending')
  })
}

/** What the administrator compares before he lets the device in: the first half of the key's thumbprint, as he sees it too. */
export async function fingerprint(who: Identity): Promise<string> {
  return (await thumbprint(who.jwk)).slice(0, 16).replace(/(.{4})(?=.)/g, '$1 ')
}

/** Whether an administrator has let this device in: the server answers its key. Throws what it says otherwise. */
export async function askApproval(who: Identity): Promise<boolean> {
  await callWithProof(who, jsonCall('POST', '/v1/sync/outcomes', { incarnation: who.incarnation, numbers: [] }))
  await db.write('identity', { ...who, approved: true })
  return true
}

/** A device that was not let in begins again; nothing was captured on it yet. */
export async function forgetEnrolment(): Promise<void> {
  await db.transaction('rw', db.kv, async () => {
    const [who, chain] = [await db.read('identity'), await db.read('chain')]
    if (!who || who.approved || chain?.n) return
    await db.kv.bulkDelete(['identity', 'chain', 'head', 'newer', 'smaller', 'headKeys', 'sealKey', 'link'])
  })
}
