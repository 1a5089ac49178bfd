// Second factors, proofs of who one is, and the shared computer of a ward, as screens see them.
import { action, event, z } from '@carespine/kit/contract'

/** Minutes for which a proof holds before factors may be changed; a sign-in is one. */
const OWN = 10
/** The same for what is done to other people's accounts. */
export const OTHERS = 5

/** By what somebody shows who they are, after the password or instead of it. */
export const Method = z.enum(['totp', 'passkey', 'recovery', 'password'])
export type Method = z.infer<typeof Method>

/** What a browser's authenticator answered (WebAuthn); read in full by the library that checks it. */
const Signed = z.looseObject({ id: z.string().max(1400), rawId: z.string(), type: z.literal('public-key'), response: z.record(z.string(), z.unknown()), clientExtensionResults: z.record(z.string(), z.unknown()) })
const Options = z.record(z.string(), z.unknown())

const Code = z.string().trim().regex(/^\d{6}$/)
const RecoveryCode = z.string().trim().min(16).max(30)

/** One way to show who one is. */
export const Proof = z.union([
  z.strictObject({ code: Code }),
  z.strictObject({ recoveryCode: RecoveryCode }),
  z.strictObject({ passkey: Signed }),
  z.strictObject({ password: z.string().min(1).max(200) }),
])
export type Proof = z.infer<typeof Proof>

/** What is demanded between the password and the session; the token is good for this alone, and for five minutes. */
export const SecondStep = z.object({ token: z.string(), methods: z.array(Method), secondsLeft: z.number() })
export type SecondStep = z.infer<typeof SecondStep>

export const SecondStepAnswer = z.object({ token: z.string().min(20).max(100), proof: Proof })
export const SecondStepQuestion = SecondStepAnswer.pick({ token: true })
export const Nothing = z.object({})

export const PasskeySignIn = z.object({ portal: z.string().max(20), passkey: Signed })
export const StepUp = z.object({ proof: Proof })
/** What somebody can show at a step-up, and what their passkeys are to sign. */
export const StepUpWays = z.object({ methods: z.array(Method), passkey: Options.optional() })
export type StepUpWays = z.infer<typeof StepUpWays>

export const Passkey = z.object({ id: z.string(), name: z.string(), addedAt: z.string(), usedAt: z.string().optional() })
export type Passkey = z.infer<typeof Passkey>

export const myFactors = action({
  kind: 'query',
  name: 'identity.my-factors',
  allow: 'signed-in',
  summary: 'What the one who asks can show beside the password.',
  input: z.object({}),
  output: z.object({
    totpSince: z.string().optional(),
    passkeys: z.array(Passkey),
    /** Host that passkeys belong to; at another address they cannot be used. */
    passkeyHost: z.string(),
    recoveryCodes: z.number(),
    pinSince: z.string().optional(),
    badgeSince: z.string().optional(),
    /** True when a role of this account has to have a second factor. */
    demanded: z.boolean(),
  }),
})
export type MyFactors = z.infer<typeof myFactors.output>

export const beginTotp = action({
  kind: 'command',
  name: 'identity.begin-totp',
  allow: 'signed-in',
  summary: 'A new secret for an authenticator app (RFC 6238); it counts once a code of it was sent.',
  stepUp: OWN,
  secret: true,
  input: z.object({}),
  output: z.object({ secret: z.string(), uri: z.string() }),
})

const NewCodes = z.object({
  /** Shown this once; with the first factor, and when they are made anew. */
  recoveryCodes: z.array(z.string()).optional(),
})

export const confirmTotp = action({
  kind: 'command',
  name: 'identity.confirm-totp',
  allow: 'signed-in',
  summary: 'The first code of a new authenticator app; from now on it is asked for.',
  secret: true,
  input: z.object({ code: Code }),
  output: NewCodes,
})

export const removeTotp = action({
  kind: 'command',
  name: 'identity.remove-totp',
  allow: 'signed-in',
  summary: 'Forgets the authenticator app.',
  stepUp: OWN,
  input: z.object({}),
  output: z.object({}),
})

export const beginPasskey = action({
  kind: 'command',
  name: 'identity.begin-passkey',
  allow: 'signed-in',
  summary: 'What a browser needs to make a passkey (WebAuthn).',
  stepUp: OWN,
  secret: true,
  input: z.object({}),
  output: z.object({ options: Options }),
})

export const addPasskey = action({
  kind: 'command',
  name: 'identity.add-passkey',
  allow: 'signed-in',
  summary: 'Keeps a passkey that the browser made.',
  secret: true,
  input: z.object({ name: z.string().trim().min(1).max(60), passkey: Signed }),
  output: NewCodes,
})

export const removePasskey = action({
  kind: 'command',
  name: 'identity.remove-passkey',
  allow: 'signed-in',
  summary: 'Forgets a passkey.',
  stepUp: OWN,
  input: z.object({ id: z.string().max(1400) }),
  output: z.object({}),
})

export const renewRecoveryCodes = action({
  kind: 'command',
  name: 'identity.renew-recovery-codes',
  allow: 'signed-in',
  summary: 'Ten new recovery codes; those before stop working.',
  stepUp: OWN,
  secret: true,
  input: z.object({}),
  output: z.object({ recoveryCodes: z.array(z.string()) }),
})

export const setPin = action({
  kind: 'command',
  name: 'identity.set-pin',
  allow: 'signed-in',
  summary: 'The PIN for enrolled computers of a ward.',
  stepUp: OWN,
  secret: true,
  input: z.object({ pin: z.string().regex(/^\d{4,8}$/) }),
  output: z.object({}),
})

export const removePin = action({
  kind: 'command',
  name: 'identity.remove-pin',
  allow: 'signed-in',
  summary: 'Forgets the PIN.',
  stepUp: OWN,
  input: z.object({}),
  output: z.object({}),
})

export const setBadge = action({
  kind: 'command',
  name: 'identity.set-badge',
  allow: 'signed-in',
  summary: 'The badge that names its bearer at enrolled computers of a ward, as a scanner reads it.',
  stepUp: OWN,
  secret: true,
  input: z.object({ code: z.string().trim().min(4).max(100) }),
  output: z.object({}),
})

export const removeBadge = action({
  kind: 'command',
  name: 'identity.remove-badge',
  allow: 'signed-in',
  summary: 'Forgets the badge.',
  stepUp: OWN,
  input: z.object({}),
  output: z.object({}),
})

export const factorsOf = action({
  kind: 'query',
  name: 'identity.factors-of',
  allow: 'identity.manage',
  summary: 'What a user can show beside the password.',
  input: z.object({ userId: z.uuid() }),
  output: z.object({ totp: z.boolean(), passkeys: z.number(), recoveryCodes: z.number(), pin: z.boolean(), badge: z.boolean() }),
})

export const resetFactors = action({
  kind: 'command',
  name: 'identity.reset-factors',
  allow: 'identity.manage',
  summary: 'Forgets every factor, the PIN and the badge of a user, and ends their sessions; the time to enrol begins anew.',
  stepUp: OTHERS,
  input: z.object({ userId: z.uuid() }),
  output: z.object({ ended: z.number() }),
})

export const factorPolicy = action({
  kind: 'query',
  name: 'identity.factor-policy',
  allow: 'identity.manage',
  summary: 'Which roles have to have a second factor, since when, and how many days they are given.',
  input: z.object({}),
  output: z.object({ demanded: z.array(z.object({ role: z.string(), days: z.number(), since: z.string() })) }),
})

export const demandFactor = action({
  kind: 'command',
  name: 'identity.demand-factor',
  allow: 'identity.manage',
  summary: 'Demands a second factor of a role after so many days, or of nobody in it with `days` null.',
  stepUp: OTHERS,
  input: z.object({ role: z.string().min(1).max(40), days: z.number().int().min(0).max(90).nullable() }),
  output: z.object({}),
})

export const WardComputer = z.object({
  id: z.string(),
  name: z.string(),
  branch: z.string(),
  enrolledAt: z.string(),
  enrolledBy: z.string(),
  usedAt: z.string().optional(),
})
export type WardComputer = z.infer<typeof WardComputer>

export const wardComputers = action({
  kind: 'query',
  name: 'identity.ward-computers',
  allow: 'identity.ward-computers',
  summary: 'Computers of the asker’s branches where people may change over by badge and PIN.',
  input: z.object({}),
  output: z.object({ computers: z.array(WardComputer) }),
})

export const revokeWardComputer = action({
  kind: 'command',
  name: 'identity.revoke-ward-computer',
  allow: 'identity.ward-computers',
  summary: 'Takes a computer out; sessions that began there by PIN end.',
  input: z.object({ id: z.uuid() }),
  output: z.object({ ended: z.number() }),
})

export const EnrolComputer = z.object({ name: z.string().trim().min(2).max(60) })

/** The computer that asks, and who may go on at it with a PIN. */
export const WardPeople = z.object({
  computer: z.object({ name: z.string(), branch: z.string(), branchArabic: z.string() }).optional(),
  people: z.array(z.object({ id: z.string(), display: z.string() })),
})
export type WardPeople = z.infer<typeof WardPeople>

export const PinSignIn = z.object({
  /** What the scanner read, or whom the person chose. */
  who: z.union([z.strictObject({ badge: z.string().trim().min(1).max(100) }), z.strictObject({ userId: z.uuid() })]),
  pin: z.string().regex(/^\d{1,8}$/),
  /** Default: the one that the person last used. */
  portal: z.string().max(20).optional(),
})

export const FactorChanged = event(
  'identity.factor-changed',
  1,
  'What somebody signs in with changed, or a recovery code was used.',
  z.object({ userId: z.string(), change: z.enum(['factor-added', 'factor-removed', 'factors-reset', 'recovery-code-used']) }),
)

export const factorRefusals = {
  IDENTITY_FACTOR_WRONG: { status: 401, message: 'The code, the passkey or the password is wrong, or was used before.' },
  IDENTITY_SECOND_STEP_OVER: { status: 401, message: 'The time for the second step is over. Sign in again with e-mail and password.' },
  IDENTITY_FACTOR_OVERDUE: { status: 403, message: 'This account has to have a second factor and has none. Ask an administrator to reset its factors, which gives time to add one.' },
  IDENTITY_FACTOR_DEMANDED: { status: 409, message: 'A role of this account has to have a second factor. Add another one before this one goes.' },
  IDENTITY_ACCOUNT_UNKNOWN: { status: 404, message: 'There is no such account.' },
  IDENTITY_FACTOR_GONE: { status: 404, message: 'There is no such factor.' },
  IDENTITY_TOTP_THERE: { status: 409, message: 'This account has an authenticator app. Remove it before you add another one.' },
  IDENTITY_TOTP_NOT_BEGUN: { status: 409, message: 'No authenticator app is being added. Begin again.' },
  IDENTITY_PASSKEY_REFUSED: { status: 422, message: 'The passkey was not made for this address, or took too long. Begin again.' },
  IDENTITY_PASSKEY_UNKNOWN: { status: 401, message: 'This passkey opens no account here. Sign in with e-mail and password.' },
  IDENTITY_PIN_TRIVIAL: { status: 422, message: 'This PIN is among the first that somebody would try. Choose one without a row, a repetition or a year.' },
  IDENTITY_PIN_WRONG: { status: 401, message: 'Badge, name or PIN is wrong.' },
  IDENTITY_PIN_CLOSED: { status: 403, message: 'The PIN works after a sign-in with e-mail and password within the last twelve hours, until it was wrong five times. Sign in that way.' },
  IDENTITY_BADGE_TAKEN: { status: 409, message: 'This badge belongs to another account.' },
  IDENTITY_COMPUTER_UNKNOWN: { status: 403, message: 'This computer is not enrolled for sign-in by PIN. Sign in with e-mail and password.' },
  IDENTITY_COMPUTER_GONE: { status: 404, message: 'There is no such computer at your branches.' },
} as const
