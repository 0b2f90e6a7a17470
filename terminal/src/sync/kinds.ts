import { db } from '@/store/db'
import type { Kinds } from '@/domain/kinds'
import { callPlain, jsonCall } from './http'

/** Forms change with the server's version, which is seldom; a new start of the app asks in any case. */
const OLD_MS = 6 * 3_600_000
let asked = false

/** Fetches the forms when they are not there or old. What cannot be had now is asked for with the next turn. */
export async function refreshKinds(): Promise<void> {
  const held = await db.read('kinds')
  if (held && asked && Date.now() - held.at < OLD_MS) return
  const told = await callPlain<Kinds>(jsonCall('GET', '/v1/kinds'))
  await db.write('kinds', { told, at: Date.now() })
  asked = true
}
