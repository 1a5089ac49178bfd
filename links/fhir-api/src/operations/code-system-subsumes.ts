import type { Coding } from '@carespine/fhir/resource'
import { testSubsumption } from '@carespine/terminology/contract'
import { requirePermission } from '../interactions.ts'
import { type OperationInput, parametersOf } from '../operation-input.ts'
import type { Operation } from '../operations.ts'

const side = (input: OperationInput, which: 'A' | 'B'): Coding => input.coding(`coding${which}`) ?? { code: input.text(`code${which}`) }

/** Whether one code takes in another (http://hl7.org/fhir/R4/codesystem-operation-subsumes.html). */
export const codeSystemSubsumes: Operation = {
  definition: 'CodeSystem-subsumes',
  levels: ['type', 'instance'],
  understood: ['codeA', 'codeB', 'system', 'version', 'codingA', 'codingB'],
  async run({ services, caller, id, input }) {
    requirePermission(caller.actor, 'CodeSystem', 'read')
    const asked = { id, url: input.text('system'), version: input.text('version'), a: side(input, 'A'), b: side(input, 'B') }
    const { outcome } = await services.perform(testSubsumption, asked, caller.actor, caller.origin)
    return parametersOf([{ name: 'outcome', valueCode: outcome }])
  },
}
