import { describe, expect, test } from 'vitest'
import { acknowledgement, type Fault } from './acknowledge.ts'
import { headerFaults } from './map-message.ts'
import { type Message, parseMessage } from './message.ts'

const now = new Date('2026-03-01T07:15:00Z')
const usual = { sender: 'LAB^1.2.3^ISO', type: 'ORU^R01^ORU_R01', control: 'C-1', processing: 'P', version: '2.5.1' }

function message(changes: Partial<typeof usual> = {}): Message {
  const { sender, type, control, processing, version } = { ...usual, ...changes }
  const parsed = parseMessage(`MSH|^~\\&|${sender}|HOSPITAL|CARESPINE|MAIN|20260301101500||${type}|${control}|${processing}|${version}\rPID|1`)
  if (!parsed) throw new Error('not parsed')
  return parsed
}

const answerTo = (changes: Partial<typeof usual> = {}) => {
  const read = message(changes)
  return acknowledgement(read, headerFaults(read), now, 'A-1').split('\r')
}

describe('the answer', () => {
  test('goes back to the sender under its names, in its version, with its control id', () => {
    expect(answerTo()).toEqual(['MSH|^~\\&|CARESPINE|MAIN|LAB^1.2.3^ISO|HOSPITAL|20260301071500+0000||ACK^R01^ACK|A-1|P|2.5.1||||||UNICODE UTF-8', 'MSA|AA|C-1', ''])
  })

  test('a control id that holds a line break cannot add a segment to the answer', () => {
    const answer = answerTo({ control: 'C\\X0D\\MSA\\F\\AA' })
    expect(answer[1]).toBe('MSA|AA|C\\X0D\\MSA\\F\\AA')
    const odd = parseMessage('MSH$*-#@$LAB$H$$$2026$$ORU*R01$C#X0D#MSA|x$P$2.5')
    expect(acknowledgement(odd, [], now, 'A-1').split('\r')).toHaveLength(3)
    expect(acknowledgement(odd, [], now, 'A-1')).toContain('\rMSA|AA|C\\X0A\\MSA\\F\\x\r')
  })

  test.each<[string, Partial<typeof usual>, string, string]>([
    ['another message type', { type: 'ORM^O01' }, 'AR', 'MSH^1^9|200^'],
    ['another event', { type: 'ADT^A40' }, 'AR', 'MSH^1^9|201^'],
    ['no message type', { type: '' }, 'AE', 'MSH^1^9|101^'],
    ['no control id', { control: '' }, 'AE', 'MSH^1^10|101^'],
    ['a control id without end', { control: 'x'.repeat(200) }, 'AE', 'MSH^1^10|102^'],
    ['another processing id', { processing: 'Q' }, 'AR', 'MSH^1^11|202^'],
    ['no processing id', { processing: '' }, 'AE', 'MSH^1^11|101^'],
    ['version 3.0', { version: '3.0' }, 'AR', 'MSH^1^12|203^'],
    ['version 2.15', { version: '2.15' }, 'AR', 'MSH^1^12|203^'],
    ['no version', { version: '' }, 'AE', 'MSH^1^12|101^'],
  ])('to %s names the field', (_what, changes, code, place) => {
    const [, msa, err] = answerTo(changes)
    expect(msa).toBe(`MSA|${code}|${changes.control ?? 'C-1'}`)
    expect(err).toContain(`ERR||${place}`)
  })

  test.each(['2.1', '2.2', '2.3', '2.3.1', '2.4', '2.5', '2.5.1', '2.6', '2.7', '2.7.1', '2.8', '2.8.2'])('version %s is taken', (version) => {
    expect(answerTo({ version })[1]).toBe('MSA|AA|C-1')
  })

  test('before version 2.5 an ERR says it in its first field', () => {
    expect(answerTo({ version: '2.3', type: 'ADT^A40' })[2]).toBe('ERR|MSH^1^9^201&Unsupported event code&HL70357')
  })

  test('every fault has its ERR, and one that cannot be mended makes it AR', () => {
    const faults: Fault[] = [
      { kind: 'AE', segment: 'PID', field: 5, code: '101', text: 'a | b' },
      { kind: 'AR', segment: 'OBX', sequence: 3, field: 5, code: '102', text: 'c' },
    ]
    const [, msa, ...errors] = acknowledgement(message(), faults, now, 'A-1').split('\r')
    expect(msa).toBe('MSA|AR|C-1')
    expect(errors.slice(0, 2)).toEqual([
      'ERR||PID^1^5|101^Required field missing^HL70357|E||||a \\F\\ b',
      'ERR||OBX^3^5|102^Data type error^HL70357|E||||c',
    ])
  })
})
