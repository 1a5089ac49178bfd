// The grammar of FHIRPath (http://hl7.org/fhirpath/N1/grammar.html) as a tree.

export type Expression =
  | { kind: 'literal'; type: string; value: string | number | boolean | { value: number; code: string } }
  | { kind: 'nothing' }
  | { kind: 'this' }
  | { kind: 'index' }
  | { kind: 'total' }
  | { kind: 'variable'; name: string }
  | { kind: 'step'; on?: Expression; name: string }
  | { kind: 'call'; on?: Expression; name: string; args: Expression[] }
  | { kind: 'at'; on: Expression; index: Expression }
  | { kind: 'negative'; of: Expression }
  | { kind: 'typed'; operator: 'is' | 'as'; on: Expression; type: string }
  | { kind: 'operation'; operator: string; left: Expression; right: Expression }

/** What is wrong with an expression, or which part of FHIRPath it asks for that is not here. */
export class ExpressionFault extends Error {}

interface Token {
  kind: 'name' | 'string' | 'number' | 'date' | 'time' | 'variable' | 'special' | 'symbol' | 'end'
  text: string
  at: number
}

const TOKEN =
  /\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/|([A-Za-z_]\w*)|`((?:[^`\\]|\\.)*)`|'((?:[^'\\]|\\.)*)'|(\d+(?:\.\d+)?)|@(T\d{2}(?::\d{2}(?::\d{2}(?:\.\d+)?)?)?)|@(\d{4}(?:-\d{2}(?:-\d{2})?)?(?:T(?:\d{2}(?::\d{2}(?::\d{2}(?:\.\d+)?)?)?(?:Z|[+-]\d{2}:\d{2})?)?)?)|%(`(?:[^`\\]|\\.)*`|'(?:[^'\\]|\\.)*'|[A-Za-z_][\w-]*)|(\$(?:this|index|total))|(<=|>=|!=|!~|[-+*/&|=~<>.,()[\]{}])/y

const KINDS: readonly (Token['kind'] | undefined)[] = [undefined, 'name', 'name', 'string', 'number', 'time', 'date', 'variable', 'special', 'symbol']

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', f: '\f' }

function unescaped(text: string): string {
  return text.replace(/\\(?:u([0-9a-fA-F]{4})|(.))/gs, (_all, hex: string | undefined, one: string) =>
    hex === undefined ? (ESCAPES[one] ?? one) : String.fromCharCode(Number.parseInt(hex, 16)),
  )
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  for (let at = 0; at < text.length; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at
    const match = TOKEN.exec(text)
    if (!match) throw new ExpressionFault(`unexpected ${text[at]} at ${at}`)
    for (let group = 1; group < match.length; group++) {
      const found = match[group]
      const kind = KINDS[group]
      if (found === undefined || kind === undefined) continue
      const quoted = group === 2 || group === 3 || (kind === 'variable' && /^[`']/.test(found))
      tokens.push({ kind, text: quoted ? unescaped(kind === 'variable' ? found.slice(1, -1) : found) : found, at })
    }
  }
  tokens.push({ kind: 'end', text: '', at: text.length })
  return tokens
}

// Weakest first. `is` and `as` stand between unions and sums.
const LEVELS: readonly (readonly string[])[] = [
  ['implies'],
  ['or', 'xor'],
  ['and'],
  ['in', 'contains'],
  ['=', '~', '!=', '!~'],
  ['<=', '<', '>', '>='],
  ['|'],
  ['is', 'as'],
  ['+', '-', '&'],
  ['*', '/', 'div', 'mod'],
]

// Calendar units that FHIRPath writes without quotes, as UCUM has them.
const DURATIONS: Readonly<Record<string, string>> = {
  year: 'a', years: 'a', month: 'mo', months: 'mo', week: 'wk', weeks: 'wk', day: 'd', days: 'd',
  hour: 'h', hours: 'h', minute: 'min', minutes: 'min', second: 's', seconds: 's', millisecond: 'ms', milliseconds: 'ms',
}

/** Reads an expression. Throws an ExpressionFault with the place where it stops being FHIRPath. */
export function parseExpression(text: string): Expression {
  if (text.length > 20_000) throw new ExpressionFault('it is too long')
  const tokens = tokensOf(text)
  let at = 0
  let depth = 0
  const here = (): Token => tokens[at] as Token
  const is = (symbol: string): boolean => here().kind === 'symbol' && here().text === symbol
  const take = (): Token => tokens[at++] as Token
  const stop = (): never => {
    throw new ExpressionFault(here().kind === 'end' ? 'it ends too early' : `unexpected ${here().text} at ${here().at}`)
  }
  const expect = (symbol: string): void => {
    if (!is(symbol)) stop()
    at += 1
  }

  function whole(): Expression {
    depth += 1
    if (depth > 60) throw new ExpressionFault('it is nested too deeply')
    const inner = level(0)
    depth -= 1
    return inner
  }

  function level(nth: number): Expression {
    const operators = LEVELS[nth]
    if (!operators) return prefixed()
    let left = level(nth + 1)
    for (;;) {
      const { kind, text: operator } = here()
      if ((kind !== 'symbol' && kind !== 'name') || !operators.includes(operator)) return left
      at += 1
      if (operator === 'is' || operator === 'as') left = { kind: 'typed', operator, on: left, type: typeName() }
      else left = { kind: 'operation', operator, left, right: level(nth + 1) }
    }
  }

  function typeName(): string {
    if (here().kind !== 'name') stop()
    let name = take().text
    if (is('.')) {
      at += 1
      if (here().kind !== 'name') stop()
      name += `.${take().text}`
    }
    return name
  }

  function prefixed(): Expression {
    if (is('-')) {
      at += 1
      return { kind: 'negative', of: prefixed() }
    }
    if (is('+')) {
      at += 1
      return prefixed()
    }
    return path()
  }

  function path(): Expression {
    let on = term()
    for (;;) {
      if (is('.')) {
        at += 1
        on = invocation(on)
      } else if (is('[')) {
        at += 1
        const index = whole()
        expect(']')
        on = { kind: 'at', on, index }
      } else return on
    }
  }

  function invocation(on?: Expression): Expression {
    const { kind, text: name } = here()
    if (kind === 'special') return special()
    if (kind !== 'name') return stop()
    at += 1
    if (!is('(')) return { kind: 'step', ...(on ? { on } : {}), name }
    at += 1
    const args: Expression[] = []
    while (!is(')')) {
      if (args.length > 0) expect(',')
      args.push(whole())
    }
    at += 1
    return { kind: 'call', ...(on ? { on } : {}), name, args }
  }

  function special(): Expression {
    const { text: name } = take()
    if (name === '$this') return { kind: 'this' }
    return name === '$index' ? { kind: 'index' } : { kind: 'total' }
  }

  function term(): Expression {
    const { kind, text: value } = here()
    switch (kind) {
      case 'string':
        at += 1
        return { kind: 'literal', type: 'System.String', value }
      case 'number':
        return number()
      case 'date':
        at += 1
        return { kind: 'literal', type: value.includes('T') ? 'System.DateTime' : 'System.Date', value: value.replace(/T$/, '') }
      case 'time':
        at += 1
        return { kind: 'literal', type: 'System.Time', value: value.slice(1) }
      case 'variable':
        at += 1
        return { kind: 'variable', name: value }
      case 'special':
        return special()
      case 'name':
        if (value === 'true' || value === 'false') {
          at += 1
          return { kind: 'literal', type: 'System.Boolean', value: value === 'true' }
        }
        return invocation()
      case 'symbol':
        if (value === '(') {
          at += 1
          const inner = whole()
          expect(')')
          return inner
        }
        if (value === '{') {
          at += 1
          expect('}')
          return { kind: 'nothing' }
        }
    }
    return stop()
  }

  function number(): Expression {
    const { text: digits } = take()
    const { kind, text: unit } = here()
    const code = kind === 'string' ? unit : kind === 'name' ? DURATIONS[unit] : undefined
    if (code === undefined) return { kind: 'literal', type: digits.includes('.') ? 'System.Decimal' : 'System.Integer', value: Number(digits) }
    at += 1
    return { kind: 'literal', type: 'System.Quantity', value: { value: Number(digits), code } }
  }

  const expression = whole()
  if (here().kind !== 'end') stop()
  return expression
}
