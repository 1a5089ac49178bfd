import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { z } from 'zod'
import { isOrigin } from './cors.ts'

const port = (fallback: number) => z.coerce.number().int().min(0).max(65_535).default(fallback)

const list = (fallback: string) =>
  z
    .string()
    .default(fallback)
    .transform((text) => [...new Set(text.split(',').map((entry) => entry.trim()))].filter((entry) => entry !== ''))

function isAddress(text: string): boolean {
  const [address = '', length = '0', ...more] = text.split('/')
  return text === 'loopback' || (isIP(address) > 0 && /^\d{1,3}$/.test(length) && Number(length) <= (isIP(address) === 4 ? 32 : 128) && more.length === 0)
}

const processRoles = ['api', 'worker', 'links', 'sockets'] as const
export type ProcessRole = (typeof processRoles)[number]

const SESSION_LIMIT = /^([a-z]+)=([1-9]\d{0,3})\/([1-9]\d{0,4})$/

const Environment = z.object({
  PORT: port(8080),
  HOST: z.string().min(1).default('127.0.0.1'),
  HL7_PORT: port(2575),
  CARESPINE_DATA: z.string().min(1).default('./data'),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  ROLES: list(processRoles.join(',')).pipe(z.array(z.enum(processRoles)).min(1)),
  PUBLIC_URL: z.url({ protocol: /^https?$/ }).optional(),
  CARESPINE_DEMO: z.enum(['on', 'off']).default('on'),
  CARESPINE_KEK: z.string().optional(),
  CARESPINE_KEK_FILE: z.string().optional(),
  CARESPINE_KMS_URL: z.url({ protocol: /^https?$/ }).optional(),
  CARESPINE_KMS_KEY: z.string().regex(/^[\w.-]+$/, 'give the name of a key of the transit engine').default('carespine'),
  CARESPINE_KMS_MOUNT: z.string().regex(/^[\w./-]+$/, 'give the path that the transit engine is mounted under').default('transit'),
  CARESPINE_KMS_TOKEN: z.string().optional(),
  CARESPINE_KMS_TOKEN_FILE: z.string().optional(),
  CARESPINE_KMS_MINUTES: z.coerce.number().min(0.01).max(10_080).default(720),
  METRICS_ACCESS: z.enum(['local', 'token']).default('local'),
  TRUSTED_PROXIES: list('').pipe(z.array(z.string().refine(isAddress, 'give addresses, subnets such as 10.0.0.0/8, or loopback'))),
  CORS_ORIGINS: list('').pipe(z.array(z.string().refine(isOrigin, 'give origins such as https://app.example.org, without a path, or *'))),
  FHIR_PROFILES: list('').pipe(z.array(z.string().regex(/^[A-Z][A-Za-z]+=[a-z]+:\S+$/, 'give pairs such as Patient=https://example.org/StructureDefinition/patient'))),
  FHIR_UNKNOWN_PROFILES: z.enum(['accept', 'refuse']).default('accept'),
  FHIR_REFERENCES: z.enum(['any', 'existing']).default('any'),
  SUBSCRIPTION_HOSTS: list('').pipe(z.array(z.string().regex(/^[\w.-]+(:\d+)?$|^\[[\da-f:]+\](:\d+)?$/i, 'give hosts such as bridge.hospital.local or 10.0.0.5:8443'))),
  APP_KEY_HOSTS: list('').pipe(z.array(z.string().regex(/^[\w.-]+(:\d+)?$|^\[[\da-f:]+\](:\d+)?$/i, 'give hosts such as gateway.hospital.local or 10.0.0.5:8443'))),
  BULK_IMPORT_ORIGINS: list('').pipe(z.array(z.string().refine(isOrigin, 'give origins such as https://files.example.org, without a path, or * for every public one over https'))),
  BULK_FILE_HOURS: z.coerce.number().int().min(1).max(720).default(24),
  MAIL_URL: z.url({ protocol: /^smtps?$/ }).optional(),
  MAIL_FROM: z.email().optional(),
  MAIL_TLS: z.enum(['required', 'optional']).default('required'),
  MAIL_CONTENT: z.enum(['no-resources', 'resources']).default('no-resources'),
  SESSION_LIMITS: list('').pipe(z.array(z.string().regex(SESSION_LIMIT, 'give minutes idle and altogether by portal, such as nurse=5/720,patient=60/1440'))),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('warn'),
})

/** Keys in base64 in the environment, a file of them, or a service that holds one. */
export type KekPlace =
  | { text: string }
  | { file: string }
  | { url: string; key: string; mount: string; token: { value: string } | { file: string }; leaseMinutes: number }

/** How this process runs; from environment variables alone. */
export interface Config {
  port: number
  host: string
  hl7Port: number
  dataFolder: string
  databaseUrl?: string
  roles: readonly ProcessRole[]
  /** Where people reach the portals, without a slash at its end: `https://carespine.example.org`. */
  publicUrl?: string
  demo: boolean
  /** Where the key-encryption key is, when it does not lie in the data folder. */
  kek?: KekPlace
  /** Who may read /metrics: callers on this machine and those with a token, or only those with a token. */
  metricsAccess: 'local' | 'token'
  /** Whose X-Forwarded headers are believed. */
  trustedProxies: readonly string[]
  /** Origins whose pages may call FHIR and sign-in for apps; `*` for all. */
  corsOrigins: readonly string[]
  /** What the installation asks of every resource beyond R4. */
  validation: {
    /** By type: profiles, one of which at least each resource has to fit. */
    demanded: ReadonlyMap<string, readonly string[]>
    unknownProfiles: 'accept' | 'refuse'
    references: 'any' | 'existing'
  }
  subscriptions: {
    /** Hosts that rest-hooks may reach over http, or inside the hospital's network. */
    trustedHosts: readonly string[]
    /** Absent: no e-mail is sent. */
    mail?: { url: string; from: string; tls: 'required' | 'optional'; content: 'no-resources' | 'resources' }
  }
  apps: {
    /** Hosts that keys of clients may be fetched from over http, or inside the hospital's network. */
    keyHosts: readonly string[]
  }
  bulk: {
    /** Origins that `$import` may fetch from; `*` for every public one over https. */
    importOrigins: readonly string[]
    /** Hours after which the files of a bulk job are removed. */
    fileHours: number
  }
  /** By portal: minutes without activity and altogether after which a session ends, where they are not those that ship. */
  sessions: Readonly<Record<string, { idleMinutes: number; minutes: number }>>
  logLevel: string
}

/** Reads the environment. Throws one line for each variable that is wrong, naming it. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''))
  const parsed = Environment.safeParse(given)
  if (!parsed.success) {
    throw new Error(parsed.error.issues.map(({ path, message }) => `${path[0]?.toString()}: ${message}`).join('\n'))
  }
  const { data } = parsed
  if (data.DATABASE_URL === undefined && data.ROLES.length < processRoles.length) {
    throw new Error('ROLES: without DATABASE_URL no other process can do the rest. Set DATABASE_URL, or leave ROLES out.')
  }
  if ((data.MAIL_URL === undefined) !== (data.MAIL_FROM === undefined)) throw new Error('MAIL_FROM: set it together with MAIL_URL.')
  const kek = kekPlace(data)
  return {
    port: data.PORT,
    host: data.HOST,
    hl7Port: data.HL7_PORT,
    dataFolder: resolve(data.CARESPINE_DATA),
    ...(data.DATABASE_URL === undefined ? {} : { databaseUrl: data.DATABASE_URL }),
    roles: data.ROLES,
    ...(data.PUBLIC_URL === undefined ? {} : { publicUrl: data.PUBLIC_URL.replace(/\/$/, '') }),
    demo: data.CARESPINE_DEMO === 'on',
    ...(kek ? { kek } : {}),
    metricsAccess: data.METRICS_ACCESS,
    trustedProxies: data.TRUSTED_PROXIES,
    corsOrigins: data.CORS_ORIGINS,
    validation: {
      demanded: demandedProfiles(data.FHIR_PROFILES),
      unknownProfiles: data.FHIR_UNKNOWN_PROFILES,
      references: data.FHIR_REFERENCES,
    },
    subscriptions: {
      trustedHosts: data.SUBSCRIPTION_HOSTS,
      ...(data.MAIL_URL === undefined || data.MAIL_FROM === undefined ? {} : { mail: { url: data.MAIL_URL, from: data.MAIL_FROM, tls: data.MAIL_TLS, content: data.MAIL_CONTENT } }),
    },
    apps: { keyHosts: data.APP_KEY_HOSTS },
    bulk: { importOrigins: data.BULK_IMPORT_ORIGINS, fileHours: data.BULK_FILE_HOURS },
    sessions: Object.fromEntries(
      data.SESSION_LIMITS.map((text) => {
        const [, portal = '', idle, whole] = SESSION_LIMIT.exec(text) ?? []
        return [portal, { idleMinutes: Number(idle), minutes: Number(whole) }]
      }),
    ),
    logLevel: data.LOG_LEVEL,
  }
}

function kekPlace(data: z.output<typeof Environment>): KekPlace | undefined {
  const { CARESPINE_KMS_URL: url, CARESPINE_KMS_TOKEN: value, CARESPINE_KMS_TOKEN_FILE: file } = data
  if (url !== undefined) {
    if (data.CARESPINE_KEK !== undefined || data.CARESPINE_KEK_FILE !== undefined) throw new Error('CARESPINE_KMS_URL: the key-encryption key is given twice. Leave CARESPINE_KEK and CARESPINE_KEK_FILE out.')
    if (value === undefined && file === undefined) throw new Error('CARESPINE_KMS_TOKEN: set it, or CARESPINE_KMS_TOKEN_FILE, together with CARESPINE_KMS_URL.')
    return { url, key: data.CARESPINE_KMS_KEY, mount: data.CARESPINE_KMS_MOUNT, token: value === undefined ? { file: file ?? '' } : { value }, leaseMinutes: data.CARESPINE_KMS_MINUTES }
  }
  if (data.CARESPINE_KEK !== undefined) return { text: data.CARESPINE_KEK }
  if (data.CARESPINE_KEK_FILE === undefined) return undefined
  requireReadable('CARESPINE_KEK_FILE', data.CARESPINE_KEK_FILE)
  return { file: data.CARESPINE_KEK_FILE }
}

function demandedProfiles(pairs: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const demanded = new Map<string, string[]>()
  for (const pair of pairs) {
    const at = pair.indexOf('=')
    const type = pair.slice(0, at)
    demanded.set(type, [...(demanded.get(type) ?? []), pair.slice(at + 1)])
  }
  return demanded
}

function requireReadable(variable: string, file: string): void {
  try {
    readFileSync(file)
  } catch (error) {
    throw new Error(`${variable}: ${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`)
  }
}
