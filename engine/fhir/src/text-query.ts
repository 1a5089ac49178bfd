import { wordsOf } from './normalize.ts'

/** What `_text` and `_content` ask for: words, all of them unless AND, OR and NOT say otherwise. */
export type TextQuery = { words: readonly string[] } | { all: readonly TextQuery[] } | { any: readonly TextQuery[] } | { not: TextQuery }

const TOKEN = /\s*(?:"([^"]*)"|([()])|([^\s()"]+))/y
const MOST_TOKENS = 200

/** Reads `(bone OR liver) AND metastases`; words in quotes stand next to each other. Undefined when it is not that. */
export function parseTextQuery(text: string): TextQuery | undefined {
  const tokens: { phrase?: string; mark?: string; word?: string }[] = []
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const match = TOKEN.exec(text)
    if (!match || tokens.length >= MOST_TOKENS) return undefined
    const [, phrase, mark, word] = match
    tokens.push({ ...(phrase === undefined ? {} : { phrase }), ...(mark === undefined ? {} : { mark }), ...(word === undefined ? {} : { word }) })
  }
  let at = 0
  const isWord = (wanted: string): boolean => tokens[at]?.word?.toUpperCase() === wanted
  const either = (): TextQuery | undefined => {
    const any: TextQuery[] = []
    for (;;) {
      const one = both()
      if (!one) return undefined
      any.push(one)
      if (!isWord('OR')) return any.length === 1 ? one : { any }
      at += 1
    }
  }
  const both = (): TextQuery | undefined => {
    const all: TextQuery[] = []
    while (at < tokens.length && tokens[at]?.mark !== ')' && !isWord('OR')) {
      if (isWord('AND') && all.length > 0) at += 1
      const one = term()
      if (!one) return undefined
      all.push(one)
    }
    return all.length === 0 ? undefined : all.length === 1 ? all[0] : { all }
  }
  const term = (): TextQuery | undefined => {
    const token = tokens[at]
    if (!token) return undefined
    at += 1
    if (token.mark === '(') {
      const inner = either()
      return inner && tokens[at++]?.mark === ')' ? inner : undefined
    }
    if (token.word?.toUpperCase() === 'NOT') {
      const inner = term()
      return inner && { not: inner }
    }
    const words = wordsOf(token.phrase ?? token.word ?? '')
    return words.length > 0 ? { words } : undefined
  }
  const query = either()
  return at === tokens.length ? query : undefined
}

/** Whether words of a text fit: each asked word is the beginning of one, words of a phrase of some that follow each other. */
export function fitsText(query: TextQuery, words: readonly string[]): boolean {
  if ('all' in query) return query.all.every((one) => fitsText(one, words))
  if ('any' in query) return query.any.some((one) => fitsText(one, words))
  if ('not' in query) return !fitsText(query.not, words)
  return words.some((_word, at) => query.words.every((asked, nth) => words[at + nth]?.startsWith(asked)))
}

/** The words of a resource's narrative, its mark-up left out. */
export function narrativeWords(resource: unknown): string[] {
  const div = (resource as { text?: { div?: unknown } }).text?.div
  if (typeof div !== 'string') return []
  const text = div.replace(/<[^>]*>/g, ' ').replace(/&(?:#(\d+)|#x([0-9a-f]+)|\w+);/gi, (_all, decimal?: string, hex?: string) => {
    const code = decimal ? Number(decimal) : hex ? Number.parseInt(hex, 16) : 32
    return code <= 0x10ffff ? String.fromCodePoint(code) : ' '
  })
  return wordsOf(text)
}

/** The words of every text in a resource, its narrative included. */
export function contentWords(resource: unknown): string[] {
  const found = narrativeWords(resource)
  const walk = (value: unknown, name: string): void => {
    if (typeof value === 'string') {
      if (name !== 'div') found.push(...wordsOf(value))
    } else if (Array.isArray(value)) for (const one of value) walk(one, name)
    else if (typeof value === 'object' && value !== null) for (const [key, inner] of Object.entries(value)) walk(inner, key)
  }
  walk(resource, '')
  return found
}
