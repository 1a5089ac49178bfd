import { isIP } from 'node:net'
import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server'
import { SHARED_BRANCH, type ReadView, type Transaction } from '@carespine/store/contract'
import { type Account, digest } from './accounts.ts'
import type { Passkey } from './factor-contract.ts'

/** Loaded with the first passkey: it takes 27 MB, and most servers start without asking for one. */
const webauthn = () => import('@simplewebauthn/server')

/** Minutes to answer a challenge in. */
const MINUTES = 5

/** To whom passkeys belong (WebAuthn Level 3, section 5.1.2): a host, and the addresses of its pages. */
export interface RelyingParty {
  id: string
  isOrigin(origin: string): boolean
}

/** The host of the public address; without one, this machine's own name, which browsers trust without TLS. */
export function relyingParty(publicUrl: string | undefined): RelyingParty {
  const url = publicUrl === undefined ? undefined : new URL(publicUrl)
  // Passkeys belong to names; an address of numbers has none.
  if (!url || isIP(url.hostname.replaceAll(/[[\]]/g, '')) > 0) return { id: 'localhost', isOrigin: (origin) => /^http:\/\/localhost(:\d+)?$/.test(origin) }
  return { id: url.hostname, isOrigin: (origin) => origin === url.origin }
}

/** What a challenge was given for; an answer for one is none for another. */
export type Purpose = 'add' | 'sign-in' | 'second-step' | 'step-up'

async function keepChallenge(tx: Transaction, challenge: string, purpose: Purpose, user: string | undefined, now: Date): Promise<void> {
  const expires = new Date(now.getTime() + MINUTES * 60_000)
  await tx.sql('insert into identity.challenge (hash, purpose, user_id, expires_at) values ($1, $2, $3, $4)', [digest(challenge), purpose, user ?? null, expires])
}

async function takeChallenge(tx: Transaction, challenge: string, purpose: Purpose, user: string | undefined, now: Date): Promise<boolean> {
  const taken = await tx.sql('delete from identity.challenge where hash = $1 and purpose = $2 and user_id is not distinct from $3::uuid and expires_at > $4 returning 1', [digest(challenge), purpose, user ?? null, now])
  return taken.length > 0
}

interface PasskeyRow {
  id: string
  user_id: string
  public_key: Buffer
  counter: string
  transports: string[]
  name: Buffer
  added_at: Date
  used_at: Date | null
}

async function rowsOf(view: ReadView, user: string): Promise<PasskeyRow[]> {
  return await view.sql<PasskeyRow>('select * from identity.passkey where user_id = $1 order by added_at, id', [user])
}

export async function passkeysOf(view: ReadView, user: string): Promise<Passkey[]> {
  return (await rowsOf(view, user)).map(({ id, name, added_at, used_at }) => ({ id, name: view.open(name), addedAt: added_at.toISOString(), ...(used_at ? { usedAt: used_at.toISOString() } : {}) }))
}

/** What a browser needs to make a passkey that can also sign in by itself, where the authenticator is able to. */
export async function passkeyToMake(tx: Transaction, account: Account, party: RelyingParty, now: Date): Promise<Record<string, unknown>> {
  const known = await rowsOf(tx, account.id)
  const options = await (await webauthn()).generateRegistrationOptions({
    rpName: 'Carespine',
    rpID: party.id,
    userID: new Uint8Array(Buffer.from(account.id)),
    userName: account.email,
    userDisplayName: account.display,
    attestationType: 'none',
    excludeCredentials: known.map(({ id, transports }) => ({ id, transports })) as never,
    authenticatorSelection: { residentKey: 'preferred', userVerification: 'preferred' },
  })
  await keepChallenge(tx, options.challenge, 'add', account.id, now)
  return options as unknown as Record<string, unknown>
}

/** Keeps a passkey that was made for the challenge of its account. True when it was. */
export async function keepPasskey(tx: Transaction, account: Account, { name, response, party, now }: { name: string; response: unknown; party: RelyingParty; now: Date }): Promise<boolean> {
  const made = await verified(response, party, async (expected) => (await webauthn()).verifyRegistrationResponse({ ...expected, response: response as RegistrationResponseJSON, requireUserVerification: false }))
  if (!made?.registrationInfo || !(await takeChallenge(tx, made.challenge, 'add', account.id, now))) return false
  const { id, publicKey, counter, transports = [] } = made.registrationInfo.credential
  const kept = await tx.sql(
    'insert into identity.passkey (id, user_id, public_key, counter, transports, name, added_at) values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing returning 1',
    [id, account.id, Buffer.from(publicKey), counter, transports, tx.seal(name, SHARED_BRANCH), now],
  )
  return kept.length > 0
}

/** What a browser needs to sign with a passkey: one of an account, or without one any that it has for this host. */
export async function passkeyToAsk(tx: Transaction, purpose: Purpose, user: string | undefined, party: RelyingParty, now: Date): Promise<Record<string, unknown>> {
  const known = user === undefined ? [] : await rowsOf(tx, user)
  const options = await (await webauthn()).generateAuthenticationOptions({
    rpID: party.id,
    userVerification: user === undefined ? 'required' : 'preferred',
    allowCredentials: known.map(({ id, transports }) => ({ id, transports })),
  })
  await keepChallenge(tx, options.challenge, purpose, user, now)
  return options as unknown as Record<string, unknown>
}

/**
 * The account whose passkey signed the challenge; undefined when none did. Its counter has to have grown, where it counts:
 * a copy of the authenticator is noticed (WebAuthn Level 3, section 6.1.1). Without `user` the passkey is the whole sign-in,
 * so it has to have checked its bearer.
 */
export async function takePasskey(tx: Transaction, response: unknown, { purpose, user, party, now }: { purpose: Purpose; user?: string; party: RelyingParty; now: Date }): Promise<string | undefined> {
  const signed = response as AuthenticationResponseJSON
  const [row] = await tx.sql<PasskeyRow>('select * from identity.passkey where id = $1 and ($2::uuid is null or user_id = $2) for update', [signed.id, user ?? null])
  if (!row) return undefined
  const proof = await verified(signed, party, async (expected) =>
    (await webauthn()).verifyAuthenticationResponse({
      ...expected,
      response: signed,
      credential: { id: row.id, publicKey: new Uint8Array(row.public_key), counter: Number(row.counter), transports: row.transports as never },
      requireUserVerification: user === undefined,
    }),
  )
  if (!proof || !(await takeChallenge(tx, proof.challenge, purpose, user, now))) return undefined
  const bearer = signed.response.userHandle
  if (user === undefined && (bearer === undefined || Buffer.from(bearer, 'base64url').toString() !== row.user_id)) return undefined
  await tx.sql('update identity.passkey set counter = $2, used_at = $3 where id = $1', [row.id, proof.authenticationInfo.newCounter, now])
  return row.user_id
}

interface Expected {
  expectedChallenge(challenge: string): boolean
  expectedOrigin: string
  expectedRPID: string
}

/** What the library found, with the challenge that was signed; undefined when it found a fault, whichever. Asks no database. */
async function verified<V extends { verified: boolean }>(response: unknown, party: RelyingParty, verify: (expected: Expected) => Promise<V>): Promise<(V & { challenge: string }) | undefined> {
  try {
    let challenge = ''
    const expectedChallenge = (given: string): boolean => {
      challenge = given
      return true
    }
    const { clientDataJSON } = (response as { response: { clientDataJSON: string } }).response
    const { origin } = JSON.parse(Buffer.from(clientDataJSON, 'base64url').toString()) as { origin: string }
    const found = party.isOrigin(origin) ? await verify({ expectedChallenge, expectedOrigin: origin, expectedRPID: party.id }) : undefined
    return found?.verified ? { ...found, challenge } : undefined
  } catch {
    return undefined
  }
}
