import { randomUUID } from 'node:crypto'
import type { ScheduledJob } from '@carespine/kit/module'
import { type ReadView, SHARED_BRANCH, type Transaction } from '@carespine/store/contract'
import { type CryptoKey, exportJWK, exportPKCS8, generateKeyPair, importJWK, importPKCS8, type JWK } from 'jose'

/** Life of an access token, and so of a key after another one has taken over. */
export const ACCESS_SECONDS = 600
/** A key signs for a month: stolen unnoticed, it is of no use after that. */
const ROTATION_DAYS = 30
/** Two processes that start on an empty database, or rotate at once, make one key. */
const LOCK = 4_203_122

export interface SigningKey {
  kid: string
  /** Public part as it stands in the JWKS (RFC 7517). */
  jwk: JWK
  publicKey: CryptoKey
  endsAt?: Date
}

interface KeyRow {
  kid: string
  public: string
  private: Buffer
  ends_at: Date | null
}

/** Every key whose tokens may still live, and the private part of the one that signs. */
export async function loadSigningKeys(view: ReadView, now: Date): Promise<{ keys: SigningKey[]; current: { kid: string; privateKey: CryptoKey } | undefined }> {
  const rows = await view.sql<KeyRow>('select kid, public, private, ends_at from identity.signing_key where ends_at is null or ends_at > $1 order by made_at desc, kid', [now])
  const keys = await Promise.all(
    rows.map(async ({ kid, public: text, ends_at }): Promise<SigningKey> => {
      const jwk = JSON.parse(text) as JWK
      return { kid, jwk, publicKey: (await importJWK(jwk, 'ES256')) as CryptoKey, ...(ends_at ? { endsAt: ends_at } : {}) }
    }),
  )
  const newest = rows.find(({ ends_at }) => ends_at === null)
  return { keys, current: newest && { kid: newest.kid, privateKey: await importPKCS8(view.open(newest.private), 'ES256') } }
}

/**
 * Makes the key that signs from now on. Tokens of former ones are good until they end, or, with `at-once`, not any more:
 * for a key that somebody else may have.
 */
export async function rotateSigningKey(tx: Transaction, now: Date, former: 'until-tokens-end' | 'at-once' = 'until-tokens-end'): Promise<string> {
  await tx.sql('select pg_advisory_xact_lock($1)', [LOCK])
  const end = former === 'at-once' ? now : new Date(now.getTime() + ACCESS_SECONDS * 1000)
  await tx.sql('update identity.signing_key set ends_at = least(ends_at, $1)', [end])
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
  const kid = randomUUID()
  const jwk = { ...(await exportJWK(publicKey)), alg: 'ES256', use: 'sig', kid }
  await tx.sql('insert into identity.signing_key (kid, public, private, made_at) values ($1, $2, $3, $4)', [
    kid,
    JSON.stringify(jwk),
    tx.seal(await exportPKCS8(privateKey), SHARED_BRANCH),
    now,
  ])
  tx.record({ action: 'identity.rotate-signing-key', outcome: 'success', reason: `Key ${kid}, former keys ${former}` })
  return kid
}

/** The first key of an installation. */
export async function ensureSigningKey(tx: Transaction, now: Date): Promise<void> {
  await tx.sql('select pg_advisory_xact_lock($1)', [LOCK])
  const [known] = await tx.sql('select 1 from identity.signing_key where ends_at is null')
  if (!known) await rotateSigningKey(tx, now)
}

export const rotateSigningKeys: ScheduledJob = {
  name: 'identity.rotate-signing-keys',
  everySeconds: 3600,
  async run({ tx, now }) {
    await tx.sql('delete from identity.signing_key where ends_at <= $1', [now])
    const [young] = await tx.sql('select 1 from identity.signing_key where ends_at is null and made_at > $1', [new Date(now.getTime() - ROTATION_DAYS * 86_400_000)])
    if (!young) await rotateSigningKey(tx, now)
  },
}
