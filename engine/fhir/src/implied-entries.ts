import { filedUnder } from './compartments.ts'
import type { ResourceType } from './resource.ts'
import { type ElementPath, type SearchParameterDefinition, writePath } from './search-parameters.ts'

// Half of the index terms of a laboratory value said what others of the same row say: `combo-code` what `code` says,
// `subject` and `patient` what the column of the patient says. Who asks can put them together; nobody has to store them.

/** Parts of a name or an address that have parameters of their own; `textsOf` gives the same texts for the whole. */
const TEXT_PARTS: Readonly<Record<string, readonly string[]>> = {
  HumanName: ['family', 'given', 'prefix', 'suffix', 'text'],
  Address: ['line', 'city', 'district', 'state', 'postalCode', 'country', 'text'],
}

const partLists = new WeakMap<ReadonlyMap<string, SearchParameterDefinition>, ReadonlyMap<string, readonly SearchParameterDefinition[]>>()
const none: readonly SearchParameterDefinition[] = []

/**
 * Parameters of a type whose entries each stand for the same entry of `parameter`: of `name` those are `family` and `given`,
 * of `telecom` `phone` and `email`, of `combo-code` `code` and `component-code`. An entry that one of them has is not made
 * again; a search by `parameter` asks for all of them.
 */
export function partsOf(parameters: ReadonlyMap<string, SearchParameterDefinition>, parameter: SearchParameterDefinition): readonly SearchParameterDefinition[] {
  let lists = partLists.get(parameters)
  if (!lists) {
    const candidates = [...parameters.values()].filter(({ type, bit }) => bit !== undefined && (type === 'token' || type === 'string'))
    lists = new Map(candidates.map((whole) => [whole.code, candidates.filter((part) => isPart(part, whole))]))
    partLists.set(parameters, lists)
  }
  return lists.get(parameter.code) ?? none
}

function isPart(part: SearchParameterDefinition, whole: SearchParameterDefinition): boolean {
  if (part === whole || part.type !== whole.type) return false
  if (!part.paths.every((path) => whole.paths.some((one) => isWithin(path, one)))) return false
  // Of two that are the same, the first by code has the entries.
  const isSame = whole.paths.every((path) => part.paths.some((one) => isWithin(path, one)))
  return !isSame || part.code < whole.code
}

function isWithin(path: ElementPath, whole: ElementPath): boolean {
  if ([path, whole].some(({ exists, expression }) => exists || expression !== undefined)) return false
  const [inner, outer] = [writePath(path)[0], writePath(whole)[0]]
  if (inner === outer) return path.type === whole.type && path.target === whole.target
  // Those of one kind, such as `telecom[system=phone]`.
  if (inner.startsWith(`${outer}[`) && inner.endsWith(']') && !inner.slice(outer.length + 1, -1).includes(']')) return path.type === whole.type
  return (TEXT_PARTS[whole.type] ?? []).some((part) => inner === `${outer}.${part}`)
}

/** True where every value is a code or a truth: it has no system beside the one that it is bound to. */
export function isWithoutSystem({ paths }: SearchParameterDefinition): boolean {
  return paths.every(({ type }) => type === 'code' || type === 'boolean')
}

/** Types that are named one by one when an id alone is asked for; of more, the id has an entry of its own. */
const MOST_TARGETS = 8

/** True where a search by an id alone asks for that id of each type that is meant. */
export function namesEachTarget({ paths, targets, bit }: SearchParameterDefinition): boolean {
  return bit !== undefined && targets.length > 0 && targets.length <= MOST_TARGETS && paths.every(({ type }) => type === 'Reference')
}

const patientColumns = new WeakMap<SearchParameterDefinition, boolean>()

/** True where the patient that it names is the one that the row is filed under, and the other way round. */
export function isPatientColumn(type: ResourceType, parameter: SearchParameterDefinition): boolean {
  let is = patientColumns.get(parameter)
  if (is === undefined) {
    const filed = filedUnder(type, parameter)
    is = filed?.column === 'patient' && filed.how === 'same'
    patientColumns.set(parameter, is)
  }
  return is
}
