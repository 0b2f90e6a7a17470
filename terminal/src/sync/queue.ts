import { clockNow } from '@/device/clock'
import { db, type ChainEnd, type Head, type Identity, type Session, type StoredOp } from '@/store/db'
import { holder, keyOf, reveal } from '@/store/lock'
import { serially } from '@/store/serially'
import { seal } from '@/store/vault'
import { b64u, utf8, type Bytes } from './bytes'
import { operationHash } from './chain'
import { MAX_OPERATION_BYTES } from './frames'
import { uuid7 } from './ids'
import { sealToServer, type SealKey } from './seal'
import type { Operation, SignOff } from './types'

/** What a page wants to have captured; the queue adds number, place in the chain, clock and anchor. */
export interface Capture {
  kind: string
  verb: string
  record: string
  base: number
  after: string[]
  round: string
  observedAt: string
  fields: object
  /** What the officer saw in the fields that the verb edits or rests on. */
  seen?: object
  /** The version of the kind's form. */
  schema?: number
  signoff?: SignOff
  /** Drafts that end with this operation; they go in the same transaction. */
  drafts?: string[]
}

export class NotReady extends Error {}

interface Ground {
  who: Identity
  session: Session
  chain: ChainEnd
  head: Head
  sealKey: SealKey
}

function ground(): Promise<Ground> {
  return db.transaction('r', db.kv, async () => {
    const [who, session, chain] = [await db.read('identity'), await db.read('session'), await db.read('chain')]
    const [head, sealKey] = [await db.read('head'), await db.read('sealKey')]
    if (!who || !session || !chain || !head || !sealKey) throw new NotReady('not enrolled, or nobody is signed in')
    return { who, session, chain, head, sealKey }
  })
}

// Half of a surrogate pair, or a NUL, would make the server put the whole operation into quarantine.
const UNSPEAKABLE = /\0|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g

function encode(operation: Operation): Bytes {
  const tidy = (_: string, value: unknown) => (typeof value === 'string' ? value.replace(UNSPEAKABLE, '') : value)
  const bytes = utf8(JSON.stringify(operation, tidy))
  if (bytes.length > MAX_OPERATION_BYTES) throw new RangeError('the operation is too large')
  return bytes
}

function describe(capture: Capture, on: Ground): Operation {
  const { clock, now } = clockNow()
  const { epoch, size, root } = on.head
  return {
    op: uuid7(),
    terminal: on.who.terminal,
    incarnation: on.who.incarnation,
    n: on.chain.n + 1,
    kind: capture.kind,
    schema: capture.schema ?? 1,
    verb: capture.verb,
    record: capture.record,
    base: capture.base,
    ...(capture.seen ? { seen: capture.seen } : {}),
    after: capture.after,
    officer: on.session.officer,
    session: on.session.session,
    observed_at: capture.observedAt,
    recorded_at: now,
    clock,
    anchor: { epoch, size, root },
    signoff: capture.signoff ?? null,
    attachments: [],
    fields: { ...capture.fields },
  }
}

export const copyPlace = (op: string) => `roundsman/op/${op}`

/** As its officer reads it again; without his key nobody on this device does. */
export function copyFor(key: CryptoKey, op: string, bytes: Bytes): Promise<Bytes> {
  return seal(key, copyPlace(op), bytes)
}

async function build(capture: Capture, on: Ground): Promise<StoredOp> {
  const operation = describe(capture, on)
  const bytes = encode(operation)
  return {
    n: operation.n,
    op: operation.op,
    hash: await operationHash(on.chain.hash, operation.n, bytes),
    jwe: await sealToServer(on.sealKey, bytes),
    kid: on.sealKey.kid,
    copy: await copyFor(keyOf(operation.officer), operation.op, bytes),
    kind: operation.kind,
    verb: operation.verb,
    record: operation.record,
    round: capture.round,
    officer: operation.officer,
    status: 'waiting',
    version: null,
    marks: [],
    problem: null,
  }
}

export function refused(op: Pick<StoredOp, 'status'>): boolean {
  return op.status === 'rejected' || op.status === 'quarantined'
}

/**
 * One transaction moves the end of the chain and stores the bytes, or does neither: a kill at any moment leaves no number
 * without its operation. Hashing cannot happen inside (IndexedDB would commit while WebCrypto works), so the end is
 * compared first; whoever finds it moved builds anew.
 */
function commit(made: StoredOp, capture: Capture, prior: ChainEnd): Promise<StoredOp | null> {
  return db.transaction('rw', db.kv, db.ops, db.drafts, async () => {
    const same = await db.ops.where('record').equals(made.record).toArray()
    // A step may be taken again once its answer has brought the record further.
    const done = same.find((op) => op.verb === made.verb && !refused(op) && (op.version === null || op.version > capture.base))
    if (done) {
      await db.drafts.bulkDelete(capture.drafts ?? [])
      return done
    }
    const end = await db.read('chain')
    if (!end || end.n !== prior.n || b64u(end.hash) !== b64u(prior.hash)) return null
    await db.ops.add(made)
    await db.write('chain', { n: made.n, hash: made.hash })
    await db.drafts.bulkDelete(capture.drafts ?? [])
    return made
  })
}

/**
 * Captures one operation. Asking twice for the same verb on the same record (a double tap, a draft reopened in a second
 * tab) gives the operation that is already there.
 */
export function capture(wanted: Capture): Promise<StoredOp> {
  return serially(async () => {
    for (;;) {
      const on = await ground()
      const stored = await commit(await build(wanted, on), wanted, on.chain)
      if (stored) return stored
    }
  })
}

/** What the operation says; null where it is another officer's, or the key of its copy is gone. */
export async function readOperation<F>(stored: StoredOp): Promise<Operation<F> | null> {
  if (!stored.copy || holder()?.officer !== stored.officer) return null
  return reveal<Operation<F>>(copyPlace(stored.op), stored.copy)
}

export interface Counts {
  waiting: number
  sent: number
  refused: number
  disputed: number
}

export async function counts(): Promise<Counts> {
  const number = (...status: string[]) => db.ops.where('status').anyOf(status).count()
  return {
    waiting: await number('waiting'),
    sent: await number('applied', 'merged', 'conflict', 'held', 'escrowed'),
    refused: await number('rejected', 'quarantined'),
    disputed: await number('conflict'),
  }
}
