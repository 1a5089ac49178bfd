import type { Store } from '@carespine/store/store'
import type { pino } from 'pino'

const CHANNEL = 'carespine_keys'
/** A key that another process made is known here at the latest after this time. */
const EVERY_MILLISECONDS = 10_000

/** Holds the keys that other processes make and lets go of those that are destroyed; asks a key service before its time is over. */
export async function followKeys(store: Store, log: pino.Logger): Promise<() => void> {
  let isDown = false
  const refresh = async (): Promise<void> => {
    await store.keyring.refresh().catch(() => undefined)
    const { fault } = store.keyring
    if (fault !== undefined && !isDown) log.error({ fault }, 'keys cannot be unwrapped')
    if (fault === undefined && isDown) log.warn('keys can be unwrapped again')
    isDown = fault !== undefined
  }
  const stopListening = await store.database.listen([CHANNEL], () => void refresh())
  const timer = setInterval(() => void refresh(), Math.min(EVERY_MILLISECONDS, store.keyring.lease / 4))
  timer.unref()
  return () => {
    clearInterval(timer)
    stopListening()
  }
}
