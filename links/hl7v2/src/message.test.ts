import { describe, expect, test } from 'vitest'
import { decode, parseMessage, splitFrame } from './message.ts'

const header = 'MSH|^~\\&|LAB|HOSPITAL|CARESPINE||20260301101500||ORU^R01|C-1|P|2.5.1'

function obx5(value: string, charset = 'UNICODE UTF-8'): string {
  return parseMessage(`${header}||||||${charset}\rOBX|1|TX|N^Note^L||${value}`)?.first('OBX')?.text(5) ?? 'no OBX'
}

describe('escape sequences', () => {
  test.each([
    ['a\\F\\b', 'a|b'],
    ['a\\S\\b', 'a^b'],
    ['a\\T\\b', 'a&b'],
    ['a\\R\\b', 'a~b'],
    ['a\\E\\b', 'a\\b'],
    ['a\\E\\F\\E\\b', 'a\\F\\b'],
    ['one\\.br\\two\\.sp2\\three', 'one\ntwo\n\nthree'],
    ['\\X41\\\\X42\\', 'AB'],
    ['\\X4142430D0A44\\', 'ABC\nD'],
    ['\\H\\bold\\N\\ plain', 'bold plain'],
    ['a\\.sk3\\b', 'a   b'],
    ['a\\P\\b', 'a#b'],
    ['C:\\scans\\new', 'C:\\scans\\new'],
    ['one backslash \\ alone', 'one backslash \\ alone'],
    ['\\X4\\', '\\X4\\'],
  ])('%s says %j', (written, meant) => {
    expect(obx5(written)).toBe(meant)
  })

  test('hexadecimal bytes are of the message’s character set, one letter in two sequences included', () => {
    expect(obx5('caf\\XE9\\', '8859/1')).toBe('café')
    expect(obx5('\\XCD\\', '8859/6')).toBe('ح')
    expect(obx5('\\XD8AD\\')).toBe('ح')
    expect(obx5('\\XD8\\\\XAD\\')).toBe('ح')
  })

  test('characters that no text holds are left out', () => {
    expect(obx5('a\\X00\\b\u0001c')).toBe('abc')
  })
})

describe('fields', () => {
  test('repetitions of a text are its lines, and nothing after a separator is lost', () => {
    expect(obx5('first~second ^ still second & more')).toBe('first\nsecond ^ still second & more')
  })

  test('a component of each repetition is found', () => {
    const pid = parseMessage(`${header}\rPID|1||100^^^CARESPINE^MR~784-1^^^GOV&1.2^NI`)?.first('PID')
    expect([pid?.get(3, 1, 0), pid?.get(3, 4, 0), pid?.get(3, 1, 1), pid?.get(3, 4, 1)]).toEqual(['100', 'CARESPINE', '784-1', 'GOV'])
  })

  test('two quotation marks are HL7’s null and no text', () => {
    expect(parseMessage(`${header}\rPID|1||""`)?.first('PID')?.get(3)).toBe('')
  })

  test('a null is told from an empty value, in a field, a component and a repetition', () => {
    const pid = parseMessage(`${header}\rPID|1||""||A^""~""|| ""|""&x^y`)?.first('PID')
    expect([pid?.isNull(3), pid?.isNull(3, 4), pid?.isNull(5, 1), pid?.isNull(5, 2), pid?.isNull(5, 2, 1), pid?.isNull(7), pid?.isNull(8), pid?.isNull(9)]).toEqual([true, true, false, true, true, true, true, false])
    expect(pid?.isNull(5, 3)).toBe(false)
  })

  test('a sender’s own delimiters are used', () => {
    const message = parseMessage('MSH$*-#@$LAB$$$$2026$$ORU*R01$C-1$P$2.5\rPID$1$$7***A@B')
    expect([message?.type, message?.controlId, message?.first('PID')?.get(3, 4)]).toEqual(['ORU^R01', 'C-1', 'A'])
  })

  test('a line that is no segment continues the value before it', () => {
    const message = parseMessage(`${header}\r\nOBX|1|TX|N||line one\nline two\r\nOBX|2|NM|K||4.1`)
    expect(message?.all('OBX').map((obx) => obx.text(5))).toEqual(['line one\nline two', '4.1'])
  })

  test.each(['', 'PID|1', 'MSH', 'MSH|', 'MSHA^~\\&BCDEF', '{"resourceType":"Patient"}'])('%j is no message', (text) => {
    expect(parseMessage(text)).toBeUndefined()
  })
})

describe('character sets', () => {
  const name = (bytes: Buffer) => {
    const decoded = decode(bytes)
    return 'text' in decoded ? parseMessage(decoded.text)?.first('PID')?.get(5) : decoded.fault
  }
  const message = (charset: string, family: Buffer) =>
    Buffer.concat([Buffer.from(`${header}||||||${charset}\rPID|1||7||`), family, Buffer.from('^X\r')])
  const arabic = Buffer.from([0xcd, 0xd1, 0xc8, 0xea])

  test('UNICODE UTF-8, 8859/1, 8859/6 and ASCII are read', () => {
    expect(name(message('UNICODE UTF-8', Buffer.from('حربي')))).toBe('حربي')
    expect(name(message('8859/1', Buffer.from([0x4d, 0xfc, 0x6c])))).toBe('Mül')
    expect(name(message('8859/6', arabic))).toBe('حربي')
    expect(name(message('ASCII', Buffer.from('Harbi')))).toBe('Harbi')
    expect(name(message('8859/6~UNICODE UTF-8', arabic))).toBe('حربي')
  })

  test('without MSH-18 UTF-8 is recognized, and other bytes are Latin-1', () => {
    expect(name(message('', Buffer.from('حربي')))).toBe('حربي')
    expect(name(message('', Buffer.from([0x4d, 0xfc, 0x6c])))).toBe('Mül')
  })

  test('an unknown set is refused, and so are bytes that are not of the set', () => {
    expect(name(message('KLINGON', Buffer.from('x')))).toBe('unknown')
    expect(name(message('ASCII', Buffer.from([0x4d, 0xfc])))).toBe('broken')
    expect(name(message('UNICODE UTF-8', Buffer.from([0x4d, 0xfc])))).toBe('broken')
    expect(name(message('8859/6', Buffer.from([0xa1])))).toBe('broken')
  })

  test('a message that goes over to another set within itself is refused', () => {
    expect(name(message('ASCII~ISO IR87', Buffer.from('\\M2842\\0;E\\C2842\\')))).toBe('switched')
    expect(name(message('ASCII', Buffer.from('C:\\C1\\M1\\Hart')))).toBe('C:\\C1\\M1\\Hart')
  })

  test('each message of a batch is separated by bytes and read in its own set', () => {
    const bytes = Buffer.concat([
      Buffer.from('\ufeffFHS|^~\\&|A\rBHS|^~\\&|A\r'),
      message('8859/6', arabic),
      message('UNICODE UTF-8', Buffer.from('حربي')),
      Buffer.from('BTS|2\rFTS|1\r'),
    ])
    const { batches, isBatch, file } = splitFrame(bytes)
    expect(batches.map(({ messages, counted, header: bhs }) => [messages.map(name), counted, bhs?.get(3)])).toEqual([[['حربي', 'حربي'], 2, 'A']])
    expect([isBatch, file?.get(3)]).toEqual([true, 'A'])
  })

  test('a byte order mark does not hide the header', () => {
    const { batches, isBatch } = splitFrame(Buffer.from(`\ufeff${header}\rPID|1||7||Harbi`))
    expect([batches.map(({ messages }) => messages.map(name)), isBatch]).toEqual([[['Harbi']], false])
  })

  test('messages that follow each other without a batch header are all there', () => {
    expect(splitFrame(Buffer.from(`${header}\rPID|1\r${header}\rPID|1\r`))).toMatchObject({ isBatch: true, batches: [{ messages: { length: 2 } }] })
  })
})

describe('a hostile megabyte', () => {
  const whole = (body: string) => splitFrame(Buffer.from(`${header}\r${body}`)).batches.flatMap(({ messages }) => messages.map((bytes) => parseMessage(bytes.toString())))
  test.each([
    ['blanks', ' '.repeat(1_000_000), () => 0],
    ['line breaks', '\r'.repeat(1_000_000), () => 0],
    ['lines that are no segments', 'x\r'.repeat(500_000), () => 0],
    ['backslashes', `OBX|1|TX|N||${'\\'.repeat(1_000_000)}`, (message) => message?.first('OBX')?.text(5).length],
    ['half an escape sequence', `OBX|1|TX|N||\\X${'41'.repeat(500_000)}`, (message) => message?.first('OBX')?.text(5).length],
    ['repetitions', `PID|1||${'7~'.repeat(300_000)}`, (message) => message?.first('PID')?.repetitions(3).map((_text, at) => message.first('PID')?.get(3, 1, at))],
  ] satisfies [string, string, (message: ReturnType<typeof parseMessage>) => unknown][])('of %s is read within seconds, not minutes', (_what, body, read) => {
    const begun = performance.now()
    expect(splitFrame(Buffer.from(body)).isBatch).toBe(false)
    for (const message of whole(body)) read(message)
    expect(performance.now() - begun).toBeLessThan(8000)
  })
})
