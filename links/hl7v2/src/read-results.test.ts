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

describe('results', () => {
  test('short names of analysers become LOINC, text and numbers are told apart', () => {
    const [group] = groups('PID|1', 'OBR|1||ACC-1|CBC^^L|||20260301101500+0000', 'OBX|1|NM|HGB^^L||6.1|g/dL|||||F', 'OBX|2|SN|PLT^^L||<^100|10*3/uL|||||F', 'OBX|3|ST|NOTE^^L||see \\T\\ ask~call|||||F', 'OBX|4|SN|718-7^^LN||=^.5|g/dL|||||F')
    expect(group).toMatchObject({ accession: 'ACC-1', panel: 'cbc', status: 'final', observedAt: '2026-03-01T10:15:00.000Z' })
    expect(group?.items).toEqual([
      { code: '718-7', isLoinc: true, value: 6.1, unit: 'g/dL' },
      { code: '777-3', isLoinc: true, text: '<100', unit: '10*3/uL' },
      { code: 'NOTE', isLoinc: false, text: 'see & ask\ncall' },
      { code: '718-7', isLoinc: true, value: 0.5, unit: 'g/dL' },
    ])
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
    ['F', 'final'],
    ['C', 'corrected'],
    ['P', 'preliminary'],
  ] as const)('status %s is %s', (code, status) => {
    expect(groups('PID|1', 'OBR|1||X|CBC', `OBX|1|NM|HGB||6|||||| ${code}`)[0]?.status).toBe(status)
  })

  test('a value that was not obtained is passed over, one that is taken back is not', () => {
    expect(groups('PID|1', 'OBR|1||X|CBC', 'OBX|1|NM|HGB||6||||||F', 'OBX|2|NM|PLT||||||||X')[0]?.items).toHaveLength(1)
    expect(places('ORU^R01', 'PID|1', 'OBR|1||X|CBC', 'OBX|1|NM|HGB||6||||||F', 'OBX|2|NM|PLT||200||||||W')).toEqual(['AE OBX[2]-11 103'])
  })

  test('what is missing or wrong is named, the OBX by its place in the message', () => {
    expect(places('ORU^R01', 'PID|1')).toEqual(['AE OBR[1]-0 100'])
    expect(places('ORU^R01', 'PID|1', 'OBX|1|NM|HGB||6')).toEqual(['AE OBR[1]-0 100'])
    expect(places('ORU^R01', 'PID|1', 'OBR|1||X|CBC')).toEqual(['AE OBX[1]-0 100'])
    expect(places('ORU^R01', 'PID|1', 'OBR|1||X|CBC', 'OBX|1|NM|HGB||6', 'OBX|2|NM|PLT||lots', 'OBX|3|NM|||7')).toEqual(['AE OBX[2]-5 102', 'AE OBX[3]-3 101'])
    expect(places('ORU^R01', 'PID|1', 'OBR|1||X|CBC|||noon', `OBX|1|TX|NOTE||${'x'.repeat(501)}`)).toContain('AE OBR[1]-7 102')
    expect(places('ORU^R01', 'PID|1', 'OBR|1||X|CBC', `OBX|1|TX|NOTE||${'x'.repeat(501)}`)).toContain('AE OBX[1]-5 102')
  })
})
