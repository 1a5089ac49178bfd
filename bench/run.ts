// `npm run bench`: both parts. `-- fhir`: requests a second beside a bare handler. `-- alerts`: how soon a critical
// result is on the provider's screen. `-- export`: a bulk export and the memory it takes; not part of both.
// Nor is `-- scale`: searches on 100,000 resources and on 2,000,000, which take a while to load and some 8 GB meanwhile.
// `-- load`: whole Synthea records from eight writers, and a mix of creates, reads, updates and deletes.
// `-- scale --from 20000 --to 400000` for other sizes.
import { parseArgs } from 'node:util'
import { ALERT_PATIENTS, benchAlerts } from './alerts.ts'
import { benchExport } from './export.ts'
import { benchFhir, recordMeasures } from './fhir.ts'
import { BenchHospital, peakMemory } from './hospital.ts'
import { loadMix } from './load-mix.ts'
import { loadSynthea } from './load-synthea.ts'
import { benchScale } from './scale.ts'

const say = (line: string): void => void process.stdout.write(`${line}\n`)

const { values: sizes, positionals } = parseArgs({ allowPositionals: true, options: { from: { type: 'string', default: '100000' }, to: { type: 'string', default: '2000000' } } })
const part = positionals[0]
if (part !== undefined && !['fhir', 'alerts', 'export', 'load', 'scale'].includes(part)) {
  process.stderr.write('Usage: npm run bench [-- fhir | alerts | export | load | scale [--from 100000] [--to 2000000]]\n')
  process.exit(2)
}
const withFhir = part !== 'alerts'
const withAlerts = part !== 'fhir'

async function run(bench: BenchHospital): Promise<void> {
  const fullSize = { patients: 1000, observations: Number(process.env.BENCH_OBSERVATIONS ?? 50_000), long: 20, longEntries: 500 }
  if (part === 'scale') return await benchScale(bench, { from: Number(sizes.from), to: Number(sizes.to) })
  if (part === 'load') {
    await bench.withQuietHospital((hospital) => bench.addAccounts(hospital))
    const server = await bench.startServer()
    const seconds = Number(process.env.BENCH_SECONDS ?? 30)
    await loadSynthea(bench, server, seconds)
    return await loadMix(bench, server, seconds)
  }
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
