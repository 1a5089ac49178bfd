import { randomUUID } from 'node:crypto'
import type { ConceptMap, ConceptMapGroup } from '@carespine/fhir/resource'
import type { z } from '@carespine/kit/contract'
import { refuse } from '@carespine/kit/module'
import type { Actor, Transaction } from '@carespine/store/contract'
import { ancestorsOf, descendantsOf } from './code-book.ts'
import type { maintainClosure } from './contract.ts'
import type { Library } from './library.ts'
import { refuseSaying } from './refuse-saying.ts'

type Input = z.output<(typeof maintainClosure)['input']>

interface Closure {
  id: string
  version: number
}

interface Related {
  system: string
  code: string
  target: string
  /** The target, seen from the code (R4 ConceptMapEquivalence). */
  equivalence: 'subsumes' | 'specializes' | 'equal' | 'unmatched'
}

/** Keeps a client's closure table and answers with what is new in it (R4 Terminology Service, section 4.7.7). */
export async function maintain({ name, concepts, version }: Input, tx: Transaction, actor: Actor, now: Date, library: Library): Promise<ConceptMap> {
  if (concepts.length > 0 && version !== undefined) {
    refuseSaying('TERMINOLOGY_INPUT_INVALID', 'invalid', 'Send codes to add, or a version to start again from; not both.')
  }
  const [closure] = await tx.sql<Closure>(
    'select id, version from terminology.closure where branch = $1 and owner = $2 and name = $3 for update',
    [actor.branch, actor.id, name],
  )
  if (concepts.length === 0 && version === undefined) {
    await begin(tx, actor, name, closure)
    return answerOf(name, 0, [], now)
  }
  if (!closure) return refuse('TERMINOLOGY_CLOSURE_UNKNOWN')
  if (version !== undefined) {
    const since = /^\d{1,9}$/.test(version) ? Number(version) : refuseSaying('TERMINOLOGY_INPUT_INVALID', 'value', 'version is the version of an earlier answer.')
    const entries = await tx.sql<Related>(
      'select system, code, target, equivalence from terminology.closure_entry where closure = $1 and version > $2 order by version, system, code, target',
      [closure.id, since],
    )
    return answerOf(name, closure.version, entries, now)
  }
  return answerOf(name, closure.version + 1, await add(tx, actor, closure, concepts, library), now)
}

// The name alone makes the table, or empties it.
async function begin(tx: Transaction, actor: Actor, name: string, closure: Closure | undefined): Promise<void> {
  if (closure) await tx.sql('delete from terminology.closure where id = $1', [closure.id])
  await tx.sql('insert into terminology.closure (id, branch, owner, name) values ($1, $2, $3, $4)', [randomUUID(), actor.branch, actor.id, name])
}

async function add(tx: Transaction, actor: Actor, closure: Closure, concepts: Input['concepts'], library: Library): Promise<Related[]> {
  const known = new Map<string, Set<string>>()
  for (const { system, code } of await tx.sql<{ system: string; code: string }>('select system, code from terminology.closure_concept where closure = $1', [closure.id])) {
    known.set(system, (known.get(system) ?? new Set()).add(code))
  }
  const added: { system: string; code: string }[] = []
  const related: Related[] = []
  for (const { system, code } of concepts) {
    if (system === undefined || code === undefined) refuseSaying('TERMINOLOGY_INPUT_INVALID', 'required', 'Each concept has a system and a code.')
    const ofSystem = known.get(system) ?? new Set()
    if (ofSystem.has(code)) continue
    related.push(...(await relationsOf(system, code, ofSystem, library)))
    known.set(system, ofSystem.add(code))
    added.push({ system, code })
  }
  const version = closure.version + 1
  const common = [closure.id, actor.branch, version]
  await tx.sql(
    'insert into terminology.closure_concept (closure, branch, version, system, code) select $1, $2, $3, * from unnest($4::text[], $5::text[])',
    [...common, added.map(({ system }) => system), added.map(({ code }) => code)],
  )
  await tx.sql(
    'insert into terminology.closure_entry (closure, branch, version, system, code, target, equivalence) ' +
      'select $1, $2, $3, * from unnest($4::text[], $5::text[], $6::text[], $7::text[])',
    [...common, ...(['system', 'code', 'target', 'equivalence'] as const).map((column) => related.map((one) => one[column]))],
  )
  await tx.sql('update terminology.closure set version = $2 where id = $1', [closure.id, version])
  return related
}

async function relationsOf(system: string, code: string, others: ReadonlySet<string>, library: Library): Promise<Related[]> {
  const book = await library.codes(system)
  if (!book?.find(code)) {
    const diagnostics = book ? `${system} has no code '${code}'.` : `The codes of ${system} are not here.`
    refuseSaying(book ? 'TERMINOLOGY_CODE_UNKNOWN' : 'TERMINOLOGY_CODE_SYSTEM_UNKNOWN', 'not-found', diagnostics)
  }
  if (!book.subsumes) return []
  const [above, below] = [ancestorsOf(book, code), descendantsOf(book, code)]
  return [...others].flatMap((target): Related[] => {
    if (above.has(target)) return [{ system, code, target, equivalence: 'subsumes' }]
    return below.has(target) ? [{ system, code, target, equivalence: 'specializes' }] : []
  })
}

function answerOf(name: string, version: number, entries: readonly Related[], now: Date): ConceptMap {
  const groups = new Map<string, Map<string, Related[]>>()
  for (const entry of entries) {
    const elements = groups.get(entry.system) ?? new Map<string, Related[]>()
    groups.set(entry.system, elements.set(entry.code, [...(elements.get(entry.code) ?? []), entry]))
  }
  const group = [...groups].map(
    ([system, elements]): ConceptMapGroup => ({
      source: system,
      target: system,
      element: [...elements].map(([code, targets]) => ({ code, target: targets.map(({ target, equivalence }) => ({ code: target, equivalence })) })),
    }),
  )
  return {
    resourceType: 'ConceptMap',
    version: String(version),
    name,
    status: 'active',
    experimental: true,
    date: now.toISOString(),
    ...(group.length > 0 ? { group } : {}),
  }
}
