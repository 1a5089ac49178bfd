import type { CodeSystem } from '@carespine/fhir/resource'
import { arabicDisplays } from '@carespine/pack-core/arabic-displays'

const supplements = new Map<string, CodeSystem>()

/** Arabic displays of a code system, from the core pack, as a supplement to it. */
export function arabicSupplement(system: string): CodeSystem | undefined {
  const displays = Object.hasOwn(arabicDisplays, system) ? arabicDisplays[system] : undefined
  if (!displays) return undefined
  let supplement = supplements.get(system)
  if (!supplement) {
    supplement = {
      resourceType: 'CodeSystem',
      status: 'active',
      content: 'supplement',
      supplements: system,
      concept: Object.entries(displays).map(([code, value]) => ({ code, designation: [{ language: 'ar', value }] })),
    }
    supplements.set(system, supplement)
  }
  return supplement
}
