import type { Actor, ReadView } from '@carespine/store/contract'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { clientActor } from './accounts.ts'
import { countFailure, remainingWait } from './attempts.ts'
import { type Desk, schema } from './desk.ts'

/** The client whose secret this is. Wrong ones are counted by client and address: nobody keeps a client out by guessing from elsewhere. */
export async function clientBySecret(desk: Desk, request: FastifyRequest, id: string, secret: string): Promise<{ actor?: Actor; wait: number }> {
  const now = desk.services.now()
  const triedBy = (view: ReadView) => ({ who: view.blind(`client:${id.slice(0, 64)}/${request.ip}`), address: view.blind(`address:${request.ip}`) })
  const { wait, actor } = await desk.services.view(desk.system(), { ...request.origin, action: 'identity.token', module: 'identity' }, async ({ view }) => {
    const seconds = await remainingWait(view, triedBy(view), now)
    return { wait: seconds, actor: seconds === 0 ? await clientActor(view, id, secret) : undefined }
  })
  if (wait > 0) return { wait }
  if (actor) return { wait: 0, actor }
  await desk.transact(request, 'identity.token', async (tx) => {
    await countFailure(tx, triedBy(tx), now)
    tx.record({ action: 'identity.token', outcome: 'failure' })
  })
  return { wait: 0 }
}

/** The keys that access tokens and id tokens are checked by. */
export function publicKeysRoute(app: FastifyInstance, desk: Desk): void {
  app.get('/.well-known/jwks.json', { config: { allow: 'anyone' }, schema: schema('Public keys of access tokens and id tokens') }, async () => await desk.tokens().jwks())
}
