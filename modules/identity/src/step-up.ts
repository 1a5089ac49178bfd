import { refuse, type Refusal } from '@carespine/kit/module'
import type { Actor, ReadView, Transaction } from '@carespine/store/contract'
import type { FastifyInstance } from 'fastify'
import { type Account, findAccount } from './accounts.ts'
import { type Desk, parse, schema } from './desk.ts'
import { Nothing, StepUp, type StepUpWays } from './factor-contract.ts'
import { passkeyToAsk } from './passkeys.ts'
import { lookAt, methodsOf } from './second-factors.ts'

/** When the person of a session last showed who they are; the session keeps it, its tokens do not say it. */
export async function lastProof(view: ReadView, { session }: Actor): Promise<Date | undefined> {
  if (!session) return undefined
  const [row] = await view.sql<{ proven_at: Date | null }>('select proven_at from identity.session where id = $1 and ended_at is null', [session])
  return row?.proven_at ?? undefined
}

/** A fresh proof in a session that goes on: the second factor of who has one, else the password. */
export function stepUpRoutes(app: FastifyInstance, desk: Desk): void {
  const options = { config: { allow: 'signed-in' } }
  const { services, party } = desk

  app.post('/api/auth/step-up/options', { ...options, schema: schema('By what the one who asks can prove who they are') }, async (request): Promise<StepUpWays> => {
    const { actor } = request
    parse(Nothing, request.body)
    return await desk.transact(request, 'identity.step-up', async (tx) => {
      const account = await ownAccount(tx, actor)
      const methods = await methodsOf(tx, account.id)
      if (methods.length === 0) return { methods: ['password'] }
      return { methods, ...(methods.includes('passkey') ? { passkey: await passkeyToAsk(tx, 'step-up', account.id, party, services.now()) } : {}) }
    })
  })

  app.post('/api/auth/step-up', { ...options, onRequest: desk.limited, schema: schema('Prove again who uses this session, for actions that ask for it') }, async (request) => {
    const { proof } = parse(StepUp, request.body)
    const { actor } = request
    const now = services.now()
    const refusal = await desk.transact(request, 'identity.step-up', async (tx): Promise<Refusal | undefined> => {
      const account = await ownAccount(tx, actor)
      const found = await lookAt(tx, account, proof, { purpose: 'step-up', party, address: request.ip, now })
      if ('refusal' in found) return found.refusal
      await tx.sql('update identity.session set proven_at = $2 where id = $1 and user_id = $3 and ended_at is null', [actor.session, now, account.id])
      return undefined
    })
    if (refusal) throw refusal
    return {}
  })
}

/** The account of who is signed in with a session; programs have none, nor have those that act for a person without one. */
export async function ownAccount(tx: Transaction | ReadView, actor: Actor): Promise<Account> {
  const account = actor.kind === 'user' && actor.session ? await findAccount(tx, actor.id) : undefined
  return account ?? refuse('IDENTITY_PERSON_NEEDED')
}
