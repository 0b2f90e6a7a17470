import { onTag } from '@/device/tag'
import { db } from './db'
import { lockIfIdle, touch } from './lock'

const LOOK_MS = 5_000

async function look(): Promise<void> {
  const session = await db.read('session')
  if (session) lockIfIdle(session.unlock.idle_minutes)
}

/** Locks the device when nobody has touched it, or a tag with it, for as long as the facility allows. */
export function watchIdle(): void {
  for (const sign of ['pointerdown', 'keydown']) window.addEventListener(sign, touch, { capture: true, passive: true })
  onTag(touch)
  setInterval(() => void look(), LOOK_MS)
  document.addEventListener('visibilitychange', () => void look())
}
