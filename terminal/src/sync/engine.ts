import { liveQuery } from 'dexie'
import { watch } from 'vue'
import { db, type Identity, type Link } from '@/store/db'
import { holder, Locked } from '@/store/lock'
import { noteTime } from '@/store/unlock'
import { Bell } from './bell'
import { askApproval } from './enrol'
import { Problem } from './http'
import { refreshKinds } from './kinds'
import { pullAll } from './pull'
import { askHeld, pushAll } from './push'
import { asker, isOver, markEnded, markTemporary } from './session'
import { judge, STOPS, type Verdict } from './verdict'
import { LogBroken, reportAlarm, settleHeads } from './witness'

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

/** Answers false when there is nobody for whom to ask: signed out, locked, or before the first secret was changed. */
async function pullIfUnlocked(who: Identity): Promise<boolean> {
  const asking = await asker()
  if (!asking || asking.session.mustChange) return false
  const { session } = asking.session
  try {
    await pullAll(who, asking)
  } catch (error) {
    if (error instanceof Locked) return false
    if (isOver(error)) await markEnded(session)
    else if (error instanceof Problem && error.code === 'secret.temporary') await markTemporary(session)
    else throw error
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

/** What was witnessed against this server stands: it is asked for nothing. */
async function stopForAlarm(): Promise<void> {
  const alarm = await db.read('headAlarm')
  if (alarm) throw new LogBroken(alarm)
}

/** The server is told at once, and with each turn until it has answered. */
async function tell(): Promise<void> {
  const who = await db.read('identity')
  if (who) await reportAlarm(who)
}

/** One turn: what waits goes out, news comes in, and the log that was shown is proven. Answers whether the server was asked. */
async function turn(): Promise<boolean> {
  const who = await db.read('identity')
  if (!who) return false
  await stopForAlarm()
  if (!who.approved) return askApproval(who)
  const waiting = await db.ops.where('status').equals('waiting').count()
  const kept = waiting > 0 ? await push(who) : null
  if (!halt) await askHeld(who)
  const pulled = await pullIfUnlocked(who)
  if (pulled) await refreshKinds().catch(() => undefined) // the next turn asks again; capturing goes on by the forms that are here
  await settleHeads(who)
  if (kept) throw kept
  return pulled || waiting > 0
}

/** Since when the running of the app is not counted yet (`noteTime`). */
let counted = performance.now()

async function guarded(failures: number): Promise<Verdict> {
  try {
    const run = performance.now() - counted
    await noteTime(run)
    counted += run
    const asked = await turn()
    const state = asked ? 'online' : 'idle'
    await show({ state, problem: null, until: null, ...(asked ? { contact: Date.now() } : {}) })
    return { state, problem: null, wait: POLL_MS, ordered: false }
  } catch (error) {
    if (error instanceof LogBroken) await tell().catch(() => undefined)
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
  counted = performance.now()
  watchStore()
  orders.onmessage = (order: MessageEvent<Order>) => obey(order.data)
  let failures = 0
  for (;;) {
    const verdict = await guarded(failures)
    failures = verdict.state === 'online' || verdict.state === 'idle' ? 0 : failures + 1
    await rest(verdict)
  }
}

/** A longer queue, a new session or an unlocked device wakes the leading tab, whichever tab it came from. */
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
  watch(holder, (now) => now && bell.ring())
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
