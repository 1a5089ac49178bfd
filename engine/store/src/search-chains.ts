import { filedUnder } from '@carespine/fhir/compartments'
import { idKey, mayHideId } from '@carespine/fhir/index-entries'
import type { ResourceType } from '@carespine/fhir/resource'
import type { SearchParameterDefinition } from '@carespine/fhir/search-parameters'
import type { AskedValue, ChainFilter, Filter, ReverseFilter } from '@carespine/fhir/search-query'
import { type Reference, referenceOf, valuesOf } from '@carespine/fhir/search-values'
import { anyOf, type Clause, keysClause } from './search-clauses.ts'
import type { Planned, SearchContext } from './search-context.ts'
import type { Candidate } from './search-pages.ts'
import { conditionsOf, tableOf } from './search-statement.ts'
import { Refusal } from './refusal.ts'
import type { Statement } from './database.ts'

/** So many resources are named in a statement; beyond, the database joins, or candidates are looked at. */
const MOST_NAMED = 2000
/** Candidates whose references are asked about in one statement. */
const AT_ONCE = 500

type Verdicts = Planned['verify']
/** Plans what is asked of the resources at the other end. */
type PlanFilter = (type: ResourceType, filter: Filter, context: SearchContext) => Promise<Planned>

/** References to resources that match: few are named, many are joined when rows are filed under them. */
export async function planChain(type: ResourceType, { parameter, targets }: ChainFilter, context: SearchContext, plan: PlanFilter): Promise<Planned> {
  const clauses: Clause[] = []
  let exact = true
  let patient: string | undefined
  const inner: { type: ResourceType; filter: Filter }[] = []
  for (const target of targets) {
    inner.push(target)
    const planned = await plan(target.type, target.filter, context)
    const filed = filedUnder(type, parameter)
    const isFiled = filed?.how === 'same' && filed.column === 'patient' && target.type === 'Patient'
    const keys = planned.exact ? await keysOf(target.type, planned, context) : undefined
    if (isFiled && keys) {
      if (targets.length === 1 && keys.length === 1) patient = keys[0]
      clauses.push(keysClause(keys, 'patient').clause)
    } else if (isFiled && planned.exact) {
      clauses.push(joined('patient', target.type, 'id', planned, context))
    } else if (keys && !hasCanonicals(parameter) && !keys.some(mayHideId)) {
      clauses.push(keys.length === 0 ? 'nothing' : { anyTerm: keys.map((key) => `${parameter.code}=${target.type}/${key}`) })
    } else {
      const found = planned.exact && !keys ? undefined : await findFew(target.type, keys ? { keys } : { filters: [target.filter] }, context)
      if (found === undefined) {
        clauses.push('everything')
        exact = false
      } else clauses.push(isFiled ? keysClause(found.map(({ row }) => row.id), 'patient').clause : namedClause(parameter, target.type, found))
    }
  }
  return { clause: anyOf(clauses), exact, ...(patient === undefined ? {} : { patient }), verify: verifyChain(parameter, inner, context) }
}

/** The resources at the other end, if they can be named and found without looking at everything. */
async function findFew(type: ResourceType, wanted: { keys?: readonly string[]; filters?: readonly Filter[] }, context: SearchContext): Promise<Candidate[] | undefined> {
  try {
    const found = await context.find(type, { ...wanted, limit: MOST_NAMED + 1 })
    return found.length > MOST_NAMED ? undefined : found
  } catch (error) {
    // From this end it may be narrower: other filters choose the candidates that are asked about.
    if (error instanceof Refusal && error.code === 'SEARCH_TOO_WIDE') return undefined
    throw error
  }
}

function namedClause(parameter: SearchParameterDefinition, type: ResourceType, found: readonly Candidate[]): Clause {
  const terms = found.flatMap(({ resource }) => {
    const { id, url } = resource as { id: string; url?: unknown }
    return [`${parameter.code}=${type}/${id}`, ...(hasCanonicals(parameter) && typeof url === 'string' ? [`${parameter.code}=${url}`] : [])]
  })
  return terms.length === 0 ? 'nothing' : { anyTerm: terms }
}

function hasCanonicals({ paths }: SearchParameterDefinition): boolean {
  return paths.some(({ type }) => type === 'canonical' || type === 'uri')
}

/** Keys of the resources that match; undefined when there are more than can be named. */
async function keysOf(type: ResourceType, planned: Planned, context: SearchContext): Promise<string[] | undefined> {
  const rows = await context.query<{ key: string }>(keysStatement('id', type, planned, MOST_NAMED + 1, context))
  return rows.length > MOST_NAMED ? undefined : rows.map(({ key }) => key)
}

function keysStatement(column: string, type: ResourceType, planned: Planned, limit: number, context: SearchContext): Statement {
  const values: unknown[] = []
  const parameter = (value: unknown, sqlType: string): string => `$${values.push(value)}::${sqlType}`
  const where = conditionsOf({ type, clauses: [planned.clause], ...withPatient(planned) }, parameter, 'i', context.hashes).join(' and ')
  const distinct = column === 'id' ? '' : 'distinct '
  const present = column === 'id' ? '' : ` and i.${column} is not null`
  return { text: `select ${distinct}i.${column} as key from ${tableOf(type)} i where ${where}${present} limit ${parameter(limit, 'int')}`, values }
}

function withPatient({ patient }: Planned): { patient?: string } {
  return patient === undefined ? {} : { patient }
}

/** `t.patient in (select id of those that match)`: where they are too many to be named. */
function joined(column: string, type: ResourceType, of: string, planned: Planned, { hashes }: SearchContext): Clause {
  return {
    sql: (parameter, alias) => {
      const inner = `${alias}j`
      const where = conditionsOf({ type, clauses: [planned.clause], ...withPatient(planned) }, parameter, inner, hashes).join(' and ')
      return `${alias}.${column} in (select ${inner}.${of} from ${tableOf(type)} ${inner} where ${where}${of === 'id' ? '' : ` and ${inner}.${of} is not null`})`
    },
  }
}

function verifyChain(parameter: SearchParameterDefinition, targets: readonly { type: ResourceType; filter: Filter }[], context: SearchContext): Verdicts {
  return async (candidates) => {
    const references = candidates.map(({ resource }) => referencesIn(resource, parameter))
    const fitting = new Set<string>()
    for (const { type, filter } of targets) {
      const keys = new Set(references.flat().flatMap((one) => (one.type === type && one.id !== undefined ? [idKey(one.id)] : [])))
      const urls = new Set(references.flat().flatMap(({ text }) => (text?.includes(':') ? [bare(text)] : [])))
      for (const some of chunks([...keys])) {
        for (const { row } of await context.find(type, { keys: some, filters: [filter], limit: some.length })) fitting.add(`${type}/${row.id}`)
      }
      const byUrl = context.parametersOf(type).get('url')
      if (urls.size === 0 || !byUrl || !hasCanonicals(parameter)) continue
      for (const some of chunks([...urls])) {
        const values = some.map((text): AskedValue => ({ comparator: 'eq', text }))
        for (const { resource } of await context.find(type, { filters: [filter, { kind: 'value', parameter: byUrl, values }], limit: MOST_NAMED })) {
          fitting.add((resource as { url: string }).url)
        }
      }
    }
    return references.map((some) => some.some(({ type, id, text }) => fitting.has(id === undefined ? bare(text ?? '') : `${type}/${idKey(id)}`)))
  }
}

function referencesIn(resource: unknown, parameter: SearchParameterDefinition): Reference[] {
  return valuesOf(resource, parameter).flatMap(({ value }) => referenceOf(value, resource) ?? [])
}

function bare(canonical: string): string {
  return canonical.split('|')[0] as string
}

function* chunks<T>(values: readonly T[]): Generator<T[]> {
  for (let at = 0; at < values.length; at += AT_ONCE) yield values.slice(at, at + AT_ONCE)
}

/** Resources that are referred to by others that match. */
export async function planReverse(type: ResourceType, { source, parameter, filter }: ReverseFilter, context: SearchContext, plan: PlanFilter): Promise<Planned> {
  const planned = await plan(source, filter, context)
  const verify = verifyReverse(type, source, parameter, filter, context)
  const filed = filedUnder(source, parameter)
  const column = filed?.how === 'same' && ((type === 'Patient' && filed.column === 'patient') || (type === 'Encounter' && filed.column === 'encounter')) ? filed.column : undefined
  if (column !== undefined && planned.exact) {
    const rows = await context.query<{ key: string }>(keysStatement(column, source, planned, MOST_NAMED + 1, context))
    if (rows.length <= MOST_NAMED) return { ...keysClause(rows.map(({ key }) => key)), verify }
    return { clause: joined('id', source, column, planned, context), exact: true, verify }
  }
  const found = await findFew(source, { filters: [filter] }, context)
  if (found === undefined) return { clause: 'everything', exact: false, verify }
  const references = found.flatMap(({ resource }) => referencesIn(resource, parameter))
  const keys = [...new Set(references.flatMap((one) => (one.type === type && one.id !== undefined ? [idKey(one.id)] : [])))]
  const urls = hasCanonicals(parameter) && context.parametersOf(type).has('url') ? references.flatMap(({ text }) => (text?.includes(':') ? [`url=${bare(text)}`] : [])) : []
  const clauses = [keysClause(keys).clause, ...(urls.length > 0 ? [{ anyTerm: urls }] : [])]
  return { clause: anyOf(clauses), exact: true, verify }
}

function verifyReverse(type: ResourceType, source: ResourceType, parameter: SearchParameterDefinition, filter: Filter, context: SearchContext): Verdicts {
  return async (candidates) => {
    const referred = new Set<string>()
    for (const some of chunks(candidates)) {
      const values = some.flatMap(({ resource }): AskedValue[] => {
        const { id, url } = resource as { id: string; url?: unknown }
        return [{ comparator: 'eq', text: `${type}/${id}` }, ...(hasCanonicals(parameter) && typeof url === 'string' ? [{ comparator: 'eq' as const, text: url }] : [])]
      })
      for await (const page of context.pages(source, [filter, { kind: 'value', parameter, values }])) {
        for (const { resource } of page) {
          for (const one of referencesIn(resource, parameter)) referred.add(one.id === undefined ? bare(one.text ?? '') : `${one.type}/${idKey(one.id)}`)
        }
      }
    }
    return candidates.map(({ row, resource }) => {
      const { url } = resource as { url?: unknown }
      return referred.has(`${type}/${row.id}`) || (typeof url === 'string' && referred.has(url))
    })
  }
}
