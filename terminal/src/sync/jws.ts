import { b64u, sha256, text, unb64u, utf8, type Bytes } from './bytes'

export interface PublicJwk {
  kty: 'EC'
  crv: 'P-256'
  x: string
  y: string
}

const P256 = { name: 'ECDSA', namedCurve: 'P-256' } as const
const ES256 = { name: 'ECDSA', hash: 'SHA-256' } as const

/** A key that can sign but cannot be read out, not even by this page. */
export async function makeKey(): Promise<{ key: CryptoKey; jwk: PublicJwk }> {
  const pair = await crypto.subtle.generateKey(P256, false, ['sign', 'verify'])
  const { x, y } = await crypto.subtle.exportKey('jwk', pair.publicKey)
  return { key: pair.privateKey, jwk: { kty: 'EC', crv: 'P-256', x: x!, y: y! } }
}

/** RFC 7638: the members in the order of the alphabet, nothing else. */
export async function thumbprint(jwk: PublicJwk): Promise<string> {
  const { crv, kty, x, y } = jwk
  return b64u(await sha256(utf8(JSON.stringify({ crv, kty, x, y }))))
}

function part(value: object): string {
  return b64u(utf8(JSON.stringify(value)))
}

export async function signJws(key: CryptoKey, header: object, payload: object): Promise<string> {
  const signed = `${part({ alg: 'ES256', ...header })}.${part(payload)}`
  const signature = await crypto.subtle.sign(ES256, key, utf8(signed))
  return `${signed}.${b64u(new Uint8Array(signature))}`
}

export interface Jws {
  header: Record<string, unknown>
  payload: Record<string, unknown>
}

/** Answers what a token says, or throws when the signature is not by this key. The algorithm is ours, not the token's. */
export async function verifyJws(jwk: PublicJwk, token: string): Promise<Jws> {
  const [header, payload, signature, more] = token.split('.')
  if (!header || !payload || !signature || more !== undefined) throw new Error('not a JWS')
  const { kty, crv, x, y } = jwk
  const key = await crypto.subtle.importKey('jwk', { kty, crv, x, y }, P256, false, ['verify'])
  const good = await crypto.subtle.verify(ES256, key, unb64u(signature), utf8(`${header}.${payload}`))
  if (!good) throw new Error('bad signature')
  return { header: json(unb64u(header)), payload: json(unb64u(payload)) }
}

/** What a token says of itself, before anything of it is believed. */
export function jwsHeader(token: string): Record<string, unknown> {
  try {
    return json(unb64u(token.split('.')[0] ?? ''))
  } catch {
    return {}
  }
}

function json(bytes: Bytes): Record<string, unknown> {
  return JSON.parse(text(bytes)) as Record<string, unknown>
}
