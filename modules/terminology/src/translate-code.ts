import type { ConceptMap, ConceptMapGroup, ConceptMapGroupElementTarget } from '@carespine/fhir/resource'
import type { z } from '@carespine/kit/contract'
import type { Coding, Equivalence, translateCode } from './contract.ts'
import { type Library, splitCanonical } from './library.ts'
import { refuseSaying } from './refuse-saying.ts'

type Input = z.output<(typeof translateCode)['input']>
type Match = z.output<(typeof translateCode)['output']>['matches'][number]

/** The same relation seen from the other end (R4 ConceptMapEquivalence: the target is … than the source). */
const seenBack: Partial<Record<Equivalence, Equivalence>> = { wider: 'narrower', narrower: 'wider', subsumes: 'specializes', specializes: 'subsumes' }

const DEEPEST = 10
const NO_TRANSLATION: readonly Equivalence[] = ['unmatched', 'disjoint']

const sameUrl = (a: string | undefined, b: string): boolean => a !== undefined && splitCanonical(a).url === splitCanonical(b).url

async function mapsAsked(input: Input, library: Library): Promise<ConceptMap[]> {
  const { conceptMap, id, url, conceptMapVersion, codings, source, target, reverse } = input
  if (conceptMap) return [conceptMap]
  if (id !== undefined) {
    return [(await library.byId('ConceptMap', id)) ?? refuseSaying('TERMINOLOGY_CONCEPT_MAP_UNKNOWN', 'not-found', 'No concept map has this id.')]
  }
  if (url !== undefined) {
    const canonical = conceptMapVersion === undefined ? url : `${splitCanonical(url).url}|${conceptMapVersion}`
    return [(await library.conceptMap(canonical)) ?? refuseSaying('TERMINOLOGY_CONCEPT_MAP_UNKNOWN', 'not-found', `The concept map ${canonical} is not here.`)]
  }
  const found = new Set<ConceptMap>()
  for (const { system } of codings) {
    if (system !== undefined) for (const map of await library.conceptMaps(reverse ? 'target' : 'source', system)) found.add(map)
  }
  // In reverse the meanings of source and target change places (R4 ConceptMap-translate, reverse).
  const [from, to] = reverse ? [target, source] : [source, target]
  return [...found].filter(
    ({ sourceCanonical, sourceUri, targetCanonical, targetUri }) =>
      (from === undefined || sameUrl(sourceCanonical ?? sourceUri, from)) && (to === undefined || sameUrl(targetCanonical ?? targetUri, to)),
  )
}

function depends(target: ConceptMapGroupElementTarget, given: Input['dependencies']): boolean {
  return (target.dependsOn ?? []).every(({ property, system, value }) =>
    given.some((one) => one.property === property && one.value === value && (system === undefined || one.system === undefined || one.system === system)),
  )
}

const fitsSystem = (system: string | undefined, wanted: string | undefined): boolean => system === undefined || wanted === undefined || system === wanted

function matchOf(map: ConceptMap, equivalence: Equivalence, concept: Coding | undefined, target?: ConceptMapGroupElementTarget): Match {
  return {
    equivalence,
    ...(concept ? { concept } : {}),
    ...(target?.comment === undefined ? {} : { comment: target.comment }),
    products: (target?.product ?? []).map(({ property = '', system, value = '', display }) => ({
      property,
      value,
      ...(system === undefined ? {} : { system }),
      ...(display === undefined ? {} : { display }),
    })),
    ...(map.url === undefined ? {} : { source: map.url }),
  }
}

const codingOf = (system: string | undefined, code: string | undefined, display?: string): Coding | undefined =>
  code === undefined ? undefined : { ...(system === undefined ? {} : { system }), code, ...(display === undefined ? {} : { display }) }

async function unmapped(map: ConceptMap, group: ConceptMapGroup, coding: Coding, input: Input, library: Library, depth: number): Promise<Match[]> {
  const { mode, code, display, url } = group.unmapped ?? {}
  switch (mode) {
    case 'provided':
      return [matchOf(map, 'equivalent', codingOf(group.target, coding.code, coding.display))]
    case 'fixed':
      return [matchOf(map, 'inexact', codingOf(group.target, code, display))]
    case 'other-map': {
      const other = url === undefined ? undefined : await library.conceptMap(url)
      return other && depth < DEEPEST ? await forward(other, coding, input, library, depth + 1) : []
    }
    default:
      return []
  }
}

async function forward(map: ConceptMap, coding: Coding, input: Input, library: Library, depth = 0): Promise<Match[]> {
  const matches: Match[] = []
  for (const group of map.group ?? []) {
    if (!fitsSystem(group.source, coding.system) || !fitsSystem(group.target, input.targetSystem)) continue
    const element = group.element?.find(({ code }) => code === coding.code)
    if (!element) {
      matches.push(...(await unmapped(map, group, coding, input, library, depth)))
      continue
    }
    for (const target of element.target ?? []) {
      if (!depends(target, input.dependencies)) continue
      matches.push(matchOf(map, (target.equivalence ?? 'relatedto') as Equivalence, codingOf(group.target, target.code, target.display), target))
    }
  }
  return matches
}

function backward(map: ConceptMap, coding: Coding, { targetSystem }: Input): Match[] {
  return (map.group ?? []).flatMap((group) => {
    if (!fitsSystem(group.target, coding.system) || !fitsSystem(group.source, targetSystem)) return []
    return (group.element ?? []).flatMap(({ code, display, target }) =>
      (target ?? [])
        .filter((one) => one.code === coding.code)
        .map((one) => {
          const equivalence = (one.equivalence ?? 'relatedto') as Equivalence
          return matchOf(map, seenBack[equivalence] ?? equivalence, codingOf(group.source, code, display), { ...one, product: undefined })
        }),
    )
  })
}

/** What a code is by the concept maps asked, in the order of the maps (R4 ConceptMap-translate). */
export async function translate(input: Input, library: Library): Promise<{ result: boolean; message?: string; matches: Match[] }> {
  const maps = await mapsAsked(input, library)
  const matches: Match[] = []
  for (const map of maps) {
    for (const coding of input.codings) {
      if (coding.code === undefined) continue
      matches.push(...(input.reverse ? backward(map, coding, input) : await forward(map, coding, input, library)))
    }
  }
  for (const match of matches) if (match.concept) match.concept = await withDisplay(match.concept, library)
  const result = matches.some(({ equivalence }) => !NO_TRANSLATION.includes(equivalence))
  if (result) return { result, matches }
  const message = maps.length === 0 ? 'No concept map for this code is here.' : 'The concept map has no translation of this code.'
  return { result, message, matches }
}

async function withDisplay(concept: Coding, library: Library): Promise<Coding> {
  if (concept.display !== undefined || concept.system === undefined || concept.code === undefined) return concept
  const display = (await library.codes(concept.system))?.find(concept.code)?.display
  return display === undefined ? concept : { ...concept, display }
}
