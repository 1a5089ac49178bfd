import type { Issue } from '@carespine/fhir/outcome'
import type { Observation } from '@carespine/fhir/resource'
import { refuse } from '@carespine/kit/module'
import type { StoredRow } from '@carespine/store/read-records'
import { bundleBytes, entryOf } from '../bundle-bytes.ts'
import { codeQuestions } from '../code-questions.ts'
import { auditRead, requirePermission } from '../interactions.ts'
import type { Operation } from '../operations.ts'
import { parseQuery } from '../search.ts'
import { latestByCode } from './last-observations.ts'

/** Of the search, but not of this: the answer is grouped, ordered and cut by rule. */
const NOT_TAKEN = new Set(['_sort', '_count', '_cursor', '_include', '_revinclude', '_summary', '_total', '_elements'])
const WHOSE = /^(patient|subject)(:Patient|\.identifier)?$/

/**
 * The latest observations of each kind, of one or more patients
 * (http://hl7.org/fhir/R4/observation-operation-lastn.html). Narrowed by any search parameter of Observation.
 */
export const observationLastn: Operation = {
  definition: 'Observation-lastn',
  levels: ['type'],
  understood: ['max'],
  more: 'search',
  async run({ services, caller, base, input }) {
    requirePermission(caller.actor, 'Observation', 'read')
    const max = input.number('max') ?? 1
    const issues: Issue[] = input.rest.flatMap(([name]) => (NOT_TAKEN.has(name) ? [{ severity: 'error', code: 'not-supported', diagnostics: `${name} is not supported here. Leave it out.` }] : []))
    if (max < 1) issues.push({ severity: 'error', code: 'value', diagnostics: 'max: give a whole number from 1.' })
    if (!input.rest.some(([name]) => WHOSE.test(name))) issues.push({ severity: 'error', code: 'required', diagnostics: 'Name the patient, with patient or subject.' })
    if (issues.length > 0) refuse('FHIR_OPERATION_INPUT_INVALID', { issues })
    const { store } = services
    const found: { resource: Observation; row: StoredRow; body: Buffer }[] = []
    let cursor: string | undefined
    do {
      const parameters = [...input.rest, ['_count', '1000'] as const, ...(cursor === undefined ? [] : [['_cursor', cursor] as const])]
      const { query } = parseQuery(services, 'Observation', caller, { base, parameters })
      const page = await store.search(store.scopeOf(caller.actor), query, { codes: codeQuestions(services) })
      for (const { row, body } of page.rows) found.push({ row, body, resource: JSON.parse(body.toString()) as Observation })
      cursor = page.next
    } while (cursor !== undefined)
    const latest = latestByCode(found, max)
    await auditRead(services, caller, 'Observation', latest.map(({ row }) => row))
    const self = `${base}/Observation/$lastn?${new URLSearchParams([...input.rest, ['max', String(max)]])}`
    const entries = latest.map(({ row, body }) => entryOf(base, 'Observation', body, 'match', row))
    return bundleBytes({ resourceType: 'Bundle', type: 'searchset', total: entries.length, link: [{ relation: 'self', url: self }] }, entries)
  },
}
