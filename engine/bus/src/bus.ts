import type { EventEnvelope } from '@carespine/store/contract'
import { Refusal } from '@carespine/store/refusal'

/** Something that wants every event of one type, once, in order for each patient. */
export interface Consumer {
  /** Durable: what it has handled is remembered under this name. */
  name: string
  /** Versioned event type. */
  type: string
  /** Must itself record the event with its effect: an event may come again after a crash. */
  handle(event: EventEnvelope): Promise<void>
}

/** Carries events from the outbox to consumers. Both implementations pass the same contract tests. */
export interface Bus {
  start(consumers: readonly Consumer[]): Promise<void>
  /** Something was committed to the outbox in this process; without it the bus notices by polling. */
  wake(): void
  /** How many events still wait for a consumer, dead letters apart. */
  waiting(): Promise<number>
  close(): Promise<void>
}

export interface DeadLetter {
  id: string
  consumer: string
  type: string
  eventId: string
  attempts: number
  /** Refusal code or kind of error; never content. */
  error: string
  at: Date
}

/** Attempts before an event is put aside for a person to look at. With the delays below that is about two minutes. */
export const MAX_ATTEMPTS = 8

/** Milliseconds to wait before attempt `attempts + 1`: 250 ms, doubled each time, at most 60 s, up to a fifth jitter. */
export function backoff(attempts: number, random = Math.random()): number {
  return Math.round(Math.min(60_000, 250 * 2 ** (attempts - 1)) * (0.9 + 0.2 * random))
}

/** Names a fault without quoting it: messages may hold patient data. */
export function faultName(error: unknown): string {
  if (error instanceof Refusal) return error.code
  if (!(error instanceof Error)) return typeof error
  const code = (error as { code?: string }).code
  const frame = error.stack?.split('\n').find((line) => line.trimStart().startsWith('at '))
  const place = frame?.match(/([\w-]+\.ts:\d+)/)?.[1]
  return [error.name, code, place].filter(Boolean).join(' ')
}
