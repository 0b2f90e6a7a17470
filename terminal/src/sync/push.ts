import { db, type Identity, type StoredOp } from '@/store/db'
import { b64u, utf8, type Bytes } from './bytes'
import { frameLength, frames, type Framed } from './frames'
import { noteHead } from './witness'
import { callPlain, callWithProof, jsonCall, Problem } from './http'
import { signJws } from './jws'
import { SEALED_TYPE } from './seal'
import type { Outcome, PushAnswer } from './types'

/** Smaller than the server takes: on a weak link a part that is through is worth more than a whole that broke off. */
export const PUSH_OPERATIONS = 100
const PUSH_BYTES = 1024 * 1024

export interface Batch {
  operations: StoredOp[]
  prior: Bytes
  captured: number
}

/** An operation as it is sent: what its frame holds is sealed, and what was chained is inside. */
function framed({ n, hash, jwe }: StoredOp): Framed {
  return { n, hash, bytes: utf8(jwe) }
}

/** The next run of numbers without an outcome; `over`: numbers that the server does not take yet, which it leaves out. */
export function nextBatch(who: Identity, over: ReadonlySet<number>, most: number): Promise<Batch | null> {
  return db.transaction('r', db.kv, db.ops, async () => {
    const first = (await db.ops.where('status').equals('waiting').and(({ n, jwe }) => jwe !== '' && !over.has(n)).first())?.n
    if (first === undefined) return null
    const found = await db.ops.where('n').aboveOrEqual(first).limit(most).toArray()
    const operations: StoredOp[] = []
    let size = 0
    for (const op of found) {
      size += frameLength(framed(op))
      const ends = op.n !== first + operations.length || op.status !== 'waiting' || op.jwe === '' || over.has(op.n)
      if (ends || (operations.length > 0 && size > PUSH_BYTES)) break
      operations.push(op)
    }
    const prior = first === 1 ? who.genesis : (await db.ops.get(first - 1))?.hash
    if (operations.length === 0 || !prior) return null
    return { operations, prior, captured: (await db.read('chain'))!.n }
  })
}

export async function pushProof(who: Identity, batch: Batch): Promise<string> {
  const head = (await db.read('head'))?.token
  const last = batch.operations[batch.operations.length - 1]!
  return signJws(who.key, { typ: 'roundsman-push+jwt', kid: who.terminal }, {
    facility: who.facility.id,
    terminal: who.terminal,
    incarnation: who.incarnation,
    first: batch.operations[0]!.n,
    count: batch.operations.length,
    prior: b64u(batch.prior),
    last: b64u(last.hash),
    captured: batch.captured,
    ...(head ? { head } : {}),
  })
}

async function post(who: Identity, batch: Batch): Promise<PushAnswer> {
  return callPlain<PushAnswer>({
    method: 'POST',
    path: '/v1/sync/push',
    headers: { 'Content-Type': SEALED_TYPE, 'Roundsman-Proof': await pushProof(who, batch) },
    body: frames(batch.operations.map(framed)),
  })
}

async function keep(asked: readonly StoredOp[], outcomes: Outcome[]): Promise<void> {
  const byNumber = new Map(outcomes.map((outcome) => [outcome.n, outcome]))
  let taken = 0
  await db.transaction('rw', db.ops, async () => {
    for (const { n, op } of asked) {
      const outcome = byNumber.get(n)
      // An outcome that names another operation is not this one's; without one, the operation stays waiting.
      if (!outcome || (outcome.op && outcome.op !== op)) continue
      taken += 1
      await db.ops.update(n, {
        status: outcome.status,
        version: outcome.version ?? null,
        marks: outcome.marks ?? [],
        problem: outcome.problem ?? null,
      })
    }
  })
  // Without this, the same operations would be sent again at once, for ever.
  if (taken === 0) {
    throw new Problem(502, 'answer.incomplete', '服务器的回答不完整', 'The answer of the server is incomplete', null, {}, null)
  }
}

/** What the server lacks though it had given outcomes for it was lost in a restore: it is offered again. */
async function offerAgain(missing: readonly [number, number][]): Promise<void> {
  for (const [first, last] of missing) {
    await db.ops.where('n').between(first, last, true, true).modify({ status: 'waiting', version: null, marks: [], problem: null })
  }
}

/** Sends everything that has no outcome. Answers how many operations got theirs. */
export async function pushAll(who: Identity): Promise<number> {
  const over = new Set<number>()
  let refusal: Problem | null = null
  let most = PUSH_OPERATIONS
  let sent = 0
  for (;;) {
    const batch = await nextBatch(who, over, most)
    if (!batch) break
    try {
      const answer = await post(who, batch)
      await noteHead(who, answer.head)
      await keep(batch.operations, answer.outcomes)
      await offerAgain(answer.missing.filter(([first]) => !over.has(first)))
      sent += batch.operations.length
    } catch (error) {
      const left = await leftOut(error, batch.operations)
      if (left.some((n) => !over.has(n))) {
        left.forEach((n) => over.add(n))
        refusal = error as Problem
      } else if (error instanceof Problem && error.status === 413 && batch.operations.length > 1) {
        most = Math.ceil(batch.operations.length / 2)
      } else {
        throw error
      }
    }
  }
  // All that can go has gone; what waits for an upgrade of the server, or of this app, is told.
  if (refusal) throw refusal
  return sent
}

/** Why the server refuses a batch for the sake of one operation, which `detail.n` names. */
const ABOUT_ONE: ReadonlySet<string> = new Set(['schema.unsupported', 'seal.broken', 'seal.unknown'])

/** The operations to push around: the one whose form or seal the server does not take, or all of a seal it does not know. */
async function leftOut(error: unknown, batch: readonly StoredOp[]): Promise<number[]> {
  if (!(error instanceof Problem) || !ABOUT_ONE.has(error.code)) return []
  const one = batch.find(({ n }) => n === error.detail.n)
  if (!one) return []
  if (error.code === 'seal.unknown') return batch.filter(({ kid }) => kid === one.kid).map(({ n }) => n)
  // Sealed anew when its officer unlocks the device.
  if (error.code === 'seal.broken') await db.ops.update(one.n, { kid: '' })
  return [one.n]
}

const ASKED_AT_ONCE = 500

/** Asks what became of operations that are in the server's custody. */
export async function askHeld(who: Identity): Promise<void> {
  const held = await db.ops.where('status').equals('held').limit(ASKED_AT_ONCE).toArray()
  if (held.length === 0) return
  const numbers = held.map(({ n }) => n)
  const body = { incarnation: who.incarnation, numbers }
  const answer = await callWithProof<PushAnswer>(who, jsonCall('POST', '/v1/sync/outcomes', body))
  await noteHead(who, answer.head)
  await keep(held, answer.outcomes)
}
