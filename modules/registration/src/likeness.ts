import { isArabic } from './patient-summary.ts'
import type { DuplicateCandidate } from './contract.ts'

/** What two registrations are compared by. Names as words, any script. */
export interface Person {
  names: readonly string[]
  birthDate?: string
  sex?: string
  phone?: string
  identifiers: readonly { system: string; value: string }[]
}

export interface Likeness {
  /** 0 to 1. */
  score: number
  reasons: DuplicateCandidate['reasons']
}

/** From this score on a registration is questioned. */
export const SUSPICION = 0.72

/**
 * How much two registrations look like one person: an identifier decides alone; otherwise names (Jaro-Winkler over the
 * best pairing of words, as usual in record linkage, Winkler 1990), birth date (full, or day and month swapped, or one
 * digit off), phone and sex are weighed. Weights were set on the Febrl duplicates; see the test.
 */
export function likeness(a: Person, b: Person): Likeness {
  const reasons: Likeness['reasons'] = []
  if (a.identifiers.some((one) => b.identifiers.some((two) => one.system === two.system && one.value === two.value))) {
    return { score: 1, reasons: ['identifier'] }
  }
  const names = Math.max(0, ...a.names.flatMap((one) => b.names.map((two) => nameLikeness(one, two))))
  if (names > 0.97) reasons.push('name')
  else if (names > 0.85) reasons.push('similar-name')
  const born = birthLikeness(a.birthDate, b.birthDate)
  if (born === 1) reasons.push('birth-date')
  const samePhone = a.phone !== undefined && b.phone !== undefined && lastDigits(a.phone) === lastDigits(b.phone)
  if (samePhone) reasons.push('phone')
  const sameSex = a.sex !== undefined && a.sex === b.sex
  if (sameSex) reasons.push('sex')
  const differentSex = a.sex !== undefined && b.sex !== undefined && a.sex !== b.sex && a.sex !== 'unknown' && b.sex !== 'unknown'
  const score = 0.5 * sharpen(names) + 0.35 * born + (samePhone ? 0.2 : 0) + (sameSex ? 0.03 : 0) - (differentSex ? 0.12 : 0)
  return { score: Math.max(0, Math.min(0.99, score)), reasons }
}

// Below 0.7 a name likeness is chance.
function sharpen(names: number): number {
  return names < 0.7 ? 0 : names
}

function lastDigits(phone: string): string {
  return phone.replace(/\D/g, '').slice(-9)
}

function birthLikeness(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return 0.3
  if (a === b) return 1
  const [yearA, monthA, dayA] = a.split('-')
  const [yearB, monthB, dayB] = b.split('-')
  if (yearA === yearB && monthA === dayB && dayA === monthB) return 0.8
  const differences = [...a].filter((digit, at) => digit !== b[at]).length
  return a.length === b.length && differences === 1 ? 0.7 : 0
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

/** 0 to 1: the words of the shorter name, each against its best match in the other, in any order. */
function nameLikeness(a: string, b: string): number {
  if (isArabic(a) !== isArabic(b)) return 0
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
  const missing = 0.04 * (longer.length - shorter.length)
  return Math.max(0, sum / shorter.length - (shorter.length === 1 && longer.length > 1 ? 0.25 : missing))
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
