import { writeJson } from '@carespine/fhir/decimal-digits'
import type { Bundle } from '@carespine/fhir/resource'
import { refuse } from '@carespine/kit/module'
import type { Interaction } from '../interaction.ts'
import { processBundle } from '../process-bundle.ts'
import { send } from '../send.ts'

export const bundle: Interaction = {
  method: 'POST',
  url: '/',
  action: 'fhir.bundle',
  ofSystem: ['transaction', 'batch'],
  async run({ services, caller, request, reply }) {
    const given = request.body as Bundle | undefined
    if (given?.resourceType !== 'Bundle') return refuse('FHIR_TYPE_MISMATCH')
    return send(reply, Buffer.from(writeJson(await processBundle(services, caller, given))))
  },
}
