import { computed, effectScope, type ComputedRef, type Ref } from 'vue'
import { counts, type Counts } from '@/sync/queue'
import { db, type Identity, type Link, type Session } from './db'
import { useLive } from './live'

/** What every page needs to know, read once for the whole app. `null` is a known absence, `undefined` not yet read. */
export interface Me {
  identity: Ref<Identity | null | undefined>
  session: Ref<Session | null | undefined>
  link: Ref<Link | null | undefined>
  counts: Ref<Counts | undefined>
  officer: ComputedRef<string>
}

let shared: Me | undefined

export function useMe(): Me {
  shared ??= effectScope(true).run(() => {
    const session = useLive(async () => (await db.read('session')) ?? null)
    return {
      identity: useLive(async () => (await db.read('identity')) ?? null),
      session,
      link: useLive(async () => (await db.read('link')) ?? null),
      counts: useLive(counts),
      officer: computed(() => session.value?.officer.id ?? ''),
    }
  })!
  return shared
}
