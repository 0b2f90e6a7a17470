import { computed, effectScope, type ComputedRef, type Ref } from 'vue'
import { counts, type Counts } from '@/sync/queue'
import { officerHere } from '@/sync/session'
import type { Officer } from '@/sync/types'
import { db, type Identity, type Link, type Session } from './db'
import { useLive } from './live'
import { holder } from './lock'

/** What every page needs to know, read once for the whole app. `null` is a known absence, `undefined` not yet read. */
export interface Me {
  identity: Ref<Identity | null | undefined>
  session: Ref<Session | null | undefined>
  link: Ref<Link | null | undefined>
  counts: Ref<Counts | undefined>
  /** Somebody is signed in, and his things are closed. */
  locked: ComputedRef<boolean>
  /** Who is signed in and has unlocked the device; '' while nobody has. */
  officer: ComputedRef<string>
  /** The same as the server names him. */
  person: Ref<Officer | null | undefined>
}

let shared: Me | undefined

export function useMe(): Me {
  shared ??= effectScope(true).run(() => {
    const session = useLive(async () => (await db.read('session')) ?? null)
    const open = computed(() => Boolean(session.value) && holder()?.officer === session.value?.officer)
    const officer = computed(() => (open.value ? (session.value?.officer ?? '') : ''))
    return {
      identity: useLive(async () => (await db.read('identity')) ?? null),
      session,
      link: useLive(async () => (await db.read('link')) ?? null),
      counts: useLive(counts),
      locked: computed(() => Boolean(session.value) && !open.value),
      officer,
      person: useLive(officerHere, officer),
    }
  })!
  return shared
}
