import vm from 'node:vm'
import type { ValueSetComposeIncludeFilter } from '@carespine/fhir/resource'
import { ancestorsOf, type CodeBook, type Concept, descendantsOf, textOf } from './code-book.ts'
import { refuseSaying } from './refuse-saying.ts'

/** A filter of ValueSet.compose on the codes of one system (http://hl7.org/fhir/R4/valueset-filter-operator.html). */
export type CodeFilter = (concept: Concept) => boolean

/** What regular expressions of one question may still take. */
export interface Patience {
  ms: number
}

/** A filter that the value set's author wrote wrongly, or that this code system cannot answer. */
function cannot(diagnostics: string): never {
  return refuseSaying('TERMINOLOGY_NOT_EXPANDABLE', 'not-supported', diagnostics)
}

/**
 * Texts that a regular expression fits whole. Run apart and for a limited time: it comes from a resource that anybody may
 * send, and can be written so that it never ends.
 */
function fitting(pattern: string, texts: readonly string[], patience: Patience): ReadonlySet<string> {
  const began = performance.now()
  const script = new vm.Script('const fits = new RegExp("^(?:" + pattern + ")$", "u"); JSON.stringify(JSON.parse(texts).filter((text) => fits.test(text)))')
  try {
    const context = vm.createContext({ pattern, texts: JSON.stringify(texts) })
    return new Set(JSON.parse(script.runInContext(context, { timeout: Math.max(1, Math.ceil(patience.ms)) }) as string) as string[])
  } catch {
    return cannot('A filter of the value set has a regular expression that is wrong or takes too long.')
  } finally {
    patience.ms -= performance.now() - began
  }
}

function valuesOf(book: CodeBook, concept: Concept, property: string): string[] {
  switch (property) {
    case 'code':
    case 'concept':
      return [concept.code]
    case 'display':
      return concept.display === undefined ? [] : [concept.display]
    case 'definition':
      return concept.definition === undefined ? [] : [concept.definition]
    case 'parent':
      return [...book.parentsOf(concept.code)]
    case 'child':
      return [...book.childrenOf(concept.code)]
    case 'inactive':
      return [String(concept.inactive)]
    case 'notSelectable':
      return [String(concept.abstract)]
    default: {
      const computed = book.computed?.(concept.code, property)
      if (computed !== undefined) return [computed]
      return concept.properties.flatMap((one) => (one.code === property ? (textOf(one) ?? []) : []))
    }
  }
}

const HIERARCHY: readonly string[] = ['concept', 'code']
const list = (value: string): ReadonlySet<string> => new Set(value.split(',').map((part) => part.trim()))

/** What a filter lets through. Refuses one that is not understood: leaving it out would widen the set. */
export function filterOf(book: CodeBook, filter: ValueSetComposeIncludeFilter, patience: Patience): CodeFilter {
  const { property = '', op, value = '' } = filter
  const any = (test: (text: string) => boolean): CodeFilter => (concept) => valuesOf(book, concept, property).some(test)
  switch (op) {
    case '=': {
      const wanted = book.computed?.(value, property) ?? value
      return any((text) => text === wanted)
    }
    case 'in': {
      const wanted = list(value)
      return any((text) => wanted.has(text))
    }
    case 'not-in': {
      const unwanted = list(value)
      return (concept) => !valuesOf(book, concept, property).some((text) => unwanted.has(text))
    }
    case 'exists':
      return (concept) => valuesOf(book, concept, property).length > 0 === (value === 'true')
    case 'regex': {
      const all = book.all()
      if (all) {
        const found = fitting(value, [...new Set(all.flatMap((concept) => valuesOf(book, concept, property)))], patience)
        return any((text) => found.has(text))
      }
      return any((text) => fitting(value, [text], patience).size > 0)
    }
  }
  if (!HIERARCHY.includes(property)) cannot(`The filter ${op ?? ''} of the value set is on a property that has no hierarchy.`)
  switch (op) {
    case 'is-a': {
      const below = descendantsOf(book, value)
      return ({ code }) => code === value || below.has(code)
    }
    case 'descendent-of': {
      const below = descendantsOf(book, value)
      return ({ code }) => below.has(code)
    }
    case 'is-not-a': {
      const below = descendantsOf(book, value)
      return ({ code }) => code !== value && !below.has(code)
    }
    case 'generalizes': {
      const above = ancestorsOf(book, value)
      return ({ code }) => code === value || above.has(code)
    }
    default:
      return cannot('The value set has a filter with an operator that R4 does not have.')
  }
}
