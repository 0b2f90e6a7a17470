/** The keys that sign the server's heads: the one of enrolment, and those that it and its successors have handed over to. */
import { db, type Identity } from '@/store/db'
import { HeadInvalid } from './head'
import { callWithProof, jsonCall } from './http'
import { jwsHeader, thumbprint, verifyJws, type PublicJwk } from './jws'

export interface HeadKey {
  kid: string
  jwk: PublicJwk
  /** The last place in the log that it has signed; null: it signs to this day. */
  upto: { epoch: number; size: number } | null
}

/** Whose word is believed. */
export interface Trust {
  facility: string
  /** The oldest first. */
  keys: HeadKey[]
}

interface Told {
  kid?: unknown
  jwk?: PublicJwk
  statement?: unknown
}

export async function trustOf(who: Identity): Promise<Trust> {
  const first: HeadKey = { kid: who.serverThumbprint, jwk: who.serverKey, upto: null }
  return { facility: who.facility.id, keys: (await db.read('headKeys')) ?? [first] }
}

/** The same, with what the server can prove of later keys when the token is by one that is not known. */
export async function trustFor(who: Identity, token: string): Promise<Trust> {
  const trust = await trustOf(who)
  const { kid } = jwsHeader(token)
  if (trust.keys.some((key) => key.kid === kid)) return trust
  const answer = await callWithProof<{ keys?: Told[] }>(who, jsonCall('GET', '/v1/audit/keys'))
  const grown = await follow(trust, Array.isArray(answer.keys) ? answer.keys : [])
  if (grown.keys.length > trust.keys.length) await db.write('headKeys', grown.keys)
  return grown
}

/** Goes from the newest key that is known to those after it, each by the statement of the one before; throws at a false one. */
export async function follow(trust: Trust, told: readonly Told[]): Promise<Trust> {
  const keys = [...trust.keys]
  const at = told.findIndex(({ kid }) => kid === keys[keys.length - 1]!.kid)
  if (at < 0) throw new HeadInvalid('the server does not know the key that this device trusts')
  for (const next of told.slice(at + 1)) {
    const before = keys.pop()!
    const upto = await handedOver(trust.facility, before, next)
    keys.push({ ...before, upto }, { kid: String(next.kid), jwk: next.jwk!, upto: null })
  }
  return { facility: trust.facility, keys }
}

async function handedOver(facility: string, before: HeadKey, next: Told): Promise<{ epoch: number; size: number }> {
  const { header, payload } = await verifyJws(before.jwk, String(next.statement)).catch(() => {
    throw new HeadInvalid('a key that the one before it has not signed')
  })
  const stated = await thumbprint(payload.jwk as PublicJwk).catch(() => '')
  const fits = header.typ === 'roundsman-key-rotation+jwt' && header.kid === before.kid && payload.facility === facility
  const same = stated !== '' && stated === next.kid && stated === (await thumbprint(next.jwk as PublicJwk).catch(() => ''))
  const { epoch, size } = payload
  if (!fits || !same || !Number.isSafeInteger(epoch) || !Number.isSafeInteger(size)) throw new HeadInvalid('a false statement of a key')
  return { epoch: epoch as number, size: size as number }
}
