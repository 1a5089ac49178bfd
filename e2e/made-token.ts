import { decodeJwt, decodeProtectedHeader, generateKeyPair, importPKCS8, SignJWT } from 'jose'
import type { TestHospital } from './test-hospital.ts'

/**
 * A token that says what another says.
 *
 * @param options.seconds Until it expires; negative for one that has.
 * @param options.key `ours`: the hospital's own; `another`: one of the same kind that nobody knows.
 */
export async function tokenLike({ hospital }: TestHospital, token: string, { seconds, key = 'ours' }: { seconds: number; key?: 'ours' | 'another' }): Promise<string> {
  const kept = await hospital.services.store.keyring.secret('token-signing-key', Buffer.alloc(0))
  const signing = key === 'ours' ? await importPKCS8(kept.toString(), 'ES256') : (await generateKeyPair('ES256')).privateKey
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
