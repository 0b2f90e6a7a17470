/**
 * This device is a witness of the server's log. A newer head is taken only with a proof that the log has grown from the one
 * that is held; until then, and when there is none, operations go on naming the one that is held.
 */
import { db, type Head, type HeadAlarm, type Identity } from '@/store/db'
import { noteTime } from '@/store/unlock'
import { unb64u } from './bytes'
import { readHead } from './head'
import { callWithProof, jsonCall, Problem } from './http'
import { trustFor } from './keys'
import { isBeginning } from './merkle'

/** The log is not what was witnessed. Nothing more is asked of this server; capturing goes on. */
export class LogBroken extends Error {
  constructor(readonly alarm: HeadAlarm) {
    super(`head ${alarm.code}`)
  }
}

/** What one head says of another of the same epoch, before any proof. */
export function compare(held: Head, shown: Head): 'same' | 'differs' | 'newer' | 'smaller' | 'later epoch' | 'earlier epoch' {
  if (shown.epoch !== held.epoch) return shown.epoch > held.epoch ? 'later epoch' : 'earlier epoch'
  if (shown.size === held.size) return shown.root === held.root ? 'same' : 'differs'
  return shown.size > held.size ? 'newer' : 'smaller'
}

async function raise(code: HeadAlarm['code'], held: Head, shown: Head, told = false): Promise<never> {
  const alarm: HeadAlarm = { code, held, shown, told }
  await db.write('headAlarm', alarm)
  throw new LogBroken(alarm)
}

/** Keeps a head that an answer shows, for `settleHeads`. Throws when it cannot stand beside the ones that are known. */
export async function noteHead(who: Identity, token: string): Promise<void> {
  const shown = await readHead(await trustFor(who, token), token)
  await noteTime(0, shown.at)
  const clash = await db.transaction('rw', db.kv, async () => {
    const held = await db.read('head')
    const relation = held && compare(held, shown)
    if (!held || relation === 'later epoch') return takeEpoch(shown)
    if (relation === 'same' && held.token === '') await db.write('head', shown)
    if (relation === 'smaller') await db.write('smaller', shown)
    if (relation === 'differs') return held
    if (relation !== 'newer') return null
    const newer = await db.read('newer')
    const beside = newer && newer.size > held.size ? compare(newer, shown) : 'newer'
    if (beside === 'newer' || beside === 'later epoch') await db.write('newer', shown)
    return beside === 'differs' ? newer! : null
  })
  if (clash) await raise('roots', clash, shown)
}

/** A new epoch begins another log: it says itself where the old one ended (protocol, section 12). */
async function takeEpoch(shown: Head): Promise<null> {
  await db.write('head', shown)
  await db.kv.bulkDelete(['newer', 'smaller', 'headAlarm'])
  return null
}

/** What the server refuses to prove cannot be so; anything else that is no answer is asked again with the next turn. */
const NO_PROOF: ReadonlySet<number> = new Set([404, 422])

/** Null when the server, which answers, gives no proof. */
async function askProof(who: Identity, older: Head, newer: Head): Promise<unknown> {
  const asked = new URLSearchParams({ epoch: String(newer.epoch), first: String(older.size), second: String(newer.size) })
  try {
    return (await callWithProof<{ proof?: unknown }>(who, jsonCall('GET', `/v1/audit/consistency?${asked}`))).proof ?? []
  } catch (error) {
    if (error instanceof Problem && NO_PROOF.has(error.status)) return null
    throw error
  }
}

/** What is wrong with the proof that the larger of two trees goes on from the smaller, if anything. */
async function fault(who: Identity, older: Head, newer: Head): Promise<'proof' | 'refused' | null> {
  const proof = await askProof(who, older, newer)
  if (proof === null) return 'refused'
  try {
    const tree = ({ size, root }: Head) => ({ size, root: unb64u(root) })
    return (await isBeginning(tree(older), tree(newer), (proof as string[]).map(unb64u))) ? null : 'proof'
  } catch {
    return 'proof'
  }
}

async function tell(who: Identity, code: HeadAlarm['code'], held: Head, shown: Head): Promise<void> {
  const body = { held: held.token, shown: shown.token, why: code }
  await callWithProof(who, jsonCall('POST', '/v1/audit/alarms', body))
}

/**
 * A refusal is reported before it alarms: a server that says to the report that it is behind was restored, and an epoch will
 * be opened. Answers whether the report was taken. Throws when the server is behind or does not answer; both heads stay then.
 */
async function toldOfRefusal(who: Identity, held: Head, shown: Head): Promise<boolean> {
  try {
    await tell(who, 'refused', held, shown)
    return true
  } catch (error) {
    if (error instanceof Problem && error.code !== 'server.behind') return false
    throw error
  }
}

/** Throws unless the larger of two trees is proved to go on from the smaller. */
async function demand(who: Identity, held: Head, shown: Head): Promise<void> {
  const [older, newer] = held.size < shown.size ? [held, shown] : [shown, held]
  const wrong = await fault(who, older, newer)
  if (wrong) await raise(wrong, held, shown, wrong === 'refused' && (await toldOfRefusal(who, held, shown)))
}

/** Proves what the answers of this turn have shown, and takes the newest head. Throws when the log is not the one it was. */
export async function settleHeads(who: Identity): Promise<void> {
  const [held, smaller, newer] = [await db.read('head'), await db.read('smaller'), await db.read('newer')]
  if (!held) return
  if (smaller && compare(held, smaller) === 'smaller') {
    // An answer that was long on its way shows an older head; only a log that was cut cannot prove it.
    await demand(who, held, smaller)
  }
  await db.kv.delete('smaller')
  if (!newer || compare(held, newer) !== 'newer') return
  await demand(who, held, newer)
  await db.transaction('rw', db.kv, async () => {
    const now = await db.read('head')
    if (now && compare(now, newer) === 'newer') await db.write('head', newer)
  })
}

/** Tells the server what was seen of its log, once: an auditor reads it there too. */
export async function reportAlarm(who: Identity): Promise<void> {
  const alarm = await db.read('headAlarm')
  if (!alarm || alarm.told) return
  await tell(who, alarm.code, alarm.held, alarm.shown)
  await db.transaction('rw', db.kv, async () => {
    const now = await db.read('headAlarm')
    if (now) await db.write('headAlarm', { ...now, told: true })
  })
}

/** The holder of the device says that it is to go on: from the head that it holds, and no other. */
export async function goOn(): Promise<void> {
  await db.kv.bulkDelete(['headAlarm', 'newer', 'smaller'])
}
