import { action, z } from '@carespine/kit/contract'
import { PatientSummary } from '@carespine/registration/contract'

export const KINDS = ['public', 'confidential', 'backend'] as const
export const AUTH_METHODS = ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'] as const

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])

/**
 * Where answers may go: https; http on the person's own machine (RFC 8252, section 7.3); or the scheme of an installed app,
 * which is a domain backwards (section 7.1).
 */
export function isRedirectUri(text: string): boolean {
  const url = URL.parse(text)
  if (url === null || text.includes('#') || text.includes('*') || /\s/.test(text) || url.username + url.password !== '') return false
  if (url.protocol === 'https:') return true
  return url.protocol === 'http:' ? LOOPBACK.has(url.hostname) : /^[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+:$/.test(url.protocol)
}

function isWebPage(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && isRedirectUri(text) && (url.protocol === 'https:' || url.protocol === 'http:')
}

const Keys = z.object({ keys: z.array(z.record(z.string(), z.unknown())).min(1).max(10) })

/** What an app is registered with. */
export const AppForm = z
  .object({
    name: z.string().trim().min(2).max(80),
    nameArabic: z.string().trim().min(2).max(80),
    kind: z.enum(KINDS),
    authMethod: z.enum(AUTH_METHODS),
    redirectUris: z.array(z.string().trim().max(500).refine(isRedirectUri, 'Give https://…, http://localhost…, or the scheme of an installed app, without #.')).max(10).default([]),
    /** Where a chart opens it. */
    launchUrl: z.string().trim().max(500).refine(isWebPage, 'Give https://… or http://localhost….').optional(),
    /** The most that it may ask for, such as `patient/*.rs`. */
    scopes: z.array(z.string().trim().min(3).max(300)).min(1).max(100),
    jwksUri: z.string().trim().max(500).refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), 'Give the address of a JSON Web Key Set.').optional(),
    jwks: Keys.optional(),
  })
  .superRefine((app, check) => {
    const fault = (field: string, message: string): void => check.addIssue({ code: 'custom', path: [field], message })
    const isBackend = app.kind === 'backend'
    if ((app.kind === 'public') !== (app.authMethod === 'none')) fault('authMethod', 'A public app has none; every other has one.')
    if (isBackend && app.authMethod !== 'private_key_jwt') fault('authMethod', 'A backend service signs with its own key: private_key_jwt.')
    if (!isBackend && app.redirectUris.length === 0) fault('redirectUris', 'Give at least one.')
    if (isBackend && (app.redirectUris.length > 0 || app.launchUrl !== undefined)) fault('redirectUris', 'A backend service has no screens.')
    if (app.authMethod === 'private_key_jwt' && (app.jwksUri === undefined) === (app.jwks === undefined)) fault('jwksUri', 'Give the address of the keys, or the keys: one of them.')
    if (app.authMethod !== 'private_key_jwt' && (app.jwksUri ?? app.jwks) !== undefined) fault('jwksUri', 'Keys are for private_key_jwt alone.')
  })
export type AppForm = z.infer<typeof AppForm>

const AppName = z.object({ client: z.string(), name: z.string(), nameArabic: z.string() })

export const RegisteredApp = AppName.extend({
  kind: z.enum(KINDS),
  authMethod: z.enum(AUTH_METHODS),
  redirectUris: z.array(z.string()),
  launchUrl: z.string().optional(),
  scopes: z.array(z.string()),
  jwksUri: z.string().optional(),
  active: z.boolean(),
})
export type RegisteredApp = z.infer<typeof RegisteredApp>

export const listApps = action({ kind: 'query', name: 'smart.apps', allow: 'identity.manage', summary: 'Registered apps.', input: z.object({}), output: z.object({ apps: z.array(RegisteredApp) }) })

export const registerApp = action({
  kind: 'command',
  name: 'smart.register',
  allow: 'identity.manage',
  summary: 'Registers an app. The secret of a confidential one is in this answer and nowhere else.',
  input: AppForm,
  output: z.object({ client: z.string(), secret: z.string().optional() }),
})

export const setAppActive = action({
  kind: 'command',
  name: 'smart.set-active',
  allow: 'identity.manage',
  summary: 'Shuts an app out, or lets it in again. What it was allowed ends when it is shut out.',
  input: z.object({ client: z.uuid(), active: z.boolean() }),
  output: z.object({ client: z.string() }),
})

export const renewSecret = action({
  kind: 'command',
  name: 'smart.renew-secret',
  allow: 'identity.manage',
  summary: 'A new secret in the place of the old one; shown once.',
  input: z.object({ client: z.uuid() }),
  output: z.object({ secret: z.string() }),
})

/** One thing that an app asks for. */
export const Wish = z.object({
  scope: z.string(),
  kind: z.enum(['data', 'identity', 'stay']),
  level: z.enum(['patient', 'user']).optional(),
  type: z.string().optional(),
  reads: z.boolean(),
  writes: z.boolean(),
  /** Of a filter, its value after the system: `laboratory`. */
  filter: z.string().optional(),
})
export type Wish = z.infer<typeof Wish>

export const showRequest = action({
  kind: 'query',
  name: 'smart.request',
  allow: 'signed-in',
  summary: 'What an app asks of who is signed in.',
  input: z.object({ request: z.string().min(20).max(100) }),
  output: z.object({
    app: AppName,
    /** Where the answer goes. */
    host: z.string(),
    wishes: z.array(Wish),
    /** Whose record: chosen by the person, given by the launch or by the sign-in, or of no one patient. */
    patient: z.enum(['none', 'choose', 'given']),
    whose: PatientSummary.optional(),
    /** The same was allowed before, and need not be asked again. */
    remembered: z.boolean(),
  }),
})

export const decide = action({
  kind: 'command',
  name: 'smart.decide',
  allow: 'signed-in',
  summary: 'Allows an app what it asks for, or less, or nothing. The answer says where the browser goes on.',
  input: z.object({ request: z.string().min(20).max(100), allow: z.boolean(), scopes: z.array(z.string().max(300)).max(100).default([]), patient: z.string().max(64).optional() }),
  output: z.object({ redirect: z.string() }),
})

export const AllowedApp = AppName.extend({ scopes: z.array(z.string()), wishes: z.array(Wish), since: z.string(), usedAt: z.string() })
export type AllowedApp = z.infer<typeof AllowedApp>

export const myApps = action({ kind: 'query', name: 'smart.my-apps', allow: 'signed-in', summary: 'Apps that who is signed in allows something.', input: z.object({}), output: z.object({ apps: z.array(AllowedApp) }) })

export const takeBack = action({
  kind: 'command',
  name: 'smart.take-back',
  allow: 'signed-in',
  summary: 'Ends what who is signed in allowed an app. Its tokens are refused within seconds.',
  input: z.object({ client: z.uuid() }),
  output: z.object({ ended: z.number().int() }),
})

export const launchableApps = action({ kind: 'query', name: 'smart.launchable', allow: 'chart.read', summary: 'Apps that open from a chart.', input: z.object({}), output: z.object({ apps: z.array(AppName) }) })

export const launchApp = action({
  kind: 'command',
  name: 'smart.launch',
  allow: 'chart.read',
  summary: 'Opens a chart for an app: good for one authorization within five minutes.',
  input: z.object({ client: z.uuid(), patient: z.string().max(64), encounter: z.string().max(64).optional() }),
  output: z.object({ launchUrl: z.string(), launch: z.string() }),
})

export const refusals = {
  SMART_APP_UNKNOWN: { status: 404, message: 'No such app is registered, or it has been shut out.' },
  SMART_SCOPE_INVALID: { status: 400, message: 'A scope named in the details is none, does not suit the app, or has a filter that cannot be kept to.' },
  SMART_KEYS_INVALID: { status: 400, message: 'The keys have no public key for RS384 (RSA, 2048 bits or more) or ES384 (P-384), or hold a private one.' },
  SMART_REQUEST_OVER: { status: 410, message: 'This request of the app is over. Begin again in the app.' },
  SMART_REQUEST_OTHERS: { status: 403, message: 'The app was opened by somebody else. Open it from the chart yourself.' },
  SMART_PATIENT_NEEDED: { status: 400, message: 'Choose whose record the app may see.' },
  SMART_ENCOUNTER_OTHERS: { status: 400, message: 'The encounter is of another patient.' },
  SMART_NO_SECRET: { status: 409, message: 'This app has no secret.' },
} as const
