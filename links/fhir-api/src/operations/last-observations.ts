import type { CodeableConcept, Observation } from '@carespine/fhir/resource'

/** A time to order by: when it was observed, else issued, else stored. Partial dates sort by their beginning. */
export function timeOf({ effectiveDateTime, effectiveInstant, effectivePeriod, effectiveTiming, issued, meta }: Observation): string {
  const given = effectiveDateTime ?? effectiveInstant ?? effectivePeriod?.start ?? effectivePeriod?.end ?? effectiveTiming?.event?.[0] ?? issued ?? meta?.lastUpdated ?? ''
  const time = Date.parse(given)
  return Number.isNaN(time) ? given : new Date(time).toISOString()
}

/** What tells one kind of observation from another: each coding, or the text of a code without one. */
function keysOf({ coding, text }: CodeableConcept): string[] {
  const keys = (coding ?? []).flatMap(({ system = '', code }) => (code === undefined ? [] : [`${system}|${code}`]))
  return keys.length > 0 ? keys : [`text:${text?.trim().toLowerCase() ?? ''}`]
}

/**
 * Observations by code, each group newest first, the first `max` of it and whatever was observed at the same time as the
 * last of them (R4 Observation-lastn). Codes that share a coding are one kind, by way of a third as well: a translation
 * beside a code makes no other kind of it.
 */
export function latestByCode<O extends { resource: Observation }>(observations: readonly O[], max: number): O[] {
  const parents = new Map<string, string>()
  const root = (key: string): string => {
    let at = key
    for (let parent = parents.get(at); parent !== undefined && parent !== at; parent = parents.get(at)) at = parent
    return at
  }
  for (const { resource } of observations) {
    const [first = '', ...others] = keysOf(resource.code)
    for (const key of [first, ...others]) if (!parents.has(key)) parents.set(key, key)
    for (const key of others) parents.set(root(key), root(first))
  }
  const groups = new Map<string, { one: O; time: string }[]>()
  for (const one of observations) {
    const key = root(keysOf(one.resource.code)[0] ?? '')
    const group = groups.get(key) ?? []
    groups.set(key, group)
    group.push({ one, time: timeOf(one.resource) })
  }
  return [...groups.values()].flatMap((group) => {
    const sorted = group.toSorted((a, b) => (a.time === b.time ? 0 : a.time < b.time ? 1 : -1))
    const last = sorted[Math.min(max, sorted.length) - 1]?.time
    return sorted.filter(({ time }, at) => at < max || time === last).map(({ one }) => one)
  })
}
