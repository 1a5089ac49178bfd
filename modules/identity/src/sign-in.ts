import { Refusal } from '@carespine/kit/module'
import type { FastifyInstance } from 'fastify'
import { emailKey, findByEmail, passwordFits } from './accounts.ts'
import { admit, type Admission, answerWith, entryOf } from './admit.ts'
import { countFailure, remainingWait } from './attempts.ts'
import { Login } from './contract.ts'
import { type Desk, parse, schema } from './desk.ts'

/** Sign-in of a person with e-mail and password, to one portal. */
export function signInRoute(app: FastifyInstance, desk: Desk): void {
  app.post('/api/auth/login', { config: { allow: 'anyone' }, onRequest: desk.limited, schema: schema('Sign in to a portal') }, async (request, reply) => {
    const input = parse(Login, request.body)
    const now = desk.services.now()
    const admission = await desk.transact(request, 'identity.login', async (tx): Promise<Admission> => {
      const tried = { who: emailKey(tx, input.email), address: tx.blind(`address:${request.ip}`) }
      const wait = await remainingWait(tx, tried, now)
      if (wait > 0) return { refusal: new Refusal('IDENTITY_WAIT', { retryAfter: wait }) }
      const account = await findByEmail(tx, input.email)
      if (!(await passwordFits(account, input.password)) || !account) {
        await countFailure(tx, tried, now)
        tx.record({ action: 'identity.login', outcome: 'failure' })
        return { refusal: new Refusal('IDENTITY_WRONG_PASSWORD') }
      }
      if (!account.roles.includes(input.portal)) return { refusal: new Refusal('IDENTITY_PORTAL_NOT_YOURS') }
      await tx.sql('delete from identity.failure where key = $1', [tried.who])
      return await admit(desk, tx, account, entryOf(request, input.portal, now))
    })
    return await answerWith(desk, request, reply, admission)
  })
}
