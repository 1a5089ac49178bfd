import { compileFault } from './invariants.ts'
import type { Knowledge } from './knowledge.ts'
import { coreTypeOf, type Rule } from './profile-rules.ts'
import type { StructureDefinition } from './resource.ts'

/**
 * What of a profile will not be checked: profiles and extensions that it rests on and that are not here, and invariants that
 * cannot be read.
 */
export async function uncompiled(knowledge: Knowledge, { url = '', version, baseDefinition }: StructureDefinition): Promise<{ rests: string[]; unchecked: string[] }> {
  const canonical = version === undefined ? url : `${url}|${version}`
  const profile = await knowledge.find(canonical)
  if (!profile) return { rests: baseDefinition !== undefined && coreTypeOf(baseDefinition) === undefined ? [baseDefinition] : [], unchecked: [] }
  const rests: string[] = []
  const unchecked: string[] = []
  for (const rule of rulesIn(profile.root)) {
    for (const invariant of rule.invariants) {
      const fault = compileFault(invariant)
      if (fault !== undefined) unchecked.push(`${url}, invariant ${invariant.key}: ${fault}`)
    }
    for (const { profile: profiles = [], targetProfile: targets = [] } of rule.types ?? []) {
      for (const named of [...profiles, ...targets]) {
        if (coreTypeOf(named) === undefined && !(await knowledge.find(named))) rests.push(named)
      }
    }
  }
  return { rests, unchecked }
}

function* rulesIn(rule: Rule): Generator<Rule> {
  yield rule
  for (const child of rule.children.values()) yield* rulesIn(child)
  for (const slice of rule.slicing?.slices.values() ?? []) yield* rulesIn(slice)
}
