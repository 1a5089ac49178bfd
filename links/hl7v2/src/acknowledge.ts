import type { Message } from './message.ts'

/** A fault that the sender is told: where, and a code of HL7 table 0357. */
export interface Fault {
  /** AE: correct and send again. AR: this system does not take such messages. */
  kind: 'AE' | 'AR'
  segment: string
  sequence?: number
  field: number
  code: keyof typeof names
  /** What to do; never a value of the message. */
  text: string
}

const names = {
  '100': 'Segment sequence error',
  '101': 'Required field missing',
  '102': 'Data type error',
  '103': 'Table value not found',
  '200': 'Unsupported message type',
  '201': 'Unsupported event code',
  '202': 'Unsupported processing id',
  '203': 'Unsupported version id',
  '205': 'Duplicate key identifier',
  '207': 'Application internal error',
} as const

const escapes: Readonly<Record<string, string>> = { '\\': '\\E\\', '|': '\\F\\', '^': '\\S\\', '~': '\\R\\', '&': '\\T\\' }

/** A value as text of a field under the delimiters `|^~\&`; a line break would begin another segment. */
function escapeText(text: string): string {
  return text.replace(/[\\|^~&\p{Cc}]/gu, (letter) => escapes[letter] ?? `\\X${letter.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}\\`)
}

function timestamp(now: Date): string {
  return `${now.toISOString().replace(/[-:T]/g, '').slice(0, 14)}+0000`
}

/** What the sender wrote in a field of MSH, so that it finds its own words again. */
function echo(message: Message | undefined, field: number): string {
  if (!message) return ''
  const { field: separator, component, repetition, escaping, subcomponent } = message.delimiters
  const usual = `${separator}${component}${repetition}${escaping}${subcomponent}` === '|^~\\&'
  const raw = message.header.raw(field)
  return usual && !/\p{Cc}/u.test(raw) ? raw : escapeText(message.header.whole(field))
}

/** The answer to a message: MSH, MSA, and an ERR for each fault in the form of the sender's version. */
export function acknowledgement(message: Message | undefined, faults: readonly Fault[], now: Date, id: string): string {
  const version = echo(message, 12) || '2.5.1'
  const code = faults.some(({ kind }) => kind === 'AR') ? 'AR' : faults.length > 0 ? 'AE' : 'AA'
  const event = message?.header.get(9, 2) ?? ''
  const type = ['ACK', ...(event === '' ? [] : [escapeText(event)]), 'ACK'].join('^')
  const header = ['MSH', '^~\\&', 'CARESPINE', echo(message, 6), echo(message, 3), echo(message, 4), timestamp(now), '', type, id]
  const lines = [
    [...header, echo(message, 11) || 'P', version, '', '', '', '', '', 'UNICODE UTF-8'].join('|'),
    ['MSA', code, echo(message, 10)].join('|'),
    ...faults.map((fault) => errorSegment(fault, version)),
  ]
  return `${lines.join('\r')}\r`
}

function errorSegment({ segment, sequence = 1, field, code, text }: Fault, version: string): string {
  // ERR-1 until version 2.4; from 2.5 on location, code, severity and text have fields of their own.
  if (/^2\.[0-4](\.|$)/.test(version)) return `ERR|${segment}^${sequence}^${field}^${code}&${names[code]}&HL70357`
  const place = field === 0 ? `${segment}^${sequence}` : `${segment}^${sequence}^${field}`
  return ['ERR', '', place, `${code}^${names[code]}^HL70357`, 'E', '', '', '', escapeText(text)].join('|')
}
