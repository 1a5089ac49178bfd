import type { Interaction } from '../interaction.ts'
import { readResource, readVersion } from '../interactions.ts'
import { sendServed } from '../send.ts'

export const read: Interaction = {
  method: 'GET',
  url: '/:type/:id',
  action: 'fhir.read',
  ofType: ['read'],
  says: { conditionalRead: 'full-support' },
  async run(asked) {
    return sendServed(asked, await readResource(asked.services, asked.caller, asked.type, asked.id))
  },
}

export const vread: Interaction = {
  method: 'GET',
  url: '/:type/:id/_history/:version',
  action: 'fhir.vread',
  ofType: ['vread'],
  says: { versioning: 'versioned-update', readHistory: true },
  async run(asked) {
    return sendServed(asked, await readVersion(asked.services, asked.caller, asked.type, asked.id, asked.request.params.version ?? ''))
  },
}
