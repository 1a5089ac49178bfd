import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { listEncounters, startEncounter } from '@carespine/encounters/contract'
import { idKey } from '@carespine/fhir/index-entries'
import { amendResult, collectSpecimen, getReport, getWorklist, releaseResult } from '@carespine/lab/contract'
import { discardMessage, getMessage, listUnmatched, resolveMessage } from '@carespine/link-hl7v2/contract'
import { listNotifications } from '@carespine/notifications/contract'
import { placeOrder } from '@carespine/orders/contract'
import { getBanner, registerPatient, searchPatients } from '@carespine/registration/contract'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { BRANCHES, type SignedInUser, startTestHospital, type TestHospital } from './test-hospital.ts'

const cases = fileURLToPath(new URL('../../shared/cases/hl7v2.tar.gz', import.meta.url))

let hospital: TestHospital
let hub: SignedInUser
let provider: SignedInUser
let lab: SignedInUser
const open = new Set<Wire>()

beforeAll(async () => {
  hospital = await startTestHospital()
  hub = await hospital.signIn('hub')
  provider = await hospital.signIn('provider')
  lab = await hospital.signIn('lab')
})
afterEach(() => {
  for (const wire of open) wire.socket.destroy()
  open.clear()
})
afterAll(() => hospital?.close())

/** A bare connection: bytes out, answers in. */
class Wire {
  readonly socket: Socket
  #text = ''

  constructor() {
    this.socket = connect(hospital.hospital.hl7Port ?? 0, '127.0.0.1')
    this.socket.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString()
    })
    this.socket.on('error', () => undefined)
    open.add(this)
  }

  write(bytes: string | Buffer): void {
    this.socket.write(bytes)
  }

  /** The next answer; throws when none comes or the connection ends. */
  async answer(): Promise<string> {
    for (let waited = 0; waited < 10_000; waited += 5) {
      const end = this.#text.indexOf('\x1c\r')
      if (end >= 0) {
        const answer = this.#text.slice(1, end)
        this.#text = this.#text.slice(end + 2)
        return answer
      }
      if (this.socket.closed) throw new Error('the connection was dropped')
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    throw new Error('no answer within 10 s')
  }

  get isEmpty(): boolean {
    return this.#text === ''
  }

  async send(message: string | Buffer): Promise<string> {
    this.write(framed(message))
    return await this.answer()
  }
}

/** Rows of the kept messages whose control ids begin so. */
async function kept(control: string): Promise<{ control_id: string; status: string; reason: string | null }[]> {
  const client = new pg.Client({ connectionString: hospital.databaseUrl })
  await client.connect()
  const { rows } = await client.query('select control_id, status, reason from hl7v2.message where control_id like $1 order by control_id', [`${control}%`])
  await client.end()
  return rows
}

const msh = (type: string, control: string, more: { version?: string; charset?: string; sender?: string } = {}) =>
  `MSH|^~\\&|${more.sender ?? 'HIS|NORTH'}|CARESPINE|MAIN|20260301101500||${type}|${control}|P|${more.version ?? '2.5.1'}||||||${more.charset ?? 'UNICODE UTF-8'}`
/** The same message, asking for acknowledgements in MSH-15 and MSH-16. */
const asking = (accept: string, application: string, message: string) => message.replace('|2.5.1||||||', `|2.5.1|||${accept}|${application}||`)
const adt = (event: string, control: string, number: string, changes: { family?: string; city?: string; sex?: string; visit?: string } = {}) =>
  [
    msh(`ADT^${event}`, control),
    `PID|1||${number}^^^NORTH^MR~9${number}^^^GOV^NI||${changes.family ?? `Family${number}`}^Given||19790411|${changes.sex ?? 'F'}|||1 King Rd^^${changes.city ?? 'Riyadh'}`,
    `PV1|1|I|||||||||||||||||${changes.visit ?? ''}`,
  ].join('\r')
const oru = (control: string, details: { pid?: string; accession?: string; order?: string; panel?: string; obx?: string[] } = {}) =>
  [
    msh('ORU^R01', control, { sender: 'ANALYSER|NORTH' }),
    `PID|1||${details.pid ?? ''}`,
    `OBR|1|${details.order ?? ''}|${details.accession ?? ''}|${details.panel ?? 'BMP'}^^L|||20260301101500+0000`,
    ...(details.obx ?? ['OBX|1|NM|2823-3^^LN||4.1|mmol/L|||||F']),
  ].join('\r')
const code = (answer: string) => /\rMSA\|(\w\w)\|/.exec(answer)?.[1]
const framed = (message: string | Buffer) => Buffer.concat([Buffer.from([0x0b]), Buffer.from(message), Buffer.from('\x1c\r')])

async function patientNamed(text: string) {
  const { patients } = await hub.call(searchPatients, { text })
  return patients
}

async function ordered(panel: 'bmp' | 'cbc') {
  const { patientId, mrn } = await hub.call(registerPatient, { name: { family: `P${randomUUID().slice(0, 8)}`, given: 'Order' }, sex: 'female', birthDate: '1980-05-05', notDuplicateOf: (await patientNamed('1980-05-05')).map(({ id }) => id) })
  const { encounterId } = await provider.call(startEncounter, { patientId })
  const { orders } = await provider.call(placeOrder, { encounterId, panels: [panel] })
  await hospital.settle()
  return { patientId, mrn, orderId: orders[0]?.orderId ?? '' }
}

describe('the wire', () => {
  test('a frame in pieces, noise before it and two messages in one packet are all answered in order', async () => {
    const wire = new Wire()
    const first = Buffer.from(`noise\r\n\x0b${adt('A08', 'W-1', '7001')}\x1c\r`)
    for (const byte of first) wire.write(Buffer.from([byte]))
    expect(await wire.answer()).toContain('\rMSA|AA|W-1\r')
    wire.write(`\x0b${adt('A08', 'W-2', '7001')}\x1c\r\x0b${adt('A08', 'W-3', '7001')}\x1c\r`)
    expect([await wire.answer(), await wire.answer()].map((answer) => /MSA\|AA\|(.*)\r/.exec(answer)?.[1])).toEqual(['W-2', 'W-3'])
  })

  test('a message that was cut off is neither answered nor mixed with the next one', async () => {
    const wire = new Wire()
    wire.write(`\x0b${adt('A01', 'CUT-1', '7002', { family: 'Cutoff' })}`)
    expect(await wire.send(adt('A01', 'CUT-2', '7003', { family: 'Whole' }))).toContain('\rMSA|AA|CUT-2\r')
    await hospital.settle()
    expect([(await patientNamed('Cutoff')).length, (await patientNamed('Whole')).length]).toEqual([0, 1])
    const gone = new Wire()
    gone.write(`\x0b${adt('A01', 'CUT-3', '7004', { family: 'Vanished' })}`)
    await new Promise<void>((resolve) => gone.socket.end(resolve))
    expect(await wire.send(adt('A08', 'CUT-4', '7003', { family: 'Whole' }))).toContain('\rMSA|AA|CUT-4\r')
    await hospital.settle()
    expect(await patientNamed('Vanished')).toEqual([])
  })

  test('a sender that closes its side after the last message still gets the answer', async () => {
    const wire = new Wire()
    wire.socket.end(framed(adt('A08', 'HALF-1', '7006')))
    expect(await wire.answer()).toContain('\rMSA|AA|HALF-1\r')
  })

  test('a sender that went away before the answer sends again and nothing happens twice', async () => {
    const message = adt('A04', 'LOST-1', '7007', { family: 'Lostanswer', visit: 'V-7007' })
    const gone = new Wire()
    gone.socket.write(framed(message), () => gone.socket.destroy())
    await expect.poll(async () => (await kept('LOST-1')).length).toBe(1)
    expect(code(await new Wire().send(message))).toBe('AA')
    await hospital.settle()
    const [patient, ...others] = await patientNamed('Lostanswer')
    expect(others).toEqual([])
    expect((await provider.call(listEncounters, { patientId: patient?.id ?? '', status: 'all' })).encounters).toHaveLength(1)
  })

  test('one control id from several connections at the same moment is one message', async () => {
    const message = adt('A01', 'RACE-1', '7008', { family: 'Raced', visit: 'V-7008' })
    const answers = await Promise.all(Array.from({ length: 8 }, async () => await new Wire().send(message)))
    expect(new Set(answers).size).toBe(1)
    expect(code(answers[0] ?? '')).toBe('AA')
    // Another message under it, at the same moment too, is told so.
    const others = await Promise.all(['7008', '7009'].map(async (number) => await new Wire().send(adt('A08', 'RACE-2', number, { family: 'Raced' }))))
    expect(others.map(code).toSorted()).toEqual(['AA', 'AE'])
    await hospital.settle()
    expect(await patientNamed('Raced')).toHaveLength(others.findIndex((answer) => code(answer) === 'AA') + 1)
    expect((await kept('RACE-1')).map(({ status }) => status)).toEqual(['applied'])
  })

  test('an acknowledgement is never acknowledged', async () => {
    const wire = new Wire()
    wire.write(framed(`${msh('ACK^A01^ACK', 'ECHO-1')}\rMSA|AA|X-1`))
    expect(await wire.send(adt('A08', 'ECHO-2', '7006'))).toContain('\rMSA|AA|ECHO-2\r')
    expect(await kept('ECHO-1')).toEqual([])
  })

  test('a frame beyond 1 MiB is refused by its control id and the connection goes on', async () => {
    const wire = new Wire()
    const answer = await wire.send(`${adt('A01', 'BIG-1', '7005')}\rNTE|1||${'x'.repeat(1_200_000)}`)
    expect(answer).toContain('\rMSA|AR|BIG-1\rERR|')
    expect(await wire.send(adt('A08', 'BIG-2', '7003', { family: 'Whole' }))).toContain('\rMSA|AA|BIG-2\r')
  })

  test('a sender that sends for long without reading is served when it reads', { timeout: 30_000 }, async () => {
    const wire = new Wire()
    wire.socket.pause()
    // The answer repeats MSH-6: a hundred of them are more than the buffers of two sockets hold.
    const message = framed(msh('ORM^O01', 'DEAF-1').replace('|MAIN|', `|${'x'.repeat(200_000)}|`))
    for (let at = 0; at < 100; at++) wire.write(message)
    let taken = 0
    for (let before = -1; before !== taken || taken === 0; ) {
      before = taken
      await new Promise((resolve) => setTimeout(resolve, 700))
      taken = (await kept('DEAF-1')).length
    }
    expect(taken).toBeLessThan(100)
    wire.socket.resume()
    for (let at = 0; at < 100; at++) expect(code(await wire.answer())).toBe('AR')
  })

  test('three hundred messages sent without waiting for an answer are all answered', async () => {
    const wire = new Wire()
    const message = `\x0b${msh('ORM^O01', 'FLOOD')}\r\x1c\r`
    for (let at = 0; at < 300; at++) wire.write(message)
    for (let at = 0; at < 300; at++) expect(code(await wire.answer())).toBe('AR')
  })
})

describe('what is refused', () => {
  test.each([
    ['a message type that is not taken', msh('ORM^O01', 'R-1'), 'AR', 'R-1', 'MSH^1^9|200'],
    ['an event that is not taken', msh('ADT^A40', 'R-2'), 'AR', 'R-2', 'MSH^1^9|201'],
    ['a missing control id', adt('A01', '', '7100'), 'AE', '', 'MSH^1^10|101'],
    ['another version', adt('A01', 'R-4', '7100').replace('2.5.1', '3.0'), 'AR', 'R-4', 'MSH^1^12|203'],
    ['another processing id', adt('A01', 'R-5', '7100').replace('|P|', '|Z|'), 'AR', 'R-5', 'MSH^1^11|202'],
    ['an unknown character set', adt('A01', 'R-6', '7100').replace('UNICODE UTF-8', 'EBCDIC'), 'AR', 'R-6', 'MSH^1^18|103'],
    ['bytes that are not of the character set', Buffer.from(adt('A01', 'R-7', '7100', { family: 'Müller' }), 'latin1'), 'AE', 'R-7', 'MSH^1^18|102'],
    ['a patient without identifiers', adt('A01', 'R-8', '7100').replace(/PID\|1\|\|[^|]*/, 'PID|1||'), 'AE', 'R-8', 'PID^1^3|101'],
    ['a value that is no number', oru('R-9', { accession: 'x', obx: ['OBX|1|NM|2823-3^^LN||high|mmol/L|||||F'] }), 'AE', 'R-9', 'OBX^1^5|102'],
    ['what is no HL7 at all', 'GET / HTTP/1.1', 'AR', '', 'MSH^1^1|100'],
  ])('%s is named by segment and field', async (_what, message, answered, control, place) => {
    const answer = await new Wire().send(message)
    expect(answer).toContain(`\rMSA|${answered}|${control}\r`)
    expect(answer.replaceAll('\rERR|MSH^', '\rERR||MSH^')).toContain(`\rERR||${place}^`)
    expect(await patientNamed('Family7100')).toEqual([])
  })

  test('a message that was refused may come again, corrected, under its control id', async () => {
    const wire = new Wire()
    const wrong = adt('A01', 'AGAIN-1', '7101').replace('19790411', '19790231')
    expect(code(await wire.send(wrong))).toBe('AE')
    expect(code(await wire.send(wrong))).toBe('AE')
    expect(code(await wire.send(adt('A01', 'AGAIN-1', '7101')))).toBe('AA')
    await hospital.settle()
    expect(await patientNamed('Family7101')).toHaveLength(1)
  })

  test.each([
    ['another phone number of twelve digits', adt('A04', 'SAME-2', '7104').concat('|966512345678'), adt('A04', 'SAME-2', '7104').concat('|966512345679')],
    ['another event', adt('A01', 'SAME-3', '7105', { visit: 'V-7105' }), adt('A03', 'SAME-3', '7105', { visit: 'V-7105' })],
  ])('%s makes it another message', async (_what, one, other) => {
    const wire = new Wire()
    expect(code(await wire.send(one))).toBe('AA')
    expect(await wire.send(other)).toContain('ERR||MSH^1^10|205^')
  })

  test('another message under a used control id is refused, not lost behind the old answer', async () => {
    const wire = new Wire()
    const first = await wire.send(adt('A01', 'SAME-1', '7102'))
    expect(await wire.send(adt('A01', 'SAME-1', '7102').replace('20260301101500', '20260301101700'))).toBe(first)
    const other = await wire.send(adt('A01', 'SAME-1', '7103'))
    expect(other).toContain('\rMSA|AE|SAME-1\rERR||MSH^1^10|205^')
    expect(code(await wire.send(adt('A01', 'SAME-1', '7103').replace('HIS|NORTH', 'HIS|SOUTH')))).toBe('AA')
  })
})

describe('enhanced mode', () => {
  test('the accept acknowledgement comes first, then the application’s, and both again for a repetition', async () => {
    const wire = new Wire()
    const message = asking('AL', 'AL', adt('A01', 'ENH-1', '7150', { family: 'Enhanced' }))
    wire.write(framed(message))
    const answers = [await wire.answer(), await wire.answer()]
    expect(answers.map(code)).toEqual(['CA', 'AA'])
    wire.write(framed(message))
    expect([await wire.answer(), await wire.answer()]).toEqual(answers)
    // Sent again in original mode it is still the same message, and is answered in that mode.
    expect(code(await wire.send(message.replace('|AL|AL|', '|||')))).toBe('AA')
    await hospital.settle()
    expect(await patientNamed('Enhanced')).toHaveLength(1)
  })

  test('nothing is answered before the message is committed', async () => {
    const wire = new Wire()
    const client = new pg.Client({ connectionString: hospital.databaseUrl })
    await client.connect()
    await client.query('begin; lock table hl7v2.message in exclusive mode')
    wire.write(framed(asking('AL', 'AL', adt('A08', 'ENH-2', '7150', { family: 'Enhanced' }))))
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(wire.isEmpty).toBe(true)
    await client.query('commit')
    await client.end()
    expect([code(await wire.answer()), code(await wire.answer())]).toEqual(['CA', 'AA'])
    expect(await kept('ENH-2')).toHaveLength(1)
  })

  test('who wants no answer gets none, and the message is stored and applied', async () => {
    const wire = new Wire()
    wire.write(framed(asking('NE', 'NE', adt('A01', 'ENH-3', '7151', { family: 'Unanswered' }))))
    expect(await wire.send(asking('NE', 'AL', adt('A08', 'ENH-4', '7150', { family: 'Enhanced' })))).toContain('\rMSA|AA|ENH-4\r')
    await hospital.settle()
    expect(await patientNamed('Unanswered')).toHaveLength(1)
    expect((await kept('ENH-3')).map(({ status }) => status)).toEqual(['applied'])
  })

  test('what is wrong in a message that wants no answer is seen by a person', async () => {
    const wire = new Wire()
    wire.write(framed(asking('NE', 'SU', adt('A01', 'ENH-5', '7152').replace('19790411', '19790231'))))
    await expect.poll(async () => await kept('ENH-5')).toEqual([{ control_id: 'ENH-5', status: 'unmatched', reason: 'HL7V2_CONTENT' }])
    const waiting = (await lab.call(listUnmatched, {})).messages.find(({ controlId }) => controlId === 'ENH-5')
    await lab.call(discardMessage, { id: waiting?.id ?? '', reason: 'The sender was called' })
  })

  test('a message that is not accepted is told once, and an unknown condition by its field', async () => {
    const wire = new Wire()
    expect(await wire.send(asking('AL', 'AL', adt('A01', 'ENH-6', '7153').replace(/PID\|1\|\|[^|]*/, 'PID|1||')))).toContain('\rMSA|CE|ENH-6\rERR||PID^1^3|101^')
    expect(await wire.send(asking('ER', 'ER', msh('ORM^O01', 'ENH-7')))).toContain('\rMSA|CR|ENH-7\rERR||MSH^1^9|200^')
    expect(await wire.send(asking('ALWAYS', 'NE', adt('A01', 'ENH-8', '7153')))).toContain('\rMSA|CE|ENH-8\rERR||MSH^1^15|103^')
    expect(await wire.send(asking('NE', '2', adt('A01', 'ENH-9', '7153')))).toContain('\rMSA|AE|ENH-9\rERR||MSH^1^16|103^')
    expect(wire.isEmpty).toBe(true)
    expect((await kept('ENH-')).filter(({ control_id }) => /[6-9]$/.test(control_id)).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected', 'rejected'])
  })

  test('a frame that is too large is refused in the mode it asks for', async () => {
    const wire = new Wire()
    wire.write(framed(`${asking('NE', 'NE', adt('A01', 'ENH-10', '7154'))}\rNTE|1||${'x'.repeat(1_200_000)}`))
    expect(await wire.send(`${asking('ER', 'NE', adt('A01', 'ENH-11', '7154'))}\rNTE|1||${'x'.repeat(1_200_000)}`)).toContain('\rMSA|CR|ENH-11\r')
  })

  test('a batch is answered by the acknowledgements that its messages ask for', async () => {
    const wire = new Wire()
    const batch = (name: string, ...wanted: [string, string][]) =>
      `BHS|^~\\&|HIS|NORTH|||||||${name}\r${wanted.map(([accept, application], at) => asking(accept, application, adt('A08', `${name}-${at}`, '7150', { family: 'Enhanced' }))).join('\r')}\rBTS|${wanted.length}\r`
    wire.write(framed(batch('SILENT', ['NE', 'NE'], ['ER', 'ER'])))
    const answer = await wire.send(batch('SAID', ['NE', 'NE'], ['AL', 'AL'], ['', '']))
    expect([...answer.matchAll(/MSA\|(\w\w)\|([\w-]+)/g)].map(([, said, control]) => `${control} ${said}`)).toEqual(['SAID-1 CA', 'SAID-1 AA', 'SAID-2 AA'])
    expect(answer).toMatch(/^BHS\|.*\|SAID\r.*\rBTS\|3\r$/s)
    expect(await kept('SILENT')).toHaveLength(2)
  })
})

describe('admissions', () => {
  test('A01 registers and admits, A08 corrects and leaves what it does not say, A03 discharges', async () => {
    const wire = new Wire()
    const number = '7200'
    expect(code(await wire.send(adt('A01', 'ADM-1', number, { family: 'Zahrani', visit: 'V-7200' })))).toBe('AA')
    await hospital.settle()
    const [patient] = await patientNamed('Zahrani')
    const patientId = patient?.id ?? ''
    expect(patient).toMatchObject({ sex: 'female', birthDate: '1979-04-11' })
    const encounters = async () => (await provider.call(listEncounters, { patientId, status: 'all' })).encounters
    expect(await encounters()).toMatchObject([{ status: 'in-progress', class: 'IMP' }])

    await wire.send(adt('A08', 'ADM-2', number, { family: 'Zahrani', city: 'Jeddah', sex: '' }))
    await hospital.settle()
    const { details, patient: banner } = await hub.call(getBanner, { patientId })
    expect([details.city, banner.sex]).toEqual(['Jeddah', 'female'])

    await wire.send(adt('A03', 'ADM-3', number, { family: 'Zahrani', visit: 'V-7200' }))
    await hospital.settle()
    expect(await encounters()).toMatchObject([{ status: 'finished' }])
    expect(await patientNamed('Zahrani')).toHaveLength(1)
  })

  test('an empty field leaves what is on record, a null deletes it, and what must stay is refused by its field', async () => {
    const wire = new Wire()
    const pid = (control: string, fields: Record<number, string>, event = 'A08') => {
      const all: Record<number, string> = { 1: '1', 3: '7210^^^NORTH^MR', ...fields }
      return `${msh(`ADT^${event}`, control)}\rPID|${Array.from({ length: 20 }, (_none, at) => all[at + 1] ?? '').join('|')}`
    }
    const full = { 3: '7210^^^NORTH^MR~78410^^^GOV^NI', 5: 'Nullable^Amal~ملغي^أمل', 7: '19790411', 8: 'F', 11: '1 King Rd^^Riyadh', 13: '0512345678~^NET^Internet^a@example.org', 16: 'M' }
    await wire.send(pid('NULL-1', full, 'A04'))
    await hospital.settle()
    const patientId = (await patientNamed('Nullable'))[0]?.id ?? ''
    const onRecord = async () => (await hub.call(getBanner, { patientId })).details
    const before = await onRecord()
    expect(before).toMatchObject({ birthDate: '1979-04-11', sex: 'female', phone: '0512345678', email: 'a@example.org', addressLine: '1 King Rd', city: 'Riyadh', maritalStatus: 'M' })

    await wire.send(pid('NULL-2', {}))
    await wire.send(pid('NULL-3', { 5: 'Nullable' }, 'A01'))
    await hospital.settle()
    expect(await onRecord()).toEqual(before)

    const forbidden: Record<number, string>[] = [{ 5: '""' }, { 5: '""^Amal' }, { 3: '7210^^^NORTH~""' }]
    const refused = await Promise.all(forbidden.map(async (fields, at) => await new Wire().send(pid(`NULL-4${at}`, fields))))
    expect(refused.map((answer) => /\rERR\|\|(\S+?)\^Required/.exec(answer)?.[1])).toEqual(['PID^1^5|101', 'PID^1^5|101', 'PID^1^3|101'])
    expect(refused.map(code)).toEqual(['AE', 'AE', 'AE'])

    await wire.send(pid('NULL-5', { 3: '7210^^^NORTH~""^^^GOV', 5: 'Nullable^""~""', 7: '""', 8: '""', 11: '""', 13: '""~^^^""', 16: '""' }))
    await hospital.settle()
    expect((await kept('NULL-5')).map(({ status }) => status)).toEqual(['applied'])
    const { identifiers: numbers, ...rest } = await onRecord()
    expect(rest).toEqual({ name: { family: 'Nullable', given: '—' } })
    expect(numbers?.map(({ system }) => system)).toEqual(['https://carespine.example/fhir/sid/mrn', 'urn:hl7v2:NORTH'])
  })

  test('who is not known and says too little to be registered waits for a person', async () => {
    const wire = new Wire()
    expect(code(await wire.send(`${msh('ADT^A04', 'LITTLE-1')}\rPID|1||7220^^^NORTH||Unknown^Male||""`))).toBe('AA')
    expect(code(await wire.send(`${msh('ADT^A03', 'LITTLE-2')}\rPID|1||7221^^^NORTH||Gone^Before||19790411\rPV1|1|I|||||||||||||||||V-7221`))).toBe('AA')
    expect(code(await wire.send(adt('A01', 'LITTLE-3', '7222', { family: 'Visitless' })))).toBe('AA')
    expect(code(await wire.send(adt('A03', 'LITTLE-4', '7222', { family: 'Visitless' })))).toBe('AA')
    await hospital.settle()
    expect(await kept('LITTLE')).toMatchObject([
      { status: 'unmatched', reason: 'HL7V2_DEMOGRAPHICS_MISSING' },
      { status: 'unmatched', reason: 'HL7V2_PATIENT_UNKNOWN' },
      { status: 'applied' },
      { status: 'unmatched', reason: 'HL7V2_VISIT_UNKNOWN' },
    ])
  })

  test('messages about one patient are applied in the order they came, however fast', async () => {
    const wire = new Wire()
    const messages = ['A04', 'A08', 'A03'].map((event, at) => `\x0b${adt(event, `FAST-${at}`, '7201', { family: 'Fast', city: `City${at}`, visit: 'V-7201' })}\x1c\r`)
    const again = Array.from({ length: 6 }, (_one, at) => `\x0b${adt('A08', `FAST-8${at}`, '7201', { family: 'Fast', city: `Town${at}` })}\x1c\r`)
    wire.write([...messages, ...again].join(''))
    for (let at = 0; at < 9; at++) expect(code(await wire.answer())).toBe('AA')
    await hospital.settle()
    const [patient] = await patientNamed('Fast')
    expect((await hub.call(getBanner, { patientId: patient?.id ?? '' })).details.city).toBe('Town5')
    expect((await provider.call(listEncounters, { patientId: patient?.id ?? '', status: 'all' })).encounters).toMatchObject([{ status: 'finished' }])
    expect((await lab.call(listUnmatched, {})).messages.filter(({ controlId }) => controlId.startsWith('FAST'))).toEqual([])
  })

  test('Arabic in 8859/6 and letters of 8859/1 arrive as they were written, in a batch too', async () => {
    const arabic = Buffer.concat([
      Buffer.from(`${msh('ADT^A04', 'CS-1', { charset: '8859/6' })}\rPID|1||7300^^^NORTH||`),
      Buffer.from([0xcd, 0xd1, 0xc8, 0xea]),
      Buffer.from('^'),
      Buffer.from([0xd3, 0xc7, 0xd1, 0xc9]),
      Buffer.from('||19900101|F\r'),
    ])
    const latin = Buffer.from(adt('A04', 'CS-2', '7301', { family: 'Müller' }).replace('UNICODE UTF-8', '8859/1'), 'latin1')
    const batch = Buffer.concat([Buffer.from('FHS|^~\\&|HIS\rBHS|^~\\&|HIS\r'), arabic, latin, Buffer.from(`\r${msh('ADT^A99', 'CS-3')}\rBTS|3\rFTS|1\r`)])
    const answer = await new Wire().send(batch)
    expect([...answer.matchAll(/MSA\|(\w\w)\|([\w-]+)/g)].map(([, said, control]) => `${control} ${said}`)).toEqual(['CS-1 AA', 'CS-2 AA', 'CS-3 AR'])
    expect(answer).toMatch(/^FHS\|.*\rBHS\|.*\rBTS\|3\rFTS\|1\r$/s)
    await hospital.settle()
    expect((await patientNamed('حربي')).map(({ name, nameArabic }) => nameArabic ?? name)).toEqual(['سارة حربي'])
    expect((await patientNamed('Müller')).map(({ name }) => name)).toEqual(['Given Müller'])
  })

  test('a number of one patient under the name and birth date of another waits for a person', async () => {
    const { mrn, patientId } = await ordered('bmp')
    const wire = new Wire()
    await wire.send([msh('ADT^A08', 'DIFF-1'), `PID|1||${mrn}^^^CARESPINE||Stranger^Some||19550101|M`].join('\r'))
    await hospital.settle()
    const { messages } = await lab.call(listUnmatched, {})
    const waiting = messages.find(({ controlId }) => controlId === 'DIFF-1')
    expect(waiting?.reason).toBe('HL7V2_PATIENT_DIFFERS')
    expect((await hub.call(getBanner, { patientId })).patient.birthDate).toBe('1980-05-05')
    await lab.call(discardMessage, { id: waiting?.id ?? '', reason: 'Wrong number at the sender' })
    await expect(lab.call(resolveMessage, { id: waiting?.id ?? '', patientId })).rejects.toMatchObject({ status: 409 })
  })
})

describe('results', () => {
  test('a result for an order that nobody knows waits, and is applied once when it is resolved', async () => {
    const { orderId, patientId, mrn } = await ordered('bmp')
    const wire = new Wire()
    const message = oru('ORU-1', { order: 'NO-SUCH-ORDER', pid: `${mrn}^^^CARESPINE` })
    const first = await wire.send(message)
    expect(code(first)).toBe('AA')
    await hospital.settle()
    const waiting = (await lab.call(listUnmatched, {})).messages.find(({ controlId }) => controlId === 'ORU-1')
    expect(waiting).toMatchObject({ reason: 'LAB_ORDER_UNKNOWN', identifiers: [mrn] })
    const id = waiting?.id ?? ''
    const both = await Promise.allSettled([lab.call(resolveMessage, { id, orderId }), lab.call(resolveMessage, { id, orderId })])
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    expect(await wire.send(message)).toBe(first)
    await hospital.settle()
    expect((await lab.call(getMessage, { id })).status).toBe('applied')
    const released = (await lab.call(getWorklist, { queue: 'released' })).rows.filter((row) => row.patientId === patientId)
    expect(released.map((row) => row.orderId)).toEqual([orderId])
    const { report, trends } = await provider.call(getReport, { reportId: released[0]?.reportId ?? '' })
    expect(report.status).toBe('final')
    expect(trends.find(({ code: analyte }) => analyte === '2823-3')?.points).toHaveLength(1)
  })

  test('an unknown test code waits; saying what it means applies this message and the next ones', async () => {
    const [one, two] = [await ordered('bmp'), await ordered('bmp')]
    const wire = new Wire()
    const said = (control: string, pid: string) => oru(control, { pid: `${pid}^^^CARESPINE`, obx: ['OBX|1|NM|KALIUM^^L||4.4|mmol/L|||||F'] })
    await wire.send(said('CODE-1', one.mrn))
    await hospital.settle()
    const waiting = (await lab.call(listUnmatched, {})).messages.find(({ controlId }) => controlId === 'CODE-1')
    expect(waiting).toMatchObject({ reason: 'HL7V2_CODE_UNKNOWN', codes: ['KALIUM'] })
    await lab.call(resolveMessage, { id: waiting?.id ?? '', orderId: one.orderId, codes: [{ code: 'KALIUM', loinc: '2823-3' }] })
    await wire.send(said('CODE-2', two.mrn))
    await hospital.settle()
    expect((await lab.call(listUnmatched, {})).messages.filter(({ controlId }) => controlId.startsWith('CODE'))).toEqual([])
  })

  test('an accession number with a comma asks for nothing else', async () => {
    await ordered('bmp')
    const [known] = (await lab.call(getWorklist, { queue: 'released' })).rows
    await new Wire().send(oru('COMMA-1', { accession: `X,${known?.accession}`, panel: '' }))
    await hospital.settle()
    expect((await lab.call(listUnmatched, {})).messages.find(({ controlId }) => controlId === 'COMMA-1')?.reason).toBe('LAB_ORDER_UNKNOWN')
  })

  test('messages and their answers are kept, and nobody who holds the database reads them', async () => {
    const wire = new Wire()
    const answer = await wire.send(adt('A04', 'RAW-1', '7400', { family: 'Unreadable' }))
    await wire.send(adt('A04', '', '7401', { family: 'Unreadable' }))
    const client = new pg.Client({ connectionString: hospital.databaseUrl })
    await client.connect()
    const { rows } = await client.query<{ id: string; raw: Buffer; row: string }>("select id, raw, m::text as row from hl7v2.message m where control_id in ('RAW-1', '')")
    const guessed = await client.query('select 1 from bus.outbox where patient = any ($1::uuid[])', [['7400', `hl7v2/${BRANCHES.main}/7400`].map(idKey)])
    await client.end()
    expect(guessed.rowCount).toBe(0)
    expect(rows.length).toBeGreaterThanOrEqual(2)
    for (const { raw, row } of rows) expect([raw.includes('Unreadable'), raw.includes('MSH'), row.includes('Unreadable')]).toEqual([false, false, false])
    const kept = await Promise.all(rows.map(({ id }) => lab.call(getMessage, { id })))
    expect(kept.find((message) => message.answer === answer)?.text).toContain('Unreadable')
  })
})

describe('what becomes of a result', () => {
  /** The order wherever it stands in the laboratory. */
  async function inLaboratory(orderId: string) {
    const queues = await Promise.all((['collect', 'receive', 'result', 'release', 'released'] as const).map(async (queue) => (await lab.call(getWorklist, { queue, limit: 200 })).rows))
    return queues.flat().find((row) => row.orderId === orderId)
  }
  /** A specimen in the laboratory, and an analyser that reports on it: OBX lines in, the report out. */
  async function specimen(panel: 'bmp' | 'cbc') {
    const order = await ordered(panel)
    const { accession } = await lab.call(collectSpecimen, { orderId: order.orderId })
    const name = randomUUID().slice(0, 8)
    let sent = 0
    let reportId = ''
    return {
      ...order,
      accession,
      async reports(...obx: string[]) {
        sent += 1
        const control = `${name}-${sent}`
        expect(code(await new Wire().send(oru(control, { accession, panel: panel.toUpperCase(), obx })))).toBe('AA')
        await hospital.settle()
        const [row] = await kept(control)
        const work = await inLaboratory(order.orderId)
        reportId = work?.reportId ?? reportId
        return { control, status: row?.status, reason: row?.reason, state: work?.state, callPending: work?.callPending }
      },
      async seen() {
        const { report, trends } = await provider.call(getReport, { reportId })
        return { report, trends, item: (loinc: string) => report.items.find((item) => item.code === loinc) }
      },
    }
  }
  const obx = (test: string, value: string, status: string, more: { type?: string; unit?: string; flag?: string } = {}) =>
    `OBX|1|${more.type ?? 'NM'}|${test}^^L||${value}|${more.unit ?? ''}||${more.flag ?? ''}|||${status}`
  const alertsAbout = async (patientId: string) =>
    (await provider.call(listNotifications, { limit: 100 })).notifications.filter((one) => one.patientId === patientId).map(({ type, text }) => `${type} ${text?.key}`)

  test('preliminary, final, corrected, withdrawn: each is seen as what it is, and the alarm is raised when it is final', async () => {
    const { patientId, reports, seen } = await specimen('cbc')
    expect(await reports(obx('HGB', '6.0', 'P'))).toMatchObject({ status: 'applied', state: 'resulted' })
    expect(await alertsAbout(patientId)).toEqual([])
    expect(await reports(obx('HGB', '6.1', 'F'))).toMatchObject({ status: 'applied', state: 'released', callPending: true })
    expect(await alertsAbout(patientId)).toEqual(['lab.critical critical-low'])
    expect((await seen()).report.status).toBe('final')

    // Sent again under another control id it is nothing new.
    await reports(obx('HGB', '6.1', 'F'))
    expect(await alertsAbout(patientId)).toHaveLength(1)

    expect(await reports(obx('HGB', '11', 'C'))).toMatchObject({ status: 'applied', callPending: false })
    const corrected = await seen()
    expect([corrected.report.status, corrected.item('718-7')]).toMatchObject(['corrected', { status: 'corrected', value: 11 }])
    expect(await alertsAbout(patientId)).toEqual(['lab.result result-corrected', 'lab.critical critical-low'])

    await reports(obx('HGB', '', 'D'), obx('PLT', '250', 'F'))
    const withdrawn = await seen()
    expect(withdrawn.item('718-7')).toMatchObject({ status: 'withdrawn' })
    expect([withdrawn.item('718-7')?.value, withdrawn.item('777-3')?.value]).toEqual([undefined, 250])
    expect(withdrawn.trends.find((trend) => trend.code === '718-7')?.points).toEqual([])
  })

  test('a final critical result does not wait for the preliminary ones beside it', async () => {
    const { patientId, orderId, reports, seen } = await specimen('bmp')
    expect(await reports(obx('K', '7.1', 'F'), obx('NA', '140', 'P'))).toMatchObject({ state: 'resulted' })
    expect(await alertsAbout(patientId)).toEqual(['lab.critical critical-high'])
    const { report, item } = await seen()
    expect([report.status, item('2823-3')?.status, item('2951-2')?.status]).toEqual(['partial', 'final', 'preliminary'])
    await expect(lab.call(releaseResult, { orderId })).rejects.toMatchObject({ body: { code: 'LAB_INCOMPLETE' } })
    // U: what was preliminary is final, without its value; the rest comes with it.
    const rest = ['CL', 'CO2', 'GLU', 'BUN', 'CREA', 'CA'].map((test_, at) => obx(test_, ['102', '25', '90', '12', '0.9', '9.4'][at] ?? '', 'F'))
    expect(await reports(obx('NA', '', 'U'), ...rest)).toMatchObject({ status: 'applied', state: 'released' })
    const whole = await seen()
    expect([whole.report.status, whole.item('2951-2')]).toMatchObject(['final', { status: 'final', value: 140 }])
    // Worked out of what is final: 140 - (102 + 25).
    expect(whole.report.items.find(({ derived, name }) => derived && /gap/i.test(name))).toMatchObject({ status: 'final', value: 13 })
    expect(await alertsAbout(patientId)).toEqual(['lab.result result-available', 'lab.critical critical-high'])
  })

  test('a correction raises no second alarm about what it leaves as it was', async () => {
    const { patientId, orderId, reports, seen } = await specimen('bmp')
    await reports(obx('K', '7.1', 'F'), obx('NA', '140', 'F'))
    await reports(obx('NA', '141', 'C'))
    expect(await alertsAbout(patientId)).toEqual(['lab.result result-corrected', 'lab.critical critical-high'])
    await lab.call(amendResult, { orderId, values: [{ code: '2823-3', value: 7.3 }], reason: 'Typed wrongly' })
    await hospital.settle()
    expect(await alertsAbout(patientId)).toEqual(['lab.critical critical-high', 'lab.result result-corrected', 'lab.critical critical-high'])
    expect((await seen()).item('2951-2')).toMatchObject({ status: 'corrected', value: 141 })
  })

  test('only a correction changes a final result: others wait for a person, old ones that waited too', async () => {
    const { orderId, reports, seen } = await specimen('bmp')
    const old = await reports(obx('MYSTERY', '4.0', 'F'))
    expect(old).toMatchObject({ status: 'unmatched', reason: 'HL7V2_CODE_UNKNOWN' })
    await reports(obx('K', '4.4', 'F'))
    expect(await reports(obx('K', '4.5', 'F'))).toMatchObject({ status: 'unmatched', reason: 'LAB_RESULT_FINAL' })
    expect(await reports(obx('K', '4.5', 'P'))).toMatchObject({ status: 'unmatched', reason: 'LAB_RESULT_FINAL' })
    expect(await reports(obx('K', '', 'X'))).toMatchObject({ status: 'unmatched', reason: 'LAB_RESULT_FINAL' })
    expect(await reports(obx('NA', '', 'W'))).toMatchObject({ status: 'unmatched', reason: 'LAB_RESULT_MISSING' })
    expect(await reports(obx('NA', '140', 'F'), obx('NA', '141', 'F'))).toMatchObject({ status: 'unmatched', reason: 'LAB_RESULT_TWICE' })
    await reports(obx('K', '4.6', 'C'))
    const waiting = (await lab.call(listUnmatched, { limit: 200 })).messages.find(({ controlId }) => controlId === old.control)
    await lab.call(resolveMessage, { id: waiting?.id ?? '', orderId, codes: [{ code: 'MYSTERY', loinc: '2823-3' }] })
    await hospital.settle()
    expect(await kept(old.control)).toMatchObject([{ status: 'unmatched', reason: 'LAB_RESULT_FINAL' }])
    expect((await seen()).item('2823-3')?.value).toBe(4.6)
  })

  test('a value below what can be measured is flagged by its limit, in our units', async () => {
    const { patientId, reports, seen } = await specimen('cbc')
    await reports(obx('PLT', '<^5', 'F', { type: 'SN', unit: '10*9/L' }), obx('HGB', '<30', 'F', { type: 'ST', unit: 'g/L' }), obx('WBC', '<^100', 'F', { type: 'SN', unit: '10*9/L' }))
    const { item } = await seen()
    expect([item('777-3'), item('718-7'), item('6690-2')]).toMatchObject([{ text: '<5', flag: 'LL' }, { text: '<3', flag: 'LL' }, { text: '<100' }])
    expect(item('6690-2')?.flag).toBeUndefined()
    expect(await alertsAbout(patientId)).toEqual(['lab.critical critical-low'])
  })

  test('what the sender calls critical raises the alarm within our own limits, and in words', async () => {
    const { patientId, reports, seen } = await specimen('cbc')
    await reports(obx('HGB', '14', 'F', { flag: 'H' }), obx('WBC', '12', 'F', { flag: 'H~HH' }), obx('PLT', 'clumped', 'F', { type: 'ST', flag: 'AA' }))
    const { item } = await seen()
    expect([item('718-7')?.flag, item('6690-2')?.flag, item('777-3')?.flag]).toEqual(['N', 'HH', 'AA'])
    expect(await alertsAbout(patientId)).toEqual(['lab.critical critical-said'])
  })

  test('notes on a result and on the whole are read with it', async () => {
    const { reports, seen } = await specimen('cbc')
    await reports('NTE|1||specimen slightly haemolysed', obx('HGB', '14', 'F'), 'NTE|1||seen twice', 'NTE|2||by two methods')
    const { report, item } = await seen()
    expect([report.comment, item('718-7')]).toMatchObject(['specimen slightly haemolysed', { value: 14, note: 'seen twice\nby two methods' }])
  })

  test('a specimen that gives no results closes the order and says why', async () => {
    const { patientId, reports, seen } = await specimen('cbc')
    expect(await reports(...['HGB', 'PLT'].map((test_) => obx(test_, 'clotted', 'X', { type: 'ST' })))).toMatchObject({ state: 'released' })
    expect((await seen()).item('718-7')).toMatchObject({ status: 'unobtainable', note: 'clotted' })
    expect(await alertsAbout(patientId)).toEqual(['lab.result result-available'])
  })

  test('results posted to the wrong patient are taken back, and the order waits for its own', async () => {
    const { reports, seen } = await specimen('bmp')
    await reports(obx('K', '7.1', 'F'))
    expect(await reports(obx('K', '7.1', 'W'))).toMatchObject({ status: 'applied', state: 'received', callPending: false })
    expect((await seen()).report.status).toBe('entered-in-error')
    expect(await reports(obx('K', '4.2', 'F'))).toMatchObject({ state: 'released' })
    expect((await seen()).item('2823-3')).toMatchObject({ status: 'corrected', value: 4.2 })
  })

  test('a laboratory that we ordered nothing from corrects its own result under its own number', async () => {
    const { patientId, mrn } = await ordered('bmp')
    const wire = new Wire()
    const from = (control: string, value: string, status: string, panel = 'BMP') => oru(control, { pid: `${mrn}^^^CARESPINE`, accession: 'FILLER-77', panel, obx: [obx('K', value, status)] })
    await wire.send(from('FILL-1', '4.4', 'F'))
    await wire.send(from('FILL-2', '4.9', 'C'))
    await wire.send(from('FILL-3', '4.1', 'F', 'CMP'))
    await hospital.settle()
    expect((await kept('FILL-')).map(({ status }) => status)).toEqual(['applied', 'applied', 'applied'])
    const released = (await lab.call(getWorklist, { queue: 'released', limit: 200 })).rows.filter((row) => row.patientId === patientId)
    expect(released.map(({ panel }) => panel).toSorted()).toEqual(['bmp', 'cmp'])
    const { report } = await provider.call(getReport, { reportId: released.find(({ panel }) => panel === 'bmp')?.reportId ?? '' })
    expect([report.status, report.items.find((item) => item.code === '2823-3')?.value]).toEqual(['corrected', 4.9])
  })

  test('several orders in one message stay apart, and one that the sender will not do is told', async () => {
    const [one, two] = [await specimen('bmp'), await specimen('cbc')]
    const group = (accession: string, panel: string, status: string) => `OBR|1||${accession}|${panel}^^L|||20260301101500+0000||||||||||||||||||${status}`
    await new Wire().send([msh('ORU^R01', 'MANY-1'), 'PID|1', group(one.accession, 'BMP', 'F'), obx('K', '4.4', 'F'), group(two.accession, 'CBC', 'X')].join('\r'))
    await new Wire().send([msh('ORU^R01', 'MANY-2'), 'PID|1', group(two.accession, 'CBC', 'I')].join('\r'))
    await hospital.settle()
    expect(await kept('MANY')).toMatchObject([{ status: 'unmatched', reason: 'HL7V2_ORDER_CANCELLED' }, { status: 'applied' }])
    expect((await Promise.all([one, two].map(({ orderId }) => inLaboratory(orderId)))).map((work) => work?.state)).toEqual(['released', 'collected'])
  })

  test('nine hundred kilobytes of results in one message are applied', { timeout: 120_000 }, async () => {
    const { accession, orderId } = await specimen('bmp')
    const lines = Array.from({ length: 150 }, (_none, at) => `OBX|${at}|TX|2823-3^^LN||${`line ${at} `.padEnd(60, '.')}||||||F`)
    const note = Array.from({ length: 600 }, (_none, at) => `ZZZ|${at}|${'z'.repeat(1450)}`)
    const message = oru('HUGE-1', { accession, obx: [...lines, ...note] })
    expect(message.length).toBeGreaterThan(850_000)
    expect(code(await new Wire().send(message))).toBe('AA')
    await hospital.settle()
    expect(await kept('HUGE')).toMatchObject([{ status: 'applied' }])
    expect((await inLaboratory(orderId))?.state).toBe('released')
  })
})

describe('messages of others', () => {
  test.skipIf(!existsSync(cases))('every message of the public collections is answered under its control id (shared/cases)', { timeout: 60_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'carespine-hl7-'))
    try {
      execFileSync('tar', ['-xzf', cases, '-C', folder])
      const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => /\.(hl7|out)$/.test(file))
      const messages = files.flatMap((file) => {
        const bytes = readFileSync(join(folder, file))
        if (!file.endsWith('.out')) return [bytes]
        return bytes.toString('latin1').split(/\n(?=MSH)/).slice(0, 150).map((text) => Buffer.from(text, 'latin1'))
      })
      expect(messages.length).toBeGreaterThan(77)
      const wire = new Wire()
      const counts: Record<string, number> = {}
      for (const message of messages) {
        const header = message.toString('latin1').replace(/^\u00ef\u00bb\u00bf/, '').split(/[\r\n]/)[0]?.split('|') ?? []
        const [accept = '', application = ''] = header.slice(14, 16)
        if (accept === 'NE' && application === 'NE') {
          wire.write(framed(message))
          continue
        }
        const answer = await wire.send(message)
        const said = /\rMSA\|(AA|AE|AR|CA|CE|CR)\|([^\r|]*)/.exec(answer)
        if (accept === 'AL' && application === 'AL' && said?.[1] === 'CA') expect(await wire.answer()).toContain('\rMSA|AA|')
        expect(said, answer).not.toBeNull()
        if (header[0] === 'MSH' && answer.includes('MSH^1^1^') === false) expect(said?.[2]).toBe(header[9] ?? '')
        counts[said?.[1] ?? ''] = (counts[said?.[1] ?? ''] ?? 0) + 1
      }
      expect(wire.isEmpty).toBe(true)
      expect((counts.AA ?? 0) + (counts.CA ?? 0)).toBeGreaterThan(20)
      await hospital.settle()
      const client = new pg.Client({ connectionString: hospital.databaseUrl })
      await client.connect()
      const { rows } = await client.query('select status, count(*)::int, (select count(*)::int from bus.dead_letter) as dead from hl7v2.message group by 1')
      await client.end()
      // Each was applied, or waits for a person with its reason, or was refused; none is stuck on the way.
      expect(rows.map(({ status }) => status)).toEqual(expect.arrayContaining(['applied', 'rejected', 'unmatched']))
      expect(rows.filter(({ status, dead }) => status === 'received' || dead > 0)).toEqual([])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  test.skipIf(!existsSync('/usr/bin/mllp_send'))('mllp_send of python-hl7 admits a patient (Debian package python3-hl7)', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'carespine-hl7-'))
    try {
      const file = join(folder, 'admission.hl7')
      writeFileSync(file, `\x0b${adt('A01', 'PY-1', '7500', { family: 'Python', visit: 'V-7500' })}\x1c\r`)
      const { execFile } = await import('node:child_process')
      const said = await new Promise<string>((resolve, reject) =>
        execFile('/usr/bin/mllp_send', ['-p', String(hospital.hospital.hl7Port), '-f', file, '127.0.0.1'], { timeout: 20_000 }, (error, out) => (error ? reject(error) : resolve(out))),
      )
      expect(said).toContain('MSA|AA|PY-1')
      await hospital.settle()
      expect(await patientNamed('Python')).toHaveLength(1)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
