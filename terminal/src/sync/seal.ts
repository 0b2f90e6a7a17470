import { CompactEncrypt } from 'jose'
import { whenLocked } from '@/store/lock'
import { thumbprint, verifyJws, type PublicJwk } from './jws'
import type { Bytes } from './bytes'
import type { Trust } from './keys'

/** The key of the server to which the queue is sealed: who holds the device can send it, and not read it. */
export interface SealKey {
  kid: string
  jwk: PublicJwk
}

/** A statement about the seal key that is not our server's. */
export class SealInvalid extends Error {}

export const SEALED_TYPE = 'application/vnd.roundsman.sealed-frames'
const ECDH = { name: 'ECDH', namedCurve: 'P-256' } as const

/** What the server says its seal key is (protocol, section 6): only the newest of its keys may. Throws otherwise. */
export async function readSeal({ facility, keys }: Trust, token: string): Promise<SealKey> {
  const newest = keys[keys.length - 1]!
  const { header, payload } = await verifyJws(newest.jwk, token).catch(() => {
    throw new SealInvalid('the seal key is not signed by our server')
  })
  const jwk = payload.jwk as PublicJwk
  const fits = header.typ === 'roundsman-seal+jwt' && header.kid === newest.kid && payload.facility === facility
  if (!fits || payload.kid !== (await thumbprint(jwk))) throw new SealInvalid('the seal key of another log')
  const { kty, crv, x, y } = jwk
  return { kid: payload.kid, jwk: { kty, crv, x, y } }
}

interface Sealer {
  kid: string
  to: CryptoKey
  /** One for all that is sealed until the device is locked: the server agrees on a content key once for many operations. */
  ephemeral: CryptoKey
}

let sealer: Promise<Sealer> | null = null
let sealerOf = ''
whenLocked(() => (sealer = null))

async function makeSealer({ kid, jwk }: SealKey): Promise<Sealer> {
  const to = await crypto.subtle.importKey('jwk', jwk, ECDH, true, [])
  const pair = await crypto.subtle.generateKey(ECDH, true, ['deriveBits'])
  return { kid, to, ephemeral: pair.privateKey }
}

/** A compact JWE (RFC 7516), ECDH-ES over P-256, AES-256 in GCM. */
export async function sealToServer(key: SealKey, bytes: Bytes): Promise<string> {
  if (!sealer || sealerOf !== key.kid) {
    sealerOf = key.kid
    sealer = makeSealer(key)
  }
  const { kid, to, ephemeral } = await sealer
  return new CompactEncrypt(bytes)
    .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', kid })
    .setKeyManagementParameters({ epk: ephemeral })
    .encrypt(to)
}
