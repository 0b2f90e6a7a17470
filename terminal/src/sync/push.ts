import { db, type Identity, type StoredOp } from '@/store/db'
import { b64u, type Bytes } from './bytes'
import { frameLength, frames, FRAMES_TYPE } from './frames'
import { noteHead } from './head'
import { callPlain, Problem } from './http'
import { signJws } from './jws'
import type { Outcome, PushAnswer } from './types'

/** Smaller than the server takes: on a weak link a part that is through is worth more than a whole that broke off. */
export const PUSH_OPERATIONS = 100
const PUSH_BYTES = 1024 * 1024

export interface Batch {
  operations: StoredOp[]
  prior: Bytes
  captured: number
}

/**
 * The next run of numbers. `from` null: from the first operation without an outcome, up to the next one that has its own.
 * `from` given (the server asked for it): everything from there, outcome or not.
 */
export function nextBatch(who: Identity, from: number | null, most: number): Promise<Batch | null> {
  return db.transaction('r', db.kv, db.ops, async () => {
    const waiting = await db.ops.where('status').equals('waiting').first()
    const first = from ?? waiting?.n
    if (first === undefined) return null
    const found = await db.ops.where('n').aboveOrEqual(first).limit(most).toArray()
    const operations: StoredOp[] = []
    let size = 0
    for (const op of found) {
      size += frameLength(op)
      const ends = op.n !== first + operations.length || (from === null && op.status !== 'waiting')
      if (ends || (operations.length > 0 && size > PUSH_BYTES)) break
      operations.push(op)
    }
    const prior = first === 1 ? who.genesis : (await db.ops.get(first - 1))?.hash
    if (operations.length === 0 || !prior) return null
    return { operations, prior, captured: (await db.read('chain'))!.n }
  })
}

export async function pushProof(who: Identity, batch: Batch): Promise<string> {
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
  })
}

async function post(who: Identity, batch: Batch): Promise<PushAnswer> {
  return callPlain<PushAnswer>({
    method: 'POST',
    path: '/v1/sync/push',
    headers: { 'Content-Type': FRAMES_TYPE, 'Roundsman-Proof': await pushProof(who, batch) },
    body: frames(batch.operations),
  })
}

async function keep(batch: Batch, outcomes: Outcome[]): Promise<void> {
  const byNumber = new Map(outcomes.map((outcome) => [outcome.n, outcome]))
  let taken = 0
  await db.transaction('rw', db.ops, async () => {
    for (const { n, op } of batch.operations) {
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

/** Sends everything that has no outcome. Answers how many operations got theirs. */
export async function pushAll(who: Identity): Promise<number> {
  let from: number | null = null
  let most = PUSH_OPERATIONS
  let sent = 0
  let gaps = 0
  for (;;) {
    const batch: Batch | null = await nextBatch(who, from, most)
    if (!batch) return sent
    try {
      const answer = await post(who, batch)
      await noteHead(who, answer.head)
      await keep(batch, answer.outcomes)
    } catch (error) {
      const next = askedFor(error)
      if (next !== null && gaps < 3) {
        gaps += 1
        from = next
      } else if (error instanceof Problem && error.status === 413 && batch.operations.length > 1) {
        most = Math.ceil(batch.operations.length / 2)
      } else {
        throw error
      }
      continue
    }
    sent += batch.operations.length
    if (from !== null) from = batch.operations[batch.operations.length - 1]!.n + 1
  }
}

/** The number that the server says comes next, when it found a gap before what was sent. */
function askedFor(error: unknown): number | null {
  if (!(error instanceof Problem) || error.code !== 'chain.gap') return null
  const next = error.detail.next
  return Number.isSafeInteger(next) && (next as number) >= 1 ? (next as number) : null
}
