import { PORTALS, type Portal } from './contract.ts'

/** How long a session lasts: without its person doing anything, and altogether. */
export interface SessionLimit {
  idleMinutes: number
  /** Minutes from the sign-in on, whatever is done. */
  minutes: number
}

export type SessionLimits = Readonly<Partial<Record<string, SessionLimit>>>

const HOURS = 60
/**
 * NIST SP 800-63B-4, section 2.2.3 (AAL2): at most an hour without activity and a day altogether. A ward's computer stands
 * where others pass, and is left at a call: ten minutes. A shift has twelve hours, and nobody signs in again in the middle
 * of one. A patient's phone is its owner's and locked by its owner; what it shows is one record: the whole hour.
 */
const shipped: Readonly<Record<Portal, SessionLimit>> = {
  hub: { idleMinutes: 15, minutes: 12 * HOURS },
  patient: { idleMinutes: 60, minutes: 24 * HOURS },
  provider: { idleMinutes: 15, minutes: 12 * HOURS },
  admin: { idleMinutes: 15, minutes: 8 * HOURS },
  lab: { idleMinutes: 15, minutes: 12 * HOURS },
  pharmacy: { idleMinutes: 15, minutes: 12 * HOURS },
  billing: { idleMinutes: 15, minutes: 12 * HOURS },
  radiology: { idleMinutes: 15, minutes: 12 * HOURS },
  nurse: { idleMinutes: 10, minutes: 12 * HOURS },
  it: { idleMinutes: 15, minutes: 8 * HOURS },
}
const shortest: SessionLimit = { idleMinutes: 10, minutes: 8 * HOURS }

/** Limits by portal: those that ship, with what the installation sets otherwise. Throws when it names no portal. */
export function sessionLimits(set: SessionLimits = {}): (portal: string) => SessionLimit {
  for (const portal of Object.keys(set)) if (!(PORTALS as readonly string[]).includes(portal)) throw new Error(`SESSION_LIMITS: ${portal} is no portal. There are: ${PORTALS.join(', ')}`)
  return (portal) => set[portal] ?? shipped[portal as Portal] ?? shortest
}

/** Why a session is over; undefined while it goes on. */
export function whyOver(session: { started_at: Date; active_at: Date }, limit: SessionLimit, now: Date): 'idle' | 'too long' | undefined {
  if (now.getTime() - session.active_at.getTime() >= limit.idleMinutes * 60_000) return 'idle'
  if (now.getTime() - session.started_at.getTime() >= limit.minutes * 60_000) return 'too long'
  return undefined
}
