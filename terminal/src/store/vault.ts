/**
 * An officer's key, and what is sealed with it. The key is random; on the device lies only what the officer's secret has
 * wrapped (PBKDF2, RFC 8018 §5.2; AES-GCM, NIST SP 800-38D). Pure: knows no store.
 */
import { concat, text, utf8, type Bytes } from '@/sync/bytes'

/** A key as it lies on the device. */
export interface Wrapped {
  salt: Bytes
  rounds: number
  key: Bytes
}

/** The secret does not open it. */
export class WrongSecret extends Error {}

/** OWASP's figure for PBKDF2 with SHA-256: about half a second on a handheld, for each guess. */
export const ROUNDS = 600_000
const IV_BYTES = 12
const AES = { name: 'AES-GCM', length: 256 } as const
const WRAPPED = 'key'

async function keyOfSecret(secret: string, salt: Bytes, rounds: number): Promise<CryptoKey> {
  const base = await crypto.subtle.importKey('raw', utf8(secret), 'PBKDF2', false, ['deriveKey'])
  return crypto.subtle.deriveKey({ name: 'PBKDF2', hash: 'SHA-256', salt, iterations: rounds }, base, AES, false, ['encrypt', 'decrypt'])
}

/** For use: it can be shared between tabs, and not be read out. */
function imported(raw: Bytes): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', raw, AES, false, ['encrypt', 'decrypt'])
}

async function wrap(raw: Bytes, secret: string): Promise<Wrapped> {
  const salt = crypto.getRandomValues(new Uint8Array(16))
  return { salt, rounds: ROUNDS, key: await seal(await keyOfSecret(secret, salt, ROUNDS), WRAPPED, raw) }
}

async function unwrap({ salt, rounds, key }: Wrapped, secret: string): Promise<Bytes> {
  const by = await keyOfSecret(secret, salt, rounds)
  return open(by, WRAPPED, key).catch(() => {
    throw new WrongSecret('the secret does not open it')
  })
}

export async function makeKey(secret: string): Promise<{ key: CryptoKey; wrapped: Wrapped }> {
  const raw = crypto.getRandomValues(new Uint8Array(32))
  return { key: await imported(raw), wrapped: await wrap(raw, secret) }
}

export async function openKey(wrapped: Wrapped, secret: string): Promise<CryptoKey> {
  return imported(await unwrap(wrapped, secret))
}

/** The same key under another secret. */
export async function rewrap(wrapped: Wrapped, old: string, secret: string): Promise<Wrapped> {
  return wrap(await unwrap(wrapped, old), secret)
}

/** `what` names the thing and its place: sealed bytes that were moved to another place do not open. */
export async function seal(key: CryptoKey, what: string, bytes: Bytes): Promise<Bytes> {
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES))
  const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData: utf8(what) }, key, bytes)
  return concat([iv, new Uint8Array(sealed)])
}

export async function open(key: CryptoKey, what: string, sealed: Bytes): Promise<Bytes> {
  const [iv, rest] = [sealed.slice(0, IV_BYTES), sealed.slice(IV_BYTES)]
  const opening = crypto.subtle.decrypt({ name: 'AES-GCM', iv, additionalData: utf8(what) }, key, rest)
  // Promise.resolve keeps Dexie's liveQuery aware of what is read after this.
  return new Uint8Array(await Promise.resolve(opening))
}

export function sealJson(key: CryptoKey, what: string, value: unknown): Promise<Bytes> {
  return seal(key, what, utf8(JSON.stringify(value)))
}

export async function openJson<T>(key: CryptoKey, what: string, sealed: Bytes): Promise<T> {
  return JSON.parse(text(await open(key, what, sealed))) as T
}
