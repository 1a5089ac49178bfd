import { readFileSync } from 'node:fs'
import type { BenchHospital, Person } from './hospital.ts'

const LOOK_MILLISECONDS = 200

/** Memory that a process holds now, in MB (VmRSS); NaN where the system does not say. */
function memoryOf(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
  } catch {
    return Number.NaN
  }
}

interface Manifest {
  output: { url: string; count: number }[]
}

/** A whole export, then its download: resources a second, and the memory meanwhile. */
export async function benchExport(bench: BenchHospital, { url, pid }: { url: string; pid: number }): Promise<void> {
  const client = await bench.signIn(url, 'client')
  const say = (what: string, resources: number, seconds: number, memory: number): void =>
    bench.say(`  ${what.padEnd(34)} ${String(resources).padStart(8)} resources  ${String(Math.round(resources / seconds)).padStart(7)} a second  most memory ${Math.round(memory)} MB`)
  bench.say(`  before: ${Math.round(memoryOf(pid))} MB`)
  let last: Manifest = { output: [] }
  for (const [what, path] of [
    ['export of everything', '/$export'],
    ['the same again', '/$export'],
    ['of what a search has to look at', `/$export?_typeFilter=${encodeURIComponent('Observation?code:text=hemo')}`],
    ['elements', '/$export?_elements=id,status'],
  ] as const) {
    const { manifest, seconds, memory } = await job(client, url, pid, path)
    say(what, countOf(manifest), seconds, memory)
    if (path === '/$export') last = manifest
  }
  const began = performance.now()
  let most = 0
  let bytes = 0
  for (const file of last.output) {
    const response = await client.fetch(file.url.replace(url, ''))
    for await (const part of response.body ?? []) {
      bytes += (part as Uint8Array).length
      most = Math.max(most, memoryOf(pid))
    }
  }
  say(`download, ${Math.round(bytes / 1024 / 1024)} MB of lines`, countOf(last), (performance.now() - began) / 1000, most)
}

const countOf = ({ output }: Manifest): number => output.reduce((sum, { count }) => sum + count, 0)

async function job({ fetch }: Person, url: string, pid: number, path: string): Promise<{ manifest: Manifest; seconds: number; memory: number }> {
  const began = performance.now()
  const response = await fetch(`/fhir/R4${path}`, { headers: { prefer: 'respond-async' } })
  const status = (response.headers.get('content-location') ?? '').replace(url, '')
  let memory = 0
  for (;;) {
    memory = Math.max(memory, memoryOf(pid))
    const answer = await fetch(status)
    const text = await answer.text()
    if (answer.status === 200) return { manifest: JSON.parse(text) as Manifest, seconds: (performance.now() - began) / 1000, memory }
    if (answer.status !== 202) throw new Error(`${path}: ${answer.status} ${text}`)
    await new Promise((resolve) => setTimeout(resolve, LOOK_MILLISECONDS))
  }
}
