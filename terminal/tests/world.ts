import { enrol } from '@/sync/enrol'
import { capture, type Capture } from '@/sync/queue'
import { signIn } from '@/sync/session'
import { uuid7 } from '@/sync/ids'
import { freshWorld, type FakeServer } from './fake'

export const SECRET = 'a secret of one officer'

/** A device that is enrolled and has an officer signed in. */
export async function readyWorld(): Promise<FakeServer> {
  const server = await freshWorld()
  await enrol('7Q2M-K8ZD-41XT', 'PDA-07')
  await signIn('100007', SECRET)
  server.calls.length = 0
  return server
}

export function visit(change: Partial<Capture> = {}) {
  return capture({
    kind: 'patrol.visit', verb: 'record', record: uuid7(), base: 0, after: [], round: 'r', observedAt: '2026-11-22T03:14:15.123Z',
    fields: { note: '一切可见' }, ...change,
  })
}
