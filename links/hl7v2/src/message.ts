import iconv from 'iconv-lite'

/** Delimiters of one message, from MSH-1 and MSH-2. */
export interface Delimiters {
  field: string
  component: string
  repetition: string
  escape: string
  subcomponent: string
}

export class Segment {
  readonly name: string
  readonly #fields: readonly string[]
  readonly #delimiters: Delimiters

  constructor(text: string, delimiters: Delimiters) {
    const parts = text.split(delimiters.field)
    this.name = parts[0] ?? ''
    // MSH-1 is the field separator itself.
    this.#fields = this.name === 'MSH' || this.name === 'BHS' || this.name === 'FHS' ? [this.name, delimiters.field, ...parts.slice(1)] : parts
    this.#delimiters = delimiters
  }

  /** Raw repetitions of a field; empty when it is empty. */
  repetitions(field: number): string[] {
    const text = this.#fields[field] ?? ''
    return text === '' ? [] : text.split(this.#delimiters.repetition)
  }

  /** A component as text, unescaped; '' when it is empty. `""`, HL7's null, is '' too. */
  get(field: number, component = 1, repetition = 0): string {
    if ((this.name === 'MSH' || this.name === 'BHS') && field <= 2) return this.#fields[field] ?? ''
    const part = this.repetitions(field)[repetition]?.split(this.#delimiters.component)[component - 1] ?? ''
    const first = part.split(this.#delimiters.subcomponent)[0] ?? ''
    return first === '""' ? '' : unescape(first, this.#delimiters).trim()
  }

  /** A whole field of one repetition, unescaped, with its components as they stand. */
  text(field: number): string {
    return unescape(this.#fields[field] ?? '', this.#delimiters)
  }
}

/** Escape sequences: HL7 v2.5.1, section 2.7. Highlighting and unknown ones are left out. */
function unescape(text: string, { field, component, repetition, escape, subcomponent }: Delimiters): string {
  if (!text.includes(escape)) return text
  const one = escape.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return text.replace(new RegExp(`${one}([^${one}]*)${one}`, 'g'), (_whole, code: string) => {
    switch (code) {
      case 'F':
        return field
      case 'S':
        return component
      case 'T':
        return subcomponent
      case 'R':
        return repetition
      case 'E':
        return escape
      case '.br':
        return '\n'
    }
    const hex = /^X((?:[0-9A-Fa-f]{2})+)$/.exec(code)
    return hex ? Buffer.from(hex[1] as string, 'hex').toString('utf8') : ''
  })
}

export class Message {
  readonly segments: readonly Segment[]
  readonly header: Segment

  constructor(segments: readonly Segment[], header: Segment) {
    this.segments = segments
    this.header = header
  }

  first(name: string): Segment | undefined {
    return this.segments.find((segment) => segment.name === name)
  }

  all(name: string): Segment[] {
    return this.segments.filter((segment) => segment.name === name)
  }

  get controlId(): string {
    return this.header.get(10)
  }

  get version(): string {
    return this.header.get(12)
  }

  /** `ADT^A01` or `ORU^R01`. */
  get type(): string {
    return [this.header.get(9, 1), this.header.get(9, 2)].filter(Boolean).join('^')
  }

  get sender(): string {
    return `${this.header.get(3)}/${this.header.get(4)}`
  }
}

/** Splits a message into segments; undefined when it does not begin with a usable MSH. */
export function parseMessage(text: string): Message | undefined {
  const lines = text.split(/\r\n|\r|\n/).filter((line) => line.trim() !== '')
  const first = lines[0]
  if (!first?.startsWith('MSH') || first.length < 8) return undefined
  const field = first[3] as string
  const [component = '^', repetition = '~', escape = '\\', subcomponent = '&'] = first.slice(4, first.indexOf(field, 4))
  if (/[\w\s]/.test(field)) return undefined
  const delimiters = { field, component, repetition, escape, subcomponent }
  const segments = lines.map((line) => new Segment(line, delimiters))
  return new Message(segments, segments[0] as Segment)
}

/** Messages of a batch file (FHS/BHS … BTS/FTS), or the one that stands alone. */
export function splitBatch(text: string): string[] {
  const messages: string[][] = []
  for (const line of text.split(/\r\n|\r|\n/)) {
    if (/^(FHS|BHS|BTS|FTS)/.test(line) || line.trim() === '') continue
    if (line.startsWith('MSH') || messages.length === 0) messages.push([])
    messages.at(-1)?.push(line)
  }
  return messages.map((lines) => lines.join('\r'))
}

// MSH-18 (HL7 table 0211) and what iconv calls it.
const charsets: Readonly<Record<string, string>> = {
  '': 'utf8',
  ASCII: 'ascii',
  'UNICODE UTF-8': 'utf8',
  'UTF-8': 'utf8',
  '8859/1': 'latin1',
  '8859/6': 'iso88596',
  '8859/15': 'iso885915',
  'WINDOWS-1256': 'win1256',
  CP1256: 'win1256',
}

/** The text of a message in the character set that its MSH-18 names; undefined for one that is not supported. */
export function decode(bytes: Buffer): { text: string; charset: string } | { text: undefined; charset: string } {
  const header = bytes.toString('latin1').split(/[\r\n]/, 1)[0] ?? ''
  const charset = (header.split(header[3] ?? '|')[17] ?? '').split('~')[0]?.trim().toUpperCase() ?? ''
  const encoding = charsets[charset]
  if (encoding === undefined) return { text: undefined, charset }
  const text = iconv.decode(bytes, encoding)
  // Without MSH-18, bytes that are no UTF-8 are taken for what older senders use.
  return { text: charset === '' && text.includes('�') ? iconv.decode(bytes, 'latin1') : text, charset }
}

/** ISO time of an HL7 timestamp `YYYYMMDD[HHMM[SS[.S]]][+ZZZZ]`; without a zone it is in `zone`, such as `+03:00`. */
export function isoTime(text: string, zone: string): string | undefined {
  const match = /^(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2})?(?:\.\d+)?)?([+-]\d{4})?$/.exec(text)
  if (!match) return undefined
  const [, year, month, day, hour = '00', minute = '00', second = '00', offset] = match
  const suffix = offset ? `${offset.slice(0, 3)}:${offset.slice(3)}` : zone
  const time = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}${suffix}`)
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString()
}

/** ISO date of an HL7 date; undefined when it is not a real one. */
export function isoDate(text: string): string | undefined {
  const match = /^(\d{4})(\d{2})(\d{2})/.exec(text)
  if (!match) return undefined
  const date = `${match[1]}-${match[2]}-${match[3]}`
  const parsed = new Date(`${date}T00:00:00Z`)
  return Number.isNaN(parsed.getTime()) || parsed.toISOString().slice(0, 10) !== date ? undefined : date
}
