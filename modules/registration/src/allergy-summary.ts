import type { AllergyIntolerance, Stored } from '@carespine/fhir/resource'
import { wordsOf } from '@carespine/pack-core/bilingual'
import type { Allergy } from './contract.ts'

/** SNOMED CT: no known allergy, no known drug allergy. */
const NONE_KNOWN = ['716186003', '409137002']

function statusOf(allergy: AllergyIntolerance, which: 'clinicalStatus' | 'verificationStatus'): string | undefined {
  return allergy[which]?.coding?.[0]?.code
}

/** True while the allergy counts: neither refuted nor entered in error nor resolved. */
export function isActive(allergy: AllergyIntolerance): boolean {
  const verification = statusOf(allergy, 'verificationStatus')
  return (
    verification !== 'refuted' &&
    verification !== 'entered-in-error' &&
    (statusOf(allergy, 'clinicalStatus') ?? 'active') === 'active'
  )
}

/** True for the statement that there is none, which is not the same as an empty list. */
export function statesNoneKnown(allergy: AllergyIntolerance): boolean {
  return allergy.code?.coding?.some(({ code }) => NONE_KNOWN.includes(code ?? '')) ?? false
}

export function allergyOf(allergy: Stored<AllergyIntolerance>): Allergy {
  const coding = allergy.code?.coding?.[0]
  const substance = wordsOf(allergy.code)
  const reaction = wordsOf(allergy.reaction?.[0]?.manifestation[0])
  return {
    id: allergy.id,
    version: allergy.meta.versionId,
    substance: substance.name ?? coding?.code ?? '—',
    ...(substance.nameArabic === undefined ? {} : { substanceArabic: substance.nameArabic }),
    ...(coding?.code === undefined ? {} : { code: coding.code }),
    ...(allergy.criticality === undefined ? {} : { criticality: allergy.criticality }),
    ...(reaction.name === undefined ? {} : { reaction: reaction.name }),
    ...(reaction.nameArabic === undefined ? {} : { reactionArabic: reaction.nameArabic }),
    ...(allergy.recordedDate === undefined ? {} : { recordedAt: allergy.recordedDate }),
  }
}
