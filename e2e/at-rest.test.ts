import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { getChart } from '@carespine/chart/contract'
import { startEncounter } from '@carespine/encounters/contract'
import { listUnmatched } from '@carespine/link-hl7v2/contract'
import { MllpClient } from '@carespine/link-hl7v2/mllp-client'
import { addAllergy, registerPatient, searchPatients } from '@carespine/registration/contract'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestHospital, type TestHospital } from './test-hospital.ts'

// Words that stand nowhere else in the database, in the code or in its dependencies.
const known = {
  family: 'Zyxquorvian',
  given: 'Quillabeth',
  arabicFamily: 'الزنقبيطي',
  arabicGiven: 'قشطبان',
  birthDate: '1937-02-23',
  phone: '+966591837465',
  phoneDigits: '591837465',
  email: 'q.zyx@wombatmail.example',
  street: 'Blunderbuss Passage',
  reason: 'Kakorrhaphiophobia',
  allergy: 'Floccinaucine',
  hl7Family: 'Vexillologue',
  hl7Note: 'Borborygmus',
  hl7Phone: '0597362514',
} as const

let hospital: TestHospital
let owner: pg.Client
let mrn = ''
let firstSegment = ''
/** Each known word in every form in which it could lie about: UTF-8, hex of bytea, UTF-16, base64. */
let needles: { word: string; form: string; bytes: Buffer }[] = []

beforeAll(async () => {
  hospital = await startTestHospital()
  owner = new pg.Client({ connectionString: hospital.databaseUrl })
  await owner.connect()
  firstSegment = await currentSegment()
  const hub = await hospital.signIn('hub')
  const provider = await hospital.signIn('provider')
  const registered = await hub.call(registerPatient, {
    name: { family: known.family, given: known.given },
    nameArabic: { family: known.arabicFamily, given: known.arabicGiven },
    sex: 'female',
    birthDate: known.birthDate,
    phone: known.phone,
    email: known.email,
    addressLine: known.street,
  }, { 'idempotency-key': 'at-rest-1' })
  mrn = registered.mrn
  const { patientId } = registered
  await provider.call(addAllergy, { patientId, substance: known.allergy })
  await provider.call(startEncounter, { patientId, reason: known.reason })
  await provider.call(getChart, { patientId })
  expect((await hub.call(searchPatients, { text: known.arabicFamily })).patients).toHaveLength(1)

  const analyser = await MllpClient.open(hospital.hospital.hl7Port ?? 0)
  const header = (type: string, id: string) => `MSH|^~\\&|SENDER|FAC|CARESPINE|MAIN|20240101120000||${type}|${id}|P|2.5.1`
  await analyser.send([
    header('ADT^A04', 'R-1'), 'EVN|A04|20240101120000',
    `PID|1||778899^^^FAC^MR||${known.hl7Family}^Vera||19370223|F|||${known.street}||${known.hl7Phone}`,
    `PV1|1|O|||||||||||||||||V1`, `NTE|1||${known.hl7Note}`,
  ].join('\r') + '\r')
  await analyser.send([
    header('ORU^R01', 'R-2'), `PID|1||778899^^^FAC^MR||${known.hl7Family}^Vera||19370223|F`,
    'OBR|1||NOWHERE|718-7^Hemoglobin^LN|||20240101120000', `OBX|1|NM|718-7^Hemoglobin^LN||9.1|g/dL|||||F`, `NTE|1||${known.hl7Note}`,
  ].join('\r') + '\r')
  analyser.close()
  await hospital.settle()
  expect((await (await hospital.signIn('lab')).call(listUnmatched, {})).total).toBeGreaterThan(0)
  expect((await hub.call(searchPatients, { text: known.hl7Family })).patients).toHaveLength(1)

  needles = Object.values({ ...known, mrn }).flatMap((word) => [
    { word, form: 'as it is', bytes: Buffer.from(word) },
    { word, form: 'in upper case', bytes: Buffer.from(word.toUpperCase()) },
    { word, form: 'in lower case', bytes: Buffer.from(word.toLowerCase()) },
    { word, form: 'hex', bytes: Buffer.from(Buffer.from(word).toString('hex')) },
    { word, form: 'UTF-16', bytes: Buffer.from(word, 'utf16le') },
    { word, form: 'base64', bytes: Buffer.from(Buffer.from(word).toString('base64').slice(0, -3)) },
  ])
})
afterAll(async () => {
  await owner?.end()
  await hospital?.close()
})

function traces(bytes: Buffer, place: string): string[] {
  return needles.filter((needle) => bytes.includes(needle.bytes)).map(({ word, form }) => `${word} ${form} in ${place}`)
}

/** The files of a PostgreSQL elsewhere cannot be looked at. */
const isHere = (folder = ''): boolean => existsSync(join(folder, 'PG_VERSION'))

async function filesBelow(folder: string): Promise<string[]> {
  const found: string[] = []
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) found.push(...(await filesBelow(path)))
    else if (entry.isFile()) found.push(path)
  }
  return found
}

const currentSegment = async (): Promise<string> =>
  (await owner.query<{ name: string }>('select pg_walfile_name(pg_current_wal_lsn()) as name')).rows[0]?.name ?? ''

/** Log segments written since then; later ones are old files waiting to be used again. */
async function logSince(folder: string, first: string): Promise<string[]> {
  const last = await currentSegment()
  return (await filesBelow(join(folder, 'pg_wal'))).filter((file) => basename(file) >= first && basename(file) <= last)
}

async function tracesInFiles(files: readonly string[]): Promise<string[]> {
  const found: string[] = []
  // A file may go away while PostgreSQL tidies up.
  for (const file of files) found.push(...traces(await readFile(file).catch(() => Buffer.alloc(0)), file))
  return found
}

async function textOfTables(): Promise<Map<string, Buffer>> {
  const { rows: tables } = await owner.query<{ name: string }>(
    "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema') order by 1",
  )
  const texts = new Map<string, Buffer>()
  for (const { name } of tables) {
    const { rows } = await owner.query<{ line: string }>(`select t::text as line from ${name} t`)
    if (rows.length > 0) texts.set(name, Buffer.from(rows.map(({ line }) => line).join('\n')))
  }
  return texts
}

describe('whoever holds the disk', () => {
  test('would see a word that was stored in clear: this search finds one', async () => {
    const [line, bytes] = ['الحنفقيش', 'Quomodocunquize']
    needles.push({ word: line, form: 'as it is', bytes: Buffer.from(line) }, { word: bytes, form: 'hex', bytes: Buffer.from(Buffer.from(bytes).toString('hex')) })
    await owner.query('create table leak (line text, bytes bytea)')
    await owner.query('insert into leak values ($1, $2)', [line, Buffer.from(bytes)])
    const leaks = traces((await textOfTables()).get('public.leak') ?? Buffer.alloc(0), 'leak')
    expect(leaks).toEqual([`${line} as it is in leak`, `${bytes} hex in leak`])
    const { rows } = await owner.query<{ data_directory: string }>('show data_directory')
    if (isHere(rows[0]?.data_directory)) {
      await owner.query('checkpoint')
      const log = await tracesInFiles(await logSince(rows[0]?.data_directory ?? '', firstSegment))
      expect(log[0]).toContain(`${line} as it is in`)
    }
    needles.splice(-2)
    await owner.query('drop table leak')
  })

  test('finds no name, number, date or note in any table', async () => {
    const texts = await textOfTables()
    expect([...texts.keys()]).toEqual(expect.arrayContaining(['fhir.patient', 'fhir.encounter', 'bus.outbox', 'audit.entry', 'chart.projection', 'store.idempotency']))
    expect([...texts].flatMap(([name, text]) => traces(text, name))).toEqual([])
  })

  test('finds none in the server’s own folder: keys, logs, files', async () => {
    const files = await filesBelow(hospital.dataFolder)
    expect(files.length).toBeGreaterThan(0)
    expect(await tracesInFiles(files)).toEqual([])
  })

  test('finds none in what PostgreSQL remembers of statements', async () => {
    const { rows } = await owner.query("select coalesce(string_agg(query, ' '), '') as text from pg_stat_activity where pid <> pg_backend_pid()")
    expect(traces(Buffer.from(rows[0].text), 'pg_stat_activity')).toEqual([])
    const { rows: statistics } = await owner.query<{ text: string }>(
      "select string_agg(most_common_vals::text || coalesce(histogram_bounds::text, ''), ' ') as text from pg_stats where schemaname not in ('pg_catalog', 'information_schema')",
    )
    expect(traces(Buffer.from(statistics[0]?.text ?? ''), 'pg_stats')).toEqual([])
  })

  test('finds none in the files of PostgreSQL, its write-ahead log included', async ({ skip }) => {
    const { rows } = await owner.query<{ data_directory: string }>('show data_directory')
    const folder = rows[0]?.data_directory ?? ''
    if (!isHere(folder)) return skip('the files of this PostgreSQL are on another computer')
    const { rows: position } = await owner.query<{ oid: string }>('select oid::text from pg_database where datname = current_database()')
    await owner.query('checkpoint')
    const files = await filesBelow(join(folder, 'base', position[0]?.oid ?? ''))
    expect(files.length).toBeGreaterThan(300)
    expect(await tracesInFiles(files)).toEqual([])
    const log = await logSince(folder, firstSegment)
    expect(log.length).toBeGreaterThan(0)
    expect(await tracesInFiles(log)).toEqual([])
  })
})
