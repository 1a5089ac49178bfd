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

const escapeText = (text: string): string =>
  text.replace(/[\\|^~&]/g, (letter) => ({ '\\': '\\E\\', '|': '\\F\\', '^': '\\S\\', '~': '\\R\\', '&': '\\T\\' })[letter] ?? '')

function timestamp(now: Date): string {
  return `${now.toISOString().replace(/[-:T]/g, '').slice(0, 14)}+0000`
}

/** The answer to a message: MSH, MSA, and an ERR for each fault in the form of the sender's version. */
export function acknowledgement(message: Message | undefined, faults: readonly Fault[], now: Date, id: string): string {
  const header = message?.header
  const version = header?.get(12) || '2.5.1'
  const code = faults.some(({ kind }) => kind === 'AR') ? 'AR' : faults.length > 0 ? 'AE' : 'AA'
  const to = [header?.get(3) ?? '', header?.get(4) ?? ''].map(escapeText)
  const type = ['ACK', header?.get(9, 2) ?? '', 'ACK'].filter((part, at) => at !== 1 || part !== '').join('^')
  const lines = [
    ['MSH', '^~\\&', 'CARESPINE', escapeText(header?.get(6) ?? ''), ...to, timestamp(now), '', type, id, header?.get(11) || 'P', version, '', '', '', '', '', 'UNICODE UTF-8'].join('|'),
    ['MSA', code, escapeText(header?.get(10) ?? '')].join('|'),
    ...faults.map((fault) => errorSegment(fault, version)),
  ]
  return `${lines.join('\r')}\r`
}

function errorSegment({ segment, sequence = 1, field, code, text }: Fault, version: string): string {
  // ERR-1 until version 2.4; from 2.5 on location, code, severity and text have fields of their own.
  if (/^2\.[0-4]/.test(version)) return `ERR|${segment}^${sequence}^${field}^${code}&${names[code]}&HL70357`
  return ['ERR', '', `${segment}^${sequence}^${field}`, `${code}^${names[code]}^HL70357`, 'E', '', '', '', escapeText(text)].join('|')
}
