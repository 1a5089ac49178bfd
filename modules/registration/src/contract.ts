import { action, event, z } from '@carespine/kit/contract'
import type { Patient } from '@carespine/fhir/resource'

export const Sex = z.enum(['female', 'male', 'other', 'unknown'])

/** A calendar date, `1984-05-23`. */
export const CalendarDate = z.iso.date()

export const Identifier = z.object({ system: z.string().min(1).max(200), value: z.string().trim().min(1).max(64) })

/** System of the medical record numbers this installation gives. */
export const MRN_SYSTEM = 'https://carespine.example/fhir/sid/mrn'

export const PersonName = z.object({
  family: z.string().trim().min(1).max(80),
  given: z.string().trim().min(1).max(120),
})

/** Codes of FHIR's marital-status value set: v3 MaritalStatus, and `UNK` for unknown. */
const MaritalStatus = z.enum(['A', 'D', 'I', 'L', 'M', 'P', 'S', 'T', 'U', 'W', 'UNK'])

export const Demographics = z.object({
  name: PersonName,
  /** The same name in Arabic script. */
  nameArabic: PersonName.optional(),
  sex: Sex,
  birthDate: CalendarDate,
  phone: z.string().trim().max(30).regex(/^[+\d][\d\s()-]{4,}$/).optional(),
  email: z.email().max(200).optional(),
  addressLine: z.string().trim().max(200).optional(),
  city: z.string().trim().max(80).optional(),
  maritalStatus: MaritalStatus.optional(),
  identifiers: z.array(Identifier).max(10).default([]),
})

/** A name of which parts are corrected: what is left out stays, `given: null` takes the given names away. */
const ChangedName = z.object({ family: PersonName.shape.family.optional(), given: PersonName.shape.given.nullable().optional() })

/** Corrections of demographics. What is left out stays, null deletes; the name can be corrected, not deleted. */
const ChangedDemographics = z.object({
  name: ChangedName.optional(),
  nameArabic: ChangedName.nullable().optional(),
  sex: Sex.nullable().optional(),
  birthDate: CalendarDate.nullable().optional(),
  phone: Demographics.shape.phone.nullable(),
  email: Demographics.shape.email.nullable(),
  /** Both null: no address at all is kept. */
  addressLine: Demographics.shape.addressLine.nullable(),
  city: Demographics.shape.city.nullable(),
  maritalStatus: MaritalStatus.nullable().optional(),
  /** Each replaces the one of its system; an MRN stays what it is. */
  identifiers: z.array(Identifier).max(10).default([]),
  /** Systems whose identifiers are deleted. */
  withoutIdentifiers: z.array(Identifier.shape.system).max(20).default([]),
})

export const PatientSummary = z.object({
  id: z.string(),
  version: z.string(),
  mrn: z.string().optional(),
  name: z.string(),
  nameArabic: z.string().optional(),
  sex: Sex,
  birthDate: z.string().optional(),
  deceased: z.boolean(),
  phone: z.string().optional(),
})
export type PatientSummary = z.infer<typeof PatientSummary>

export const Allergy = z.object({
  id: z.string(),
  version: z.string(),
  substance: z.string(),
  substanceArabic: z.string().optional(),
  code: z.string().optional(),
  criticality: z.enum(['low', 'high', 'unable-to-assess']).optional(),
  reaction: z.string().optional(),
  reactionArabic: z.string().optional(),
  recordedAt: z.string().optional(),
})
export type Allergy = z.infer<typeof Allergy>

export const PatientBanner = z.object({
  patient: PatientSummary,
  allergies: z.array(Allergy),
  /** Somebody recorded that there are none; without it and without allergies nobody has asked yet. */
  noKnownAllergies: z.boolean(),
  details: Demographics.partial(),
})
export type PatientBanner = z.infer<typeof PatientBanner>

export const searchPatients = action({
  kind: 'query',
  name: 'registration.search',
  allow: 'registration.read',
  summary: 'Finds patients by name (Arabic or Latin, beginnings of words), MRN, phone or birth date, as one types.',
  input: z.object({
    text: z.string().trim().max(120),
    limit: z.number().int().min(1).max(50).default(20),
    cursor: z.string().max(500).optional(),
  }),
  output: z.object({ patients: z.array(PatientSummary), next: z.string().optional() }),
})

export const findByIdentifier = action({
  kind: 'query',
  name: 'registration.find-by-identifier',
  allow: 'registration.read',
  summary: 'The patient who carries an identifier, if exactly one does.',
  input: Identifier,
  output: z.object({ patient: PatientSummary.optional() }),
})

export const DuplicateCandidate = z.object({
  patient: PatientSummary,
  /** Probability that this is the person, 0 to 1. */
  score: z.number(),
  /** As FHIR grades a match (http://hl7.org/fhir/R4/valueset-match-grade.html). */
  grade: z.enum(['certain', 'probable', 'possible']),
  reasons: z.array(z.enum(['identifier', 'name', 'similar-name', 'birth-date', 'similar-birth-date', 'phone', 'email', 'address', 'sex'])),
})
export type DuplicateCandidate = z.infer<typeof DuplicateCandidate>

export const findDuplicates = action({
  kind: 'query',
  name: 'registration.find-duplicates',
  allow: 'registration.read',
  summary: 'Patients who may be the person about to be registered, most alike first.',
  input: Demographics,
  output: z.object({ candidates: z.array(DuplicateCandidate) }),
})

export const matchPatient = action({
  kind: 'query',
  name: 'registration.match',
  allow: 'registration.read',
  summary: 'Patients who may be the one described, most alike first; by the same rule as duplicates.',
  input: z.object({
    patient: z.custom<Patient>((value) => (value as Patient | undefined)?.resourceType === 'Patient', 'Send a Patient.'),
    /** Only the one who certainly is the person; nobody when there are several. */
    onlyCertain: z.boolean().default(false),
    limit: z.number().int().min(1).max(50).default(10),
  }),
  output: z.object({ candidates: z.array(DuplicateCandidate) }),
})

export const registerPatient = action({
  kind: 'command',
  name: 'registration.register',
  allow: 'registration.write',
  summary: 'Registers a patient and gives an MRN. Refused when the person seems registered already, unless that is denied.',
  input: Demographics.extend({
    /** Candidates that were looked at and are somebody else. */
    notDuplicateOf: z.array(z.string()).max(50).default([]),
    /** Names of outside systems whose word on identity is taken without the duplicate check. */
    trustedSource: z.string().max(60).optional(),
  }),
  output: z.object({ patientId: z.string(), mrn: z.string() }),
})

export const updatePatient = action({
  kind: 'command',
  name: 'registration.update',
  allow: 'registration.write',
  summary: 'Corrects demographics. Fields left out stay, null deletes; `version` is the one that was read.',
  input: ChangedDemographics.extend({ patientId: z.string(), version: z.string().optional() }),
  output: z.object({ version: z.string() }),
})

export const getBanner = action({
  kind: 'query',
  name: 'registration.banner',
  allow: 'registration.read',
  summary: 'Who the patient is and what they are allergic to.',
  input: z.object({ patientId: z.string() }),
  output: PatientBanner,
})

export const addAllergy = action({
  kind: 'command',
  name: 'registration.add-allergy',
  allow: 'registration.write',
  summary: 'Records an allergy or intolerance.',
  input: z.object({
    patientId: z.string(),
    substance: z.string().trim().min(1).max(120),
    substanceArabic: z.string().trim().max(120).optional(),
    coding: z.object({ system: z.string(), code: z.string() }).optional(),
    criticality: z.enum(['low', 'high', 'unable-to-assess']).default('unable-to-assess'),
    reaction: z.string().trim().max(200).optional(),
  }),
  output: z.object({ allergyId: z.string() }),
})

export const removeAllergy = action({
  kind: 'command',
  name: 'registration.remove-allergy',
  allow: 'registration.write',
  summary: 'Takes an allergy off the list, as entered in error or refuted; the record of it stays.',
  input: z.object({
    allergyId: z.string(),
    reason: z.enum(['entered-in-error', 'refuted', 'resolved']),
    note: z.string().trim().max(300).optional(),
  }),
  output: z.object({ allergyId: z.string() }),
})

const AboutPatient = z.object({ patientId: z.string() })

export const PatientCreated = event('patient.created', 1, 'A patient was registered.', AboutPatient)
export const PatientUpdated = event('patient.updated', 1, 'Demographics of a patient changed.', AboutPatient)
export const AllergyAdded = event(
  'patient.allergy.added',
  1,
  'An allergy or intolerance was recorded.',
  AboutPatient.extend({ allergyId: z.string() }),
)
export const AllergyRemoved = event(
  'patient.allergy.removed',
  1,
  'An allergy was refuted, resolved or found entered in error.',
  AboutPatient.extend({ allergyId: z.string(), reason: z.string() }),
)

export const refusals = {
  REGISTRATION_POSSIBLE_DUPLICATE: {
    status: 409,
    message: 'This person may be registered already. Look at the candidates, or say that they are somebody else.',
  },
  REGISTRATION_IDENTIFIER_TAKEN: { status: 409, message: 'Another patient carries this identifier.' },
  REGISTRATION_BIRTH_DATE_FUTURE: { status: 422, message: 'The birth date lies in the future. Correct `birthDate`.' },
  REGISTRATION_ALLERGY_KNOWN: { status: 409, message: 'This allergy is on the list already.' },
  REGISTRATION_ALLERGY_NOT_ACTIVE: { status: 409, message: 'This allergy is not on the active list any more.' },
} as const
