import { b64u, sha256, utf8, type Bytes } from './bytes'
import { uuid7 } from './ids'
import { signJws, type PublicJwk } from './jws'
import type { BilingualProblem } from './types'

/** The server answered, and refused. */
export class Problem extends Error implements BilingualProblem {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly zh: string,
    readonly en: string,
    readonly field: string | null,
    readonly detail: Record<string, unknown>,
    readonly retryAfter: number | null,
  ) {
    super(`${status} ${code}`)
  }
}

/** No answer, or one that is not our server's (a proxy's page, a sign-in portal). */
export class NoAnswer extends Error {}

const TIMEOUT_MS = 30_000

export interface Signer {
  key: CryptoKey
  jwk: PublicJwk
}

interface Call {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  path: string
  headers?: Record<string, string>
  body?: string | Bytes
}

async function send(call: Call): Promise<Response> {
  const giveUp = new AbortController()
  const timer = setTimeout(() => giveUp.abort(), TIMEOUT_MS)
  try {
    return await fetch(call.path, {
      method: call.method,
      headers: call.headers ?? {},
      body: call.body ?? null,
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'error',
      signal: giveUp.signal,
    })
  } catch {
    throw new NoAnswer('no answer')
  } finally {
    clearTimeout(timer)
  }
}

/** Seconds, or a date (RFC 9110): the device's clock is not to be trusted, so a date counts as half a minute. */
function retryAfter(response: Response): number | null {
  const value = response.headers.get('Retry-After')
  if (value === null) return null
  return /^\d+$/.test(value) ? Number(value) : 30
}

async function read(response: Response): Promise<unknown> {
  if (response.status === 204) return null
  const type = response.headers.get('Content-Type') ?? ''
  if (!/json/.test(type)) throw new NoAnswer(`an answer of ${type || 'no type'}, status ${response.status}`)
  let body: Record<string, unknown>
  try {
    body = (await response.json()) as Record<string, unknown>
  } catch {
    throw new NoAnswer('the answer broke off')
  }
  if (response.ok) return body
  const word = (key: string) => (typeof body[key] === 'string' ? (body[key] as string) : '')
  const title = word('title') || `HTTP ${response.status}`
  throw new Problem(
    response.status,
    word('code') || `http.${response.status}`,
    word('zh') || title,
    word('en') || title,
    word('field') || null,
    (body.detail as Record<string, unknown> | undefined) ?? {},
    retryAfter(response),
  )
}

/** The last nonce the server gave to this page. */
let nonce: string | undefined

async function dpop(signer: Signer, call: Call, token?: string): Promise<string> {
  const payload: Record<string, unknown> = {
    jti: uuid7(),
    htm: call.method,
    // RFC 9449: without query and fragment.
    htu: new URL(call.path, location.origin).href.replace(/[?#].*$/, ''),
    iat: Math.floor(Date.now() / 1000),
  }
  if (nonce) payload.nonce = nonce
  if (token) payload.ath = b64u(await sha256(utf8(token)))
  return signJws(signer.key, { typ: 'dpop+jwt', jwk: signer.jwk }, payload)
}

async function attempt(signer: Signer, call: Call, token?: string): Promise<unknown> {
  const headers: Record<string, string> = { ...call.headers, DPoP: await dpop(signer, call, token) }
  if (token) headers.Authorization = `DPoP ${token}`
  const response = await send({ ...call, headers })
  nonce = response.headers.get('DPoP-Nonce') ?? nonce
  return read(response)
}

/** A request with a proof of the key; a stale nonce is answered once with a fresh one (protocol, section 3). */
export async function callWithProof<T>(signer: Signer, call: Call, token?: string): Promise<T> {
  try {
    return (await attempt(signer, call, token)) as T
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'proof.nonce_required') throw error
    return (await attempt(signer, call, token)) as T
  }
}

export function jsonCall(method: Call['method'], path: string, body?: object): Call {
  if (!body) return { method, path }
  return { method, path, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }
}

/** A push carries its own proof over the body and needs no session. */
export async function callPlain<T>(call: Call): Promise<T> {
  return (await read(await send(call))) as T
}
