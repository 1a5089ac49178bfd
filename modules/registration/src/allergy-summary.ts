import type { AllergyIntolerance, CodeableConcept, Extension, Stored } from '@carespine/fhir/resource'
import type { Allergy } from './contract.ts'

/** Translation of a display: http://hl7.org/fhir/StructureDefinition/translation. */
export const TRANSLATION = 'http://hl7.org/fhir/StructureDefinition/translation'
/** A concept whose text carries extensions. */
type Translated = CodeableConcept & { _text?: { extension?: Extension[] } }
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
  const arabic = (allergy.code as Translated | undefined)?._text?.extension
    ?.find(({ url }) => url === TRANSLATION)
    ?.extension?.find(({ url }) => url === 'content')?.valueString
  const reaction = allergy.reaction?.[0]?.manifestation[0]
  const reactionText = reaction?.text ?? reaction?.coding?.[0]?.display
  return {
    id: allergy.id,
    version: allergy.meta.versionId,
    substance: allergy.code?.text ?? coding?.display ?? coding?.code ?? '—',
    ...(arabic === undefined ? {} : { substanceArabic: arabic }),
    ...(coding?.code === undefined ? {} : { code: coding.code }),
    ...(allergy.criticality === undefined ? {} : { criticality: allergy.criticality }),
    ...(reactionText === undefined ? {} : { reaction: reactionText }),
    ...(allergy.recordedDate === undefined ? {} : { recordedAt: allergy.recordedDate }),
  }
}
