import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Bundle } from '@carespine/fhir/resource'
import type { BenchHospital } from './hospital.ts'
import { ask, type Measured } from './load.ts'

const SYNTHEA = fileURLToPath(new URL('../../shared/cases/synthea-r4.tar.gz', import.meta.url))
const WRITERS = 8
const WARM_UP_SECONDS = 10

/** A transaction whose ids are replaced at each sending, so that each is of a new patient. */
interface Template {
  entries: number
  /** What stands between ids; of the ids, which of the bundle's. */
  parts: { text: string; id?: number }[]
  ids: number
}

const ID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g

function templateOf(text: string): Template {
  const { entry = [] } = JSON.parse(text) as Bundle
  const own = new Map(entry.map(({ fullUrl = '' }, at) => [fullUrl.slice('urn:uuid:'.length), at]))
  const parts: Template['parts'] = []
  let from = 0
  for (const { 0: found, index } of text.matchAll(ID)) {
    const id = own.get(found)
    if (id === undefined) continue
    parts.push({ text: text.slice(from, index), id })
    from = index + found.length
  }
  parts.push({ text: text.slice(from) })
  return { entries: entry.length, parts, ids: entry.length }
}

function fresh({ parts, ids }: Template): string {
  const replaced = Array.from({ length: ids }, () => randomUUID())
  return parts.map(({ text, id }) => (id === undefined ? text : text + replaced[id])).join('')
}

function templates(bench: BenchHospital): Template[] | undefined {
  if (!existsSync(SYNTHEA)) return undefined
  execFileSync('tar', ['-xzf', SYNTHEA, '-C', bench.folder])
  const folder = join(bench.folder, 'synthea-r4')
  return readdirSync(folder).sort().map((name) => templateOf(readFileSync(join(folder, name), 'utf8')))
}

/** Transactions of whole Synthea records, each of a new patient, from eight writers. */
export async function loadSynthea(bench: BenchHospital, server: { url: string; pid: number }, seconds: number): Promise<void> {
  const bundles = templates(bench)
  if (!bundles) {
    bench.say(`SKIPPED: there are no Synthea bundles at ${SYNTHEA}`)
    return
  }
  const { token } = await bench.signIn(server.url, 'client')
  let entries = 0
  const load = {
    ...server,
    postmaster: bench.postmaster,
    token,
    method: 'POST' as const,
    connections: WRITERS,
    next(nth: number) {
      const bundle = bundles[(nth * 7) % bundles.length] as Template
      entries += bundle.entries
      return { path: '/fhir/R4/', body: fresh(bundle) }
    },
  }
  await ask(load, WARM_UP_SECONDS, 'Synthea bundles')
  entries = 0
  const before = await walBytes(bench)
  const measured = await ask(load, seconds, 'Synthea bundles')
  tell(bench, measured, entries, (await walBytes(bench)) - before)
}

function tell(bench: BenchHospital, { answers, perSecond, p50, p99, processor, database }: Measured, entries: number, wal: number): void {
  const size = entries / answers
  const number = (value: number): string => Math.round(value).toLocaleString('en')
  bench.say(`\nTransactions of Synthea records, ${WRITERS} writers (published for 8 vCPU: Aidbox 2,678, HAPI 2,214, Medplum 764 resources a second)`)
  bench.say(`  ${number(perSecond * size)} resources a second, ${answers} bundles of ${number(size)} on average, p50 ${number(p50)} ms, p99 ${number(p99)} ms`)
  bench.say(`  of one resource: node ${(processor / size).toFixed(2)} ms, db ${(database / size).toFixed(2)} ms, ${number(wal / entries)} bytes of write-ahead log`)
}

async function walBytes(bench: BenchHospital): Promise<number> {
  return await bench.asOwner(async (client) => {
    const { rows } = await client.query<{ bytes: string }>("select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') as bytes")
    return Number(rows[0]?.bytes)
  })
}
