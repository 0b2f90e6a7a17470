import type { LinkState } from '@/store/db'
import { HeadInvalid } from './head'
import { NoAnswer, Problem } from './http'
import { SealInvalid } from './seal'
import type { BilingualProblem } from './types'
import { LogBroken } from './witness'

/** What a failure means for the queue: which word the officer sees, and when to try again. */
export interface Verdict {
  state: LinkState
  problem: BilingualProblem | null
  /** Milliseconds. */
  wait: number
  /** The wait was ordered by the server: nothing on this device may shorten it. */
  ordered: boolean
}

/** Sent again, these would be refused again, or would do harm: the queue is kept and a person is told. */
export const STOPS: ReadonlySet<string> = new Set(['chain.fork', 'incarnation.frozen', 'terminal.revoked', 'terminal.refused'])

const FIRST_WAIT = 2_000
const LONGEST_WAIT = 60_000
const REFUSED_WAIT = 120_000

/** Doubles from two seconds to a minute, spread so that a wing of handhelds does not come back as one. */
export function backoff(failures: number, random: () => number = Math.random): number {
  const full = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** Math.min(failures - 1, 10))
  return Math.round(full * (0.75 + random() * 0.5))
}

function plain({ code, zh, en, field }: Problem): BilingualProblem {
  return { code, zh, en, field }
}

const BAD_HEAD: BilingualProblem = {
  code: 'head.invalid',
  zh: '服务器的签名不符，未采信其回答',
  en: "The server's signature does not hold; its answer was not believed",
}

const BROKEN_LOG: BilingualProblem = {
  code: 'head.alarm',
  zh: '服务器的日志与本机见过的不一致，同步已停止',
  en: "The server's log is not the one that this device has seen; sync has stopped",
}

/** How often a device that waits to be let in asks. */
const APPROVAL_WAIT = 10_000

/** A fault of this device (its storage, this program). It must show, and must not end the loop that sends. */
function onDevice(error: unknown): Verdict {
  const word = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  const problem = { code: 'device.error', zh: `本机出错：${word}`, en: `This device failed: ${word}` }
  return { state: 'refused', problem, wait: LONGEST_WAIT, ordered: false }
}

export function judge(error: unknown, failures: number, random: () => number = Math.random): Verdict {
  if (error instanceof NoAnswer) return { state: 'unreachable', problem: null, wait: backoff(failures, random), ordered: false }
  if (error instanceof LogBroken) return { state: 'stopped', problem: BROKEN_LOG, wait: REFUSED_WAIT, ordered: false }
  if (error instanceof HeadInvalid || error instanceof SealInvalid) return { state: 'refused', problem: BAD_HEAD, wait: REFUSED_WAIT, ordered: false }
  if (!(error instanceof Problem)) return onDevice(error)
  if (error.code === 'terminal.pending') return { state: 'pending', problem: null, wait: APPROVAL_WAIT, ordered: false }
  if (STOPS.has(error.code)) return { state: 'stopped', problem: plain(error), wait: REFUSED_WAIT, ordered: false }
  if (error.status === 429 || error.status === 503) {
    const asked = error.retryAfter === null ? backoff(failures, random) : error.retryAfter * 1000 * (1 + random() * 0.2)
    return { state: 'busy', problem: plain(error), wait: Math.round(asked), ordered: true }
  }
  if (error.status >= 500) return { state: 'unreachable', problem: plain(error), wait: backoff(failures, random), ordered: false }
  return { state: 'refused', problem: plain(error), wait: REFUSED_WAIT, ordered: false }
}
