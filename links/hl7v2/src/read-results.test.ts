import { describe, expect, test } from 'vitest'
import { mapMessage } from './map-message.ts'
import { parseMessage } from './message.ts'
import type { ResultGroup } from './read-results.ts'

function read(type: string, ...segments: string[]) {
  const message = parseMessage([`MSH|^~\\&|HIS|MAIN|CARESPINE||20260301101500||${type}|C-1|P|2.5.1`, ...segments].join('\r'))
  if (!message) throw new Error('not parsed')
  return mapMessage(message, '+03:00')
}

function groups(...segments: string[]): ResultGroup[] {
  const found = read('ORU^R01', ...segments)
  if ('faults' in found || found.mapped.kind !== 'results') throw new Error(JSON.stringify(found))
  return found.mapped.groups
}

const places = (type: string, ...segments: string[]) => {
  const found = read(type, ...segments)
  return 'faults' in found ? found.faults.map(({ kind, segment, sequence = 1, field, code }) => `${kind} ${segment}[${sequence}]-${field} ${code}`) : []
}

const obx = (status: string, more = 'NM|HGB||6', flag = '') => `OBX|1|${more}|||${flag}|||${status}`
const one = (...segments: string[]) => groups('PID|1', 'OBR|1||X|CBC', ...segments)[0]?.items ?? []

describe('results', () => {
  test('short names of analysers become LOINC, text and numbers are told apart', () => {
    const [group] = groups('PID|1', 'OBR|1||ACC-1|CBC^^L|||20260301101500+0000', 'OBX|1|NM|HGB^^L||6.1|g/dL|||||F', 'OBX|2|SN|PLT^^L||<^100|10*3/uL|||||F', 'OBX|3|ST|NOTE^^L||see \\T\\ ask~call|||||F', 'OBX|4|SN|718-7^^LN||=^.5|g/dL|||||F')
    expect(group).toMatchObject({ accession: 'ACC-1', panel: 'cbc', observedAt: '2026-03-01T10:15:00.000Z' })
    expect(group?.items).toEqual([
      { code: '718-7', isLoinc: true, status: 'final', value: 6.1, unit: 'g/dL' },
      { code: '777-3', isLoinc: true, status: 'final', text: '<100', unit: '10*3/uL' },
      { code: 'NOTE', isLoinc: false, status: 'final', text: 'see & ask\ncall' },
      { code: '718-7', isLoinc: true, status: 'final', value: 0.5, unit: 'g/dL' },
    ])
  })

  test.each([
    ['NM|HGB||6.10', { value: 6.1 }],
    ['NM|HGB||<15', { text: '<15' }],
    ['ST|HGB||6.1', { value: 6.1 }],
    ['TX|HGB||6.1', { text: '6.1' }],
    ['SN|HGB||>=^6', { text: '>=6' }],
    ['SN|HGB||^1^:^128', { text: '1:128' }],
    ['SN|HGB||^2^-^20', { text: '2-20' }],
    ['CWE|HGB||P^Positive^L', { text: 'Positive' }],
    ['CE|HGB||P', { text: 'P' }],
    ['CE|HGB||A^Ape~B^Bee', { text: 'Ape\nBee' }],
    ['DT|HGB||20260301', { text: '20260301' }],
    ['FT|HGB||one\\.br\\two', { text: 'one\ntwo' }],
  ])('the value of OBX-2 to 5 %s', (written, value) => {
    expect(one(obx('F', written))).toEqual([{ code: '718-7', isLoinc: true, status: 'final', ...value }])
  })

  test('the results of several patients in one message stay apart', () => {
    const found = groups('PID|1||A^^^HIS', 'OBR|1||ACC-1|CBC', 'OBX|1|NM|HGB||6.1', 'PID|2||B^^^HIS', 'OBR|1||ACC-2|CBC', 'OBX|1|NM|HGB||14')
    expect(found.map(({ identifiers, accession }) => [identifiers[0]?.value, accession])).toEqual([['A', 'ACC-1'], ['B', 'ACC-2']])
  })

  test('the placer’s number of ORC counts for its OBR and not for the next', () => {
    const found = groups('PID|1', 'ORC|RE|O-1', 'OBR|1||X|CBC', 'OBX|1|NM|HGB||6', 'OBR|2|O-2|Y|BMP', 'OBX|1|NM|K||4', 'OBR|3||Z|BMP', 'OBX|1|NM|K||4')
    expect(found.map(({ orderNumber }) => orderNumber)).toEqual(['O-1', 'O-2', undefined])
  })

  test.each([
    ['F', 'final'], ['V', 'final'], ['U', 'final'], [' C', 'corrected'], ['A', 'corrected'], ['B', 'corrected'],
    ['P', 'preliminary'], ['R', 'preliminary'], ['S', 'preliminary'], ['X', 'unobtainable'], ['D', 'withdrawn'], ['W', 'withdrawn'],
  ])('OBX-11 %s is %s', (code, status) => {
    expect(one(obx(code)).map((item) => item.status)).toEqual([status])
  })

  test('each result has its own status; without one it has that of its order', () => {
    expect(one(obx('F'), obx('P', 'NM|PLT||200'), obx('C', 'NM|WBC||7')).map(({ status }) => status)).toEqual(['final', 'preliminary', 'corrected'])
    const byOrder = (status: string) => groups('PID|1', `OBR|1||X|CBC|||||||||||||||||||||${status}`, obx(''))[0]?.items[0]?.status
    expect(['', 'F', 'P', 'C', 'A'].map(byOrder)).toEqual(['final', 'final', 'preliminary', 'corrected', 'preliminary'])
  })

  test('what is pending, not asked for or a description is no result', () => {
    expect(groups('PID|1', 'OBR|1||X|CBC', obx('I', 'NM|HGB||'), obx('N', 'NM|PLT||'), obx('O', 'TX|WBC||what is done'))).toEqual([])
    expect(groups('PID|1', 'OBR|1||X|CBC|||||||||||||||||||||I')).toEqual([])
  })

  test('what cannot be obtained says why; an order that was cancelled is told', () => {
    expect(one(obx('X', 'NM|HGB||'), obx('X', 'ST|PLT||clotted'))).toMatchObject([{ status: 'unobtainable' }, { status: 'unobtainable', note: 'clotted' }])
    expect(groups('PID|1', 'OBR|1||X|CBC|||||||||||||||||||||X')).toMatchObject([{ isCancelled: true, items: [] }])
  })

  test.each([
    ['H', 'H'], ['LL~A', 'LL'], ['A^Abnormal^HL70078~HH', 'HH'], ['<', 'L'], ['N', 'N'], ['AA', 'AA'], ['S', undefined], ['', undefined],
  ])('the flag of OBX-8 %j is %s', (written, flag) => {
    expect(one(obx('F', 'NM|HGB||6', written))[0]?.flag).toBe(flag)
  })

  test('a note belongs to the segment before it', () => {
    const [first, second] = groups(
      'PID|1', 'NTE|1||about the patient', 'OBR|1||X|CBC', 'NTE|1||one~two', 'NTE|2||three', obx('F'), 'NTE|1||haemolysed\\.br\\slightly', 'NTE|2||repeat',
      obx('I', 'NM|WBC||'), 'NTE|1||of nothing', 'OBR|2||Y|BMP', 'OBX|1|NM|K||4', 'NTE|1||fasting',
    )
    expect([first?.comment, first?.items[0]?.note, second?.comment, second?.items[0]?.note]).toEqual(['one\ntwo\nthree', 'haemolysed\nslightly\nrepeat', undefined, 'fasting'])
  })

  test('text in several OBX of one test is its lines; two numbers stay two', () => {
    expect(one(obx('F', 'TX|NOTE^^L||first'), obx('F', 'TX|NOTE^^L||second'), obx('F', 'TX|NOTE^^L||second')).map(({ text }) => text)).toEqual(['first\nsecond\nsecond'])
    expect(one(obx('F'), obx('F', 'NM|HGB||7')).map(({ value }) => value)).toEqual([6, 7])
  })

  test('what is missing or wrong is named, the OBX by its place in the message', () => {
    expect(places('ORU^R01', 'PID|1')).toEqual(['AE OBR[1]-0 100'])
    expect(places('ORU^R01', 'PID|1', 'OBX|1|NM|HGB||6', 'OBX|2|NM|PLT||6')).toEqual(['AE OBR[1]-0 100'])
    expect(places('ORU^R01', 'PID|1', 'OBR|1||X|CBC')).toEqual(['AE OBX[1]-0 100'])
    expect(places('ORU^R01', 'PID|1', 'OBR|1||X|CBC', 'OBX|1|NM|HGB||6', 'OBX|2|NM|PLT||lots', 'OBX|3|NM|||7')).toEqual(['AE OBX[2]-5 102', 'AE OBX[3]-3 101'])
    expect(places('ORU^R01', 'PID|1', 'OBR|1||X|CBC|||noon', obx('F'))).toEqual(['AE OBR[1]-7 102'])
    expect(places('ORU^R01', 'PID|1', 'OBR|1||X|CBC', obx('Q'), obx('F', 'TX|NOTE||""'), obx('F', 'ED|PDF||^AP^PDF^Base64^AAAA'))).toEqual(['AE OBX[1]-11 103', 'AE OBX[2]-5 101', 'AE OBX[3]-2 103'])
    const long = 'x'.repeat(6000)
    expect(places('ORU^R01', 'PID|1', 'OBR|1||X|CBC', `OBX|1|TX|NOTE||${long}`, `OBX|2|TX|NOTE||${long}y`)).toEqual(['AE OBX[2]-5 102'])
    expect(places('ORU^R01', 'PID|1', 'OBR|1||X|CBC', obx('F'), `NTE|1||${long}`, `NTE|2||${long}`)).toEqual(['AE NTE[2]-3 102'])
    expect(places('ORU^R01', 'PID|1', 'OBR|1||X|CBC', ...Array.from({ length: 300 }, () => obx('F')))).toEqual(['AE OBX[201]-0 100'])
  })
})
