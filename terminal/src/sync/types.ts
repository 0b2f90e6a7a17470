/** The shapes that travel, as docs/protocol.md names them. */
import type { PublicJwk } from './jws'

export interface BilingualProblem {
  code: string
  zh: string
  en: string
  field?: string | null
  detail?: Record<string, unknown>
}

/** What a refusal by a rule of duty names (`rule.forbids`). */
export interface CitedRule {
  rule: string
  text: { zh: string; en: string }
  source: { zh: string; en: string }
}

export interface Mark {
  code: string
  rule?: string | null
}

export interface SignOff {
  method: 'face' | 'session'
  evidence: { digest: string; taken_at: string }[]
  challenge: string | null
}

export interface Anchor {
  epoch: number
  size: number
  root: string
}

export interface Operation<F = Record<string, unknown>> {
  op: string
  terminal: string
  incarnation: number
  n: number
  kind: string
  schema: number
  verb: string
  record: string
  base: number
  seen?: object
  after: string[]
  officer: string
  session: string
  observed_at: string
  recorded_at: string
  clock: { boot: string; monotonic: number }
  anchor: Anchor
  signoff: SignOff | null
  attachments: string[]
  fields: F
}

/** All but `held` are final: that one is a receipt, and the outcome is asked for later. */
export type OutcomeStatus = 'applied' | 'merged' | 'conflict' | 'held' | 'rejected' | 'quarantined' | 'escrowed'

export interface Outcome {
  n: number
  op: string | null
  status: OutcomeStatus
  record?: string
  version?: number
  seq?: number
  marks?: Mark[]
  problem?: BilingualProblem
}

export interface PushAnswer {
  terminal: string
  incarnation: number
  epoch: number
  next: number
  /** Ranges, both ends counted, that the server lacks below the highest number that it has. */
  missing: [number, number][]
  outcomes: Outcome[]
  head: string
  time: string
}

export interface Row<D = Record<string, unknown>> {
  id: string
  kind: string
  version: number
  seq: number
  partition: string
  state: string
  author: { officer: string; name: string } | null
  terminal: string
  op: string
  observed_at: string
  recorded_at: string
  received_at: string
  marks: Mark[]
  doc: D
}

export interface PullAnswer {
  epoch: number
  at: number
  more: boolean
  partitions: { partition: string; cursor: number; reset?: boolean; rows: Row[] }[]
  gone: string[]
  head: string
  time: string
}

export interface Officer {
  id: string
  number: string
  name: string
  posts: string[]
}

export interface EnrolAnswer {
  facility: { id: string; name: string; type: string }
  terminal: string
  incarnation: number
  genesis: string
  server_key: PublicJwk
  /** `pending`: an administrator has to let it in first. */
  state?: 'active' | 'pending'
  seal: string
  head: string
  time: string
}

/** How long and how often a device may be unlocked without the server. */
export interface Limits {
  hours: number
  tries: number
  idle_minutes: number
}

export interface SessionAnswer {
  session: string
  officer: Officer
  access_token: string
  expires_at: string
  refresh_token?: string
  must_change?: boolean
  unlock?: Limits
  seal: string
  time: string
}

export interface RefreshAnswer {
  access_token: string
  expires_at: string
  refresh_token: string
  must_change?: boolean
  time: string
}
