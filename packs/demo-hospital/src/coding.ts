import type { CodeableConcept, Coding } from '@carespine/fhir/resource'

export const LOINC = 'http://loinc.org'
const SNOMED = 'http://snomed.info/sct'
export const ICD10 = 'http://hl7.org/fhir/sid/icd-10'
export const ATC = 'http://www.whocc.no/atc'
export const UCUM = 'http://unitsofmeasure.org'
const HL7 = 'http://terminology.hl7.org/CodeSystem'

/** Same systems as the modules that own these numbers; a test compares them. */
export const MRN_SYSTEM = 'https://carespine.example/fhir/sid/mrn'
export const ORDER_SYSTEM = 'https://carespine.example/fhir/sid/order'
export const ACCESSION_SYSTEM = 'https://carespine.example/fhir/sid/accession'

export function snomed(code: string, display: string): Coding {
  return { system: SNOMED, code, display }
}

/** A concept of one of HL7's own code systems: `hl7('condition-clinical', 'active')`. */
export function hl7(system: string, code: string, display?: string): CodeableConcept {
  return { coding: [hl7Coding(system, code, display)] }
}

export function hl7Coding(system: string, code: string, display?: string): Coding {
  return { system: `${HL7}/${system}`, code, ...(display === undefined ? {} : { display }) }
}
