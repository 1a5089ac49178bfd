import type { CodeSystem, Coding, Parameters, ValueSet } from '@carespine/fhir/resource'
import { refuse } from '@carespine/kit/module'
import { validateInCodeSystem, validateInValueSet, type Checked } from '@carespine/terminology/contract'
import { requirePermission } from '../interactions.ts'
import { type OperationInput, parametersOf } from '../operation-input.ts'
import type { Operation } from '../operations.ts'

/** The code asked about: alone, in a Coding, or in a CodeableConcept, whose codings say the same. */
function codingsOf(input: OperationInput, systemVersion: string): Coding[] {
  const code = input.text('code')
  const coding = input.coding('coding')
  const concept = input.concept('codeableConcept')
  const given = [code, coding, concept].filter((one) => one !== undefined)
  const fault = (diagnostics: string): never => refuse('FHIR_OPERATION_INPUT_INVALID', { issues: [{ severity: 'error', code: 'required', diagnostics }] })
  if (given.length !== 1) return fault('Give one of code, coding and codeableConcept.')
  if (concept) return concept.coding?.length ? concept.coding : fault('The codeableConcept has no coding.')
  if (coding) return [coding]
  const [system, version, display] = [input.text('system'), input.text(systemVersion), input.text('display')]
  return [{ code, ...(system === undefined ? {} : { system }), ...(version === undefined ? {} : { version }), ...(display === undefined ? {} : { display }) }]
}

function answerOf({ result, message, display, code, system }: Checked): Parameters {
  return parametersOf([
    { name: 'result', valueBoolean: result },
    message === undefined ? undefined : { name: 'message', valueString: message },
    display === undefined ? undefined : { name: 'display', valueString: display },
    // Which coding of a CodeableConcept decided; R5 has both.
    code === undefined ? undefined : { name: 'code', valueCode: code },
    system === undefined ? undefined : { name: 'system', valueUri: system },
  ])
}

/** Whether a code is in a value set (http://hl7.org/fhir/R4/valueset-operation-validate-code.html). */
export const valueSetValidateCode: Operation = {
  definition: 'ValueSet-validate-code',
  levels: ['type', 'instance'],
  understood: ['url', 'valueSet', 'valueSetVersion', 'code', 'system', 'systemVersion', 'display', 'coding', 'codeableConcept', 'abstract', 'displayLanguage'],
  async run({ services, caller, id, input }) {
    requirePermission(caller.actor, 'ValueSet', 'read')
    const asked = {
      id,
      url: input.text('url'),
      valueSet: input.resource<ValueSet>('valueSet'),
      valueSetVersion: input.text('valueSetVersion'),
      codings: codingsOf(input, 'systemVersion'),
      abstract: input.flag('abstract'),
      displayLanguage: input.text('displayLanguage'),
    }
    return answerOf(await services.perform(validateInValueSet, asked, caller.actor, caller.origin))
  },
}

/** Whether a code is in a code system (http://hl7.org/fhir/R4/codesystem-operation-validate-code.html). */
export const codeSystemValidateCode: Operation = {
  definition: 'CodeSystem-validate-code',
  levels: ['type', 'instance'],
  understood: ['url', 'codeSystem', 'code', 'version', 'display', 'coding', 'codeableConcept', 'abstract', 'displayLanguage'],
  async run({ services, caller, id, input }) {
    requirePermission(caller.actor, 'CodeSystem', 'read')
    const asked = {
      id,
      url: input.text('url'),
      codeSystem: input.resource<CodeSystem>('codeSystem'),
      version: input.text('version'),
      codings: codingsOf(input, 'version'),
      abstract: input.flag('abstract'),
      displayLanguage: input.text('displayLanguage'),
    }
    return answerOf(await services.perform(validateInCodeSystem, asked, caller.actor, caller.origin))
  },
}
