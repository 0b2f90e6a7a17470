import { onScopeDispose, ref, type Ref } from 'vue'

export interface Countdown {
  /** Seconds left; null while it does not run. */
  left: Ref<number | null>
  start: () => void
  stop: () => void
}

export function useCountdown(seconds: number, over: () => void): Countdown {
  const left = ref<number | null>(null)
  let timer: ReturnType<typeof setInterval> | undefined

  function stop(): void {
    clearInterval(timer)
    left.value = null
  }

  function tick(): void {
    if (left.value === null) return
    left.value -= 1
    if (left.value > 0) return
    stop()
    over()
  }

  function start(): void {
    stop()
    left.value = seconds
    timer = setInterval(tick, 1000)
  }

  onScopeDispose(stop)
  return { left, start, stop }
}
