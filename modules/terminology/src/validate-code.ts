import type { CodeSystem, ValueSet } from '@carespine/fhir/resource'
import { type CodeBook, displayIn, isDisplayOf } from './code-book.ts'
import type { CodeVerdict, Coding } from './contract.ts'
import type { Library } from './library.ts'
import { membershipOf } from './membership.ts'

interface Options {
  /** Whether a code that is only there to gather others will do. */
  abstract: boolean
  displayLanguage?: string | undefined
}

const nameOf = ({ system, code = '' }: Coding): string => (system === undefined ? `The code '${code}'` : `The code '${code}' of ${system}`)

/** What is said of a coding whose membership is settled: an abstract code, a wrong display. */
function judged(coding: Coding, book: CodeBook | undefined, listed: { display?: string; designations: readonly object[] } | undefined, options: Options): CodeVerdict {
  const concept = book?.find(coding.code ?? '')
  const known = { ...(concept ?? { designations: [] }), ...(listed?.display === undefined ? {} : { display: listed.display }) }
  const display = displayIn(known, options.displayLanguage, book?.language)
  const about = { coding, ...(display === undefined ? {} : { display }) }
  if (concept?.abstract && !options.abstract) {
    return { verdict: 'invalid', ...about, message: `${nameOf(coding)} only gathers other codes and is not to be used itself.` }
  }
  const inactive = concept?.inactive ? `${nameOf(coding)} is not in use any more.` : undefined
  if (coding.display === undefined || (!concept && listed?.display === undefined)) {
    return { verdict: 'valid', ...about, ...(inactive === undefined ? {} : { message: inactive }) }
  }
  const displayFits = (concept !== undefined && isDisplayOf(concept, coding.display)) || isDisplayOf({ ...known, designations: (listed?.designations ?? []) as [] }, coding.display)
  const message = displayFits ? inactive : `${nameOf(coding)} is called '${display ?? ''}', not '${coding.display}'.`
  return { verdict: 'valid', displayFits, ...about, ...(message === undefined ? {} : { message }) }
}

/** A coding in a value set. A code without a system may be of any system in the set, as that of a `code` element is. */
export async function checkInValueSet(set: ValueSet, coding: Coding, library: Library, options: Options): Promise<CodeVerdict> {
  const { system, version, code } = coding
  if (code === undefined) return { verdict: 'invalid', message: 'There is no code to check.' }
  const asked = { code, ...(system === undefined ? {} : { system }), ...(version === undefined ? {} : { version }) }
  const membership = await membershipOf(set, asked, library)
  const where = set.url ?? 'the value set'
  if (membership.is === 'out') {
    const book = system === undefined ? undefined : await library.codes(system, version)
    const exists = book?.find(code)
    const why = book?.complete && !exists ? ` ${system} has no such code.` : ''
    return { verdict: 'invalid', coding, message: `${nameOf(coding)} is not in ${where}.${why}` }
  }
  if (membership.is === 'unknown') {
    return { verdict: 'unknown', coding, message: `${nameOf(coding)} cannot be checked against ${where}: ${membership.missing ?? 'what defines it'} is not here in full.` }
  }
  const found = membership.system === undefined ? coding : { ...coding, system: membership.system }
  const book = found.system === undefined ? undefined : await library.codes(found.system, version)
  return judged(found, book, membership.listed, options)
}

/** A coding in a code system. */
export async function checkInSystem(system: CodeSystem | string, coding: Coding, library: Library, options: Options): Promise<CodeVerdict> {
  const { code, version } = coding
  if (code === undefined) return { verdict: 'invalid', message: 'There is no code to check.' }
  const url = typeof system === 'string' ? system : (system.url ?? '')
  const found = { ...coding, system: url }
  if (coding.system !== undefined && coding.system !== url) return { verdict: 'invalid', coding, message: `${nameOf(coding)} is not of ${url}.` }
  const book = typeof system === 'string' ? await library.codes(system, version) : await library.codesOf(system)
  if (!book) return { verdict: 'unknown', coding: found, message: `The codes of ${url} are not here.` }
  if (!book.find(code)) {
    const message = book.complete ? `${url} has no code '${code}'.` : `${nameOf(found)} cannot be checked: the code system is not here in full.`
    return { verdict: book.complete ? 'invalid' : 'unknown', coding: found, message }
  }
  return judged(found, book, undefined, options)
}

/** The best of several verdicts on codings that say the same: one that is right decides. */
export function bestOf(verdicts: readonly CodeVerdict[]): CodeVerdict {
  return (
    verdicts.find(({ verdict, displayFits }) => verdict === 'valid' && displayFits !== false) ??
    verdicts.find(({ verdict }) => verdict === 'valid') ??
    verdicts.find(({ verdict }) => verdict === 'unknown') ??
    verdicts[0] ?? { verdict: 'invalid', message: 'There is no code to check.' }
  )
}

/** As the FHIR operation answers: what cannot be told is not true, and the message says why. */
export function answerOf({ verdict, displayFits, message, display, coding }: CodeVerdict) {
  return {
    result: verdict === 'valid' && displayFits !== false,
    ...(message === undefined ? {} : { message }),
    ...(display === undefined ? {} : { display }),
    ...(coding?.code === undefined ? {} : { code: coding.code }),
    ...(coding?.system === undefined ? {} : { system: coding.system }),
  }
}
