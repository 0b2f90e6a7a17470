import { uuid7 } from '@/sync/ids'

/** Names this start of the app; the monotonic counter runs from it. */
const boot = uuid7()

export interface ClockReading {
  now: string
  clock: { boot: string; monotonic: number }
}

/** The wall clock may be wrong or be changed; the counter beside it lets the server see that. */
export function clockNow(): ClockReading {
  return { now: new Date().toISOString(), clock: { boot, monotonic: Math.floor(performance.now()) } }
}
