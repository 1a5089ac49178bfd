import { isUtf8 } from 'node:buffer'
import iconv from 'iconv-lite'

/** Delimiters of one message, from MSH-1 and MSH-2. */
export interface Delimiters {
  field: string
  component: string
  repetition: string
  escaping: string
  subcomponent: string
  /** Stands for what was cut off a value; since version 2.7, in MSH-2. */
  truncation: string
  /** What iconv calls the character set of MSH-18, for `\Xdd..\`. */
  encoding: string
}

/** Segments whose first field is the field separator. */
const HEADERS: ReadonlySet<string> = new Set(['MSH', 'FHS', 'BHS'])
const NULL = '""'

export class Segment {
  readonly name: string
  readonly #fields: readonly string[]
  // A field may repeat a hundred thousand times: splitting it anew for each repetition would hold up the server for hours.
  readonly #repetitions = new Map<number, readonly string[]>()
  readonly #delimiters: Delimiters

  constructor(text: string, delimiters: Delimiters) {
    const parts = text.split(delimiters.field)
    this.name = parts[0] ?? ''
    // The first field of a header is the field separator itself.
    this.#fields = HEADERS.has(this.name) ? [this.name, delimiters.field, ...parts.slice(1)] : parts
    this.#delimiters = delimiters
  }

  /** Raw repetitions of a field; empty when it is empty. */
  repetitions(field: number): readonly string[] {
    const known = this.#repetitions.get(field)
    if (known) return known
    const text = this.#fields[field] ?? ''
    const split = text === '' ? [] : text.split(this.#delimiters.repetition)
    this.#repetitions.set(field, split)
    return split
  }

  /** A component as text, unescaped; '' when it is empty. `""`, HL7's null, is '' too: `isNull` tells them apart. */
  get(field: number, component = 1, repetition = 0): string {
    if (HEADERS.has(this.name) && field <= 2) return this.#fields[field] ?? ''
    const first = this.#component(field, component, repetition)
    return first === NULL ? '' : unescaped(first, this.#delimiters).trim()
  }

  /**
   * A value that the sender wants deleted (HL7 v2.5.1, section 2.5.3): a component that is `""`, or the component of a
   * field or repetition that is `""` as a whole.
   */
  isNull(field: number, component = 1, repetition = 0): boolean {
    return this.#component(field, component, repetition) === NULL || (this.repetitions(field)[repetition] ?? '').trim() === NULL
  }

  #component(field: number, component: number, repetition: number): string {
    const part = this.repetitions(field)[repetition]?.split(this.#delimiters.component)[component - 1] ?? ''
    return (part.split(this.#delimiters.subcomponent)[0] ?? '').trim()
  }

  /** A field as it came. */
  raw(field: number): string {
    return this.#fields[field] ?? ''
  }

  /** A field that neither repeats nor has components, unescaped, whatever its sender put into it. */
  whole(field: number): string {
    return unescaped(this.raw(field), this.#delimiters).trim()
  }

  /** A whole field, unescaped: its repetitions as lines, its components as they stand. */
  text(field: number): string {
    return this.repetitions(field)
      .map((text) => (text === NULL ? '' : unescaped(text, this.#delimiters)))
      .join('\n')
      .trim()
  }
}

// What no text holds, and what PostgreSQL (NUL) or a log would stumble over. Tabs and line breaks stay.
const controls = /[^\P{Cc}\t\n]/gu

/**
 * Escape sequences: HL7 v2.5.1, section 2.7. Highlighting and local ones are left out; what is
 * no sequence at all, such as a path with backslashes, stays as it is.
 */
function unescaped(text: string, { field, component, repetition, escaping, subcomponent, truncation, encoding }: Delimiters): string {
  if (!text.includes(escaping)) return text.replace(controls, '')
  const one = escaping.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  const known: Readonly<Record<string, string>> = { F: field, S: component, T: subcomponent, R: repetition, E: escaping, P: truncation, H: '', N: '', '.br': '\n', '.ce': '\n' }
  // Neighbouring `\Xdd\` may be the bytes of one letter, so a run of them is decoded together.
  const hexRun = new RegExp(`(?:${one}X(?:[0-9A-Fa-f]{2})+${one})+`, 'g')
  const parts = new RegExp(`${hexRun.source}|${one}([^${one}]*)${one}`, 'g')
  return text
    .replace(parts, (whole: string, code: string | undefined) => {
      if (code === undefined) return hexText(Buffer.from(whole.replaceAll(escaping, '').replaceAll('X', ''), 'hex'), encoding)
      const plain = known[code]
      if (plain !== undefined) return plain
      const skipped = /^\.(sp|sk)\+?(\d{0,2})$/.exec(code)
      if (skipped) return (skipped[1] === 'sp' ? '\n' : ' ').repeat(Number(skipped[2] || 1))
      return /^(\.(in|ti|fi|nf)[+-]?\d*|Z.*)$/.test(code) ? '' : whole
    })
    .replaceAll('\r\n', '\n')
    .replaceAll('\r', '\n')
    .replace(controls, '')
}

function hexText(bytes: Buffer, encoding: string): string {
  return encoding === 'utf8' && !isUtf8(bytes) ? bytes.toString('latin1') : iconv.decode(bytes, encoding)
}

export class Message {
  readonly segments: readonly Segment[]
  readonly header: Segment
  readonly delimiters: Delimiters

  constructor(segments: readonly Segment[], header: Segment, delimiters: Delimiters) {
    this.segments = segments
    this.header = header
    this.delimiters = delimiters
  }

  first(name: string): Segment | undefined {
    return this.segments.find((segment) => segment.name === name)
  }

  all(name: string): Segment[] {
    return this.segments.filter((segment) => segment.name === name)
  }

  get controlId(): string {
    return this.header.whole(10)
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

function delimitersOf(header: string, encoding: string): Delimiters {
  const field = header[3] ?? '|'
  const end = header.indexOf(field, 4)
  const [component = '^', repetition = '~', escaping = '\\', subcomponent = '&', truncation = '#'] = header.slice(4, end < 0 ? undefined : end)
  return { field, component, repetition, escaping, subcomponent, truncation, encoding }
}

/** Splits a message into segments; undefined when it does not begin with a usable MSH. */
export function parseMessage(text: string): Message | undefined {
  const lines = text.split(/[\r\n]+/)
  const first = lines.find((line) => line.trim() !== '')?.trimStart()
  if (!first?.startsWith('MSH') || first.length < 8) return undefined
  const field = first[3] as string
  if (/[\w\s]/.test(field)) return undefined
  const delimiters = delimitersOf(first, charsets[charsetOf(first)] ?? 'utf8')
  // Senders that break lines inside a value: what does not look like a segment continues the one before.
  const segments: string[] = []
  for (const line of lines) {
    if (segments.length === 0 ? line.trimStart().startsWith('MSH') : /^[A-Z][A-Z0-9]{2}$/.test(line.split(field, 1)[0] ?? '')) {
      segments.push(segments.length === 0 ? first : line)
    } else if (segments.length > 0 && line.trim() !== '') segments.push(`${segments.pop() ?? ''}\n${line}`)
  }
  const read = segments.map((line) => new Segment(line, delimiters))
  return new Message(read, read[0] as Segment, delimiters)
}

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf])

/** One batch of a frame. */
export interface Batch {
  /** Its BHS; none where messages simply follow each other. */
  header?: Segment
  messages: Buffer[]
  /** How many messages the sender says are in it (BTS-1). */
  counted?: number
}

/** What came in one frame: one message, or batches, perhaps in a file (HL7 v2.5.1, section 2.10.3). */
export interface FrameContent {
  batches: Batch[]
  isBatch: boolean
  /** The FHS of a file. */
  file?: Segment
}

// The header is looked for before what stands in front of it: the other way round, a megabyte of blanks takes minutes.
const pieceBeginnings = /(?=(?:MSH|FHS|BHS|BTS|FTS)[^\w\s])(?<=^\s*|[\r\n])/

/** Separates the messages of a frame. By bytes: each message of a batch names its own character set. */
export function splitFrame(bytes: Buffer): FrameContent {
  const isMarked = bytes.subarray(0, 3).equals(BYTE_ORDER_MARK)
  const text = (isMarked ? bytes.subarray(3) : bytes).toString('latin1')
  const batches: Batch[] = []
  let file: Segment | undefined
  let open: Batch | undefined
  for (const piece of text.split(pieceBeginnings)) {
    if (piece.trim() === '') continue
    const name = piece.slice(0, 3)
    if (name === 'FHS') file ??= headerOf(piece)
    if (name === 'BTS') {
      const counted = /^\s*(\d+)/.exec(piece.slice(4))?.[1]
      if (open && counted !== undefined) open.counted = Number(counted)
      open = undefined
    }
    if (['FHS', 'BTS', 'FTS'].includes(name)) continue
    if (name === 'BHS' || !open) {
      open = { messages: [], ...(name === 'BHS' ? { header: headerOf(piece) } : {}) }
      batches.push(open)
    }
    if (name !== 'BHS') open.messages.push(Buffer.from(piece, 'latin1'))
  }
  const isBatch = file !== undefined || batches.some(({ header, messages }) => header !== undefined || messages.length > 1)
  return { batches, isBatch, ...(file ? { file } : {}) }
}

function headerOf(piece: string): Segment {
  const line = Buffer.from(piece.split(/[\r\n]/, 1)[0] ?? '', 'latin1').toString()
  return new Segment(line, delimitersOf(line, 'utf8'))
}

// MSH-18 (HL7 table 0211) and what iconv calls it.
const charsets: Readonly<Record<string, string>> = {
  '': 'utf8',
  ASCII: 'ascii',
  'UNICODE UTF-8': 'utf8',
  UNICODE: 'utf8',
  'UTF-8': 'utf8',
  UTF8: 'utf8',
  '8859/1': 'latin1',
  '8859/2': 'iso88592',
  '8859/5': 'iso88595',
  '8859/6': 'iso88596',
  '8859/7': 'iso88597',
  '8859/8': 'iso88598',
  '8859/9': 'iso88599',
  '8859/15': 'iso885915',
  'WINDOWS-1256': 'win1256',
  CP1256: 'win1256',
}

function charsetOf(header: string): string {
  const field = header.split(header[3] ?? '|')[17] ?? ''
  return (field.split(header[5] ?? '~')[0] ?? '').trim().toUpperCase()
}

/**
 * The text of a message in the character set that its MSH-18 names: `unknown` for a set that is not supported,
 * `broken` for bytes that are not of it, `switched` where escape sequences go over to another set within the message
 * (HL7 v2.5.1, section 2.7.2), since a name with holes must not be stored.
 */
export function decode(bytes: Buffer): { text: string } | { fault: 'unknown' | 'broken' | 'switched' } {
  const header = bytes.toString('latin1').trimStart().split(/[\r\n]/, 1)[0] ?? ''
  const decoded = decodeWhole(bytes, charsetOf(header))
  const escaping = header[6] ?? '\\'
  const isSwitched = 'text' in decoded && decoded.text.split(escaping).some((part, at) => at > 0 && /^(C[0-9A-F]{4}|M[0-9A-F]{6}|M[0-9A-F]{4})$/.test(part))
  return isSwitched ? { fault: 'switched' } : decoded
}

function decodeWhole(bytes: Buffer, charset: string): { text: string } | { fault: 'unknown' | 'broken' } {
  const encoding = charsets[charset]
  if (encoding === undefined) return { fault: 'unknown' }
  if (encoding === 'utf8') {
    if (isUtf8(bytes)) return { text: bytes.toString('utf8') }
    // Without MSH-18, bytes that are no UTF-8 are taken for what older senders use.
    return charset === '' ? { text: bytes.toString('latin1') } : { fault: 'broken' }
  }
  const text = iconv.decode(bytes, encoding)
  return text.includes('\ufffd') ? { fault: 'broken' } : { text }
}
