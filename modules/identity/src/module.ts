import { randomUUID } from 'node:crypto'
import { defineModule, refuse } from '@carespine/kit/module'
import type { Authenticator, Services } from '@carespine/kit/services'
import type { Actor, ReadView } from '@carespine/store/contract'
import { addClient, clientActor, findAccount, newSecret, setClientActive, userActor } from './accounts.ts'
import { type AsApp, appKey, type ForApps } from './apps.ts'
import { forgetAttempts } from './attempts.ts'
import { clientBySecret } from './client-tokens.ts'
import { refusals } from './contract.ts'
import type { Desk } from './desk.ts'
import { FactorChanged, factorRefusals } from './factor-contract.ts'
import { manageFactorActions } from './manage-factors.ts'
import { ownFactorActions } from './own-factors.ts'
import { relyingParty } from './passkeys.ts'
import { pinActions } from './pin.ts'
import { guarded } from './guard.ts'
import { type SessionLimit, type SessionLimits, sessionLimits, whyOver } from './session-limits.ts'
import { tidySessions } from './sessions.ts'
import { sessionActions } from './show-sessions.ts'
import { signInRoutes } from './sign-in-routes.ts'
import { rotateSigningKeys } from './signing-keys.ts'
import { lastProof } from './step-up.ts'
import { wardComputerActions } from './ward-computer.ts'
import { ActorCache, type Claims, TokenOffice } from './tokens.ts'
import { actorNowAnswer, branchesAnswer, createUserCommand, disableUserCommand, listUsersQuery, practitionersWithAnswer, usersWhoAnswer } from './users.ts'

export interface IdentitySettings {
  /** Limits of sessions by portal, where they are not those that ship. */
  sessions?: SessionLimits
  /** Where people reach the portals: passkeys belong to it. */
  publicUrl?: string
  /** Given by the authorization server for apps; without one, no token of an app is taken. */
  asApp?: AsApp
}

/** Accounts, sign-in, sessions, tokens; and the authenticator that every route asks. */
export function createIdentity({ sessions, publicUrl, asApp = async () => undefined }: IdentitySettings = {}): {
  forApps: ForApps
  module: ReturnType<typeof defineModule>
  authenticator(services: Services): Promise<Authenticator>
} {
  const actors = new ActorCache()
  const limits = sessionLimits(sessions)
  const party = relyingParty(publicUrl)
  let office: TokenOffice | undefined
  const tokens = (): TokenOffice => office ?? refuse('STORE_UNAVAILABLE')

  let desk: Desk | undefined
  const routesDesk = (): Desk => desk ?? refuse('STORE_UNAVAILABLE')

  const load = async (services: Services, claims: Claims): Promise<Actor> => {
    const actor = await find(services, claims)
    // Another process may have made the key of a branch since this one started.
    const { keyring } = services.store
    for (const branch of actor.branches) if (!keyring.has(branch)) await keyring.ensure(branch)
    return actor
  }
  const find = async (services: Services, claims: Claims): Promise<Actor> => {
    const origin = { correlationId: randomUUID(), action: 'identity.check', module: 'identity' }
    return await services.view(services.system('identity'), origin, async ({ view }) => {
      const actor = await guarded(view, (await whoIs(services, view, claims)) ?? refuse('IDENTITY_TOKEN_INVALID'))
      return claims.app === undefined ? actor : ((await asApp(view, actor, claims.app)) ?? refuse('IDENTITY_TOKEN_INVALID'))
    })
  }
  const whoIs = async (services: Services, view: ReadView, claims: Claims): Promise<Actor | undefined> => {
    if (claims.kind === 'client') return await clientActor(view, claims.sub)
    // What is allowed to an app may last longer than the sign-in that it was allowed in.
    if (claims.app && claims.session === undefined) return await userInPortal(view, claims.sub, claims.portal ?? '')
    const goesOn = claims.session !== undefined && (await isSignedIn(view, claims.session, limits, services.now(), claims.sub))
    const account = goesOn ? await findAccount(view, claims.sub) : undefined
    return account?.active ? userActor(account, { id: claims.session ?? '', portal: claims.portal ?? '' }) : undefined
  }

  return {
    forApps: {
      issue: (claims, now, seconds) => tokens().issue(claims, now, seconds),
      idToken: (claims) => tokens().sign(claims),
      claimsOf: async (token) => ({ ...(await tokens().check(token, routesDesk().services.now())), exp: tokens().expiryOf(token) }),
      forget: (app) => actors.forget(appKey(app)),
      userActor: userInPortal,
      isSignedIn: (view, session) => isSignedIn(view, session, limits, routesDesk().services.now()),
      clientActor,
      addClient,
      setClientActive,
      newSecret,
      clientBySecret: (request, id, secret) => clientBySecret(routesDesk(), request, id, secret),
      rush: (request) => routesDesk().attempts.take(request.ip),
    },
    module: defineModule({
      name: 'identity',
      migrations: new URL('../migrations/', import.meta.url),
      actions: [listUsersQuery, createUserCommand, disableUserCommand, ...sessionActions(limits), ...ownFactorActions(party), ...pinActions, ...manageFactorActions, ...wardComputerActions],
      answers: [actorNowAnswer(asApp), usersWhoAnswer, practitionersWithAnswer, branchesAnswer],
      jobs: [forgetAttempts, rotateSigningKeys, tidySessions(limits)],
      events: [FactorChanged],
      refusals: { ...refusals, ...factorRefusals },
      lastProof,
      routes: (app, services) => {
        desk = signInRoutes(app, services, { tokens, limits, party, forget: (key) => actors.forget(key) })
      },
    }),
    async authenticator(services) {
      office = await TokenOffice.open(services)
      return {
        async actorOf(token) {
          const claims = await tokens().check(token, services.now())
          return await actors.get(claims.app ? appKey(claims.app) : (claims.session ?? claims.sub), () => load(services, claims))
        },
        forgetActors: () => actors.clear(),
      }
    },
  }
}

async function userInPortal(view: ReadView, user: string, portal: string): Promise<Actor | undefined> {
  const account = await findAccount(view, user)
  return account?.active && account.roles.includes(portal) ? userActor(account, { id: '', portal }) : undefined
}

async function isSignedIn(view: ReadView, session: string, limits: (portal: string) => SessionLimit, now: Date, user?: string): Promise<boolean> {
  const [row] = await view.sql<{ portal: string; started_at: Date; active_at: Date }>(
    'select portal, started_at, active_at from identity.session where id = $1 and ($2::uuid is null or user_id = $2) and ended_at is null',
    [session, user ?? null],
  )
  return row !== undefined && !whyOver(row, limits(row.portal), now)
}
