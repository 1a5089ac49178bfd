import { isResourceType, resourceTypes } from '@carespine/fhir/definitions'
import type { ParametersParameter } from '@carespine/fhir/resource'
import { refuse } from '@carespine/kit/module'
import { allows } from '@carespine/kit/permission'
import type { Caller } from '../interactions.ts'
import type { OperationInput } from '../operation-input.ts'
import { mayFetch } from './fetch-input.ts'
import type { ImportOrder } from './job.ts'

const FORMATS = new Set(['application/fhir+ndjson', 'application/ndjson', 'ndjson'])
const MOST_INPUTS = 1000

function invalid(diagnostics: string): never {
  return refuse('FHIR_OPERATION_INPUT_INVALID', { issues: [{ severity: 'error', code: 'value', diagnostics }] })
}

/** Who may write nothing at all brings nothing in; what of it, is looked at line by line. */
export function requireSomeWriting({ actor }: Caller): void {
  if (!resourceTypes.some((type) => allows(actor.permissions, `fhir:${type}:write`))) refuse('PERMISSION_MISSING', { permission: 'fhir:*:write' })
}

/** What is to be brought in, and from where. */
export function orderImport(input: OperationInput, origins: readonly string[]): ImportOrder {
  const format = input.text('inputFormat')
  if (format !== undefined && !FORMATS.has(format)) invalid(`inputFormat: files are taken as ${[...FORMATS].join(', ')}.`)
  const parts = input.all<ParametersParameter[]>('input')
  if (parts.length > MOST_INPUTS) invalid(`input: give at most ${MOST_INPUTS} files.`)
  return { inputs: parts.map((part) => inputOf(part, origins)) }
}

function inputOf(parts: readonly ParametersParameter[], origins: readonly string[]): { type?: string; url: string } & ImportOrder['inputs'][number] {
  const type = parts.find(({ name }) => name === 'type')
  const url = parts.find(({ name }) => name === 'url')
  const named = type && (type.valueCode ?? type.valueString ?? '')
  const address = url && (url.valueUrl ?? url.valueUri ?? url.valueString)
  if (parts.some(({ name }) => name !== 'type' && name !== 'url')) invalid('input: its parts are type and url.')
  if (named !== undefined && !isResourceType(named)) invalid('input.type: give a type of R4.')
  if (address === undefined) return invalid('input.url: say where the file is.')
  if (!mayFetch(address, origins)) {
    invalid(origins.length === 0 ? 'input.url: this server fetches from nowhere. Send the lines in the body, as application/fhir+ndjson.' : 'input.url: this server does not fetch from there.')
  }
  return { ...(named === undefined ? {} : { type: named }), url: address }
}
