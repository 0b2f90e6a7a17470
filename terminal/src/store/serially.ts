let last: Promise<unknown> = Promise.resolve()

/** One after the other, in the order of asking: sealing takes its time, and what was written first must not land last. */
export function serially<T>(work: () => Promise<T>): Promise<T> {
  const mine = last.then(work)
  last = mine.catch(() => undefined)
  return mine
}
