type Tree = { [key: string]: string | Tree }

/** A catalogue as `group.name` -> text. */
export function flatten(tree: object, prefix = ''): Map<string, string> {
  return new Map(
    Object.entries(tree as Tree).flatMap(([name, value]) =>
      typeof value === 'string' ? [[`${prefix}${name}`, value] as const] : [...flatten(value, `${prefix}${name}.`)],
    ),
  )
}

const PLURAL = /_(zero|one|two|few|many|other)$/

/** The messages of a catalogue by name; of one that depends on a number the texts by plural form, else under `''`. */
export function formsOf(catalogue: ReadonlyMap<string, string>): Map<string, Map<string, string>> {
  const messages = new Map<string, Map<string, string>>()
  for (const [key, text] of catalogue) {
    const form = PLURAL.exec(key)?.[1] ?? ''
    const name = key.replace(PLURAL, '')
    messages.set(name, (messages.get(name) ?? new Map()).set(form, text))
  }
  return messages
}

/** Names between `{{` and `}}`, sorted. */
export function placeholdersOf(text: string): string[] {
  return [...text.matchAll(/\{\{\s*([^},\s]+)[^}]*\}\}/g)].map(([, name]) => name as string).sort()
}

/** The text between the bracket at `from` and the one that closes it. */
function insideBrackets(source: string, from: number): string {
  let depth = 0
  for (let at = from; at < source.length; at += 1) {
    if (source[at] === '(') depth += 1
    else if (source[at] === ')' && --depth === 0) return source.slice(from + 1, at)
  }
  return source.slice(from + 1)
}

/**
 * What screens ask of the catalogue: `keys` by their whole name, in a call of `t` or as a literal elsewhere that is one
 * of the `known` keys (a menu entry); `patterns` from templates such as `sex.${sex}`, where a value fills one or more
 * parts of the name.
 */
export function messageUses(sources: readonly string[], known: readonly string[]): { keys: Set<string>; patterns: Map<string, RegExp> } {
  const keys = new Set<string>()
  const patterns = new Map<string, RegExp>()
  const exists = new Set(known)
  const groups = new Set(known.map((key) => key.split('.')[0]))
  for (const source of sources) {
    for (const { index, 0: call } of source.matchAll(/\bt\(/g)) {
      const inside = insideBrackets(source, index + call.length - 1)
      for (const [, key] of inside.matchAll(/'([A-Za-z][\w-]*(?:\.[\w-]+)+)'/g)) keys.add(key as string)
    }
    for (const [, key] of source.matchAll(/'([A-Za-z][\w-]*(?:\.[\w-]+)+)'/g)) if (exists.has(key as string)) keys.add(key as string)
    for (const [, text] of source.matchAll(/`([A-Za-z]\w*\.(?:[\w.-]|\$\{[^`]*?\})+)`/g)) {
      const template = text as string
      if (!template.includes('${') || !groups.has(template.split('.')[0] ?? '')) continue
      const literal = template.split(/\$\{[^}]*\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      patterns.set(template, new RegExp(`^${literal.join('.+')}$`))
    }
  }
  return { keys, patterns }
}
