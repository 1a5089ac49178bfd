import type { Coding, ConceptMap, ParametersParameter } from '@carespine/fhir/resource'
import { refuse } from '@carespine/kit/module'
import { translateCode } from '@carespine/terminology/contract'
import { requirePermission } from '../interactions.ts'
import { type OperationInput, parametersOf } from '../operation-input.ts'
import type { Operation } from '../operations.ts'

function codingsOf(input: OperationInput): Coding[] {
  const coding = input.coding('coding')
  if (coding) return [coding]
  const code = input.text('code')
  if (code !== undefined) return [{ code, ...(input.has('system') ? { system: input.text('system') } : {}), ...(input.has('version') ? { version: input.text('version') } : {}) }]
  const codings = input.concept('codeableConcept')?.coding ?? []
  const diagnostics = 'Give one of code, coding and codeableConcept.'
  return codings.length > 0 ? codings : refuse('FHIR_OPERATION_INPUT_INVALID', { issues: [{ severity: 'error', code: 'required', diagnostics }] })
}

function dependencyOf(parts: readonly ParametersParameter[]) {
  const element = parts.find(({ name }) => name === 'element')?.valueUri ?? ''
  const concept = parts.find(({ name }) => name === 'concept')
  const coding = concept?.valueCodeableConcept?.coding?.[0] ?? concept?.valueCoding
  return { property: element, value: coding?.code ?? '', ...(coding?.system === undefined ? {} : { system: coding.system }) }
}

/** What a code is in another code system (http://hl7.org/fhir/R4/conceptmap-operation-translate.html). */
export const conceptMapTranslate: Operation = {
  definition: 'ConceptMap-translate',
  levels: ['type', 'instance'],
  understood: ['url', 'conceptMap', 'conceptMapVersion', 'code', 'system', 'version', 'source', 'coding', 'codeableConcept', 'target', 'targetsystem', 'dependency', 'reverse'],
  async run({ services, caller, id, input }) {
    requirePermission(caller.actor, 'ConceptMap', 'read')
    const asked = {
      id,
      url: input.text('url'),
      conceptMap: input.resource<ConceptMap>('conceptMap'),
      conceptMapVersion: input.text('conceptMapVersion'),
      codings: codingsOf(input),
      source: input.text('source'),
      target: input.text('target'),
      targetSystem: input.text('targetsystem'),
      dependencies: input.all<ParametersParameter[]>('dependency').map(dependencyOf),
      reverse: input.flag('reverse'),
    }
    const { result, message, matches } = await services.perform(translateCode, asked, caller.actor, caller.origin)
    return parametersOf([
      { name: 'result', valueBoolean: result },
      message === undefined ? undefined : { name: 'message', valueString: message },
      ...matches.map(({ equivalence, concept, comment, products, source }) => ({
        name: 'match',
        part: [
          { name: 'equivalence', valueCode: equivalence },
          ...(concept ? [{ name: 'concept', valueCoding: concept }] : []),
          ...(comment === undefined ? [] : [{ name: 'comment', valueString: comment }]),
          ...products.map(({ property, value, system, display }) => ({
            name: 'product',
            part: [
              { name: 'element', valueUri: property },
              { name: 'concept', valueCoding: { code: value, ...(system === undefined ? {} : { system }), ...(display === undefined ? {} : { display }) } },
            ],
          })),
          ...(source === undefined ? [] : [{ name: 'source', valueUri: source }]),
        ],
      })),
    ])
  },
}
