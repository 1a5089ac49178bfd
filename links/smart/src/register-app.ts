import { refuse } from '@carespine/kit/module'
import type { Transaction } from '@carespine/store/contract'
import { importJWK } from 'jose'
import type { AppForm } from './contract.ts'
import type { Desk } from './desk.ts'
import { dataScope, isContextScope, isEnforceable } from './scopes.ts'

/** Registers an app. Refuses scopes that do not suit it or cannot be kept to, and keys that are none for it. */
export async function addApp(desk: Pick<Desk, 'identity' | 'termsOf'>, tx: Transaction, form: AppForm, now: Date): Promise<{ client: string; secret?: string }> {
  const faults = form.scopes.filter((scope) => !suits(desk, form.kind, scope))
  if (faults.length > 0) refuse('SMART_SCOPE_INVALID', { fields: [{ field: 'scopes', problem: faults.join(' ') }] })
  if (form.jwks && !(await areKeys(form.jwks.keys))) refuse('SMART_KEYS_INVALID', { fields: [{ field: 'jwks', problem: 'RS384 or ES384, public' }] })
  // A backend service acts for itself; every other app acts for people, and may do nothing of its own.
  const { client_id: client, client_secret: secret } = await desk.identity.addClient(tx, { display: form.name, roles: form.kind === 'backend' ? ['system'] : [] })
  await tx.sql(
    'insert into smart.app (client, name, name_arabic, kind, auth_method, redirect_uris, launch_url, scopes, jwks_uri, jwks, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)',
    [client, form.name, form.nameArabic, form.kind, form.authMethod, form.redirectUris, form.launchUrl ?? null, form.scopes, form.jwksUri ?? null, form.jwks ? JSON.stringify(form.jwks) : null, now],
  )
  tx.record({ action: 'smart.register', outcome: 'success', reason: client })
  return { client, ...(form.authMethod.startsWith('client_secret') ? { secret } : {}) }
}

function suits({ termsOf }: Pick<Desk, 'termsOf'>, kind: AppForm['kind'], text: string): boolean {
  if (isContextScope(text)) return kind !== 'backend'
  const scope = dataScope(text)
  return scope !== undefined && (scope.level === 'system') === (kind === 'backend') && isEnforceable(scope, termsOf)
}

/** Public keys, one of which at least signs as SMART asks for (RS384 or ES384). */
async function areKeys(keys: readonly Record<string, unknown>[]): Promise<boolean> {
  let usable = 0
  for (const key of keys) {
    if (['d', 'k', 'p', 'q', 'dp', 'dq', 'qi', 'oth'].some((secret) => secret in key)) return false
    const alg = key.kty === 'RSA' ? 'RS384' : key.kty === 'EC' && key.crv === 'P-384' ? 'ES384' : undefined
    if (alg === undefined) continue
    try {
      await importJWK(key as never, alg)
    } catch {
      return false
    }
    if (alg === 'ES384' || Buffer.from(String(key.n), 'base64url').length >= 256) usable += 1
  }
  return usable > 0
}
