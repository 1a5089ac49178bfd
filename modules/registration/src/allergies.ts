import type { AllergyIntolerance } from '@carespine/fhir/resource'
import type { z } from '@carespine/kit/contract'
import { command, refuse } from '@carespine/kit/module'
import { type Translated, translation } from '@carespine/pack-core/bilingual'
import { allergyOf, isActive } from './allergy-summary.ts'
import { addAllergy, AllergyAdded, AllergyRemoved, removeAllergy } from './contract.ts'
import { plainName } from './likeness.ts'

const CLINICAL = 'http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical'
const VERIFICATION = 'http://terminology.hl7.org/CodeSystem/allergyintolerance-verification'

function draftAllergy(input: z.output<typeof addAllergy.input>, now: Date, recorder?: string): AllergyIntolerance {
  return {
    resourceType: 'AllergyIntolerance',
    clinicalStatus: { coding: [{ system: CLINICAL, code: 'active' }] },
    verificationStatus: { coding: [{ system: VERIFICATION, code: 'confirmed' }] },
    criticality: input.criticality,
    code: {
      text: input.substance,
      ...(input.coding ? { coding: [{ ...input.coding, display: input.substance }] } : {}),
      ...(input.substanceArabic ? { _text: translation(input.substanceArabic) } : {}),
    } as Translated,
    patient: { reference: `Patient/${input.patientId}` },
    recordedDate: now.toISOString(),
    ...(recorder === undefined ? {} : { recorder: { reference: `Practitioner/${recorder}` } }),
    ...(input.reaction === undefined ? {} : { reaction: [{ manifestation: [{ text: input.reaction }] }] }),
  }
}

export const addAllergyCommand = command(addAllergy, async (input, { tx, actor, now }) => {
  await tx.read('Patient', input.patientId)
  const known = await tx.search('AllergyIntolerance', { patient: `Patient/${input.patientId}`, _count: '200' })
  const same = known.some(
    (allergy) =>
      isActive(allergy) &&
      (input.coding
        ? allergy.code?.coding?.some(({ code }) => code === input.coding?.code)
        : plainName(allergyOf(allergy).substance) === plainName(input.substance)),
  )
  if (same) refuse('REGISTRATION_ALLERGY_KNOWN')
  const allergy = tx.write(draftAllergy(input, now, actor.practitioner))
  tx.emit(AllergyAdded, { patientId: input.patientId, allergyId: allergy.id }, { resource: allergy })
  return { allergyId: allergy.id }
})

export const removeAllergyCommand = command(removeAllergy, async ({ allergyId, reason, note }, { tx }) => {
  const allergy = await tx.read('AllergyIntolerance', allergyId)
  if (!isActive(allergy)) refuse('REGISTRATION_ALLERGY_NOT_ACTIVE')
  const { clinicalStatus: _was, ...rest } = allergy
  // FHIR R4 AllergyIntolerance, ait-2: an allergy entered in error carries no clinical status.
  const removed = tx.write(
    {
      ...rest,
      ...(reason === 'entered-in-error'
        ? {}
        : { clinicalStatus: { coding: [{ system: CLINICAL, code: reason === 'resolved' ? 'resolved' : 'inactive' }] } }),
      verificationStatus: {
        coding: [{ system: VERIFICATION, code: reason === 'resolved' ? 'confirmed' : reason }],
      },
    },
    note === undefined ? {} : { reason: note },
  )
  const patientId = allergy.patient.reference?.replace('Patient/', '') ?? ''
  tx.emit(AllergyRemoved, { patientId, allergyId, reason }, { resource: removed })
  return { allergyId }
})
