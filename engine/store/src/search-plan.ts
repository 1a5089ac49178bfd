import { filedUnder } from '@carespine/fhir/compartments'
import { idKey, isHashedDate, mainDateOf } from '@carespine/fhir/index-entries'
import { matches } from '@carespine/fhir/match'
import type { ResourceType } from '@carespine/fhir/resource'
import type { ContainedFilter, Filter, ListFilter, SearchQuery, TextFilter, ValueFilter } from '@carespine/fhir/search-query'
import { localReference } from '@carespine/fhir/search-values'
import { contentWords, fitsText, narrativeWords } from '@carespine/fhir/text-query'
import { planChain, planReverse } from './search-chains.ts'
import { anyOf, type Clause, hashedDates, keysClause, narrowest, type Parameter, rangeHint, translate, type Translated, type Window, windowOfFilter } from './search-clauses.ts'
import { askCodes, askHierarchy } from './search-codes.ts'
import type { Planned, SearchContext } from './search-context.ts'
import type { Candidate } from './search-pages.ts'
import { refuseSearch } from './refusal.ts'
import { onlyMeant } from './twins.ts'

export interface SearchPlan {
  clauses: readonly Clause[]
  patient?: string
  /** Absent when the index decides. */
  verify?: Planned['verify']
}

/** Plans the filters of a search, all of which must be true. */
export async function planSearch({ type, filters }: Pick<SearchQuery, 'type' | 'filters'>, context: SearchContext): Promise<SearchPlan> {
  const planned: Planned[] = []
  for (const filter of filters) planned.push(await plan(type, filter, context))
  const unsure = planned.filter(({ exact }) => !exact)
  const patient = planned.find((one) => one.patient !== undefined)?.patient
  const windows = context.hasOldForm(type) ? undefined : hashedWindows(filters, planned, context)
  // What the patient's rows or a window say already is not asked again.
  const clauseOf = (one: Planned): Clause => ((one.isFiled && one.patient === patient) || windows?.covered.has(one) ? 'everything' : one.clause)
  return {
    clauses: [...planned.map(clauseOf), ...(windows?.clauses ?? []), mainRange(type, filters, context), ...meantClause(type, context)],
    ...(patient === undefined ? {} : { patient }),
    ...(unsure.length > 0 ? { verify: (candidates) => verifyAll(unsure, candidates) } : {}),
  }
}

async function plan(type: ResourceType, filter: Filter, context: SearchContext): Promise<Planned> {
  switch (filter.kind) {
    case 'value':
      return await planValue(type, filter, context)
    case 'chain':
      return await planChain(type, filter, context, plan)
    case 'has':
      return await planReverse(type, filter, context, plan)
    case 'list':
      return await planList(type, filter, context)
    case 'text':
      return planText(filter)
    case 'contained':
      return await planContained(type, filter, context)
    case 'not': {
      const inner = await plan(type, filter.filter, context)
      return {
        clause: inner.exact ? { not: inner.clause } : 'everything',
        exact: inner.exact,
        verify: async (candidates) => (await inner.verify(candidates)).map((fits) => !fits),
      }
    }
    case 'all':
    case 'any': {
      const parts: Planned[] = []
      for (const one of filter.filters) parts.push(await plan(type, one, context))
      const exact = parts.every((part) => part.exact)
      if (filter.kind === 'all') {
        const unsure = parts.filter((part) => !part.exact)
        const patient = parts.find((part) => part.patient !== undefined)?.patient
        return { ...(patient === undefined ? {} : { patient }), clause: { and: parts.map(({ clause }) => clause) }, exact, verify: (candidates) => verifyAll(unsure.length > 0 ? unsure : parts, candidates) }
      }
      return { clause: anyOf(parts.map(({ clause }) => clause)), exact, verify: (candidates) => verifyAny(parts, candidates) }
    }
  }
}

async function verifyAll(parts: readonly Planned[], candidates: readonly Candidate[]): Promise<boolean[]> {
  const fits = candidates.map(() => true)
  for (const { verify } of parts) {
    const left = candidates.flatMap((candidate, at) => (fits[at] ? [{ candidate, at }] : []))
    if (left.length === 0) break
    const found = await verify(left.map(({ candidate }) => candidate))
    for (const [nth, { at }] of left.entries()) fits[at] = found[nth] === true
  }
  return fits
}

async function verifyAny(parts: readonly Planned[], candidates: readonly Candidate[]): Promise<boolean[]> {
  const answers = await Promise.all(parts.map(({ verify }) => verify(candidates)))
  return candidates.map((_candidate, at) => answers.some((answer) => answer[at]))
}

async function planValue(type: ResourceType, given: ValueFilter, context: SearchContext): Promise<Planned> {
  const { parameter, modifier } = given
  const isAcross = modifier === 'in' || modifier === 'not-in' || modifier === 'above' || modifier === 'below'
  let filter = given
  if (isAcross && parameter.type === 'token') filter = await askCodes(given, context)
  if ((modifier === 'above' || modifier === 'below') && parameter.type === 'reference') filter = await askHierarchy(given, context)
  const translated = translate(filter, {
    type,
    now: context.now,
    parametersOf: context.parametersOf,
    hasOldForm: context.hasOldForm(type),
  })
  return {
    ...narrowed(type, filter, translated),
    verify: async (candidates) => candidates.map(({ resource }) => matches(resource, filter, context.now)),
  }
}

// Rows carry the patient that they are about: a search within one is a few hundred rows of one index.
function narrowed(type: ResourceType, { parameter, modifier, values }: ValueFilter, translated: Translated): Omit<Planned, 'verify'> {
  const [value, ...others] = values
  if (parameter.type !== 'reference' || !value || others.length > 0 || (modifier !== undefined && modifier !== 'Patient')) return translated
  const filed = filedUnder(type, parameter)
  if (filed?.column !== 'patient') return translated
  const named = localReference(value.text)
  const onlyPatients = parameter.targets.every((target) => target === 'Patient') && parameter.targets.length > 0
  const patient = named ? (named.type === 'Patient' ? named.id : undefined) : onlyPatients && !/[/:]/.test(value.text) ? value.text : undefined
  if (patient === undefined) return translated
  return { ...translated, patient, ...(filed.how === 'same' ? { isFiled: true } : {}) }
}

// Two bounds of one birth date are one range: together they name a few days or years, each alone a century.
function hashedWindows(filters: readonly Filter[], planned: readonly Planned[], context: SearchContext): { clauses: Clause[]; covered: Set<Planned> } {
  const windows = new Map<string, Window>()
  const covered = new Set<Planned>()
  for (const [at, filter] of filters.entries()) {
    const one = planned[at] as Planned
    if (filter.kind !== 'value' || one.exact || !isHashedDate(filter.parameter.code)) continue
    const window = windowOfFilter(filter, context.now)
    if (!window) continue
    windows.set(filter.parameter.code, narrowest(windows.get(filter.parameter.code), window))
    covered.add(one)
  }
  return { clauses: [...windows].map(([code, window]) => hashedDates(code, window)), covered }
}

// The same for the date that a type is ordered by, which has columns: bounds that are told apart say nothing of an index.
function mainRange(type: ResourceType, filters: readonly Filter[], context: SearchContext): Clause {
  const main = mainDateOf(type)
  let range: Window | undefined
  for (const filter of filters) {
    if (filter.kind !== 'value' || filter.parameter !== main || filter.values[0]?.comparator === 'eq') continue
    const window = windowOfFilter(filter, context.now)
    if (window) range = narrowest(range, window)
  }
  return main && range ? rangeHint(main, range) : 'everything'
}

function meantClause(type: ResourceType, { scope }: SearchContext): Clause[] {
  const sql = (place: Parameter, alias: string): string => onlyMeant(scope, type, alias, (branch) => place(branch, 'uuid')) ?? 'true'
  return sql(() => '', '') === 'true' ? [] : [{ sql }]
}

function planText({ where, query }: TextFilter): Planned {
  const words = where === 'narrative' ? narrativeWords : contentWords
  return { clause: 'everything', exact: false, verify: async (candidates) => candidates.map(({ resource }) => fitsText(query, words(resource))) }
}

async function planContained(type: ResourceType, filter: ContainedFilter, context: SearchContext): Promise<Planned> {
  const parts: Planned[] = []
  for (const one of filter.filters) parts.push(await plan(filter.type, one, context))
  return {
    clause: context.hasOldForm(type) ? 'everything' : { terms: [`contained=${filter.type}`] },
    exact: false,
    async verify(candidates) {
      return await Promise.all(
        candidates.map(async (candidate) => {
          const { contained } = candidate.resource as { contained?: { resourceType?: string }[] }
          const inside = Array.isArray(contained) ? contained.filter((one) => one?.resourceType === filter.type) : []
          const fits = await verifyAll(parts, inside.map((one) => candidate.inside(one)))
          candidate.contained = inside.filter((_one, at) => fits[at])
          return candidate.contained.length > 0
        }),
      )
    },
  }
}

async function planList(type: ResourceType, { id }: ListFilter, context: SearchContext): Promise<Planned> {
  const [list] = await context.find('List', { keys: [idKey(id)] })
  if (!list) return refuseSearch('not-found', '_list: there is no such List, or none that this sign-in may see.')
  const { entry = [] } = list.resource as { entry?: { item?: { reference?: string }; deleted?: boolean }[] }
  const keys = new Set(
    entry.flatMap(({ item, deleted }) => {
      const local = deleted === true ? undefined : localReference(item?.reference ?? '')
      return local?.type === type ? [idKey(local.id)] : []
    }),
  )
  return { ...keysClause([...keys]), verify: async (candidates) => candidates.map(({ row }) => keys.has(row.id)) }
}
