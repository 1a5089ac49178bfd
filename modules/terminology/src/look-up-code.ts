import type { CodeSystemConceptProperty } from '@carespine/fhir/resource'
import type { z } from '@carespine/kit/contract'
import { type CodeBook, type Concept, displayIn, isLanguage } from './code-book.ts'
import type { lookUpCode } from './contract.ts'
import type { Library } from './library.ts'
import { refuseSaying } from './refuse-saying.ts'

type Input = z.output<(typeof lookUpCode)['input']>
type Answer = z.output<(typeof lookUpCode)['output']>

function propertyOf({ code = '', ...value }: CodeSystemConceptProperty, book: CodeBook): Answer['properties'][number] {
  const meaning = value.valueCode === undefined ? undefined : book.find(value.valueCode)?.display
  return { code, ...value, ...(meaning === undefined ? {} : { description: meaning }) }
}

function relatives(book: CodeBook, code: string, kind: 'parent' | 'child'): Answer['properties'] {
  const codes = kind === 'parent' ? book.parentsOf(code) : book.childrenOf(code)
  return codes.map((valueCode) => propertyOf({ code: kind, valueCode }, book))
}

function propertiesOf(book: CodeBook, concept: Concept): Answer['properties'] {
  const own = concept.properties.filter(({ code }) => code !== 'parent' && code !== 'child' && code !== 'inactive')
  return [
    ...relatives(book, concept.code, 'parent'),
    ...relatives(book, concept.code, 'child'),
    { code: 'inactive', valueBoolean: concept.inactive },
    ...own.map((one) => propertyOf(one, book)),
  ]
}

/** What is known of a code (R4 CodeSystem-lookup). `lang.X` asks for designations of a language. */
export async function lookUp({ coding, displayLanguage, properties: wanted }: Input, library: Library): Promise<Answer> {
  const { system, code, version } = coding
  if (system === undefined || code === undefined) {
    return refuseSaying('TERMINOLOGY_INPUT_INVALID', 'required', 'Give system and code, or a coding that has both.')
  }
  const book = (await library.codes(system, version)) ?? refuseSaying('TERMINOLOGY_CODE_SYSTEM_UNKNOWN', 'not-found', `The codes of ${system} are not here.`)
  const concept = book.find(code) ?? refuseSaying('TERMINOLOGY_CODE_UNKNOWN', 'not-found', `${system} has no code '${code}'.`)
  const languages = wanted.flatMap((name) => (name.startsWith('lang.') ? [name.slice(5)] : []))
  const isWanted = (name: string): boolean => wanted.length === 0 || wanted.includes(name)
  const definition = isWanted('definition') ? concept.definition : undefined
  return {
    name: book.name,
    ...(book.version === undefined ? {} : { version: book.version }),
    display: displayIn(concept, displayLanguage, book.language) ?? concept.code,
    ...(definition === undefined ? {} : { definition }),
    designations: concept.designations
      .filter(({ language }) => isWanted('designation') || languages.some((one) => isLanguage(language, one)))
      .map(({ language, use, value = '' }) => ({ ...(language === undefined ? {} : { language }), ...(use ? { use } : {}), value })),
    properties: propertiesOf(book, concept).filter((one) => isWanted(one.code)),
  }
}
