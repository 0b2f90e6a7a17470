import { onScopeDispose, ref, type Ref } from 'vue'

/** Whether the device has any network at all. That it has one does not mean that the server is there. */
export function useNetwork(): Ref<boolean> {
  const there = ref(navigator.onLine)
  const look = () => (there.value = navigator.onLine)
  window.addEventListener('online', look)
  window.addEventListener('offline', look)
  onScopeDispose(() => {
    window.removeEventListener('online', look)
    window.removeEventListener('offline', look)
  })
  return there
}
