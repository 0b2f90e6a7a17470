import { showToast } from 'vant'

/** A word in passing: above the bar, beside what is being answered, and never in the way of a tap. */
export function say(message: string): void {
  showToast({ message, position: 'bottom', duration: 2500 })
}
