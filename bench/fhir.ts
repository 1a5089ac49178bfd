import type { RunningHospital } from '@carespine/server/hospital-server'
import type { BareTask } from './bare-handler.ts'
import { BRANCH, type BenchHospital, peakMemory, type Person } from './hospital.ts'
import { ask, CONNECTIONS, type Load, type Measured, median } from './load.ts'
import { recordRead, recordWrite } from './record-statements.ts'
import { sampleBundle, samplePatient } from './sample-record.ts'

const SECONDS = Number(process.env.BENCH_SECONDS ?? 4)
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 3)
const WARM_UP_SECONDS = 1.5
const SHARED = '00000000-0000-0000-0000-000000000000'

interface Measure {
  name: string
  title: string
  as: 'hub' | 'provider' | 'client'
  kind: 'read' | 'write'
  /** Requests a second of Medplum 5.1 as its makers' published benchmark has them, with audit off. */
  medplum?: number
  requests(bench: BenchHospital): Pick<Load, 'method' | 'next'>
  /** One request of the measure, for its statements. */
  sample(bench: BenchHospital, nth: number): { path: string; body?: string; subject?: string }
}

const everyPatient = (bench: BenchHospital, nth: number): string => bench.patients[(nth * 7919) % bench.patients.length] as string
const longRecord = (bench: BenchHospital, nth: number): string => bench.longRecords[nth % bench.longRecords.length] as string
const searchOf = (id: string): string => `/fhir/R4/Observation?patient=Patient/${id}&code=http%3A%2F%2Floinc.org%7C718-7&_sort=-date`

function reads(path: (id: string) => string, choose = everyPatient): Pick<Measure, 'kind' | 'requests' | 'sample'> {
  return {
    kind: 'read',
    requests: (bench) => ({ method: 'GET', next: (nth) => ({ path: path(choose(bench, nth)) }) }),
    sample: (bench, nth) => ({ path: path(choose(bench, nth)), subject: choose(bench, nth) }),
  }
}

// Numbers go on from run to run, so that no two requests bring the same identifiers.
let made = 1_000_000
function writes(path: string, body: () => object): Pick<Measure, 'kind' | 'requests' | 'sample'> {
  return {
    kind: 'write',
    requests: () => ({ method: 'POST', next: () => ({ path, body: JSON.stringify(body()) }) }),
    sample: () => ({ path, body: JSON.stringify(body()) }),
  }
}

const measures: readonly Measure[] = [
  { name: 'create', title: 'create Patient', as: 'hub', medplum: 259, ...writes('/fhir/R4/Patient', () => samplePatient(made++)) },
  { name: 'read', title: 'read Patient', as: 'provider', medplum: 1092, ...reads((id) => `/fhir/R4/Patient/${id}`) },
  { name: 'search', title: 'Observation by patient and code, by date', as: 'provider', medplum: 387, ...reads(searchOf) },
  { name: 'bundle', title: 'transaction of 20 entries', as: 'client', medplum: 11.5, ...writes('/fhir/R4/', () => sampleBundle(made++, new Date())) },
  { name: 'everything', title: 'Patient/$everything, 500 entries', as: 'provider', medplum: 19, ...reads((id) => `/fhir/R4/Patient/${id}/$everything`, longRecord) },
  { name: 'chart', title: 'chart in one call', as: 'provider', ...reads((id) => `/api/aggregate/patients/${id}`) },
]

const wanted = (): readonly Measure[] => {
  const only = process.env.BENCH_ONLY?.split(',')
  return only ? measures.filter(({ name }) => only.includes(name)) : measures
}

/** Sends one request of each measure to a hospital at rest and keeps the statements it sent to PostgreSQL. */
export async function recordMeasures(bench: BenchHospital, { services, url }: RunningHospital): Promise<BareTask['recordings']> {
  const recordings: BareTask['recordings'] = {}
  for (const { name, as, kind, sample } of wanted()) {
    const person = await bench.signIn(url, as)
    const send = async (nth: number): Promise<Buffer> => {
      const { path, body } = sample(bench, nth)
      const init = body === undefined ? {} : { method: 'POST', body, headers: { 'content-type': 'application/fhir+json' } }
      const response = await person.fetch(path, init)
      if (!response.ok) throw new Error(`${name}: ${response.status} ${await response.text()}`)
      return Buffer.from(await response.arrayBuffer())
    }
    if (name === 'chart') await makeCharts(bench, person)
    // The first request also looks up who asks. It is about another patient: what is kept of one would not be asked for.
    await send(0)
    recordings[name] =
      kind === 'read'
        ? await recordRead(services.store, sample(bench, 1).subject ?? '', () => send(1))
        : await recordWrite(services.store, [SHARED, BRANCH], () => send(1))
    if (process.env.BENCH_SHOW_STATEMENTS) bench.say(JSON.stringify(recordings[name]?.stages.map((stage) => stage.map(({ text }) => text)), null, 1))
  }
  return recordings
}

interface Servers {
  ours: { url: string; pid: number }
  bare: { url: string; pid: number }
  postmaster: number
}

interface Result {
  measure: Measure
  ours: Measured
  bare: Measured
}

const middle = (runs: readonly Measured[]): Measured => ({
  answers: median(runs.map(({ answers }) => answers)),
  perSecond: median(runs.map(({ perSecond }) => perSecond)),
  p50: median(runs.map(({ p50 }) => p50)),
  p99: median(runs.map(({ p99 }) => p99)),
  processor: median(runs.map(({ processor }) => processor)),
  database: median(runs.map(({ database }) => database)),
})

/** Runs every measure against both, in turns, and prints the table. */
export async function benchFhir(bench: BenchHospital, servers: Servers): Promise<void> {
  const results: Result[] = []
  for (const measure of wanted()) {
    bench.say(`  ${measure.title}`)
    const person = await bench.signIn(servers.ours.url, measure.as)
    const { ours, bare } = loadsOf(measure, bench, person, servers)
    await ask(ours, WARM_UP_SECONDS, measure.title)
    await bench.settle()
    await ask(bare, WARM_UP_SECONDS, `${measure.title}, bare`)
    const runs: { ours: Measured[]; bare: Measured[] } = { ours: [], bare: [] }
    for (let round = 0; round < ROUNDS; round++) {
      runs.ours.push(await ask(ours, SECONDS, measure.title))
      // What the writes set off runs to its end on nobody else's time.
      await bench.settle()
      runs.bare.push(await ask(bare, SECONDS, `${measure.title}, bare`))
    }
    results.push({ measure, ours: middle(runs.ours), bare: middle(runs.bare) })
  }
  printTable(results, bench.say)
  const memory = peakMemory(servers.ours.pid)
  if (memory !== undefined) bench.say(`\nMost memory of the server process under this load: ${Math.round(memory)} MB (aim: below 400 MB)`)
}

function loadsOf(measure: Measure, bench: BenchHospital, { token }: Person, servers: Servers): { ours: Load; bare: Load } {
  const requests = measure.requests(bench)
  const { postmaster } = servers
  const choose = measure.name === 'everything' ? longRecord : everyPatient
  return {
    ours: { ...servers.ours, postmaster, token, ...requests },
    bare: {
      ...servers.bare,
      postmaster,
      method: requests.method,
      // The same bodies go over the wire; the bare handler takes them and does not look.
      next: (nth, ...connection) => ({ ...requests.next(nth, ...connection), path: measure.kind === 'read' ? `/${measure.name}/${choose(bench, nth)}` : `/${measure.name}` }),
    },
  }
}

/** Makes every chart once: the measure is of charts that are as new as the record, for both sides. */
async function makeCharts(bench: BenchHospital, person: Person): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < bench.patients.length) {
      const id = bench.patients[next++] as string
      const response = await person.fetch(`/api/aggregate/patients/${id}`)
      if (!response.ok) throw new Error(`chart: ${response.status}`)
      await response.arrayBuffer()
    }
  }
  await Promise.all(Array.from({ length: 8 }, worker))
}

function printTable(results: readonly Result[], say: (line: string) => void): void {
  const cells = results.map(({ measure, ours, bare }) => [
    measure.title,
    measure.kind,
    rate(ours.perSecond),
    time(ours.p50),
    time(ours.p99),
    ours.processor.toFixed(2),
    ours.database.toFixed(2),
    rate(bare.perSecond),
    time(bare.p50),
    time(bare.p99),
    bare.processor.toFixed(2),
    bare.database.toFixed(2),
    `${Math.round((ours.perSecond / bare.perSecond) * 100)} %`,
    measure.medplum === undefined ? '' : String(measure.medplum),
    measure.medplum === undefined ? '' : `${(ours.perSecond / measure.medplum).toFixed(1)} x`,
  ])
  const head = ['', '', 'req/s', 'p50 ms', 'p99 ms', 'node ms', 'db ms', 'bare/s', 'p50 ms', 'p99 ms', 'node ms', 'db ms', 'of bare', 'Medplum 5.1', 'multiple']
  const widths = head.map((title, at) => Math.max(title.length, ...cells.map((row) => row[at]?.length ?? 0)))
  const line = (row: readonly string[]): string => row.map((cell, at) => (at < 2 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join('  ')
  say(`\n${CONNECTIONS} connections, ${ROUNDS} runs of ${SECONDS} s each in turns, medians. Ours with sign-in, row-level security,`)
  say('encryption and audit; bare: the same statements without any of it; Medplum 5.1 as published, audit off.')
  say('node, db: processor time of the node process and of PostgreSQL for one request, which other load changes little.\n')
  say(line(head))
  say(widths.map((width) => '-'.repeat(width)).join('  '))
  for (const row of cells) say(line(row))
  say('\nAims: 70 % of bare for reads, 60 % for writes, 10 times Medplum.')
}

const rate = (value: number): string => (value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en'))
const time = (value: number): string => value.toFixed(1)
