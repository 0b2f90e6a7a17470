import { Dexie, type EntityTable, type Table } from 'dexie'
import type { Bytes } from '@/sync/bytes'
import type { PublicJwk } from '@/sync/jws'
import type { Anchor, BilingualProblem, Mark, Officer, OutcomeStatus, Row } from '@/sync/types'
import type { Draft } from '@/domain/draft'

/** Who this device is. Written once, at enrolment. */
export interface Identity {
  facility: { id: string; name: string; type: string }
  terminal: string
  incarnation: number
  label: string
  genesis: Bytes
  serverKey: PublicJwk
  serverThumbprint: string
  key: CryptoKey
  jwk: PublicJwk
}

/** A key made for an enrolment whose answer has not come: the same code must be sent with the same key again. */
export interface PendingEnrolment {
  code: string
  key: CryptoKey
  jwk: PublicJwk
}

export interface Session {
  session: string
  officer: Officer
  token: string
  expiresAt: string
  /** The server no longer takes the token. Capturing goes on; news waits for a new sign-in. */
  ended: boolean
}

/** The end of this incarnation's chain. */
export interface ChainEnd {
  n: number
  hash: Bytes
}

export interface Head extends Anchor {
  at: string
}

/** What is wrong with the server's log, as this witness saw it. */
export type HeadAlarm = { code: 'shorter' | 'differs'; held: Anchor; shown: Anchor }

export type LinkState = 'starting' | 'idle' | 'sending' | 'online' | 'unreachable' | 'busy' | 'refused' | 'stopped'

/** What the leading tab last knew of the server; every tab shows the same. */
export interface Link {
  state: LinkState
  /** Last answer of the server, by the device's clock in milliseconds. */
  contact: number | null
  /** When the next try is due, where one is. */
  until: number | null
  problem: BilingualProblem | null
}

export type OpStatus = 'waiting' | OutcomeStatus

/** One queued operation: the bytes as they are sent, and what became of them. */
export interface StoredOp {
  n: number
  op: string
  hash: Bytes
  bytes: Bytes
  kind: string
  verb: string
  record: string
  /** The round it belongs to, so that a page finds it without reading all bytes. */
  round: string | null
  officer: string
  status: OpStatus
  version: number | null
  marks: Mark[]
  problem: BilingualProblem | null
}

interface KeyValues {
  identity: Identity
  pending: PendingEnrolment
  session: Session
  chain: ChainEnd
  head: Head
  headAlarm: HeadAlarm
  link: Link
  epoch: number
  /** Whose rows the store holds: another officer must not see them. */
  rowsOf: string
}

export interface Cursor {
  partition: string
  cursor: number
}

type Pair = { [K in keyof KeyValues]: { key: K; value: KeyValues[K] } }[keyof KeyValues]

class Store extends Dexie {
  kv!: Table<Pair, keyof KeyValues>
  ops!: EntityTable<StoredOp, 'n'>
  rows!: EntityTable<Row, 'id'>
  cursors!: EntityTable<Cursor, 'partition'>
  drafts!: EntityTable<Draft, 'key'>

  constructor() {
    // A handheld's battery is pulled: what was acknowledged must be on the disk, not on its way there.
    super('roundsman', { chromeTransactionDurability: 'strict' })
    this.version(1).stores({
      kv: 'key',
      ops: 'n, &op, status, record, round, [officer+kind+n], [officer+n]',
      rows: 'id, partition, kind, [kind+observed_at], doc.round',
      cursors: 'partition',
      drafts: 'key, round',
    })
  }

  async read<K extends keyof KeyValues>(key: K): Promise<KeyValues[K] | undefined> {
    return (await this.kv.get(key))?.value as KeyValues[K] | undefined
  }

  async write<K extends keyof KeyValues>(key: K, value: KeyValues[K]): Promise<void> {
    await this.kv.put({ key, value } as Pair)
  }
}

export const db = new Store()

export async function identity(): Promise<Identity> {
  const found = await db.read('identity')
  if (!found) throw new Error('this device is not enrolled')
  return found
}
