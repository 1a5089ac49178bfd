import { statfs } from 'node:fs/promises'
import type { Actor, Origin } from '@carespine/store/contract'
import { refuse } from '@carespine/store/refusal'
import type { Store } from '@carespine/store/store'
import type { Logger } from 'pino'

/** Room kept for what must go on when the disk is nearly full. Enough for about 200,000 audited reads. */
const RESERVE = 100 * 1024 * 1024
/** Room that ends it: more than the reserve, so that the answer does not change with every file. */
const ENOUGH = 120 * 1024 * 1024
const LOOK_MILLISECONDS = 1000

/**
 * Refuses new work while the disk of the embedded database is nearly full, before PostgreSQL stops for want of room: then
 * nobody could read either, because a read is audited.
 *
 * What goes on in the reserve: reading, signing in, acknowledging alerts, and what follows from what was accepted before.
 */
export function watchDisk(store: Store, dataFolder: string, log: Logger): () => void {
  let isFull = false
  const look = async (): Promise<void> => {
    const { bavail, bsize } = await statfs(dataFolder)
    const free = bavail * bsize
    const before = isFull
    isFull = free < (isFull ? ENOUGH : RESERVE)
    if (isFull && !before) log.error({ free, reserve: RESERVE }, 'the disk is full: new work is refused until there is room')
    if (before && !isFull) log.warn({ free }, 'there is room on the disk: new work is accepted')
  }
  const timer = setInterval(() => void look().catch(() => undefined), LOOK_MILLISECONDS)
  timer.unref()
  store.admit = (actor, origin) => {
    if (isFull && isNewWork(actor, origin)) refuse('STORE_FULL')
  }
  return () => clearInterval(timer)
}

// Modules act as the system when they sign people in and when they react to what was accepted; HL7 messages come in so too.
function isNewWork({ kind }: Actor, { action, module }: Origin): boolean {
  return action === 'hl7v2.receive' || (kind !== 'system' && module !== 'notifications')
}
