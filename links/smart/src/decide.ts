import { randomUUID } from 'node:crypto'
import { command, query, refuse, type ServedAction } from '@carespine/kit/module'
import { summaryOf } from '@carespine/registration/patient-summary'
import type { Actor, ReadView } from '@carespine/store/contract'
import { type Access, openAccess } from './access.ts'
import { type App, findApp } from './apps.ts'
import { type AskedFor, answerAt } from './authorize.ts'
import { decide, showRequest, type Wish } from './contract.ts'
import { after, freshSecret, hashOf, WAITS_MINUTES } from './desk.ts'
import { dataScope, scopesIn } from './scopes.ts'

const DAY = 24 * 60
/** A patient who allowed an app something is not asked for the same again for so many days. */
const REMEMBERED_DAYS = 90

/** What a scope asks for, for a person to read; undefined for those that say how the app is opened. */
function wishOf(text: string): Wish | undefined {
  const scope = dataScope(text)
  if (scope && scope.level !== 'system') {
    const has = (letters: string): boolean => [...letters].some((letter) => scope.letters.has(letter as 'r'))
    return { scope: text, kind: 'data', level: scope.level, type: scope.type, reads: has('rs'), writes: has('cud'), ...(scope.filter ? { filter: scope.filter.value.split('|').at(-1) ?? '' } : {}) }
  }
  if (text === 'openid' || text === 'fhirUser') return { scope: text, kind: 'identity', reads: true, writes: false }
  return text === 'offline_access' ? { scope: text, kind: 'stay', reads: true, writes: false } : undefined
}

interface Open {
  app: App
  asked: AskedFor
}

async function openRequest(view: ReadView, actor: Actor, request: string, now: Date): Promise<Open> {
  const [row] = await view.sql<{ client: string; asked: Buffer }>('select client, asked from smart.request where hash = $1 and decided_at is null and expires_at > $2', [hashOf(request), now])
  const app = row && (await findApp(view, row.client))
  if (!row || !app?.active) return refuse('SMART_REQUEST_OVER')
  const asked = JSON.parse(view.open(row.asked)) as AskedFor
  if (asked.launch && asked.launch.user !== actor.id) refuse('SMART_REQUEST_OTHERS')
  return { app, asked }
}

/** Whose record the app is to see: the person's own, the launch's, or one that has to be chosen. */
function whoseIs({ launch, scopes }: AskedFor, actor: Actor): { patient?: string; choose: boolean } {
  if (actor.patient !== undefined) return { patient: actor.patient, choose: false }
  if (launch) return { patient: launch.patient, choose: false }
  return { choose: scopes.some((scope) => scope === 'launch/patient' || scope.startsWith('patient/')) }
}

async function isRemembered(view: ReadView, actor: Actor, { app, asked }: Open, now: Date): Promise<boolean> {
  // Whatever answers to the scheme of an installed app may be another app (RFC 8252, section 8.6).
  if (actor.portal !== 'patient' || !/^https?:/.test(asked.redirectUri)) return false
  const known = await view.sql<Access>(`${openAccess} and a.user_id = $1 and a.client = $2 and a.created_at > $3`, [actor.id, app.client, after(now, -REMEMBERED_DAYS * DAY)])
  return known.some(({ scopes, patient, portal }) => portal === actor.portal && patient === actor.patient && asked.scopes.every((scope) => scopes.includes(scope)))
}

export const showRequestQuery: ServedAction = query(showRequest, async ({ request }, { view, actor, now }) => {
  const open = await openRequest(view, actor, request, now)
  const { app, asked } = open
  const { patient, choose } = whoseIs(asked, actor)
  const record = patient === undefined ? undefined : await view.find('Patient', patient)
  return {
    app: { client: app.client, name: app.name, nameArabic: app.name_arabic },
    host: new URL(asked.redirectUri).host || asked.redirectUri.split(':')[0] || '',
    wishes: asked.scopes.flatMap((scope) => wishOf(scope) ?? []),
    patient: choose ? ('choose' as const) : patient === undefined ? ('none' as const) : ('given' as const),
    ...(record ? { whose: summaryOf(record) } : {}),
    remembered: await isRemembered(view, actor, open, now),
  }
})

export const decideCommand: ServedAction = command(decide, async ({ request, allow, scopes, patient: chosen }, { tx, actor, now }) => {
  const { app, asked } = await openRequest(tx, actor, request, now)
  const taken = await tx.sql('update smart.request set decided_at = $2 where hash = $1 and decided_at is null returning 1', [hashOf(request), now])
  if (taken.length === 0) refuse('SMART_REQUEST_OVER')
  const back = { state: asked.state, iss: asked.issuer }
  if (!allow) {
    tx.record({ action: 'smart.deny', outcome: 'success', reason: app.client })
    return { redirect: answerAt(asked.redirectUri, { error: 'access_denied', error_description: 'The person did not allow it.', ...back }) }
  }
  // What a person sees no wish for comes along; of the rest, what was left in.
  const granted = asked.scopes.filter((scope) => wishOf(scope) === undefined || scopes.includes(scope))
  const { patient = chosen, choose } = whoseIs(asked, actor)
  if (choose && chosen === undefined) refuse('SMART_PATIENT_NEEDED')
  // Refuses a patient whom this person may not see, and leaves the reading in the audit trail.
  if (patient !== undefined) await tx.read('Patient', patient)
  const id = randomUUID()
  // It lasts as long as its code; the app that comes with the code in time makes it last.
  const stays = granted.includes('offline_access')
  await tx.sql(
    'insert into smart.access (id, client, user_id, portal, session, scopes, patient, encounter, created_at, used_at, expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10)',
    [id, app.client, actor.id, actor.portal ?? '', stays ? null : (actor.session ?? null), granted, patient ?? null, asked.launch?.encounter ?? null, now, after(now, WAITS_MINUTES.code)],
  )
  const { secret: code, hash } = freshSecret()
  const said = { issuer: asked.issuer, ...(asked.nonce === undefined ? {} : { nonce: asked.nonce }) }
  await tx.sql('insert into smart.code (hash, access, redirect_uri, challenge, said, expires_at) values ($1, $2, $3, $4, $5, $6)', [
    hash,
    id,
    asked.redirectUri,
    asked.challenge,
    tx.seal(JSON.stringify(said)),
    after(now, WAITS_MINUTES.code),
  ])
  tx.record({ action: 'smart.allow', outcome: 'success', reason: `${app.client}: ${granted.join(' ')}`, ...(patient === undefined ? {} : { patient }) })
  return { redirect: answerAt(asked.redirectUri, { code, ...back }) }
})

/** What a person reads of several scopes. */
export function wishesOf(scopes: readonly string[]): Wish[] {
  return scopesIn(scopes.join(' ')).flatMap((scope) => wishOf(scope) ?? [])
}
