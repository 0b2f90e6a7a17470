import { liveQuery, type Subscription } from 'dexie'
import { onScopeDispose, ref, watch, type Ref, type WatchSource } from 'vue'
import { Locked } from './lock'

/**
 * What the store answers, kept true while it changes, from whichever tab. `undefined` until the first answer; asked anew
 * when one of the sources changes.
 */
export function useLive<T>(ask: () => Promise<T>, ...sources: WatchSource[]): Ref<T | undefined> {
  const answer = ref() as Ref<T | undefined>
  let held: Subscription | undefined
  const subscribe = () => {
    held?.unsubscribe()
    held = liveQuery(ask).subscribe({
      next: (value) => (answer.value = value),
      error: (error: unknown) => {
        // The pages that show what is sealed close with the device.
        if (!(error instanceof Locked)) console.error('the store cannot be read', error)
      },
    })
  }
  subscribe()
  if (sources.length > 0) watch(sources, subscribe)
  onScopeDispose(() => held?.unsubscribe())
  return answer
}
