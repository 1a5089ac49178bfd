import { isResourceType } from '@carespine/fhir/definitions'
import { writeJson } from '@carespine/fhir/decimal-digits'
import type { Parameters, Resource, ResourceType } from '@carespine/fhir/resource'
import { refuse } from '@carespine/kit/module'
import type { Services } from '@carespine/kit/services'
import type { FastifyInstance } from 'fastify'
import ofR4 from '../generated/operations.json' with { type: 'json' }
import { FHIR_JSON } from './answer.ts'
import { backportOperations } from './backport-operations.ts'
import { bulkOperations } from './bulk/operation-definitions.ts'
import type { Caller } from './interactions.ts'
import { type InputRules, type OperationInput, readInput } from './operation-input.ts'
import { codeSystemLookup } from './operations/code-system-lookup.ts'
import { codeSystemSubsumes } from './operations/code-system-subsumes.ts'
import { codeSystemValidateCode, valueSetValidateCode } from './operations/validate-code.ts'
import { compositionDocument, documentRefusals } from './operations/composition-document.ts'
import { conceptMapClosure } from './operations/concept-map-closure.ts'
import { conceptMapTranslate } from './operations/concept-map-translate.ts'
import { encounterEverything, patientEverything } from './operations/everything.ts'
import { resourceMeta, resourceMetaAdd, resourceMetaDelete } from './operations/meta.ts'
import { observationLastn } from './operations/observation-lastn.ts'
import { patientMatch } from './operations/patient-match.ts'
import { bindingTokenOf, eventsOfSubscription, statusOfSubscription } from './operations/subscription.ts'
import { valueSetExpand } from './operations/value-set-expand.ts'
import { baseOf, callerOf, FORM, formOf, queryOf } from './read-request.ts'

const published = { ...ofR4, ...backportOperations, ...bulkOperations }

type Level = 'system' | 'type' | 'instance'

export interface Asked {
  services: Services
  caller: Caller
  base: string
  method: string
  level: Level
  type: ResourceType | undefined
  id: string | undefined
  input: OperationInput
}

/** One operation of R4 as it is served here. */
export interface Operation {
  /** Id of the OperationDefinition that HL7 publishes, with R4 or with a guide. */
  definition: keyof typeof published
  /** Where it is served, of the levels that the definition has. */
  levels: readonly Level[]
  understood: InputRules['understood']
  more?: InputRules['more']
  /** It changes something here: POST only (R4 Operations Framework, section 3.2.0.1). */
  changes?: true
  run(asked: Asked): Promise<Buffer | Resource | Parameters>
}

/** Every operation that is served: routes and the capability statement are read off it. */
const operations: readonly Operation[] = [
  codeSystemLookup,
  codeSystemSubsumes,
  codeSystemValidateCode,
  compositionDocument,
  conceptMapClosure,
  conceptMapTranslate,
  encounterEverything,
  observationLastn,
  patientEverything,
  patientMatch,
  resourceMeta,
  resourceMetaAdd,
  resourceMetaDelete,
  statusOfSubscription,
  eventsOfSubscription,
  bindingTokenOf,
  valueSetExpand,
  valueSetValidateCode,
]

/** Operations that have routes of their own, with the levels they are served at. */
const withRoutes: readonly Pick<Operation, 'definition' | 'levels'>[] = [
  { definition: 'Resource-validate', levels: ['type', 'instance'] },
  { definition: 'Resource-graphql', levels: ['system', 'instance'] },
  { definition: 'bulkdata-export', levels: ['system'] },
  { definition: 'bulkdata-patient-export', levels: ['type'] },
  { definition: 'bulkdata-group-export', levels: ['instance'] },
  { definition: 'bulk-import', levels: ['system'] },
]

const BODY_LIMIT = 16 * 1024 * 1024

interface Named {
  name: string
  definition: string
}

const definitionOf = (operation: Pick<Operation, 'definition'>) => published[operation.definition]
const namedOf = (operation: Pick<Operation, 'definition'>): Named => ({ name: definitionOf(operation).code, definition: definitionOf(operation).url })

/** Operations on one type or its instances, as the capability statement names them. */
export function operationsOn(type: ResourceType): Named[] {
  return [...operations, ...withRoutes]
    .filter((operation) => operation.levels.some((level) => level !== 'system') && definitionOf(operation).types.some((one) => one === type || one === 'Resource'))
    .map(namedOf)
}

/** Operations on the whole server. */
export function operationsOnSystem(): Named[] {
  return [...operations, ...withRoutes].filter(({ levels }) => levels.includes('system')).map(namedOf)
}

function addressesOf(operation: Operation, level: Level): { url: string; type?: ResourceType }[] {
  const { code, types } = definitionOf(operation)
  if (level === 'system') return [{ url: `/$${code}` }]
  const middle = level === 'instance' ? '/:id' : ''
  return types.map((type) => (isResourceType(type) ? { url: `/${type}${middle}/$${code}`, type } : { url: `/:type${middle}/$${code}` }))
}

/** Serves every operation at the addresses that its definition gives it. */
export function operationRoutes(fhir: FastifyInstance, services: Services): void {
  for (const operation of operations) {
    const { code, levels, inputs } = definitionOf(operation)
    const unknown = operation.levels.filter((level) => !levels.includes(level))
    if (unknown.length > 0) throw new Error(`${operation.definition} is not defined at ${unknown.join(', ')}`)
    const rules: InputRules = { inputs, understood: operation.understood, ...(operation.more ? { more: operation.more } : {}) }
    for (const level of operation.levels) {
      for (const { url, type } of addressesOf(operation, level)) {
        fhir.route<{ Params: { type?: string; id?: string } }>({
          method: operation.changes ? 'POST' : ['GET', 'POST'],
          url,
          config: { allow: 'signed-in' },
          schema: { tags: ['fhir'] },
          bodyLimit: BODY_LIMIT,
          handler: async (request, reply) => {
            const named = request.params.type
            if (named !== undefined && !isResourceType(named)) refuse('FHIR_TYPE_UNKNOWN')
            const isForm = request.headers['content-type']?.startsWith(FORM)
            const query = isForm ? [...queryOf(request), ...formOf(request)] : queryOf(request)
            const answer = await operation.run({
              services,
              caller: callerOf(request, `fhir.${code}`),
              base: baseOf(request),
              method: request.method,
              level,
              type: type ?? (named as ResourceType | undefined),
              id: request.params.id,
              input: readInput(rules, query, isForm ? undefined : request.body),
            })
            return reply.header('content-type', FHIR_JSON).send(Buffer.isBuffer(answer) ? answer : Buffer.from(writeJson(answer)))
          },
        })
      }
    }
  }
}

export const operationRefusals = {
  ...documentRefusals,
  FHIR_OPERATION_INPUT_INVALID: { status: 400, message: 'The parameters of the operation have faults.' },
  FHIR_OPERATION_BODY_UNSUPPORTED: { status: 400, message: 'Send a Parameters resource, or the resource that the operation is about.' },
} as const

