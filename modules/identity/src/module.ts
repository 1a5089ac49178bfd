import { randomUUID } from 'node:crypto'
import { defineModule, refuse } from '@carespine/kit/module'
import type { Authenticator, Services } from '@carespine/kit/services'
import type { Actor } from '@carespine/store/contract'
import { clientActor, findAccount, userActor } from './accounts.ts'
import { forgetAttempts } from './attempts.ts'
import { refusals } from './contract.ts'
import { signInRoutes } from './sign-in-routes.ts'
import { ActorCache, type Claims, TokenOffice } from './tokens.ts'
import { actorNowAnswer, branchesAnswer, createUserCommand, disableUserCommand, listUsersQuery, practitionersWithAnswer, usersWhoAnswer } from './users.ts'

/** Accounts, sign-in, sessions, tokens; and the authenticator that every route asks. */
export function createIdentity(): {
  module: ReturnType<typeof defineModule>
  authenticator(services: Services): Promise<Authenticator>
} {
  const actors = new ActorCache()
  let office: TokenOffice | undefined
  const tokens = (): TokenOffice => office ?? refuse('STORE_UNAVAILABLE')

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
      if (claims.kind === 'client') return (await clientActor(view, claims.sub)) ?? refuse('IDENTITY_TOKEN_INVALID')
      const [session] = await view.sql('select 1 from identity.session where id = $1 and ended_at is null', [claims.session])
      const account = session && (await findAccount(view, claims.sub))
      if (!account?.active) return refuse('IDENTITY_TOKEN_INVALID')
      return userActor(account, { id: claims.session ?? '', portal: claims.portal ?? '' })
    })
  }

  return {
    module: defineModule({
      name: 'identity',
      migrations: new URL('../migrations/', import.meta.url),
      actions: [listUsersQuery, createUserCommand, disableUserCommand],
      answers: [actorNowAnswer, usersWhoAnswer, practitionersWithAnswer, branchesAnswer],
      jobs: [forgetAttempts],
      refusals,
      routes: (app, services) => signInRoutes(app, services, { tokens, forget: (key) => actors.forget(key) }),
    }),
    async authenticator(services) {
      office = await TokenOffice.open(services.store)
      return {
        async actorOf(token) {
          const claims = await tokens().check(token, services.now())
          return await actors.get(claims.session ?? claims.sub, () => load(services, claims))
        },
      }
    },
  }
}
