import { action, question, z } from '@carespine/kit/contract'

/** Portals are roles and roles are portals; `system` is for clients without a person. */
export const PORTALS = ['hub', 'patient', 'provider', 'admin', 'lab', 'pharmacy', 'billing', 'radiology', 'nurse', 'it'] as const
export const Portal = z.enum(PORTALS)
export type Portal = z.infer<typeof Portal>

export const Branch = z.object({ id: z.string(), code: z.string(), name: z.string(), nameArabic: z.string() })
export type Branch = z.infer<typeof Branch>

/** Who is signed in, as screens see it. */
export const SignedIn = z.object({
  id: z.string(),
  email: z.string(),
  display: z.string(),
  roles: z.array(z.string()),
  permissions: z.array(z.string()),
  branches: z.array(Branch),
  branch: z.string(),
  portal: z.string().optional(),
  practitioner: z.string().optional(),
  patient: z.string().optional(),
  /** By when the account has to have a second factor, as long as it has none. */
  factorDue: z.string().optional(),
  locale: z.string(),
})
export type SignedIn = z.infer<typeof SignedIn>

/** How long a session may still last; the server ends it, screens say so in time. */
export const SessionClock = z.object({
  /** Seconds without activity after which it ends. */
  idleSeconds: z.number(),
  /** Seconds from now to its end, whatever is done. */
  secondsLeft: z.number(),
})
export type SessionClock = z.infer<typeof SessionClock>

/** Why there is no session to go on with, in the details of IDENTITY_REFRESH_INVALID. */
export type SessionEnd = 'idle' | 'too long' | 'ended' | 'unknown'

/** Seconds since somebody last touched the screen; a caller without one leaves it out, and every call is activity. */
export const Activity = z.object({ idleSeconds: z.number().min(0).max(86_400).default(0) })

export const Login = z.object({ email: z.string().trim().min(3).max(200), password: z.string().min(1).max(200), portal: Portal })

export const Setup = z.object({
  token: z.string().min(20).max(100),
  email: z.email().max(200),
  password: z.string().min(12).max(200),
  displayName: z.string().trim().min(2).max(120),
  branchName: z.string().trim().min(2).max(120).default('Main hospital'),
  branchNameArabic: z.string().trim().min(2).max(120).default('المستشفى الرئيسي'),
})

export const User = z.object({
  id: z.string(),
  email: z.string(),
  display: z.string(),
  roles: z.array(z.string()),
  branch: z.string(),
  active: z.boolean(),
})

export type User = z.infer<typeof User>

export const listUsers = action({
  kind: 'query',
  name: 'identity.users',
  allow: 'identity.manage',
  summary: 'All accounts.',
  input: z.object({}),
  output: z.object({ users: z.array(User) }),
})

export const createUser = action({
  kind: 'command',
  name: 'identity.create-user',
  allow: 'identity.manage',
  summary: 'Makes an account for a member of staff.',
  secret: true,
  input: z.object({
    email: z.email().max(200),
    password: z.string().min(12).max(200),
    display: z.string().trim().min(2).max(120),
    roles: z.array(Portal).min(1),
    branches: z.array(z.uuid()).min(1),
    /** Id of the Practitioner who this is; without one, staff get a Practitioner of their own. */
    practitioner: z.string().max(64).optional(),
    locale: z.enum(['en', 'ar']).default('en'),
  }),
  output: z.object({ userId: z.string() }),
})

export const disableUser = action({
  kind: 'command',
  name: 'identity.disable-user',
  allow: 'identity.manage',
  summary: 'Closes an account; its sign-ins end within seconds.',
  input: z.object({ userId: z.uuid() }),
  output: z.object({ userId: z.string() }),
})

export const OpenSession = z.object({
  id: z.string(),
  portal: z.string(),
  startedAt: z.string(),
  /** When its person last did something. */
  activeAt: z.string(),
  /** Browser and system, such as `Chrome, Windows`; empty when it does not say. */
  device: z.string(),
  address: z.string(),
  /** The one that asks. */
  current: z.boolean(),
})
export type OpenSession = z.infer<typeof OpenSession>

export const mySessions = action({
  kind: 'query',
  name: 'identity.my-sessions',
  allow: 'signed-in',
  summary: 'Where the one who asks is signed in.',
  input: z.object({}),
  output: z.object({ sessions: z.array(OpenSession) }),
})

export const endMySessions = action({
  kind: 'command',
  name: 'identity.end-my-sessions',
  allow: 'signed-in',
  summary: 'Ends one session of the one who asks, or without `sessionId` all others.',
  input: z.object({ sessionId: z.uuid().optional() }),
  output: z.object({ ended: z.number() }),
})

export const sessionsOf = action({
  kind: 'query',
  name: 'identity.sessions-of',
  allow: 'identity.manage',
  summary: 'Where a user is signed in.',
  input: z.object({ userId: z.uuid() }),
  output: z.object({ sessions: z.array(OpenSession) }),
})

export const endSessionsOf = action({
  kind: 'command',
  name: 'identity.end-sessions-of',
  allow: 'identity.manage',
  summary: 'Ends one session of a user, or without `sessionId` all of them.',
  stepUp: 5,
  input: z.object({ userId: z.uuid(), sessionId: z.uuid().optional() }),
  output: z.object({ ended: z.number() }),
})

/** The branches of this installation, in the order they were made. */
export const branches = question({
  name: 'identity.branches',
  input: z.object({}),
  output: z.object({ branches: z.array(Branch) }),
})

/** Users who are these practitioners, or who have a role at a branch. */
export const usersWho = question({
  name: 'identity.users-who',
  input: z.object({
    practitioners: z.array(z.string()).max(100).default([]),
    role: z.object({ name: z.string(), branch: z.string() }).optional(),
  }),
  output: z.object({ userIds: z.array(z.string()) }),
})

/** Practitioners who have a role at a branch. */
export const practitionersWith = question({
  name: 'identity.practitioners-with',
  input: z.object({ role: Portal, branch: z.string() }),
  output: z.object({ practitioners: z.array(z.string()) }),
})

/** An app that acts for an account, or for itself. */
const App = z.object({ client: z.string(), scope: z.string(), grant: z.string().optional() })

/** What an account may do and see at this moment, itself or through an app; undefined when it is closed or gone, or what it allowed. */
export const actorNow = question({
  name: 'identity.actor-now',
  input: z.object({ kind: z.enum(['user', 'client']), id: z.string(), portal: z.string().optional(), app: App.optional() }),
  output: z.object({
    actor: z
      .object({
        kind: z.enum(['user', 'client']),
        id: z.string(),
        display: z.string(),
        roles: z.array(z.string()),
        permissions: z.array(z.string()),
        branches: z.array(z.string()),
        branch: z.string(),
        patient: z.string().optional(),
        practitioner: z.string().optional(),
        portal: z.string().optional(),
        guard: z.object({ person: z.string(), widened: z.boolean() }).optional(),
        app: App.optional(),
        narrowing: z.record(z.string(), z.object({ patient: z.string().optional(), terms: z.array(z.string()).optional() })).optional(),
      })
      .optional(),
  }),
})

export const refusals = {
  IDENTITY_WRONG_PASSWORD: { status: 401, message: 'E-mail or password is wrong.' },
  IDENTITY_WAIT: { status: 429, message: 'Too many wrong passwords. Wait as long as the details say, then try again.' },
  IDENTITY_PORTAL_NOT_YOURS: { status: 403, message: 'This account has no access to this portal. Choose another one.' },
  IDENTITY_TOKEN_INVALID: { status: 401, message: 'The sign-in has ended or is not valid. Sign in again.' },
  IDENTITY_REFRESH_INVALID: { status: 401, message: 'The session has ended. Sign in again.' },
  IDENTITY_SESSION_GONE: { status: 404, message: 'This session has ended already.' },
  IDENTITY_PERSON_NEEDED: { status: 403, message: 'This is for people who signed in, not for clients.' },
  IDENTITY_CSRF_HEADER: { status: 403, message: 'Send the header X-Carespine-Csrf with this request.' },
  IDENTITY_SETUP_INVALID: { status: 410, message: 'This set-up link was used or has expired. Restart the server for a new one.' },
  IDENTITY_EMAIL_TAKEN: { status: 409, message: 'An account with this e-mail exists.' },
} as const
