import { refuse } from '@carespine/kit/module'

/** Versions that a header such as `If-Match` names; `any` for `*`. */
type Versions = 'any' | readonly string[]

/** What must be true of the current version for a change to be made. */
export interface Preconditions {
  ifMatch?: Versions
  /** `any`: only when there is nothing yet. */
  ifNoneMatch?: Versions
}

interface Given {
  ifMatch?: string | undefined
  ifNoneMatch?: string | undefined
}

/** Reads `W/"3"`, a list of such, or `*`. */
function versionsIn(text: string): Versions {
  if (text.trim() === '*') return 'any'
  return text.split(',').map((part) => /^\s*(?:W\/)?"?(\d{1,9})"?\s*$/.exec(part)?.[1] ?? refuse('FHIR_IF_MATCH_INVALID'))
}

export function preconditionsIn({ ifMatch, ifNoneMatch }: Given): Preconditions {
  return {
    ...(ifMatch === undefined ? {} : { ifMatch: versionsIn(ifMatch) }),
    ...(ifNoneMatch === undefined ? {} : { ifNoneMatch: versionsIn(ifNoneMatch) }),
  }
}

/** Refuses when the current version is not what the client takes it for. */
export function checkPreconditions({ ifMatch, ifNoneMatch }: Preconditions, current: { version: string; deleted: boolean } | undefined): void {
  const fits = (versions: Versions): boolean => current !== undefined && (versions === 'any' ? !current.deleted : versions.includes(current.version))
  if (ifMatch !== undefined && !fits(ifMatch)) refuse('RECORD_VERSION_CONFLICT', { current: current?.version ?? null })
  if (ifNoneMatch !== undefined && fits(ifNoneMatch)) refuse('RECORD_VERSION_CONFLICT', { current: current?.version ?? null })
}

/**
 * Whether the client has this version already (R4 RESTful API, 3.1.0.5.1): `If-None-Match` decides when it is given,
 * else `If-Modified-Since`, which knows seconds only. What cannot be read is as if it were not there (RFC 9110, 13.1).
 */
export function hasVersion(given: { ifNoneMatch?: string | undefined; ifModifiedSince?: string | undefined }, version: number, updated: Date): boolean {
  const { ifNoneMatch, ifModifiedSince } = given
  if (ifNoneMatch !== undefined) {
    return ifNoneMatch.split(',').some((part) => part.trim() === '*' || /^\s*(?:W\/)?"?(\d{1,9})"?\s*$/.exec(part)?.[1] === String(version))
  }
  const since = ifModifiedSince === undefined ? Number.NaN : Date.parse(ifModifiedSince)
  return Math.floor(updated.getTime() / 1000) * 1000 <= since
}
