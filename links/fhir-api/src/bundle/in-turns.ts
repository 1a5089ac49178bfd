/** Searches of one Bundle that are under way at once. */
const AT_ONCE = 8
/** Entries after which others get their turn: a Bundle of thousands takes seconds. */
const TURN = 50

/** Works on several items at once. */
export async function severalAtOnce<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < items.length) await work(items[next++] as T)
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker))
}

/** Works on one item after the other, and lets others have their turn in between. */
export async function inTurns<T>(items: Iterable<T>, work: (item: T) => void | Promise<void>): Promise<void> {
  let done = 0
  for (const item of items) {
    await work(item)
    done += 1
    if (done % TURN === 0) await new Promise<void>((resolve) => setImmediate(resolve))
  }
}
