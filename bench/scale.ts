import { randomUUID } from 'node:crypto'
import type { RunningHospital } from '@carespine/server/hospital-server'
import { PLANNER } from '@carespine/store/database'
import pg from 'pg'
import { BRANCH, type BenchHospital, type Person } from './hospital.ts'
import { median } from './load.ts'
import { type Recording, recordRead } from './record-statements.ts'
import { birthDateOf, MRN, namesOf, numberOf, phoneOf, RECORD_SIZE, sampleRecord } from './sample-hospital.ts'

const SHARED = '00000000-0000-0000-0000-000000000000'
const SMALL = 'bench_small'
/** Records that one unit of work stores, and units that are under way at once. */
const RECORDS_AT_ONCE = 8
const UNITS_AT_ONCE = 3
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 60)
const WARM_UP_ROUNDS = 8
/** More than this is too much growth of what a clinician waits for. */
const MOST_GROWTH = 1.3
/** Rows of a small table are read from end to end sooner than an index finds them. */
const FEW_ROWS = 1000

interface Asked {
  title: string
  /** What nobody waits for at the bedside is measured beside it, without the aim. */
  aside?: true
  path(sample: Sample): string
}

interface Sample {
  id: string
  nth: number
  day: string
  nextDay: string
}

const text = encodeURIComponent
const fhir = (path: string) => `/fhir/R4${path}`

const searches: readonly Asked[] = [
  { title: 'Patient by a common given name', path: () => fhir('/Patient?name=moham') },
  { title: 'Patient by family and given name', path: ({ nth }) => fhir(`/Patient?family=${text(namesOf(nth).family)}&given=${namesOf(nth).given.slice(0, 4)}`) },
  { title: 'Patient by Arabic family name', path: ({ nth }) => fhir(`/Patient?name=${text(namesOf(nth).familyArabic)}`) },
  { title: 'Patient by Arabic given name', path: () => fhir(`/Patient?name=${text('محم')}`) },
  { title: 'Patient by medical record number', path: ({ nth }) => fhir(`/Patient?identifier=${text(`${MRN}|${numberOf(nth)}`)}`) },
  { title: 'Patient by phone', path: ({ nth }) => fhir(`/Patient?phone=${text(phoneOf(nth))}`) },
  { title: 'Patient by birth date', path: ({ nth }) => fhir(`/Patient?birthdate=${birthDateOf(nth)}`) },
  { title: 'Patient by name and birth date', path: ({ nth }) => fhir(`/Patient?name=${namesOf(nth).given}&birthdate=${birthDateOf(nth)}`) },
  { title: 'Patient, read', path: ({ id }) => fhir(`/Patient/${id}`) },
  { title: 'Patient, history', path: ({ id }) => fhir(`/Patient/${id}/_history`) },
  { title: 'Observations of a patient by code', path: ({ id }) => fhir(`/Observation?patient=Patient/${id}&code=${text('http://loinc.org|718-7')}&_sort=-date`) },
  { title: 'Observations of a patient by category', path: ({ id }) => fhir(`/Observation?patient=Patient/${id}&category=laboratory&_sort=-date`) },
  { title: 'Observations of a patient, latest', path: ({ id }) => fhir(`/Observation/$lastn?patient=Patient/${id}&category=laboratory`) },
  { title: 'Observations of a patient, how many', path: ({ id }) => fhir(`/Observation?patient=Patient/${id}&_summary=count`) },
  { title: 'Conditions of a patient, active', path: ({ id }) => fhir(`/Condition?patient=Patient/${id}&clinical-status=active`) },
  { title: 'Allergies of a patient', path: ({ id }) => fhir(`/AllergyIntolerance?patient=Patient/${id}`) },
  { title: 'Medication of a patient, active', path: ({ id }) => fhir(`/MedicationRequest?patient=Patient/${id}&status=active`) },
  { title: 'Encounters of a patient', path: ({ id }) => fhir(`/Encounter?patient=Patient/${id}&_sort=-date`) },
  { title: 'Reports of a patient', path: ({ id }) => fhir(`/DiagnosticReport?patient=Patient/${id}&_sort=-date`) },
  { title: 'Orders that are open, newest first', path: () => fhir('/ServiceRequest?status=active&_sort=-authored') },
  { title: 'Orders that are open, since a day', path: ({ day }) => fhir(`/ServiceRequest?status=active&authored=ge${day}`) },
  { title: 'Reports that are preliminary', path: () => fhir('/DiagnosticReport?status=preliminary&_sort=-date') },
  { title: 'Encounters that go on, newest first', path: () => fhir('/Encounter?status=in-progress&_sort=-date') },
  { title: 'Encounters of a day', path: ({ day }) => fhir(`/Encounter?date=${day}`) },
  { title: 'Observations of one code in a day', path: ({ day, nextDay }) => fhir(`/Observation?code=718-7&date=ge${day}&date=lt${nextDay}&_sort=-date`) },
  { title: 'Observations of one code, newest first', path: () => fhir(`/Observation?code=${text('http://loinc.org|718-7')}&_sort=-date`) },
  { title: 'Everything of a patient', path: ({ id }) => fhir(`/Patient/${id}/$everything`) },
  { title: 'Chart of a patient in one call', path: ({ id }) => `/api/aggregate/patients/${id}` },
  { title: 'Patients of a common name, counted', aside: true, path: () => fhir('/Patient?name=moham&_total=accurate') },
  { title: 'Observations, counted', aside: true, path: () => fhir('/Observation?_summary=count') },
  { title: 'Observations of one code, counted', aside: true, path: () => fhir('/Observation?code=718-7&_summary=count') },
  { title: 'History of a type', aside: true, path: () => fhir('/Observation/_history') },
  { title: 'History of everything', aside: true, path: () => fhir('/_history') },
]

/** Fills the record with as many resources as are asked for, through the store's own write path. */
async function grow(bench: BenchHospital, { services }: RunningHospital, total: number): Promise<void> {
  const actor = services.system('import', [BRANCH])
  const now = services.now()
  const { patients } = bench
  const wanted = Math.ceil(total / RECORD_SIZE)
  const first = patients.length
  let next = first
  let told = performance.now()
  const began = told
  const unit = async (): Promise<void> => {
    while (next < wanted) {
      const from = next
      next = Math.min(wanted, from + RECORDS_AT_ONCE)
      const ids = Array.from({ length: next - from }, () => randomUUID())
      await services.transact(actor, { correlationId: randomUUID(), action: 'bench.load', module: 'import' }, async ({ tx }) => {
        for (const [at, id] of ids.entries()) {
          for (const resource of sampleRecord(from + at, id, randomUUID, now)) tx.write(resource, resource.resourceType === 'Patient' ? {} : { branch: BRANCH })
        }
      })
      for (const [at, id] of ids.entries()) patients[from + at] = id
      if (performance.now() - told > 15_000 || next === wanted) {
        told = performance.now()
        bench.say(`  ${(next * RECORD_SIZE).toLocaleString('en')} resources, ${Math.round(((next - first) * RECORD_SIZE) / ((told - began) / 1000)).toLocaleString('en')} a second`)
      }
    }
  }
  await Promise.all(Array.from({ length: UNITS_AT_ONCE }, unit))
  await bench.asOwner(async (client) => {
    await client.query('vacuum analyze')
    await client.query('checkpoint')
  })
}

function samplesOf(bench: BenchHospital, now: Date, count: number): Sample[] {
  return Array.from({ length: count }, (_none, at) => {
    const nth = (at * 7919) % count
    const day = new Date(now.getTime() - (20 + (at % 300)) * 86_400_000)
    return { id: bench.patients[nth] as string, nth, day: day.toISOString().slice(0, 10), nextDay: new Date(day.getTime() + 86_400_000).toISOString().slice(0, 10) }
  })
}

/** What PostgreSQL does for one request: pages it touches, milliseconds, and tables that it reads from end to end. */
interface Effort {
  pages: number
  milliseconds: number
  scanned: Set<string>
}

interface PlanNode {
  'Node Type': string
  'Relation Name'?: string
  'Actual Rows': number
  'Actual Loops': number
  'Rows Removed by Filter'?: number
  'Shared Hit Blocks': number
  'Shared Read Blocks': number
  Plans?: PlanNode[]
}

async function effortOf(client: pg.Client, { stages }: Recording): Promise<Effort> {
  const effort: Effort = { pages: 0, milliseconds: 0, scanned: new Set() }
  await client.query('begin; set local role carespine_app')
  for (const [name, value] of Object.entries(PLANNER)) await client.query(`set local ${name} = ${value}`)
  await client.query("select set_config('carespine.branches', $1, true)", [`{${[SHARED, BRANCH].join()}}`])
  for (const { text: statement, values } of stages.flat()) {
    if (!/from fhir\./.test(statement)) continue
    const { rows } = await client.query<{ 'QUERY PLAN': { Plan: PlanNode; 'Execution Time': number }[] }>(`explain (analyze, buffers, format json) ${statement}`, values)
    const plan = rows[0]?.['QUERY PLAN'][0]
    if (!plan) continue
    effort.pages += plan.Plan['Shared Hit Blocks'] + plan.Plan['Shared Read Blocks']
    effort.milliseconds += plan['Execution Time']
    const walk = (node: PlanNode): void => {
      const rows = (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops']
      if (node['Node Type'].includes('Seq Scan') && node['Relation Name'] !== undefined && rows > FEW_ROWS) effort.scanned.add(node['Relation Name'])
      node.Plans?.forEach(walk)
    }
    walk(plan.Plan)
  }
  await client.query('rollback')
  return effort
}

interface Row {
  asked: Asked
  small: { p50: number; effort: Effort }
  large: { p50: number; effort: Effort }
}

/**
 * Loads `from` resources, keeps a copy, grows the record to `to`, and asks both in turns: what other load the machine has
 * slows both alike. Ends with a fault when a search that somebody waits for grows too much or reads a table from end to end.
 */
export async function benchScale(bench: BenchHospital, { from, to }: { from: number; to: number }): Promise<void> {
  bench.say(`Loading ${from.toLocaleString('en')} resources`)
  await bench.withQuietHospital(async (hospital) => {
    await bench.addAccounts(hospital)
    await grow(bench, hospital, from)
  })
  const ofSmall = bench.patients.length
  const smallUrl = await bench.copyDatabase(SMALL)
  bench.say(`Growing to ${to.toLocaleString('en')}`)
  const samples = samplesOf(bench, new Date(), ofSmall)
  const recorded = await bench.withQuietHospital(async (hospital) => {
    await grow(bench, hospital, to)
    const person = await bench.signIn(hospital.url, 'provider')
    const found = new Map<Asked, Recording>()
    for (const asked of searches) {
      const send = (): Promise<unknown> => time(person, asked.path(samples[1] as Sample))
      await send()
      found.set(asked, await recordRead(hospital.services.store, '', send).catch(() => ({ stages: [], fresh: [] })))
    }
    return found
  })
  bench.say(`  ${await sizeOf(bench)}`)
  const clients = [await connect(smallUrl), await connect(bench.postgres.url)] as const
  const people = [await serve(bench, smallUrl), await serve(bench, bench.postgres.url)] as const
  const rows: Row[] = []
  for (const asked of searches) {
    const times: [number[], number[]] = [[], []]
    for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
      const path = asked.path(samples[(round + WARM_UP_ROUNDS) % samples.length] as Sample)
      // Who goes first changes, too.
      for (const which of round % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
        const took = await time(people[which], path)
        if (round >= 0) times[which].push(took)
      }
    }
    const recording = recorded.get(asked) ?? { stages: [], fresh: [] }
    const efforts = []
    for (const client of clients) {
      await effortOf(client, recording)
      efforts.push(await effortOf(client, recording))
    }
    rows.push({ asked, small: { p50: median(times[0]), effort: efforts[0] as Effort }, large: { p50: median(times[1]), effort: efforts[1] as Effort } })
    bench.say(`  ${asked.title}: ${median(times[0]).toFixed(1)} ms, ${median(times[1]).toFixed(1)} ms`)
  }
  for (const client of clients) await client.end()
  print(rows, bench.say, { from, to })
  if (process.env.BENCH_STAY) await stay(bench, smallUrl)
  const missed = rows.filter((row) => row.asked.aside === undefined && (growth(row) > MOST_GROWTH || row.large.effort.scanned.size > 0))
  if (missed.length > 0) throw new Error(`too much growth, or a table read from end to end: ${missed.map(({ asked }) => asked.title).join('; ')}`)
}

const growth = ({ small, large }: Row): number => large.p50 / small.p50

async function time({ fetch }: Person, path: string): Promise<number> {
  const began = performance.now()
  const response = await fetch(path)
  const body = await response.text()
  if (!response.ok) throw new Error(`${path}: ${response.status} ${body}`)
  return performance.now() - began
}

async function serve(bench: BenchHospital, databaseUrl: string): Promise<Person> {
  const { url } = await bench.startServer({ DATABASE_URL: databaseUrl })
  return await bench.signIn(url, 'provider')
}

async function connect(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  return client
}

async function sizeOf(bench: BenchHospital): Promise<string> {
  return await bench.asOwner(async (client) => {
    const { rows } = await client.query<{ size: string }>('select pg_size_pretty(pg_database_size(current_database())) as size')
    return `the database takes ${rows[0]?.size}`
  })
}

/** Leaves everything up, to be looked at, until it is interrupted. */
async function stay(bench: BenchHospital, smallUrl: string): Promise<never> {
  bench.say(`\nStaying up until Ctrl-C. small: ${smallUrl}\nlarge: ${bench.postgres.url}`)
  return await new Promise<never>(() => setInterval(() => undefined, 60_000))
}

function print(rows: readonly Row[], say: (line: string) => void, { from, to }: { from: number; to: number }): void {
  const head = ['', 'p50 ms', 'p50 ms', 'growth', 'db ms', 'db ms', 'pages', 'pages', 'scans']
  const cells = rows.map((row) => [
    row.asked.title + (row.asked.aside ? ' *' : ''),
    row.small.p50.toFixed(1),
    row.large.p50.toFixed(1),
    `${growth(row).toFixed(2)}${row.asked.aside === undefined && growth(row) > MOST_GROWTH ? ' !' : '  '}`,
    row.small.effort.milliseconds.toFixed(2),
    row.large.effort.milliseconds.toFixed(2),
    String(row.small.effort.pages),
    String(row.large.effort.pages),
    [...row.large.effort.scanned].join(' '),
  ])
  const widths = head.map((title, at) => Math.max(title.length, ...cells.map((row) => row[at]?.length ?? 0)))
  const line = (row: readonly string[]): string => row.map((cell, at) => (at === 0 || at === row.length - 1 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join('  ')
  say(`\n${from.toLocaleString('en')} and ${to.toLocaleString('en')} resources, ${ROUNDS} requests to each in turns, one at a time. db, pages: what PostgreSQL's`)
  say('EXPLAIN (ANALYZE, BUFFERS) says of the statements of one request, in the same order. * no aim.\n')
  say(line(head))
  say(widths.map((width) => '-'.repeat(width)).join('  '))
  for (const row of cells) say(line(row))
  say(`\nAims: growth of at most ${MOST_GROWTH}, no scans.`)
}
