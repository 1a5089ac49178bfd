import { isArabic } from './patient-summary.ts'
import { type DuplicateCandidate, MRN_SYSTEM } from './contract.ts'

/** What two registrations are compared by; names in any script. */
export interface Person {
  names: readonly { given: string; family: string }[]
  birthDate?: string
  sex?: string
  phones: readonly string[]
  emails: readonly string[]
  identifiers: readonly { system: string; value: string }[]
  addresses: readonly { line?: string; city?: string; postalCode?: string }[]
}

export interface Likeness {
  /** Probability that both are one person, 0 to 1. */
  score: number
  grade: DuplicateCandidate['grade'] | 'certainly-not'
  reasons: DuplicateCandidate['reasons']
}

/** From this probability on a registration is questioned, and a match is at least possible. */
const SUSPICION = 0.3
const PROBABLE = 0.9
/** More than name, birth date and sex, which two people of one name share now and then. */
const CERTAIN = 0.9999

/**
 * How often a comparison comes out so between two registrations of one person (m) and of two (u), for each outcome in
 * turn; the last is plain disagreement. The weight of an outcome is log2(m/u), and weights add up to the odds that both
 * are one person: Fellegi and Sunter, A Theory for Record Linkage, JASA 64 (1969), 1183-1210. Agreement in parts of a
 * value follows Winkler, String Comparator Metrics and Enhanced Decision Rules in the Fellegi-Sunter Model (1990).
 *
 * u is what chance gives: a day of some 80 years of births, the share of people with a common name, two sexes. m is how
 * often desks write the same thing twice: about nine names in ten, nineteen birth dates in twenty; people move house and
 * change telephones more often than that.
 */
const outcomes = {
  given: { same: [0.85, 0.012], close: [0.1, 0.02], other: [0.05, 0.968] },
  family: { same: [0.87, 0.008], close: [0.08, 0.012], other: [0.05, 0.98] },
  birth: { same: [0.94, 0.00004], close: [0.045, 0.001], other: [0.015, 0.999] },
  sex: { same: [0.985, 0.5], other: [0.015, 0.5] },
  phone: { same: [0.65, 0.00005], other: [0.35, 1] },
  email: { same: [0.65, 0.00001], other: [0.35, 1] },
  /** The same street and house. */
  street: { same: [0.7, 0.0005], other: [0.3, 1] },
  place: { same: [0.85, 0.03], other: [0.15, 0.97] },
  identifier: { same: [0.97, 0.000001], close: [0.02, 0.0001], other: [0.01, 1] },
} as const satisfies Record<string, Record<string, readonly [m: number, u: number]>>

type Field = keyof typeof outcomes
type Outcome = 'same' | 'close' | 'other'

function weightOf(field: Field, outcome: Outcome | undefined): number {
  const pair = outcome === undefined ? undefined : (outcomes[field] as Record<string, readonly [number, number] | undefined>)[outcome]
  return pair ? Math.log2(pair[0] / pair[1]) : 0
}

/** Before anything is compared: one in a hundred thousand, as in the register of one hospital. */
const PRIOR = Math.log2(1 / 100_000)

/** A household shares telephone, address and often family name; together they count no more than this. */
const MOST_FOR_HOUSEHOLD = 12

function nameOutcome(a: string, b: string): Outcome {
  const likeness = wordsLikeness(a, b)
  return likeness > 0.97 ? 'same' : likeness > 0.86 || heard(a) === heard(b) ? 'close' : 'other'
}

/** As it sounds, whichever way an Arabic name was put into Latin letters: Hoda and Huda, Saleem and Salem, Layla and Laila. */
function heard(name: string): string {
  return plainName(name).replace(/[ey]/g, 'i').replace(/o/g, 'u').replace(/(\p{L})\1+/gu, '$1').replace(/ /g, '')
}

interface NameComparison {
  given: Outcome | undefined
  family: Outcome | undefined
  weight: number
}

/** Given with given and family with family, or crosswise: desks take one for the other. */
function compareNames(a: Person['names'][number], b: Person['names'][number]): NameComparison | undefined {
  if (isArabic(a.given + a.family) !== isArabic(b.given + b.family)) return undefined
  const pair = (given: [string, string], family: [string, string]): NameComparison => {
    const one = { given: given.every(Boolean) ? nameOutcome(...given) : undefined, family: family.every(Boolean) ? nameOutcome(...family) : undefined }
    return { ...one, weight: weightOf('given', one.given) + weightOf('family', one.family) }
  }
  const straight = pair([a.given, b.given], [a.family, b.family])
  const crossed = pair([a.given, b.family], [a.family, b.given])
  // Crosswise is rarer by five to one and more.
  return crossed.weight - 2.5 > straight.weight ? { ...crossed, weight: crossed.weight - 2.5 } : straight
}

function bestNames(a: Person, b: Person): NameComparison {
  const all = a.names.flatMap((one) => b.names.flatMap((two) => compareNames(one, two) ?? []))
  return all.toSorted((one, two) => two.weight - one.weight)[0] ?? { given: undefined, family: undefined, weight: 0 }
}

function birthOutcome(a: string | undefined, b: string | undefined): Outcome | undefined {
  if (a === undefined || b === undefined) return undefined
  if (a === b) return 'same'
  const [yearA, monthA, dayA] = a.split('-')
  const [yearB, monthB, dayB] = b.split('-')
  if (yearA === yearB && (dayA === undefined || dayB === undefined) && (monthA === undefined || monthB === undefined || monthA === monthB)) return 'close'
  if (yearA === yearB && monthA === dayB && dayA === monthB) return 'close'
  return isOneSlip(a.replace(/-/g, ''), b.replace(/-/g, '')) ? 'close' : 'other'
}

/** One digit wrong, or two neighbours changed about. */
function isOneSlip(a: string, b: string): boolean {
  if (a.length !== b.length || a === b) return false
  const at = [...a].flatMap((digit, index) => (digit === b[index] ? [] : [index]))
  const [first = 0, second = 0] = at
  return at.length === 1 || (at.length === 2 && second === first + 1 && a[first] === b[second] && a[second] === b[first])
}

// Two MRNs of one hospital are what a duplicate has; two passports are two people, or one digit wrong.
function identifierOutcome(a: Person, b: Person): Outcome | undefined {
  const pairs = a.identifiers.flatMap((one) => b.identifiers.filter(({ system }) => system === one.system).map((two) => [one, two] as const))
  if (pairs.some(([one, two]) => one.value === two.value)) return 'same'
  const others = pairs.filter(([{ system }]) => system !== MRN_SYSTEM)
  if (others.some(([one, two]) => isOneSlip(one.value.toUpperCase(), two.value.toUpperCase()))) return 'close'
  return others.length > 0 ? 'other' : undefined
}

function anyShared(a: readonly string[], b: readonly string[], form: (text: string) => string): Outcome | undefined {
  if (a.length === 0 || b.length === 0) return undefined
  return a.some((one) => b.some((two) => form(one) !== '' && form(one) === form(two))) ? 'same' : 'other'
}

function addressOutcomes(a: Person, b: Person): { street: Outcome | undefined; place: Outcome | undefined } {
  const compare = (given: (address: Person['addresses'][number]) => string | undefined, isSame: (one: string, two: string) => boolean): Outcome | undefined => {
    const [ours, theirs] = [a, b].map(({ addresses }) => addresses.flatMap((address) => given(address) ?? []).filter(Boolean)) as [string[], string[]]
    if (ours.length === 0 || theirs.length === 0) return undefined
    return ours.some((one) => theirs.some((two) => isSame(one, two))) ? 'same' : 'other'
  }
  return {
    street: compare(({ line }) => line, (one, two) => plainName(one) === plainName(two) || wordsLikeness(one, two) > 0.92),
    place: compare(({ postalCode, city }) => postalCode ?? city, (one, two) => plainName(one) === plainName(two)),
  }
}

const probability = (weight: number): number => 1 / (1 + 2 ** -weight)

/** How probable it is that two registrations are of one person; see `outcomes` for the method. */
export function likeness(a: Person, b: Person): Likeness {
  const names = bestNames(a, b)
  const birth = birthOutcome(a.birthDate, b.birthDate)
  const isSexKnown = [a, b].every(({ sex }) => sex !== undefined && sex !== 'unknown' && sex !== 'other')
  const sex: Outcome | undefined = isSexKnown ? (a.sex === b.sex ? 'same' : 'other') : undefined
  const identifier = identifierOutcome(a, b)
  const phone = anyShared(a.phones, b.phones, lastDigits)
  const email = anyShared(a.emails, b.emails, (text) => text.trim().toLowerCase())
  const { street, place } = addressOutcomes(a, b)
  const household = weightOf('phone', phone) + weightOf('email', email) + weightOf('street', street) + weightOf('place', place)
  // Sisters and brothers, twins above all, share all but the given name: what a household shares then says nothing.
  const isOtherGiven = names.given === 'other'
  const weight =
    PRIOR +
    names.weight +
    weightOf('birth', birth) +
    weightOf('sex', sex) +
    weightOf('identifier', identifier) +
    (isOtherGiven ? Math.min(household, 0) : Math.min(household, MOST_FOR_HOUSEHOLD))
  const score = probability(weight)
  const reasons: Likeness['reasons'] = [
    ...(identifier === 'same' ? (['identifier'] as const) : []),
    ...(names.given === 'same' && names.family === 'same' ? (['name'] as const) : names.weight > 3 ? (['similar-name'] as const) : []),
    ...(birth === 'same' ? (['birth-date'] as const) : birth === 'close' ? (['similar-birth-date'] as const) : []),
    ...(phone === 'same' ? (['phone'] as const) : []),
    ...(email === 'same' ? (['email'] as const) : []),
    ...(street === 'same' ? (['address'] as const) : []),
    ...(sex === 'same' ? (['sex'] as const) : []),
  ]
  // Parent and child of one name differ in the birth date alone.
  return { score, grade: gradeOf(score, (isOtherGiven || birth === 'other') && identifier !== 'same'), reasons }
}

function gradeOf(score: number, isPerhapsKin: boolean): Likeness['grade'] {
  if (score < SUSPICION) return 'certainly-not'
  if (isPerhapsKin) return 'possible'
  return score >= CERTAIN ? 'certain' : score >= PROBABLE ? 'probable' : 'possible'
}

function lastDigits(phone: string): string {
  return phone.replace(/\D/g, '').slice(-9)
}

/** Lower case, without accents; Arabic without marks and with one form of alef, yeh and heh. */
export function plainName(name: string): string {
  return name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[أإآٱ]/g, 'ا')
    .replace(/ى/g, 'ي')
    .replace(/ة/g, 'ه')
    .replace(/ـ/g, '')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()
}

/** 0 to 1: the words of the shorter text, each against its best match in the other, in any order. */
function wordsLikeness(a: string, b: string): number {
  const [shorter, longer] = [plainName(a).split(' '), plainName(b).split(' ')].sort((x, y) => x.length - y.length)
  if (!shorter?.[0] || !longer?.[0]) return 0
  const rest = [...longer]
  let sum = 0
  for (const word of shorter) {
    const scores = rest.map((other) => jaroWinkler(word, other))
    const best = Math.max(...scores)
    sum += best
    rest.splice(scores.indexOf(best), 1)
  }
  // `Al-Harbi` and `Alharbi` are one name written in two ways.
  const together = jaroWinkler(shorter.join(''), longer.join(''))
  return Math.max(together, sum / shorter.length - 0.02 * (longer.length - shorter.length))
}

/** Jaro-Winkler similarity of two words (Winkler 1990), 0 to 1; prefix scale 0.1 over at most four letters. */
function jaroWinkler(a: string, b: string): number {
  if (a === b) return 1
  const window = Math.max(0, Math.floor(Math.max(a.length, b.length) / 2) - 1)
  const takenB = new Array<boolean>(b.length).fill(false)
  const matchesA: string[] = []
  for (let i = 0; i < a.length; i++) {
    for (let j = Math.max(0, i - window); j < Math.min(b.length, i + window + 1); j++) {
      if (takenB[j] || a[i] !== b[j]) continue
      takenB[j] = true
      matchesA.push(a[i] as string)
      break
    }
  }
  if (matchesA.length === 0) return 0
  const matchesB = [...b].filter((_letter, at) => takenB[at])
  const transpositions = matchesA.filter((letter, at) => letter !== matchesB[at]).length / 2
  const m = matchesA.length
  const jaro = (m / a.length + m / b.length + (m - transpositions) / m) / 3
  let prefix = 0
  while (prefix < 4 && a[prefix] !== undefined && a[prefix] === b[prefix]) prefix++
  return jaro + prefix * 0.1 * (1 - jaro)
}
