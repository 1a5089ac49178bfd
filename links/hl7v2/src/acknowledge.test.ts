import { describe, expect, test } from 'vitest'
import { acknowledgements, batchAcknowledgement, conditionFaults, type Fault, separateAnswers } from './acknowledge.ts'
import { headerFaults } from './map-message.ts'
import { type Message, parseMessage, splitFrame } from './message.ts'

const now = new Date('2026-03-01T07:15:00Z')
const usual = { sender: 'LAB^1.2.3^ISO', type: 'ORU^R01^ORU_R01', control: 'C-1', processing: 'P', version: '2.5.1' }

function message(changes: Partial<typeof usual> = {}): Message {
  const { sender, type, control, processing, version } = { ...usual, ...changes }
  const parsed = parseMessage(`MSH|^~\\&|${sender}|HOSPITAL|CARESPINE|MAIN|20260301101500||${type}|${control}|${processing}|${version}\rPID|1`)
  if (!parsed) throw new Error('not parsed')
  return parsed
}

const answersTo = (read: Message | undefined, faults: readonly Fault[]) => acknowledgements(read, faults, now, { accept: 'C-A', application: 'A-1' })
const answerTo = (changes: Partial<typeof usual> = {}) => {
  const read = message(changes)
  return answersTo(read, headerFaults(read))[0]?.split('\r') ?? []
}

describe('the answer', () => {
  test('goes back to the sender under its names, in its version, with its control id', () => {
    expect(answerTo()).toEqual(['MSH|^~\\&|CARESPINE|MAIN|LAB^1.2.3^ISO|HOSPITAL|20260301071500+0000||ACK^R01^ACK|A-1|P|2.5.1||||||UNICODE UTF-8', 'MSA|AA|C-1', ''])
  })

  test('a control id that holds a line break cannot add a segment to the answer', () => {
    const answer = answerTo({ control: 'C\\X0D\\MSA\\F\\AA' })
    expect(answer[1]).toBe('MSA|AA|C\\X0D\\MSA\\F\\AA')
    const odd = parseMessage('MSH$*-#@$LAB$H$$$2026$$ORU*R01$C#X0D#MSA|x$P$2.5')
    const [said = ''] = answersTo(odd, [])
    expect(said.split('\r')).toHaveLength(3)
    expect(said).toContain('\rMSA|AA|C\\X0A\\MSA\\F\\x\r')
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
    const [, msa, ...errors] = answersTo(message(), faults)[0]?.split('\r') ?? []
    expect(msa).toBe('MSA|AR|C-1')
    expect(errors.slice(0, 2)).toEqual([
      'ERR||PID^1^5|101^Required field missing^HL70357|E||||a \\F\\ b',
      'ERR||OBX^3^5|102^Data type error^HL70357|E||||c',
    ])
  })
})

describe('enhanced mode', () => {
  const asking = (accept: string, application: string) =>
    parseMessage(`MSH|^~\\&|LAB|HOSPITAL|CARESPINE|MAIN|20260301101500||ORU^R01|C-1|P|2.5.1|||${accept}|${application}\rPID|1`) as Message
  const wrong: Fault = { kind: 'AE', segment: 'PID', field: 3, code: '101', text: 'a' }
  const never: Fault = { kind: 'AR', segment: 'MSH', field: 9, code: '200', text: 'b' }
  const said = (accept: string, application: string, ...faults: Fault[]) =>
    answersTo(asking(accept, application), faults).map((answer) => /\rMSA\|(\w\w)\|C-1\r/.exec(answer)?.[1])

  test.each([
    // MSH-15, MSH-16, taken, to be corrected, not taken here
    ['', '', 'AA', 'AE', 'AR'],
    ['""', '""', 'AA', 'AE', 'AR'],
    ['AL', 'AL', 'CA AA', 'CE', 'CR'],
    ['AL', 'NE', 'CA', 'CE', 'CR'],
    ['AL', '', 'CA', 'CE', 'CR'],
    ['AL', 'ER', 'CA', 'CE', 'CR'],
    ['AL', 'SU', 'CA AA', 'CE', 'CR'],
    ['NE', 'AL', 'AA', 'AE', 'AR'],
    ['', 'AL', 'AA', 'AE', 'AR'],
    ['NE', 'ER', '', 'AE', 'AR'],
    ['NE', 'SU', 'AA', '', ''],
    ['ER', 'NE', '', 'CE', 'CR'],
    ['ER', 'AL', 'AA', 'CE', 'CR'],
    ['SU', 'NE', 'CA', '', ''],
    ['SU', 'ER', 'CA', 'AE', 'AR'],
    ['SU', 'SU', 'CA AA', '', ''],
    ['NE', 'NE', '', '', ''],
    ['al', 'ne', 'CA', 'CE', 'CR'],
  ])('MSH-15 %j and MSH-16 %j', (accept, application, taken, toCorrect, notTaken) => {
    expect([said(accept, application), said(accept, application, wrong), said(accept, application, never)].map((all) => all.join(' '))).toEqual([taken, toCorrect, notTaken])
  })

  test('each answer has a control id of its own and asks for no answer itself', () => {
    expect(answersTo(asking('AL', 'AL'), []).map((answer) => answer.split('\r')[0])).toEqual([
      'MSH|^~\\&|CARESPINE|MAIN|LAB|HOSPITAL|20260301071500+0000||ACK^R01^ACK|C-A|P|2.5.1|||NE|NE||UNICODE UTF-8',
      'MSH|^~\\&|CARESPINE|MAIN|LAB|HOSPITAL|20260301071500+0000||ACK^R01^ACK|A-1|P|2.5.1|||NE|NE||UNICODE UTF-8',
    ])
  })

  test.each([
    ['YES', 'NE', 'CE', [15]],
    ['NE', 'YES', 'AE', [16]],
    ['', 'YES', 'AE', [16]],
    ['NO', 'NO', 'CE', [15, 16]],
  ])('a condition that is none is refused and told: MSH-15 %j, MSH-16 %j', (accept, application, code, fields) => {
    const read = asking(accept, application)
    const faults = conditionFaults(read)
    expect(faults.map(({ segment, field, code: number }) => `${segment}-${field} ${number}`)).toEqual(fields.map((field) => `MSH-${field} 103`))
    expect(answersTo(read, faults)).toEqual([expect.stringContaining(`\rMSA|${code}|C-1\rERR||MSH^1^${fields[0]}|103^`)])
  })

  test('answers that are kept as one text come apart as they were', () => {
    const answers = answersTo(asking('AL', 'AL'), [])
    expect(separateAnswers(answers.join(''))).toEqual(answers)
    expect(separateAnswers('')).toEqual([])
  })
})

describe('the answer to a batch', () => {
  test('names the batch and the file it answers, and says when fewer messages came than were announced', () => {
    const header = (name: string, id: string) => `${name}|^~\\&|HIS|NORTH|CARESPINE|MAIN|20260301||||${id}\r`
    const one = 'MSH|^~\\&|HIS|NORTH\r'
    const content = splitFrame(Buffer.from(`${header('FHS', 'F-1')}${header('BHS', 'B-1')}${one}${one}BTS|2\r${header('BHS', 'B-2')}${one}BTS|3\rFTS|2\r`))
    const answers = content.batches.map((batch, at) => ({ batch, answers: batch.messages.map(() => `ack ${at}\r`) }))
    const ids = ['N-1', 'N-2', 'N-3']
    expect(batchAcknowledgement(content, answers, now, () => ids.shift() ?? '').split('\r')).toEqual([
      'FHS|^~\\&|CARESPINE|MAIN|HIS|NORTH|20260301071500+0000||||N-3|F-1',
      'BHS|^~\\&|CARESPINE|MAIN|HIS|NORTH|20260301071500+0000||||N-1|B-1',
      'ack 0',
      'ack 0',
      'BTS|2',
      'BHS|^~\\&|CARESPINE|MAIN|HIS|NORTH|20260301071500+0000||||N-2|B-2',
      'ack 1',
      'BTS|1|BTS-1 says 3, 1 came',
      'FTS|2',
      '',
    ])
  })
})
