import type { Batch, FrameContent, Message, Segment } from './message.ts'

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

/** @param sequence Which of the segments of this name, from 1. */
export function fault(kind: Fault['kind'], segment: string, field: number, code: Fault['code'], text: string, sequence?: number): Fault {
  return { kind, segment, field, code, text, ...(sequence === undefined ? {} : { sequence }) }
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

/** What the sender wrote in a field of its header, so that it finds its own words again. */
function echo(header: Segment | undefined, field: number): string {
  if (!header) return ''
  const raw = header.raw(field)
  const usual = `${header.get(1)}${header.get(2)}`.startsWith('|^~\\&')
  return usual && !/\p{Cc}/u.test(raw) ? raw : escapeText(header.whole(field))
}

type Level = 'accept' | 'application'

/** HL7 table 0155, for messages that are taken and for those that are refused. */
const conditions: Readonly<Record<string, { taken: boolean; refused: boolean }>> = {
  AL: { taken: true, refused: true },
  NE: { taken: false, refused: false },
  ER: { taken: false, refused: true },
  SU: { taken: true, refused: false },
}

/**
 * MSH-15 and MSH-16 of a message in enhanced mode; undefined in original mode, where both are empty (HL7 v2.5.1,
 * section 2.9). In enhanced mode an empty one asks for nothing.
 */
function askedFor({ header }: Message): Readonly<Record<Level, string>> | undefined {
  const [accept, application] = [header.get(15).toUpperCase(), header.get(16).toUpperCase()]
  return accept === '' && application === '' ? undefined : { accept: accept || 'NE', application: application || 'NE' }
}

/** MSH-15 and MSH-16, where they say something that is not in table 0155. */
export function conditionFaults({ header }: Message): Fault[] {
  return [15, 16]
    .filter((field) => !['', ...Object.keys(conditions)].includes(header.get(field).toUpperCase()))
    .map((field) => ({ kind: 'AE', segment: 'MSH', field, code: '103', text: 'The acknowledgement condition is AL, NE, ER or SU.' }))
}

/**
 * The levels at which a message is answered. A message that is not accepted never reaches the application: why is said
 * once, at the first level that the sender listens to. A condition that nobody knows counts as "always".
 */
function levelsOf(message: Message | undefined, outcome: 'taken' | 'refused'): Level[] {
  const asked = message && askedFor(message)
  if (!asked) return ['application']
  const heard = (['accept', 'application'] as const).filter((level) => (conditions[asked[level]] ?? conditions.AL)?.[outcome])
  return outcome === 'taken' ? heard : heard.slice(0, 1)
}

/** A message of ten thousand faults is not answered by ten thousand lines. */
const MOST_ERRORS = 50

const codes = { accept: { AA: 'CA', AE: 'CE', AR: 'CR' }, application: { AA: 'AA', AE: 'AE', AR: 'AR' } } as const

/**
 * The answers to a message, none to two: MSH, MSA, and an ERR for each fault (the first fifty) in the form of the sender's version.
 *
 * @param ids Control ids of the answers, by level.
 */
export function acknowledgements(message: Message | undefined, faults: readonly Fault[], now: Date, ids: Readonly<Record<Level, string>>): string[] {
  const header = message?.header
  const version = echo(header, 12) || '2.5.1'
  const code = faults.some(({ kind }) => kind === 'AR') ? 'AR' : faults.length > 0 ? 'AE' : 'AA'
  const event = header?.get(9, 2) ?? ''
  const type = ['ACK', ...(event === '' ? [] : [escapeText(event)]), 'ACK'].join('^')
  // Nobody acknowledges an acknowledgement.
  const asked = message && askedFor(message) ? 'NE' : ''
  return levelsOf(message, faults.length > 0 ? 'refused' : 'taken').map((level) => {
    const lines = [
      ['MSH', '^~\\&', 'CARESPINE', echo(header, 6), echo(header, 3), echo(header, 4), timestamp(now), '', type, ids[level]],
      [echo(header, 11) || 'P', version, '', '', asked, asked, '', 'UNICODE UTF-8'],
    ]
    return [
      lines.flat().join('|'),
      ['MSA', codes[level][code], echo(header, 10)].join('|'),
      ...faults.slice(0, MOST_ERRORS).map((fault) => errorSegment(fault, version)),
      '',
    ].join('\r')
  })
}

/** Answers of one message that are kept as one text, apart again. */
export function separateAnswers(kept: string): string[] {
  return kept === '' ? [] : kept.split(/(?<=\r)(?=MSH\|)/)
}

/** A batch is answered by a batch with the acknowledgements of its messages, in their order. */
export function batchAcknowledgement(content: FrameContent, answers: readonly { batch: Batch; answers: readonly string[] }[], now: Date, newId: () => string): string {
  const opened = (name: string, header: Segment | undefined): string =>
    `${[name, '^~\\&', 'CARESPINE', echo(header, 6), echo(header, 3), echo(header, 4), timestamp(now), '', '', '', newId(), echo(header, 11)].join('|')}\r`
  const bodies = answers.map(({ batch, answers: said }) => {
    const { counted, messages, header } = batch
    const comment = counted === undefined || counted === messages.length ? '' : `|BTS-1 says ${counted}, ${messages.length} came`
    return `${opened('BHS', header)}${said.join('')}BTS|${said.length}${comment}\r`
  })
  return content.file ? `${opened('FHS', content.file)}${bodies.join('')}FTS|${bodies.length}\r` : bodies.join('')
}

function errorSegment({ segment, sequence = 1, field, code, text }: Fault, version: string): string {
  // ERR-1 until version 2.4; from 2.5 on location, code, severity and text have fields of their own.
  if (/^2\.[0-4](\.|$)/.test(version)) return `ERR|${segment}^${sequence}^${field}^${code}&${names[code]}&HL70357`
  const place = field === 0 ? `${segment}^${sequence}` : `${segment}^${sequence}^${field}`
  return ['ERR', '', place, `${code}^${names[code]}^HL70357`, 'E', '', '', '', escapeText(text)].join('|')
}
