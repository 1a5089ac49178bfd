import { createRequire } from 'node:module'
import { canonicalUnit } from '@carespine/fhir/units'
import type { CodeBook, Concept } from './code-book.ts'

// Systems that no CodeSystem resource lists, because a rule or the platform's own tables say what their codes are. The
// names of countries, currencies and languages come in every language from Unicode CLDR, by way of Intl.

const none: readonly never[] = []

function concept(code: string, display?: string, arabic?: string): Concept {
  return {
    code,
    ...(display === undefined ? {} : { display }),
    designations: arabic === undefined || arabic === display ? none : [{ language: 'ar', value: arabic }],
    properties: none,
    inactive: false,
    abstract: false,
  }
}

interface Rule {
  name: string
  version?: string
  /** Default: the rule knows every code. */
  complete?: false
  find(code: string): Concept | undefined
  all?(): readonly Concept[]
  computed?(code: string, property: string): string | undefined
}

function bookOf(url: string, { name, version, complete, find, all, computed }: Rule): CodeBook {
  let list: readonly Concept[] | undefined
  return {
    url,
    name,
    ...(version === undefined ? {} : { version }),
    complete: complete ?? true,
    subsumes: false,
    find,
    all() {
      list ??= all?.()
      return list
    },
    parentsOf: () => none,
    childrenOf: () => none,
    ...(computed ? { computed } : {}),
  }
}

interface Ucum {
  getSpecifiedUnit(code: string, mode: 'validate'): { unit?: { name_?: string } | null; origString?: string | null } | undefined
}
let ucum: Ucum | undefined

function unit(code: string): Concept | undefined {
  // Longer than any unit that is written; the parser takes time with the length. No unit has a space in it.
  if (code.length > 100 || !/^\S+$/.test(code)) return undefined
  ucum ??= (createRequire(import.meta.url)('@lhncbc/ucum-lhc') as { UcumLhcUtils: { getInstance(): Ucum } }).UcumLhcUtils.getInstance()
  try {
    const found = ucum.getSpecifiedUnit(code, 'validate')
    // The parser also takes names such as "meter" and repairs what it can; a code is what it leaves as it is.
    return found?.unit && found.origString === code ? concept(code, found.unit.name_ ?? code) : undefined
  } catch {
    return undefined
  }
}

type NameKind = 'region' | 'currency' | 'language'
const namers = new Map<string, Intl.DisplayNames>()

function nameIn(locale: 'en' | 'ar', kind: NameKind, code: string): string | undefined {
  let namer = namers.get(locale + kind)
  if (!namer) {
    namer = new Intl.DisplayNames([locale], { type: kind, fallback: 'none' })
    namers.set(locale + kind, namer)
  }
  try {
    return namer.of(code)
  } catch {
    return undefined
  }
}

const named = (kind: NameKind, code: string): Concept | undefined => {
  const english = nameIn('en', kind, code)
  return english === undefined ? undefined : concept(code, english, nameIn('ar', kind, code))
}

/** Assigned by users or reserved, not by ISO 3166: CLDR names them all the same. */
const NOT_COUNTRIES = new Set(['AC', 'CP', 'CQ', 'DG', 'EA', 'EU', 'EZ', 'IC', 'QO', 'TA', 'UN', 'XA', 'XB', 'XK', 'ZZ', 'AN', 'BU', 'CS', 'DD', 'FX', 'NT', 'SU', 'TP', 'UK', 'YD', 'YU', 'ZR', 'DY', 'HV', 'NH', 'RH', 'VD'])

function country(code: string): Concept | undefined {
  return /^[A-Z]{2}$/.test(code) && !NOT_COUNTRIES.has(code) ? named('region', code) : undefined
}

function countries(): Concept[] {
  const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ']
  return letters.flatMap((first) => letters.flatMap((second) => country(first + second) ?? []))
}

// RFC 5646: well-formed, and a language that is registered.
function languageTag(code: string): Concept | undefined {
  if (code.length > 35 || !/^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$/.test(code)) return undefined
  try {
    Intl.getCanonicalLocales(code)
  } catch {
    return undefined
  }
  return named('language', code) ?? (nameIn('en', 'language', code.split('-')[0] ?? '') === undefined ? undefined : concept(code))
}

const TOKEN = "[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
const MEDIA_TYPE = new RegExp(`^${TOKEN}/${TOKEN}(\\s*;\\s*${TOKEN}=("[^"]{0,200}"|${TOKEN}))*$`)

const rules: Readonly<Record<string, Rule>> = {
  'http://unitsofmeasure.org': {
    name: 'UCUM',
    version: '2.1',
    find: unit,
    // FHIR R4, using UCUM: the filter property `canonical` is the unit in base units.
    computed: (code, property) => (property === 'canonical' ? canonicalUnit(code).dimension : undefined),
  },
  'urn:ietf:bcp:47': { name: 'Tags for the identification of languages', find: languageTag },
  // RFC 6838, section 4.2.
  'urn:ietf:bcp:13': { name: 'Media types', find: (code) => (MEDIA_TYPE.test(code) ? concept(code) : undefined) },
  'urn:iso:std:iso:3166': { name: 'ISO 3166-1 alpha-2', complete: false, find: country, all: countries },
  'urn:iso:std:iso:4217': {
    name: 'ISO 4217',
    // CLDR also names what is no longer in use.
    find: (code) => (Intl.supportedValuesOf('currency').includes(code) ? named('currency', code) : undefined),
    all: () => Intl.supportedValuesOf('currency').flatMap((code) => named('currency', code) ?? []),
  },
  'https://www.iana.org/time-zones': {
    name: 'IANA time zones',
    complete: false,
    find: (code) => (Intl.supportedValuesOf('timeZone').includes(code) ? concept(code) : undefined),
    all: () => Intl.supportedValuesOf('timeZone').map((code) => concept(code)),
  },
  'urn:ietf:rfc:3986': { name: 'URI', find: (code) => (/^[A-Za-z][A-Za-z0-9+.-]*:\S+$/.test(code) ? concept(code) : undefined) },
}

/** Systems that a rule tells, by URL and version. */
export function ruledCodeSystems(): { url: string; version?: string }[] {
  return Object.entries(rules).map(([url, { version }]) => ({ url, ...(version === undefined ? {} : { version }) }))
}

const books = new Map<string, CodeBook>()

/** The codes of a system that a rule tells, or undefined. */
export function ruleBook(system: string): CodeBook | undefined {
  const rule = Object.hasOwn(rules, system) ? rules[system] : undefined
  if (!rule) return undefined
  const book = books.get(system) ?? bookOf(system, rule)
  books.set(system, book)
  return book
}
