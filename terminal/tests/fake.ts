/** A server of one test: it checks what comes with Node's own crypto, not with the code under test. */
import { createHash, createPublicKey, generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto'
import { vi } from 'vitest'
import { db } from '@/store/db'

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

export class FakeServer {
  readonly keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  readonly jwk = this.keys.publicKey.export({ format: 'jwk' }) as { kty: 'EC'; crv: 'P-256'; x: string; y: string }
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

  head(): string {
    const header = { alg: 'ES256', typ: 'roundsman-head+jwt', kid: thumbprintOf(this.jwk) }
    const root = hash(String(this.size)).toString('base64url')
    const payload = { facility: FACILITY.id, epoch: this.epoch, size: this.size, root, at: '2026-11-22T03:14:15.123Z' }
    const signed = `${part(header)}.${part(payload)}`
    return `${signed}.${sign('sha256', Buffer.from(signed), { key: this.headKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
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
    const answer = { facility: FACILITY, terminal: TERMINAL, incarnation: 1, genesis, server_key: this.jwk, head: this.head() }
    return { status: 201, body: answer }
  }

  private push(body: Uint8Array, token: string): Answer {
    const proof = this.proven(token)
    const outcomes: unknown[] = []
    let at = 0
    for (let i = 0; i < (proof.count as number); i += 1) {
      const end = body.indexOf(10, at)
      const [n, sum, length] = Buffer.from(body.subarray(at, end)).toString().split(' ').map((word, k) => (k === 1 ? word : Number(word)))
      const bytes = body.subarray(end + 1, end + 1 + (length as number))
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
    if (path === '/v1/sync/push') return this.push(init.body as Uint8Array, headers.get('Roundsman-Proof')!)
    const body = JSON.parse((init.body as string | null) ?? 'null') as never
    if (path === '/v1/sync/outcomes') return this.told(body)
    if (this.proven(headers.get('DPoP')!).nonce !== 'fresh') {
      return { status: 401, body: { code: 'proof.nonce_required' } }
    }
    if (path === '/v1/terminals') return this.enrol(body)
    if (path === '/v1/sessions') {
      return { status: 201, body: { session: crypto.randomUUID(), officer: OFFICER, access_token: 'token', expires_at: '', time: '' } }
    }
    return { status: 200, body: { epoch: this.epoch, at: 0, head: this.head(), time: '', ...this.page } }
  }

  readonly fetch = async (path: string, init: RequestInit): Promise<Response> => {
    this.calls.push(path)
    const next = this.script.shift()
    if (next === 'down') throw new TypeError('Failed to fetch')
    const answer = typeof next === 'object' ? next : this.work(path, init)
    if (next === 'lose') throw new TypeError('Failed to fetch')
    return new Response(JSON.stringify(answer.body), {
      status: answer.status,
      headers: { 'Content-Type': 'application/json', 'DPoP-Nonce': 'fresh', ...answer.headers },
    })
  }
}

/** An empty device, and a server for it. */
export async function freshWorld(): Promise<FakeServer> {
  const server = new FakeServer()
  vi.stubGlobal('fetch', server.fetch)
  await db.delete()
  await db.open()
  return server
}
