import { randomUUID } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader, type CryptoKey, generateKeyPair, SignJWT } from 'jose'
import { loadSigningKeys } from '@carespine/identity/signing-keys'
import type { TestHospital } from './test-hospital.ts'

async function ownKey({ hospital: { services } }: TestHospital): Promise<CryptoKey> {
  const origin = { correlationId: randomUUID(), action: 'test.key', module: 'identity' }
  const { current } = await services.view(services.system('identity'), origin, ({ view }) => loadSigningKeys(view, new Date()))
  if (!current) throw new Error('the hospital has no key')
  return current.privateKey
}

/**
 * A token that says what another says.
 *
 * @param options.seconds Until it expires; negative for one that has.
 * @param options.key `ours`: the hospital's own; `another`: one of the same kind that nobody knows.
 */
export async function tokenLike(hospital: TestHospital, token: string, { seconds, key = 'ours' }: { seconds: number; key?: 'ours' | 'another' }): Promise<string> {
  const signing = key === 'ours' ? await ownKey(hospital) : (await generateKeyPair('ES256')).privateKey
  const { sub = '', kind } = decodeJwt<{ kind: string }>(token)
  const { kid } = decodeProtectedHeader(token)
  const now = Math.floor(Date.now() / 1000)
  return await new SignJWT({ kind })
    .setProtectedHeader({ alg: 'ES256', ...(kid === undefined ? {} : { kid }) })
    .setSubject(sub)
    .setIssuer('carespine')
    .setIssuedAt(now - 600)
    .setExpirationTime(now + seconds)
    .sign(signing)
}
