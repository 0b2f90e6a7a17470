/** A server of one test: it checks what comes with Node's own crypto, not with the code under test. */
import { createDecipheriv, createHash, createPublicKey, diffieHellman, generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto'
import { vi } from 'vitest'
import { db } from '@/store/db'
import { lock } from '@/store/lock'

const hash = (...parts: (string | Uint8Array)[]) =>
  parts.reduce<ReturnType<typeof createHash>>((sum, part) => sum.update(part), createHash('sha256')).digest()
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const read = (text: string) => JSON.parse(Buffer.from(text, 'base64url').toString()) as Record<string, unknown>

export const FACILITY = { id: 'DEMO', name: '演示看守所', type: 'KSS' }
export const TERMINAL = '019353a0-0000-7000-8000-000000000001'
export const OFFICER = { id: '019353a0-0000-7000-8000-0000000000aa', number: '100007', name: '某', posts: ['PAT'] }

export function strangerKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
}

type Answer = { status: number; body: unknown; headers?: Record<string, string> }
export type Rule = (op: Record<string, unknown>) => Record<string, unknown> | undefined

export function thumbprintOf({ x, y }: { x: string; y: string }): string {
  return hash(`{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`).toString('base64url')
}

/** RFC 9162 §2.1.1 and §2.1.4.1, as they stand there: leaf i of the log says i. */
export function rootOf(leaves: Buffer[]): Buffer {
  if (leaves.length === 1) return leaves[0]!
  const k = split(leaves.length)
  return hash(Buffer.of(1), rootOf(leaves.slice(0, k)), rootOf(leaves.slice(k)))
}

function split(n: number): number {
  let k = 1
  while (k * 2 < n) k *= 2
  return k
}

export function proofOf(m: number, leaves: Buffer[], whole = true): Buffer[] {
  const n = leaves.length
  if (m === n) return whole ? [] : [rootOf(leaves)]
  const k = split(n)
  if (m <= k) return [...proofOf(m, leaves.slice(0, k), whole), rootOf(leaves.slice(k))]
  return [...proofOf(m - k, leaves.slice(k), false), rootOf(leaves.slice(0, k))]
}

export const leavesOf = (size: number, log = 'log') => Array.from({ length: size }, (_, i) => hash(Buffer.of(0), `${log} ${i}`))

type Pair = ReturnType<typeof generateKeyPairSync>
const pair = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })
const jwkOf = (key: KeyObject) => key.export({ format: 'jwk' }) as { kty: 'EC'; crv: 'P-256'; x: string; y: string }

/** A compact JWE of ECDH-ES and A256GCM, opened by RFC 7518 §4.6 with Node's own crypto. */
export function openJwe(jwe: string, key: KeyObject): { header: Record<string, unknown>; plain: Buffer } {
  const [head, none, iv, sealed, tag] = jwe.split('.') as [string, string, string, string, string]
  if (none !== '') throw new Error('a direct key has nothing encrypted')
  const header = read(head)
  const agreed = diffieHellman({ privateKey: key, publicKey: createPublicKey({ key: header.epk as never, format: 'jwk' }) })
  const word = (text: string) => Buffer.concat([Buffer.of(0, 0, 0, text.length), Buffer.from(text)])
  const cek = hash(Buffer.of(0, 0, 0, 1), agreed, word('A256GCM'), word(''), word(''), Buffer.of(0, 0, 1, 0))
  const opening = createDecipheriv('aes-256-gcm', cek, Buffer.from(iv, 'base64url'))
  opening.setAAD(Buffer.from(head)).setAuthTag(Buffer.from(tag, 'base64url'))
  return { header, plain: Buffer.concat([opening.update(Buffer.from(sealed, 'base64url')), opening.final()]) }
}

export class FakeServer {
  seals = pair()
  /** Thumbprints of the seal keys that it opens. */
  opens = new Map<string, Pair>()
  /** What each refresh token was exchanged for. */
  readonly successors = new Map<string, string>()
  token = 'token 0'
  refreshToken = 'refresh 0'
  lifetime = 600
  secret: string | null = null
  session: Record<string, unknown> = {}
  officer: Record<string, unknown> = OFFICER
  state = 'active'
  log = 'log'
  readonly alarms: Record<string, unknown>[] = []
  readonly types: string[] = []
  readonly proofs: Record<string, unknown>[] = []
  /** The heads that came with pushes. */
  readonly shown: Record<string, unknown>[] = []
  readonly keys = pair()
  readonly jwk = jwkOf(this.keys.publicKey)
  kid = thumbprintOf(this.jwk)
  readonly chain: { keys: Pair; kid: string; jwk: object; statement: string | null }[] = [
    { keys: this.keys, kid: this.kid, jwk: this.jwk, statement: null },
  ]
  readonly operations: Record<string, unknown>[] = []
  readonly calls: string[] = []
  private readonly outcomes: Record<string, unknown>[] = []
  private prior = Buffer.alloc(0)
  private client: KeyObject | null = null
  genesis = ''
  size = 1
  epoch = 1
  /** Taken before the server's own answer, once each; `lose` does the work and drops the answer. */
  script: (Answer | 'lose' | 'down')[] = []
  rule: Rule = () => undefined
  page: Record<string, unknown> = { partitions: [], gone: [], more: false }
  headKey: KeyObject = this.keys.privateKey

  private signed(typ: string, payload: object, key = this.headKey, kid = this.kid): string {
    const said = `${part({ alg: 'ES256', typ, kid })}.${part(payload)}`
    return `${said}.${sign('sha256', Buffer.from(said), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
  }

  /** Hands the log over to a fresh key, by a statement that may be false in one way. */
  rotate(how = 'true'): void {
    const [old, next] = [this.chain[this.chain.length - 1]!, pair()]
    const facility = how === 'for another facility' ? 'OTHER' : FACILITY.id
    const stated = jwkOf(how === 'of another key' ? pair().publicKey : next.publicKey)
    const by = how === 'by another' ? strangerKey() : old.keys.privateKey
    const payload = { facility, epoch: this.epoch, size: this.size, jwk: stated, at: '' }
    const jwk = jwkOf(next.publicKey)
    this.chain.push({ keys: next, kid: thumbprintOf(jwk), jwk, statement: this.signed('roundsman-key-rotation+jwt', payload, by, old.kid) })
    this.headKey = next.privateKey
    this.kid = thumbprintOf(jwk)
  }

  /** The head as one of the keys signs it. */
  headBy(nth: number): string {
    const { keys, kid } = this.chain[nth]!
    const root = rootOf(leavesOf(this.size, this.log)).toString('base64url')
    return this.signed('roundsman-head+jwt', { facility: FACILITY.id, epoch: this.epoch, size: this.size, root, at: '' }, keys.privateKey, kid)
  }

  head(at = '2026-11-22T03:14:15.123Z'): string {
    const root = rootOf(leavesOf(this.size, this.log)).toString('base64url')
    return this.signed('roundsman-head+jwt', { facility: FACILITY.id, epoch: this.epoch, size: this.size, root, at })
  }

  seal(): string {
    const jwk = jwkOf(this.seals.publicKey)
    const kid = thumbprintOf(jwk)
    this.opens.set(kid, this.seals)
    return this.signed('roundsman-seal+jwt', { facility: FACILITY.id, kid, jwk, at: '2026-11-22T03:14:15.123Z' })
  }

  /** What an operation of the queue says. Throws what the server answers when it cannot open it. */
  opened(jwe: string): Buffer {
    const key = this.opens.get(read(jwe.split('.')[0]!).kid as string)
    if (!key) throw new Error('seal.unknown')
    return openJwe(jwe, key.privateKey).plain
  }

  private proven(token: string): Record<string, unknown> {
    const [header, payload, signature] = token.split('.') as [string, string, string]
    const jwk = read(header).jwk as { kty: string; crv: string; x: string; y: string } | undefined
    const key = jwk ? createPublicKey({ key: jwk, format: 'jwk' }) : this.client!
    const good = verify('sha256', Buffer.from(`${header}.${payload}`), { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'))
    if (!good) throw new Error('the proof is not signed by its key')
    return read(payload)
  }

  private enrol(body: { jwk: { x: string; y: string } }): Answer {
    this.client = createPublicKey({ key: body.jwk as never, format: 'jwk' })
    this.prior = hash(`roundsman/genesis/1\n${FACILITY.id}\n${TERMINAL}\n1\n${thumbprintOf(body.jwk)}\n`)
    const genesis = this.genesis || this.prior.toString('base64url')
    const answer = { facility: FACILITY, terminal: TERMINAL, incarnation: 1, genesis, server_key: this.jwk, head: this.head(), seal: this.seal(), state: this.state }
    return { status: 201, body: answer }
  }

  private push(body: Uint8Array, token: string): Answer {
    const proof = this.proven(token)
    if (typeof proof.head === 'string') this.shown.push(read(proof.head.split('.')[1]!))
    const outcomes: unknown[] = []
    let at = 0
    for (let i = 0; i < (proof.count as number); i += 1) {
      const end = body.indexOf(10, at)
      const [n, sum, length] = Buffer.from(body.subarray(at, end)).toString().split(' ').map((word, k) => (k === 1 ? word : Number(word)))
      const jwe = Buffer.from(body.subarray(end + 1, end + 1 + (length as number))).toString()
      let bytes: Buffer
      try {
        bytes = this.opened(jwe)
      } catch (error) {
        const unknown = (error as Error).message === 'seal.unknown'
        return { status: unknown ? 409 : 422, body: { code: unknown ? 'seal.unknown' : 'seal.broken', detail: { n } } }
      }
      at = end + 2 + (length as number)
      if ((n as number) > this.operations.length) this.take(n as number, String(sum), bytes)
      outcomes.push(this.outcomes[(n as number) - 1])
    }
    if (at !== body.length) throw new Error('bytes are left over')
    this.size += outcomes.length
    const next = this.operations.length + 1
    return { status: 200, body: { terminal: TERMINAL, incarnation: 1, epoch: this.epoch, next, missing: [], outcomes, head: this.head(), time: '' } }
  }

  private take(n: number, sum: string, bytes: Uint8Array): void {
    const number = Buffer.alloc(8)
    number.writeBigUInt64BE(BigInt(n))
    const expected = hash('roundsman/op/1\n', this.prior, number, bytes)
    if (n !== this.operations.length + 1 || sum !== expected.toString('base64url')) throw new Error(`the chain breaks at ${n}`)
    const op = JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>
    this.prior = expected
    this.operations.push(op)
    const applied = { status: 'applied', record: op.record, version: 1, seq: n, marks: [] }
    this.outcomes.push({ n, op: op.op, ...(this.rule(op) ?? applied) })
  }

  private told({ numbers }: { numbers: number[] }): Answer {
    const outcomes = numbers.map((n) => this.outcomes[n - 1])
    const next = this.operations.length + 1
    return { status: 200, body: { terminal: TERMINAL, incarnation: 1, epoch: this.epoch, next, missing: [], outcomes, head: this.head(), time: '' } }
  }

  /** What was held is judged. */
  release(n: number): void {
    const op = this.operations[n - 1]!
    this.outcomes[n - 1] = { n, op: op.op, status: 'applied', record: op.record, version: 1, seq: n, marks: [] }
  }

  private work(path: string, init: RequestInit): Answer {
    const headers = new Headers(init.headers)
    if (path === '/v1/sync/push') {
      this.types.push(headers.get('Content-Type')!)
      return this.push(init.body as Uint8Array, headers.get('Roundsman-Proof')!)
    }
    const body = JSON.parse((init.body as string | null) ?? 'null') as never
    const proof = this.proven(headers.get('DPoP')!)
    if (proof.nonce !== 'fresh') return { status: 401, body: { code: 'proof.nonce_required' } }
    this.proofs.push(proof)
    if (path === '/v1/terminals') return this.enrol(body)
    if (this.state !== 'active') return { status: 403, body: { code: `terminal.${this.state}`, zh: '等待', en: 'wait' } }
    if (path === '/v1/sync/outcomes') return this.told(body)
    if (path.startsWith('/v1/audit/consistency?')) return this.prove(new URLSearchParams(path.split('?')[1]))
    if (path === '/v1/audit/keys') return { status: 200, body: { keys: this.chain.map(({ kid, jwk, statement }) => ({ kid, jwk, statement })) } }
    if (path === '/v1/audit/alarms') return { status: 204, body: this.alarms.push(body) }
    if (path === '/v1/sessions') return this.signIn(body)
    if (path === '/v1/sessions/refresh') return this.refresh(body)
    if (headers.get('Authorization') !== `DPoP ${this.token}`) return { status: 401, body: { code: 'session.expired', zh: '到期', en: 'over' } }
    if (path === '/v1/officers/current/secret') return this.change(body)
    return { status: 200, body: { epoch: this.epoch, at: 0, head: this.head(), time: '', ...this.page } }
  }

  private lives(): { expires_at: string; time: string } {
    const now = Date.now()
    return { expires_at: new Date(now + this.lifetime * 1000).toISOString(), time: new Date(now).toISOString() }
  }

  private signIn({ secret }: { secret: string }): Answer {
    if (this.secret !== null && secret !== this.secret) return { status: 401, body: { code: 'session.refused', zh: '不对', en: 'wrong' } }
    const unlock = { hours: 12, tries: 3, idle_minutes: 5 }
    const pass = { access_token: this.token, refresh_token: this.refreshToken, unlock, seal: this.seal(), ...this.lives() }
    return { status: 201, body: { session: crypto.randomUUID(), officer: this.officer, ...pass, ...this.session } }
  }

  /** The same token again gives the same successor. */
  private refresh({ refresh_token: shown }: { refresh_token: string }): Answer {
    const next = this.successors.get(shown) ?? (shown === this.refreshToken ? `refresh ${this.successors.size + 1}` : null)
    if (next === null) return { status: 401, body: { code: 'session.expired', zh: '到期', en: 'over' } }
    this.successors.set(shown, next)
    this.refreshToken = next
    this.token = `token of ${next}`
    return { status: 200, body: { access_token: this.token, refresh_token: next, refresh_expires_at: '', ...this.lives() } }
  }

  private change(body: { old: string; new: string }): Answer {
    if (this.secret !== null && body.old !== this.secret) return { status: 422, body: { code: 'secret.wrong', zh: '不对', en: 'wrong' } }
    this.secret = body.new
    return { status: 204, body: null }
  }

  private prove(asked: URLSearchParams): Answer {
    const [first, second] = [Number(asked.get('first')), Number(asked.get('second'))]
    if (second > this.size || first > second) return { status: 404, body: { code: 'route.unknown' } }
    const proof = proofOf(first, leavesOf(second, this.log)).map((each) => each.toString('base64url'))
    return { status: 200, body: { proof } }
  }

  readonly fetch = async (path: string, init: RequestInit): Promise<Response> => {
    this.calls.push(path)
    const next = this.script.shift()
    if (next === 'down') throw new TypeError('Failed to fetch')
    const answer = typeof next === 'object' ? next : this.work(path, init)
    if (next === 'lose') throw new TypeError('Failed to fetch')
    return new Response(answer.status === 204 ? null : JSON.stringify(answer.body), {
      status: answer.status,
      headers: { 'Content-Type': 'application/json', 'DPoP-Nonce': 'fresh', ...answer.headers },
    })
  }
}

/** An empty device, and a server for it. */
export async function freshWorld(): Promise<FakeServer> {
  const server = new FakeServer()
  vi.stubGlobal('fetch', server.fetch)
  lock()
  await db.delete()
  await db.open()
  return server
}
