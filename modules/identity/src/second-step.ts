import { Refusal } from '@carespine/kit/module'
import type { Transaction } from '@carespine/store/contract'
import type { FastifyInstance } from 'fastify'
import { type Account, digest, findAccount } from './accounts.ts'
import { type Admission, answerWith, begin, entryOf } from './admit.ts'
import { type Desk, parse, schema } from './desk.ts'
import { Nothing, PasskeySignIn, SecondStepAnswer, SecondStepQuestion } from './factor-contract.ts'
import { passkeyToAsk, takePasskey } from './passkeys.ts'
import { lookAt } from './second-factors.ts'

/** Wrong answers after which the password is asked for again. */
const TRIES = 5

interface Pending {
  account: Account
  portal: string
}

async function pendingOf(tx: Transaction, token: string, now: Date): Promise<Pending | undefined> {
  const [row] = await tx.sql<{ user_id: string; portal: string }>('select user_id, portal from identity.pending_step where hash = $1 and expires_at > $2 and failures < $3 for update', [digest(token), now, TRIES])
  const account = row && (await findAccount(tx, row.user_id))
  return row && account?.active && account.roles.includes(row.portal) ? { account, portal: row.portal } : undefined
}

/** From the password to the session by a second factor, and from a passkey to the session without a password. */
export function secondStepRoutes(app: FastifyInstance, desk: Desk): void {
  const open = { config: { allow: 'anyone' }, onRequest: desk.limited }
  const { services, party } = desk

  app.post('/api/auth/second-step', { ...open, schema: schema('The second factor after the password') }, async (request, reply) => {
    const { token, proof } = parse(SecondStepAnswer, request.body)
    const now = services.now()
    const admission = await desk.transact(request, 'identity.second-step', async (tx): Promise<Admission> => {
      const pending = await pendingOf(tx, token, now)
      if (!pending || 'password' in proof) return { refusal: new Refusal('IDENTITY_SECOND_STEP_OVER') }
      const { account, portal } = pending
      const found = await lookAt(tx, account, proof, { purpose: 'second-step', party, address: request.ip, now })
      if ('refusal' in found) {
        if (found.refusal.code !== 'IDENTITY_WAIT') await tx.sql('update identity.pending_step set failures = failures + 1 where hash = $1', [digest(token)])
        return found
      }
      await tx.sql('delete from identity.pending_step where hash = $1', [digest(token)])
      return await begin(desk, tx, account, { ...entryOf(request, portal, now), proof: found.by })
    })
    return await answerWith(desk, request, reply, admission)
  })

  app.post('/api/auth/second-step/passkey', { ...open, schema: schema('What a passkey is to sign as the second factor') }, async (request) => {
    const { token } = parse(SecondStepQuestion, request.body)
    const now = services.now()
    const options = await desk.transact(request, 'identity.second-step', async (tx) => {
      const pending = await pendingOf(tx, token, now)
      return pending && (await passkeyToAsk(tx, 'second-step', pending.account.id, party, now))
    })
    if (!options) throw new Refusal('IDENTITY_SECOND_STEP_OVER')
    return { options }
  })

  app.post('/api/auth/passkey/options', { ...open, schema: schema('What a passkey is to sign instead of the password') }, async (request) => {
    parse(Nothing, request.body)
    return { options: await desk.transact(request, 'identity.passkey', (tx) => passkeyToAsk(tx, 'sign-in', undefined, party, services.now())) }
  })

  app.post('/api/auth/passkey', { ...open, schema: schema('Sign in to a portal with a passkey alone') }, async (request, reply) => {
    const { portal, passkey } = parse(PasskeySignIn, request.body)
    const now = services.now()
    const admission = await desk.transact(request, 'identity.passkey', async (tx): Promise<Admission> => {
      const user = await takePasskey(tx, passkey, { purpose: 'sign-in', party, now })
      const account = user === undefined ? undefined : await findAccount(tx, user)
      if (!account?.active) {
        tx.record({ action: 'identity.factor', outcome: 'failure', reason: 'sign-in by passkey' })
        return { refusal: new Refusal('IDENTITY_PASSKEY_UNKNOWN') }
      }
      if (!account.roles.includes(portal)) return { refusal: new Refusal('IDENTITY_PORTAL_NOT_YOURS') }
      return await begin(desk, tx, account, { ...entryOf(request, portal, now), proof: 'passkey' })
    })
    return await answerWith(desk, request, reply, admission)
  })
}
