import { action, event, question, z } from '@carespine/kit/contract'

const Why = z.string().trim().min(5).max(500)

/** Why somebody may have to see what is closed to them; each asks for words beside it. */
export const GLASS_REASONS = ['life-threat', 'unconscious', 'cover', 'transfer', 'other'] as const
export const GLASS_HOURS = { least: 1, usual: 4, most: 12 } as const

/** A patient by id, or by the record number on a wristband: who is hidden is not found by search. */
const WhichPatient = { patientId: z.string().max(64).optional(), mrn: z.string().trim().min(1).max(40).optional() }

export const Team = z.object({ id: z.string(), name: z.string(), nameArabic: z.string(), members: z.array(z.string()) })
export type Team = z.infer<typeof Team>

export const listTeams = action({
  kind: 'query',
  name: 'access.teams',
  allow: 'access.manage',
  summary: 'Teams that may be named in a restriction, with the accounts in them.',
  input: z.object({}),
  output: z.object({ teams: z.array(Team) }),
})

export const saveTeam = action({
  kind: 'command',
  name: 'access.save-team',
  allow: 'access.manage',
  summary: 'Makes a team, or changes its name and who is in it.',
  input: z.object({ teamId: z.uuid().optional(), name: z.string().trim().min(2).max(120), nameArabic: z.string().trim().min(2).max(120), members: z.array(z.uuid()).max(500) }),
  output: z.object({ teamId: z.string() }),
})

export const Restriction = z.object({
  id: z.string(),
  kind: z.enum(['vip', 'own', 'family']),
  patientId: z.string(),
  mrn: z.string().optional(),
  person: z.string().optional(),
  teams: z.array(z.string()),
  people: z.array(z.string()),
  reason: z.string(),
  author: z.string(),
  at: z.string(),
})
export type Restriction = z.infer<typeof Restriction>

export const listRestrictions = action({
  kind: 'query',
  name: 'access.restrictions',
  allow: 'access.manage',
  summary: 'Restrictions of patients that stand, latest first.',
  input: z.object({}),
  output: z.object({ restrictions: z.array(Restriction) }),
})

export const restrictPatient = action({
  kind: 'command',
  name: 'access.restrict',
  allow: 'access.manage',
  summary: 'Closes the record of a patient: to all but named teams and people, or to a member of staff whose own or family member it is.',
  input: z
    .object({
      ...WhichPatient,
      kind: z.enum(['vip', 'own', 'family']),
      /** Of an own or a family\'s record: whose. */
      person: z.uuid().optional(),
      teams: z.array(z.uuid()).max(50).default([]),
      people: z.array(z.uuid()).max(200).default([]),
      reason: Why,
    })
    .refine(({ kind, person }) => (kind === 'vip') === (person === undefined), { path: ['person'], error: 'Name the member of staff of an own or a family record, and of no other.' }),
  output: z.object({ restrictionId: z.string() }),
})

export const liftRestriction = action({
  kind: 'command',
  name: 'access.lift-restriction',
  allow: 'access.manage',
  summary: 'Ends a restriction.',
  input: z.object({ restrictionId: z.uuid(), reason: Why }),
  output: z.object({ restrictionId: z.string() }),
})

export const SharingConsent = z.object({ id: z.string(), kind: z.enum(['keep-apart', 'share']), branch: z.string().optional(), until: z.string().optional(), at: z.string() })

export const listConsents = action({
  kind: 'query',
  name: 'access.consents',
  allow: 'access.consent',
  summary: 'What a patient has said about sharing between branches, as far as it stands.',
  input: z.object({ patientId: z.string() }),
  output: z.object({ consents: z.array(SharingConsent) }),
})

export const recordConsent = action({
  kind: 'command',
  name: 'access.record-consent',
  allow: 'access.consent',
  summary: 'Records what a patient says about sharing: no branch sees what another has, or one branch sees all. Kept as a FHIR Consent.',
  input: z
    .object({
      patientId: z.string(),
      kind: z.enum(['keep-apart', 'share']),
      /** Of `share`: who act there see what every branch has. */
      branch: z.uuid().optional(),
      until: z.iso.datetime({ offset: true }).optional(),
    })
    .refine(({ kind, branch }) => (kind === 'share') === (branch !== undefined), { path: ['branch'], error: 'Name the branch to share with, and none otherwise.' }),
  output: z.object({ consentId: z.string() }),
})

export const withdrawConsent = action({
  kind: 'command',
  name: 'access.withdraw-consent',
  allow: 'access.consent',
  summary: 'Takes back what a patient said about sharing.',
  input: z.object({ consentId: z.string() }),
  output: z.object({ consentId: z.string() }),
})

export const breakGlass = action({
  kind: 'command',
  name: 'access.break-glass',
  allow: 'access.break-glass',
  stepUp: 10,
  summary: 'Emergency access: opens one patient to the caller for some hours, past restrictions and in every branch. The privacy officer is told.',
  input: z
    .object({
      ...WhichPatient,
      reason: z.enum(GLASS_REASONS),
      words: Why,
      hours: z.number().int().min(GLASS_HOURS.least).max(GLASS_HOURS.most).default(GLASS_HOURS.usual),
    })
    .refine(({ patientId, mrn }) => (patientId === undefined) !== (mrn === undefined), { path: ['mrn'], error: 'Name the patient by record number.' }),
  output: z.object({ glassId: z.string(), patientId: z.string(), until: z.string() }),
})

export const endGlass = action({
  kind: 'command',
  name: 'access.end-glass',
  allow: 'access.break-glass',
  summary: 'Ends emergency access of the caller before its time.',
  input: z.object({ glassId: z.uuid() }),
  output: z.object({ glassId: z.string() }),
})

export const myGlass = action({
  kind: 'query',
  name: 'access.my-glass',
  allow: 'access.break-glass',
  summary: 'Emergency access of the caller that lasts.',
  input: z.object({}),
  output: z.object({ glasses: z.array(z.object({ id: z.string(), patientId: z.string(), mrn: z.string().optional(), until: z.string() })) }),
})

export const Glass = z.object({
  id: z.string(),
  branch: z.string(),
  person: z.string(),
  mrn: z.string().optional(),
  reason: z.enum(GLASS_REASONS),
  words: z.string(),
  brokenAt: z.string(),
  until: z.string(),
  endedAt: z.string().optional(),
  verdict: z.enum(['justified', 'not-justified']).optional(),
  reviewer: z.string().optional(),
  comment: z.string().optional(),
})
export type Glass = z.infer<typeof Glass>

/** Where a page of the list ends: the time to the microsecond, and which of those at that time. */
const GlassPlace = z.object({ at: z.iso.datetime({ offset: true }), id: z.uuid() })

export const listGlasses = action({
  kind: 'query',
  name: 'access.glasses',
  allow: 'access.review',
  summary: 'Emergency access of the branches of the caller, latest first: to be reviewed, or all.',
  input: z.object({ only: z.enum(['open', 'all']).default('open'), cursor: GlassPlace.optional() }),
  output: z.object({ glasses: z.array(Glass), next: GlassPlace.optional() }),
})

export const reviewGlass = action({
  kind: 'command',
  name: 'access.review-glass',
  allow: 'access.review',
  summary: 'Judges emergency access: justified or not. Not by the one who used it.',
  input: z.object({ glassId: z.uuid(), verdict: z.enum(['justified', 'not-justified']), comment: Why }),
  output: z.object({ glassId: z.string() }),
})

/** Which patient is meant, whoever may see them. For rules about patients; shown to nobody. */
export const whichPatient = question({
  name: 'access.which-patient',
  input: z.object(WhichPatient),
  output: z.object({ patientId: z.string().optional(), mrn: z.string().optional() }),
})

export const GlassBroken = event(
  'access.glass-broken',
  1,
  'Somebody opened a patient in an emergency; privacy officers look at it.',
  z.object({ glassId: z.string(), reason: z.enum(GLASS_REASONS) }),
)

export const refusals = {
  ACCESS_PATIENT_UNKNOWN: { status: 404, message: 'No patient here has this record number.' },
  ACCESS_RESTRICTION_UNKNOWN: { status: 404, message: 'No restriction that stands has this id.' },
  ACCESS_CONSENT_UNKNOWN: { status: 404, message: 'No consent to sharing that stands has this id.' },
  ACCESS_BRANCH_UNKNOWN: { status: 422, message: 'There is no such branch. Name one of the list.' },
  ACCESS_OWN_RECORD: { status: 403, message: 'The record is your own or a relative\'s. It is not opened by you, in an emergency either: ask a colleague.' },
  ACCESS_PERSON_NEEDED: { status: 403, message: 'Only a person may use emergency access.' },
  ACCESS_GLASS_UNKNOWN: { status: 404, message: 'No emergency access has this id.' },
  ACCESS_GLASS_OVER: { status: 409, message: 'This emergency access has ended.' },
  ACCESS_GLASS_REVIEWED: { status: 409, message: 'This emergency access was reviewed already.' },
  ACCESS_OWN_REVIEW: { status: 403, message: 'Nobody reviews their own emergency access. Leave it to a colleague.' },
} as const
