import { createHash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto'
import { hash as hashPassword, verify as verifyPassword } from '@node-rs/argon2'
import type { Practitioner } from '@carespine/fhir/resource'
import { refuse } from '@carespine/kit/module'
import { allows } from '@carespine/kit/permission'
import { type Actor, type ReadView, SHARED_BRANCH, type Transaction } from '@carespine/store/contract'
import type { Branch } from './contract.ts'
import { permissionsOf } from './roles.ts'

// OWASP Password Storage Cheat Sheet (2024): argon2id with 19 MiB, two passes, one lane.
export const ARGON2 = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }

export interface NewUser {
  id?: string
  email: string
  password: string
  display: string
  roles: readonly string[]
  branches: readonly string[]
  branch: string
  practitioner?: string
  patient?: string
  locale?: string
}

interface UserRow {
  id: string
  email: Buffer
  display: Buffer
  password: string
  roles: string[]
  branches: string[]
  branch: string
  practitioner: string | null
  patient: string | null
  locale: string
  active: boolean
}

export interface Account {
  id: string
  email: string
  display: string
  roles: string[]
  branches: string[]
  branch: string
  practitioner?: string
  patient?: string
  locale: string
  active: boolean
  passwordHash: string
}

export function emailKey(view: ReadView, email: string): string {
  return view.blind(`email:${email.trim().toLowerCase()}`)
}

function accountOf(view: ReadView, row: UserRow): Account {
  return {
    id: row.id,
    email: view.open(row.email),
    display: view.open(row.display),
    roles: row.roles,
    branches: row.branches,
    branch: row.branch,
    ...(row.practitioner === null ? {} : { practitioner: row.practitioner }),
    ...(row.patient === null ? {} : { patient: row.patient }),
    locale: row.locale,
    active: row.active,
    passwordHash: row.password,
  }
}

const columns =
  'id, email, display, password, roles, array(select unnest(branches)::text) as branches, branch, practitioner, patient, locale, active'

export async function findByEmail(view: ReadView, email: string): Promise<Account | undefined> {
  const [row] = await view.sql<UserRow>(`select ${columns} from identity.user_account where email_hash = $1`, [
    emailKey(view, email),
  ])
  return row && accountOf(view, row)
}

export async function findAccount(view: ReadView, id: string): Promise<Account | undefined> {
  const [row] = await view.sql<UserRow>(`select ${columns} from identity.user_account where id = $1`, [id])
  return row && accountOf(view, row)
}

export async function listAccounts(view: ReadView): Promise<Account[]> {
  const rows = await view.sql<UserRow>(`select ${columns} from identity.user_account order by created_at, id`)
  return rows.map((row) => accountOf(view, row))
}

/** Makes an account. Refuses with IDENTITY_EMAIL_TAKEN. */
export async function addUser(tx: Transaction, user: NewUser): Promise<string> {
  const id = user.id ?? randomUUID()
  const rows = await tx.sql(
    'insert into identity.user_account (id, email_hash, email, display, password, roles, branches, branch, practitioner, ' +
      'patient, locale) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict (email_hash) do nothing returning 1',
    [
      id,
      emailKey(tx, user.email),
      tx.seal(user.email, SHARED_BRANCH),
      tx.seal(user.display, SHARED_BRANCH),
      await hashPassword(user.password, ARGON2),
      user.roles,
      user.branches,
      user.branch,
      user.practitioner ?? null,
      user.patient ?? null,
      user.locale ?? 'en',
    ],
  )
  if (rows.length === 0) refuse('IDENTITY_EMAIL_TAKEN', { field: 'email' })
  return id
}

/** The record of a member of staff, which what they do is told by. */
export function draftPractitioner(display: string): Practitioner {
  return { resourceType: 'Practitioner', active: true, name: [{ text: display }] }
}

export async function addBranch(
  tx: Transaction,
  branch: { id?: string; code: string; name: string; nameArabic: string; timeZone?: string },
): Promise<string> {
  const id = branch.id ?? randomUUID()
  await tx.sql('insert into identity.branch (id, code, name, name_arabic, time_zone) values ($1, $2, $3, $4, $5)', [
    id,
    branch.code,
    branch.name,
    branch.nameArabic,
    branch.timeZone ?? 'Asia/Riyadh',
  ])
  return id
}

export async function listBranches(view: ReadView): Promise<Branch[]> {
  return await view.sql<Branch>('select id::text, code, name, name_arabic as "nameArabic" from identity.branch order by created_at, code')
}

/** The branch that an installation begins with; made when there is none, with a name that set-up may change. */
export async function firstBranch(tx: Transaction): Promise<string> {
  const [known] = await listBranches(tx)
  return known?.id ?? (await addBranch(tx, { code: 'MAIN', name: 'Main hospital', nameArabic: 'المستشفى الرئيسي' }))
}

/**
 * Makes a confidential client. The secret is random and long, so a plain hash of it keeps it.
 *
 * @param client.branches Default: every branch, those to come too. An empty list is none.
 * @param client.permissions Of those that its roles give, the ones it has. Default: all.
 */
export async function addClient(
  tx: Transaction,
  client: { display: string; roles: readonly string[]; branch?: string; branches?: readonly string[]; permissions?: readonly string[] },
): Promise<{ client_id: string; client_secret: string }> {
  const id = randomUUID()
  const secret = randomBytes(32).toString('base64url')
  await tx.sql(
    'insert into identity.client (id, display, secret_hash, roles, branches, branch, permissions) values ($1, $2, $3, $4, $5, $6, $7)',
    [id, client.display, digest(secret), client.roles, client.branches ?? null, client.branch ?? null, client.permissions ?? null],
  )
  return { client_id: id, client_secret: secret }
}

/** A new secret for a client; the one before it opens nothing any more. */
export async function newSecret(tx: Transaction, id: string): Promise<string> {
  const secret = randomBytes(32).toString('base64url')
  await tx.sql('update identity.client set secret_hash = $2 where id = $1', [id, digest(secret)])
  return secret
}

export async function setClientActive(tx: Transaction, id: string, active: boolean): Promise<void> {
  await tx.sql('update identity.client set active = $2 where id = $1', [id, active])
}

/** A one-time link for the first administrator, good for a day. Earlier links end. */
export async function addSetupLink(tx: Transaction, now: Date): Promise<string> {
  const token = randomBytes(24).toString('base64url')
  await tx.sql('delete from identity.setup_link where used_at is null')
  await tx.sql('insert into identity.setup_link (hash, expires_at) values ($1, $2)', [
    digest(token),
    new Date(now.getTime() + 86_400_000),
  ])
  return token
}

export function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

// Verified when no account has the e-mail, so that the answer takes as long as for a wrong password.
const decoy = hashPassword(randomBytes(16).toString('hex'), ARGON2)

export async function passwordFits(account: Account | undefined, password: string): Promise<boolean> {
  const fits = await verifyPassword(account?.passwordHash ?? (await decoy), password)
  return fits && account?.active === true
}

/** Seconds to wait after so many wrong passwords: none for four, then 2, 4, 8 … up to 15 minutes. */
export function waitAfter(failures: number): number {
  return failures < 5 ? 0 : Math.min(900, 2 ** (failures - 4))
}

/**
 * What an account may do in one portal: that portal's permissions alone. Who works here and is treated here as well is a
 * patient in the patient portal and nowhere else. Without a portal (a subscription of the account): all that it works as.
 */
export function userActor(account: Account, session: { id: string; portal: string }): Actor {
  const staffRoles = account.roles.filter((role) => role !== 'patient')
  const everyRole = staffRoles.length > 0 ? staffRoles : account.roles
  const isPatient = session.portal === 'patient' || staffRoles.length === 0
  return {
    kind: 'user',
    id: account.id,
    display: account.display,
    roles: account.roles,
    permissions: permissionsOf(session.portal === '' ? everyRole : account.roles.filter((role) => role === session.portal)),
    branches: account.branches,
    branch: account.branch,
    // Nobody in the patient portal sees more than their own record: without one, nothing.
    ...(isPatient ? { patient: account.patient ?? NO_PATIENT } : {}),
    ...(account.practitioner === undefined || isPatient ? {} : { practitioner: account.practitioner }),
    portal: session.portal,
    session: session.id,
  }
}

/** Of no patient at all. */
const NO_PATIENT = 'none'

interface ClientRow {
  id: string
  display: string
  secret_hash: Buffer
  roles: string[]
  branches: string[] | null
  branch: string | null
  permissions: string[] | null
}

/** The client whose secret this is, as an actor; undefined when id or secret are wrong. */
export async function clientActor(view: ReadView, id: string, secret?: string): Promise<Actor | undefined> {
  if (!/^[0-9a-f-]{36}$/i.test(id)) return undefined
  const [row] = await view.sql<ClientRow>(
    // What is cast as a whole stays apart: null is every branch, an empty list none.
    'select id, display, secret_hash, roles, branches::text[] as branches, branch, permissions from identity.client where id = $1 and active',
    [id],
  )
  if (!row || (secret !== undefined && !timingSafeEqual(row.secret_hash, digest(secret)))) return undefined
  const branches = row.branches ?? (await listBranches(view)).map((branch) => branch.id)
  const given = permissionsOf(row.roles)
  return {
    kind: 'client',
    id: row.id,
    display: row.display,
    roles: row.roles,
    permissions: row.permissions?.filter((permission) => allows(given, permission)) ?? given,
    branches,
    branch: row.branch ?? branches[0] ?? SHARED_BRANCH,
  }
}
