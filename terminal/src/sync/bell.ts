/** Sleeps until the time is over or somebody rings; a ring while nobody sleeps is not lost. */
export class Bell {
  private wake: (() => void) | null = null
  private rung = false

  ring(): void {
    this.rung = true
    this.wake?.()
  }

  async sleep(ms: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined
    if (!this.rung) {
      await new Promise<void>((resolve) => {
        this.wake = resolve
        timer = setTimeout(resolve, ms)
      })
    }
    clearTimeout(timer)
    this.wake = null
    this.rung = false
  }
}
