import { Dexie, type EntityTable, type Table, type Transaction } from 'dexie'
import type { Kinds } from '@/domain/kinds'
import type { Bytes } from '@/sync/bytes'
import type { PublicJwk } from '@/sync/jws'
import type { HeadKey } from '@/sync/keys'
import type { SealKey } from '@/sync/seal'
import type { Anchor, BilingualProblem, Limits, Mark, OutcomeStatus } from '@/sync/types'
import type { Wrapped } from './vault'

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
  /** An administrator has let this device in; until then the server takes nothing from it. */
  approved: boolean
}

/** A key made for an enrolment whose answer has not come: the same code must be sent with the same key again. */
export interface PendingEnrolment {
  code: string
  key: CryptoKey
  jwk: PublicJwk
}

/** Who is signed in. His name and tokens are sealed (`pass`). */
export interface Session {
  session: string
  officer: string
  number: string
  /** The server no longer takes the tokens. Capturing goes on; news waits for a new sign-in. */
  ended: boolean
  /** The secret was given by an administrator: nothing is to be had before it is changed. */
  mustChange: boolean
  unlock: Limits
}

/** An officer's key on this device, wrapped by his secret. */
export interface Vault {
  officer: string
  wrapped: Wrapped
  /** The key under the secret to come, while it is not known whether the server has changed it. */
  next: Wrapped | null
  /** Wrong secrets that are still allowed. */
  left: number
}

/** What shows how long ago the last sign-in was; the largest of the three counts. Milliseconds. */
export interface Elapsed {
  /** The device's clock, at the sign-in and at its highest since. */
  wall: { from: number; high: number }
  /** The server's, by what it signed. */
  server: { from: number; high: number }
  /** While the app was running. */
  run: number
}

/** The end of this incarnation's chain. */
export interface ChainEnd {
  n: number
  hash: Bytes
}

export interface Head extends Anchor {
  at: string
  /** As the server signed it. */
  token: string
}

/** What is wrong with the server's log, as this witness saw it. While it stands, nothing is asked of this server. */
export interface HeadAlarm {
  /** Two roots for one size; a proof that does not hold; none was given. */
  code: 'roots' | 'proof' | 'refused'
  held: Head
  shown: Head
  /** The server was told. */
  told: boolean
}

export type LinkState = 'starting' | 'pending' | 'idle' | 'sending' | 'online' | 'unreachable' | 'busy' | 'refused' | 'stopped'

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

/** One queued operation: sealed to the server as it is sent, sealed to its officer as he reads it, and what became of it. */
export interface StoredOp {
  n: number
  op: string
  /** Of the operation's own bytes, in the chain. */
  hash: Bytes
  jwe: string
  /** The seal key; empty when the server could not open it. */
  kid: string
  /** Null when his key is gone: only the server can read it then. */
  copy: Bytes | null
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
  /** What version 1 of this store kept in the clear; gone at the next sign-in. */
  bytes?: Bytes
}

/** A row of the server, sealed to the officer who was given it; in the clear is only what it is found by. */
export interface SealedRow {
  id: string
  kind: string
  partition: string
  observed_at: string
  round: string | null
  sealed: Bytes
}

/** A visit that is being entered, sealed to its officer. */
export interface SealedDraft {
  key: string
  round: string
  officer: string
  sealed: Bytes
}

interface KeyValues {
  identity: Identity
  pending: PendingEnrolment
  session: Session
  pass: Bytes
  /** Whose key was destroyed after too many wrong secrets (his number), until the next sign-in. */
  destroyed: string
  elapsed: Elapsed
  sealKey: SealKey
  /** Once the server's key has been handed over: all that are known, the oldest first. */
  headKeys: HeadKey[]
  /** Operations of version 1 of this store are still to be sealed. */
  inClear: boolean
  chain: ChainEnd
  /** The newest head that was proven to go on from the one before. */
  head: Head
  /** A newer one, signed and not yet proven; and one that was shown later and is smaller than `head`. */
  newer: Head
  smaller: Head
  headAlarm: HeadAlarm
  link: Link
  /** The forms of all kinds as the server last told them; `at` by the device's clock in milliseconds. */
  kinds: { told: Kinds; at: number }
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
  rows!: EntityTable<SealedRow, 'id'>
  cursors!: EntityTable<Cursor, 'partition'>
  drafts!: EntityTable<SealedDraft, 'key'>
  vaults!: EntityTable<Vault, 'officer'>

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
    this.version(2)
      .stores({ rows: 'id, partition, kind, [kind+observed_at], round', drafts: 'key, round, officer', vaults: 'officer' })
      .upgrade(fromClear)
  }

  async read<K extends keyof KeyValues>(key: K): Promise<KeyValues[K] | undefined> {
    return (await this.kv.get(key))?.value as KeyValues[K] | undefined
  }

  async write<K extends keyof KeyValues>(key: K, value: KeyValues[K]): Promise<void> {
    await this.kv.put({ key, value } as Pair)
  }
}

/** Version 1 kept everything in the clear: what can be had again goes, the queue stays until it can be sealed. */
async function fromClear(upgrade: Transaction): Promise<void> {
  for (const name of ['rows', 'cursors', 'drafts']) await upgrade.table(name).clear()
  const kept = ['identity', 'chain', 'head', 'epoch']
  await upgrade.table('kv').where('key').noneOf(kept).delete()
  await upgrade.table('kv').where('key').equals('identity').modify((pair: { value: Identity }) => (pair.value.approved = true))
  await upgrade.table('kv').where('key').equals('head').modify((pair: { value: Head }) => (pair.value.token = ''))
  await upgrade.table('ops').toCollection().modify({ jwe: '', kid: '', copy: null })
  await upgrade.table('kv').put({ key: 'inClear', value: true })
}

export const db = new Store()

export async function identity(): Promise<Identity> {
  const found = await db.read('identity')
  if (!found) throw new Error('this device is not enrolled')
  return found
}
