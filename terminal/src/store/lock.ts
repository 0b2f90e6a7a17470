import { shallowRef } from 'vue'
import type { Bytes } from '@/sync/bytes'
import { openJson, sealJson } from './vault'

/** Whose things are open. The key is in this page's memory alone: a reload forgets it. */
export interface Opened {
  officer: string
  key: CryptoKey
}

/** What is asked for is sealed, and nobody has unlocked it. */
export class Locked extends Error {
  constructor() {
    super('the device is locked')
  }
}

type Word = { is: 'ask' } | { is: 'open'; opened: Opened } | { is: 'lock' } | { is: 'touch' }

const opened = shallowRef<Opened | null>(null)
const known = new Map<string, { iv: string; value: unknown }>()
const onLock = new Set<() => void>()
let others: BroadcastChannel | null = null
let touched = { wall: 0, run: 0 }

/** Reactive: null while the device is locked. */
export function holder(): Opened | null {
  return opened.value
}

export function keyOf(officer: string): CryptoKey {
  if (opened.value?.officer !== officer) throw new Locked()
  return opened.value.key
}

/** Called when what was open is closed, to forget what was made with it. */
export function whenLocked(forget: () => void): void {
  onLock.add(forget)
}

function forget(): void {
  opened.value = null
  known.clear()
  onLock.forEach((also) => also())
}

function take(now: Opened): void {
  if (opened.value && opened.value.officer !== now.officer) forget()
  touched = { wall: Date.now(), run: performance.now() }
  opened.value = now
}

export function hold(now: Opened): void {
  take(now)
  others?.postMessage({ is: 'open', opened: now } satisfies Word)
}

export function lock(): void {
  forget()
  others?.postMessage({ is: 'lock' } satisfies Word)
}

/** Opens what the present holder has sealed; what was opened once is remembered until the device is locked. */
export async function reveal<T>(what: string, sealed: Bytes): Promise<T> {
  const now = opened.value
  if (!now) throw new Locked()
  const iv = String.fromCharCode(...sealed.subarray(0, 12))
  const held = known.get(what)
  if (held?.iv === iv) return held.value as T
  const value = await openJson<T>(now.key, what, sealed)
  if (opened.value === now) known.set(what, { iv, value })
  return value
}

export function conceal(what: string, value: unknown): Promise<Bytes> {
  const now = opened.value
  if (!now) throw new Locked()
  return sealJson(now.key, what, value)
}

/** Somebody is there. By both clocks: one of them stands still while a device sleeps, the other can be set. */
export function touch(): void {
  const before = touched.wall
  touched = { wall: Date.now(), run: performance.now() }
  if (touched.wall - before > 5_000) others?.postMessage({ is: 'touch' } satisfies Word)
}

export function lockIfIdle(minutes: number): void {
  if (!opened.value) return
  const idle = Math.max(Math.abs(Date.now() - touched.wall), performance.now() - touched.run)
  if (idle >= minutes * 60_000) lock()
}

function hear(word: Word): void {
  if (word.is === 'open') take(word.opened)
  else if (word.is === 'lock') forget()
  else if (word.is === 'touch') touched = { wall: Date.now(), run: performance.now() }
  else if (opened.value) others?.postMessage({ is: 'open', opened: opened.value } satisfies Word)
}

/** The tabs of one device are open or locked together. Resolves when a tab that is open has had time to say so. */
export async function shareLock(): Promise<void> {
  others = new BroadcastChannel('roundsman-lock')
  others.onmessage = ({ data }: MessageEvent<Word>) => hear(data)
  others.postMessage({ is: 'ask' } satisfies Word)
  for (let waited = 0; waited < 100 && !opened.value; waited += 20) await new Promise((done) => setTimeout(done, 20))
}
