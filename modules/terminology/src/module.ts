import type { ConceptMap } from '@carespine/fhir/resource'
import { answer, command, defineModule, type ModuleDefinition, query, type QueryContext } from '@carespine/kit/module'
import { ancestorsOf, descendantsOf } from './code-book.ts'
import {
  codeInSystem,
  codeInValueSet,
  codesOfValueSet,
  codesRelated,
  expandValueSet,
  knownCodeSystems,
  lookUpCode,
  maintainClosure,
  MOST_CODES,
  refusals,
  testSubsumption,
  translateCode,
  validateInCodeSystem,
  validateInValueSet,
} from './contract.ts'
import { expand, ownDefinitions, valueSetAsked } from './expand-value-set.ts'
import { entriesOf } from './expansion.ts'
import { Library, splitCanonical } from './library.ts'
import { lookUp } from './look-up-code.ts'
import { maintain } from './maintain-closure.ts'
import { type Definition, publishedCodeSystems } from './published.ts'
import { refuseSaying } from './refuse-saying.ts'
import { ruledCodeSystems } from './rule-books.ts'
import { StoredDefinitions } from './stored-definitions.ts'
import { relate } from './subsumption.ts'
import { translate } from './translate-code.ts'
import { answerOf, bestOf, checkInSystem, checkInValueSet } from './validate-code.ts'

/** What codes mean. One for each hospital: what it has opened of the record it keeps. */
export function createTerminology(): ModuleDefinition {
  const stored = new StoredDefinitions()
  const libraryOf = (reader: Pick<QueryContext, 'view' | 'now'>, own?: Definition): Library => new Library(reader, stored, ownDefinitions(own))

  return defineModule({
    name: 'terminology',
    migrations: new URL('../migrations/', import.meta.url),
    refusals,
    actions: [
      query(expandValueSet, async (input, context) => ({ valueSet: await expand(input, context, stored) })),
      query(validateInValueSet, async ({ codings, abstract, displayLanguage, ...which }, context) => {
        let library = libraryOf(context, which.valueSet)
        const set = await valueSetAsked(which, library)
        if (set.contained) library = libraryOf(context, set)
        return answerOf(bestOf(await Promise.all(codings.map((coding) => checkInValueSet(set, coding, library, { abstract, displayLanguage })))))
      }),
      query(validateInCodeSystem, async ({ url, id, codeSystem, version, codings, abstract, displayLanguage }, context) => {
        const library = libraryOf(context, codeSystem)
        const named = codeSystem ?? (id === undefined ? undefined : await library.byId('CodeSystem', id))
        if (id !== undefined && !named) refuseSaying('TERMINOLOGY_CODE_SYSTEM_UNKNOWN', 'not-found', 'No code system has this id.')
        const canonical = url !== undefined && version !== undefined ? `${splitCanonical(url).url}|${version}` : url
        const check = async (coding: (typeof codings)[number]) => {
          const system = named ?? canonical ?? coding.system ?? refuseSaying('TERMINOLOGY_INPUT_INVALID', 'required', 'Name the code system: url, codeSystem, or that of the coding.')
          return await checkInSystem(system, coding, library, { abstract, displayLanguage })
        }
        return answerOf(bestOf(await Promise.all(codings.map(check))))
      }),
      query(lookUpCode, (input, context) => lookUp(input, libraryOf(context))),
      query(testSubsumption, async (input, context) => ({ outcome: await relate(input, libraryOf(context, input.codeSystem)) })),
      query(translateCode, (input, context) => translate(input, libraryOf(context, input.conceptMap))),
      command(maintainClosure, async (input, { tx, actor, now }): Promise<{ conceptMap: ConceptMap }> => ({
        conceptMap: await maintain(input, tx, actor, now, libraryOf({ view: tx, now })),
      })),
    ],
    answers: [
      answer(codesOfValueSet, async ({ valueSet }, context) => {
        const library = libraryOf(context)
        const set = await valueSetAsked({ url: valueSet }, library)
        const entries = await entriesOf(set, library)
        if (entries.length > MOST_CODES) refuseSaying('TERMINOLOGY_TOO_COSTLY', 'too-costly', `${valueSet} has more than ${MOST_CODES} codes.`)
        return { codes: entries.map(({ system, code, display }) => ({ system, code, ...(display === undefined ? {} : { display }) })) }
      }),
      answer(codeInValueSet, async ({ valueSet, codings, abstract }, context) => {
        const library = libraryOf(context)
        const set = await library.valueSet(valueSet)
        if (!set) return { verdict: 'unknown' as const, message: `The value set ${valueSet} is not here.` }
        return bestOf(await Promise.all(codings.map((coding) => checkInValueSet(set, coding, library, { abstract }))))
      }),
      answer(codeInSystem, async ({ system, code, display }, context) =>
        checkInSystem(system, { code, ...(display === undefined ? {} : { display }) }, libraryOf(context), { abstract: true }),
      ),
      answer(knownCodeSystems, async () => {
        // Of two with one URL the published one counts, as it does for every other question.
        const systems = new Map([...ruledCodeSystems(), ...publishedCodeSystems()].map((one) => [one.url, one]))
        return { codeSystems: [...systems.values()].toSorted((a, b) => (a.url < b.url ? -1 : 1)) }
      }),
      answer(codesRelated, async ({ system, code, direction }, context) => {
        const book = await libraryOf(context).codes(system)
        const concept = book?.find(code)
        if (!book || !concept) return { codes: [code], known: false }
        const others = book.subsumes ? (direction === 'below' ? descendantsOf : ancestorsOf)(book, concept.code) : []
        return { codes: [concept.code, ...others], known: true }
      }),
    ],
  })
}
