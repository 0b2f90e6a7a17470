import { liveQuery } from 'dexie'
import { db, type Identity, type Link } from '@/store/db'
import { Bell } from './bell'
import { Problem } from './http'
import { pullAll } from './pull'
import { askHeld, pushAll } from './push'
import { markEnded } from './session'
import { judge, STOPS, type Verdict } from './verdict'

/** How often news is fetched, and the line on top is proven true, while all is well. */
const POLL_MS = 30_000

const bell = new Bell()
const orders = new BroadcastChannel('roundsman')

async function show(change: Partial<Link>): Promise<void> {
  await db.transaction('rw', db.kv, async () => {
    const held = (await db.read('link')) ?? { state: 'starting', contact: null, until: null, problem: null }
    await db.write('link', { ...held, ...change })
  })
}

/** What the server refuses outright must not keep news from coming in; anything else ends the turn. */
async function pushOrKeep(who: Identity): Promise<Problem | null> {
  try {
    await pushAll(who)
    return null
  } catch (error) {
    if (error instanceof Problem && error.status < 500 && error.status !== 429) return error
    throw error
  }
}

/** Answers false when nobody is signed in for whom to ask. */
async function pullIfSignedIn(who: Identity): Promise<boolean> {
  const session = await db.read('session')
  if (!session || session.ended) return false
  try {
    await pullAll(who, session)
  } catch (error) {
    // Only the token is over: the queue does not need it, so this is no failure of the line.
    if (!(error instanceof Problem) || error.code !== 'session.expired') throw error
    await markEnded(session.session)
  }
  return true
}

/** Set by a refusal that must not be tried again; only a person, or a new start, lifts it. */
let halt: Problem | null = null

async function push(who: Identity): Promise<Problem | null> {
  if (halt) return halt
  await show({ state: 'sending' })
  const kept = await pushOrKeep(who)
  if (kept && STOPS.has(kept.code)) halt = kept
  return kept
}

/** One turn: what waits goes out, then news comes in. Answers whether the server was asked anything. */
async function turn(): Promise<boolean> {
  const who = await db.read('identity')
  if (!who) return false
  const waiting = await db.ops.where('status').equals('waiting').count()
  const kept = waiting > 0 ? await push(who) : null
  if (!halt) await askHeld(who)
  const pulled = await pullIfSignedIn(who)
  if (kept) throw kept
  return pulled || waiting > 0
}

async function guarded(failures: number): Promise<Verdict> {
  try {
    const asked = await turn()
    const state = asked ? 'online' : 'idle'
    await show({ state, problem: null, until: null, ...(asked ? { contact: Date.now() } : {}) })
    return { state, problem: null, wait: POLL_MS, ordered: false }
  } catch (error) {
    const verdict = judge(error, failures + 1)
    const until = Date.now() + verdict.wait
    const contact = error instanceof Problem ? { contact: Date.now() } : {}
    await show({ state: verdict.state, problem: verdict.problem, until, ...contact })
    return verdict
  }
}

/** Sleeps until the bell or the time, but never shorter than the server ordered. */
async function rest({ wait, ordered }: Verdict): Promise<void> {
  const end = performance.now() + wait
  do {
    await bell.sleep(Math.max(0, end - performance.now()))
  } while (ordered && performance.now() < end)
}

async function lead(): Promise<never> {
  await show({ state: 'starting', problem: null, until: null })
  watchStore()
  orders.onmessage = (order: MessageEvent<Order>) => obey(order.data)
  let failures = 0
  for (;;) {
    const verdict = await guarded(failures)
    failures = verdict.state === 'online' || verdict.state === 'idle' ? 0 : failures + 1
    await rest(verdict)
  }
}

/** A longer queue or a new session wakes the leading tab, whichever tab it came from. */
function watchStore(): void {
  let seen = ''
  liveQuery(async () => {
    const session = await db.read('session')
    const chain = await db.read('chain')
    return `${chain?.n ?? ''}/${session && !session.ended ? session.session : ''}`
  }).subscribe((now) => {
    if (now !== seen) bell.ring()
    seen = now
  })
}

/** `wake`: something may have changed. `send`: a person wants it tried, whatever stood in the way. */
type Order = 'wake' | 'send'

function obey(order: Order): void {
  if (order === 'send') halt = null
  bell.ring()
}

/** Reaches the leading tab, whichever it is. */
function order(what: Order): void {
  obey(what)
  orders.postMessage(what)
}

export function sendNow(): void {
  order('send')
}

/** Of all tabs one leads; when it is closed, the lock falls to the next. */
export function startEngine(): void {
  window.addEventListener('online', () => order('wake'))
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') order('wake')
  })
  void navigator.locks.request('roundsman-sync', () => lead())
}
