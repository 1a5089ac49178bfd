// `npm run bench`: both parts. `-- fhir`: requests a second beside a bare handler. `-- alerts`: how soon a critical
// result is on the provider's screen. `-- export`: a bulk export and the memory it takes; not part of both.
import { ALERT_PATIENTS, benchAlerts } from './alerts.ts'
import { benchExport } from './export.ts'
import { benchFhir, recordMeasures } from './fhir.ts'
import { BenchHospital, peakMemory } from './hospital.ts'

const say = (line: string): void => void process.stdout.write(`${line}\n`)

const part = process.argv[2]
if (part !== undefined && part !== 'fhir' && part !== 'alerts' && part !== 'export') {
  process.stderr.write('Usage: npm run bench [-- fhir | alerts | export]\n')
  process.exit(2)
}
const withFhir = part !== 'alerts'
const withAlerts = part !== 'fhir'

async function run(bench: BenchHospital): Promise<void> {
  const fullSize = { patients: 1000, observations: Number(process.env.BENCH_OBSERVATIONS ?? 50_000), long: 20, longEntries: 500 }
  if (part === 'export') {
    await bench.withQuietHospital(async (hospital) => {
      await bench.addAccounts(hospital)
      await bench.load(hospital, fullSize)
    })
    return await benchExport(bench, await bench.startServer())
  }
  const recordings = await bench.withQuietHospital(async (hospital) => {
    await bench.addAccounts(hospital)
    say('Loading the record')
    await bench.load(hospital, withFhir ? fullSize : { patients: ALERT_PATIENTS, observations: 0, long: 0, longEntries: 0 })
    return withFhir ? await recordMeasures(bench, hospital) : {}
  })
  const bare = withFhir ? await bench.startBareHandler(recordings) : undefined
  const server = await bench.startServer()
  if (bare) {
    say('Measuring')
    await benchFhir(bench, { ours: server, bare, postmaster: bench.postmaster })
  }
  if (withAlerts) {
    say('\nFrom critical result to alert')
    await benchAlerts(bench, server)
    const memory = peakMemory(server.pid)
    if (memory !== undefined) say(`Most memory of the server process: ${Math.round(memory)} MB (aim: below 400 MB)`)
  }
}

say('Starting PostgreSQL')
const bench = await BenchHospital.make(say)
let closing: Promise<void> | undefined
const close = (): Promise<void> => (closing ??= bench.close())
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => void close().finally(() => process.exit(130)))
}
try {
  await run(bench)
} catch (error) {
  if (closing === undefined) process.stderr.write(`\nThe bench failed: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
} finally {
  await close()
}
process.exit()
