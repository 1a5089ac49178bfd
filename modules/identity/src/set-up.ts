import { refuse } from '@carespine/kit/module'
import type { FastifyInstance } from 'fastify'
import { addUser, digest, draftPractitioner, firstBranch } from './accounts.ts'
import { PORTALS, Setup } from './contract.ts'
import { type Desk, parse, schema } from './desk.ts'

/** The first administrator of an empty installation, by the link that the server prints at its start. */
export function setUpRoute(app: FastifyInstance, desk: Desk): void {
  app.post('/api/auth/setup', { config: { allow: 'anyone' }, onRequest: desk.limited, schema: schema('Make the first administrator of an empty installation') }, async (request) => {
    const input = parse(Setup, request.body)
    await desk.transact(request, 'identity.setup', async (tx) => {
      const used = await tx.sql(
        'update identity.setup_link set used_at = $2 where hash = $1 and used_at is null and expires_at > $2 returning 1',
        [digest(input.token), desk.services.now()],
      )
      if (used.length === 0) refuse('IDENTITY_SETUP_INVALID')
      const branch = await firstBranch(tx)
      await tx.sql('update identity.branch set name = $2, name_arabic = $3 where id = $1', [branch, input.branchName, input.branchNameArabic])
      await desk.services.store.keyring.ensure(branch)
      await addUser(tx, {
        email: input.email,
        password: input.password,
        display: input.displayName,
        roles: [...PORTALS].filter((portal) => portal !== 'patient'),
        branches: [branch],
        branch,
        practitioner: tx.write(draftPractitioner(input.displayName)).id,
      })
      tx.record({ action: 'identity.setup', outcome: 'success' })
    })
    return {}
  })
}
