/**
 * Where a tag's id comes from. Everything that knows of the device's reader is in this file: a browser with Web NFC reads
 * by itself, any other takes what the officer types from the plate.
 */
export interface TagReading {
  uid: string
  medium: 'nfc' | 'typed'
}

interface NdefReadingEvent extends Event {
  serialNumber: string
}

interface NdefReader extends EventTarget {
  scan(options?: { signal?: AbortSignal }): Promise<void>
}

type NdefWindow = typeof globalThis & { NDEFReader?: new () => NdefReader }

export function hasTagReader(): boolean {
  return 'NDEFReader' in globalThis
}

/** Readers write 04:a2:…, plates 04A2…, the register 04A2: one spelling for all. */
function bare(uid: string): string {
  return uid.toUpperCase().replace(/[\s:._-]/g, '')
}

export function typedTag(typed: string): TagReading | null {
  const uid = bare(typed)
  return uid ? { uid, medium: 'typed' } : null
}

type Heard = (reading: TagReading) => void

const hearers = new Set<Heard>()
let scanning: Promise<void> | null = null

async function scan(): Promise<void> {
  const reader = new (globalThis as NdefWindow).NDEFReader!()
  reader.addEventListener('reading', (event) => {
    const { serialNumber } = event as NdefReadingEvent
    if (serialNumber) hearers.forEach((hear) => hear({ uid: bare(serialNumber), medium: 'nfc' }))
  })
  await reader.scan()
}

/**
 * Switches the reader on for the rest of the app's life; the first time the browser asks the officer, so it must come from
 * a tap. Rejects when that is refused.
 */
export function switchReaderOn(): Promise<void> {
  scanning ??= scan().catch((error: unknown) => {
    scanning = null
    throw error
  })
  return scanning
}

/** Whether the reader may be switched on without a tap, because it was allowed before. */
export async function readerAllowed(): Promise<boolean> {
  if (!hasTagReader()) return false
  const state = await navigator.permissions.query({ name: 'nfc' as PermissionName }).catch(() => null)
  return state?.state === 'granted'
}

export function onTag(hear: Heard): () => void {
  hearers.add(hear)
  return () => hearers.delete(hear)
}
