import { startEncounter } from '@carespine/encounters/contract'
import { collectSpecimen, enterResults, receiveSpecimen, releaseResult } from '@carespine/lab/contract'
import { analyserMessage, MllpClient } from '@carespine/link-hl7v2/mllp-client'
import { placeOrder } from '@carespine/orders/contract'
import { panelByCode } from '@carespine/pack-core/panels'
import { io, type Socket } from 'socket.io-client'
import type { BenchHospital, Person } from './hospital.ts'
import { percentile } from './load.ts'

const PER_SECOND = 20
const SECONDS = Number(process.env.BENCH_ALERT_SECONDS ?? 30)
/** Results that a person releases while the messages come in. */
const RELEASES_PER_SECOND = 2
const ANALYSERS = 4

/** Orders and messages of one run need this many patients. */
export const ALERT_PATIENTS = (PER_SECOND + RELEASES_PER_SECOND) * SECONDS

const values: Readonly<Record<string, number>> = { '6690-2': 7, '789-8': 4.6, '718-7': 6.1, '4544-3': 41, '787-2': 88, '785-6': 29, '786-4': 33, '788-0': 13, '777-3': 250 }

interface Order {
  patientId: string
  orderId: string
  accession: string
}

/** From a critical result to the provider's screen, while an analyser room sends 20 messages a second. */
export async function benchAlerts(bench: BenchHospital, server: { url: string; hl7Port: number }): Promise<void> {
  const provider = await bench.signIn(server.url, 'provider')
  const lab = await bench.signIn(server.url, 'lab')
  const patients = [...bench.patients].reverse().slice(0, ALERT_PATIENTS)
  if (patients.length < ALERT_PATIENTS) throw new Error(`${ALERT_PATIENTS} patients are needed`)
  bench.say(`  ${ALERT_PATIENTS} orders, one for each patient`)
  const orders = await inParallel(patients, 6, (patientId) => orderFor(patientId, provider, lab))
  const byHand = orders.slice(0, RELEASES_PER_SECOND * SECONDS)
  await inParallel(byHand, 6, async ({ orderId, accession }) => {
    await lab.call(receiveSpecimen, { accession })
    await lab.call(enterResults, { orderId, values: Object.entries(values).map(([code, value]) => ({ code, value })) })
  })
  await bench.settle()

  const alerts = new Map<string, number[]>()
  const socket = await connect(server.url, provider.token)
  socket.on('critical_alert', ({ patientId }: { patientId: string }) => {
    alerts.set(patientId, [...(alerts.get(patientId) ?? []), performance.now()])
  })
  bench.say(`  ${PER_SECOND} messages a second for ${SECONDS} s, ${RELEASES_PER_SECOND} releases a second beside them`)
  const messages = await sendMessages(orders.slice(byHand.length), server.hl7Port)
  const releases = byHand.map(async ({ orderId, patientId }, nth) => {
    await until(messages.began + (nth * 1000) / RELEASES_PER_SECOND + 25)
    const sent = performance.now()
    const { critical } = await lab.call(releaseResult, { orderId })
    if (!critical) throw new Error('A critical value was released as harmless')
    return { patientId, sent, answered: performance.now() }
  })
  const [sentMessages, released] = await Promise.all([messages.all, Promise.all(releases)])
  const expected = orders.length
  const last = performance.now()
  while (alerts.size < expected && performance.now() - last < 20_000) await new Promise((resolve) => setTimeout(resolve, 50))
  await bench.settle()
  socket.close()
  messages.close()

  const missing = orders.filter(({ patientId }) => !alerts.has(patientId)).length
  const twice = [...alerts.values()].filter(({ length }) => length > 1).length
  if (missing > 0 || twice > 0) throw new Error(`${missing} of ${expected} alerts did not come, ${twice} came more than once`)
  const arrival = (patientId: string): number => alerts.get(patientId)?.[0] ?? Number.NaN
  const rows: [string, number[]][] = [
    ['ORU to acknowledgement', sentMessages.map(({ sent, answered }) => answered - sent)],
    ['ORU to alert', sentMessages.map(({ patientId, sent }) => arrival(patientId) - sent)],
    // The event may overtake the answer: then nothing is left to wait for.
    ['release answered to alert', released.map(({ patientId, answered }) => Math.max(0, arrival(patientId) - answered))],
    ['release sent to alert', released.map(({ patientId, sent }) => arrival(patientId) - sent)],
  ]
  bench.say(`\n${'milliseconds'.padEnd(28)}${'count'.padStart(7)}${'p50'.padStart(9)}${'p99'.padStart(9)}${'most'.padStart(9)}`)
  for (const [name, times] of rows) {
    times.sort((a, b) => a - b)
    const figures = [percentile(times, 0.5), percentile(times, 0.99), times.at(-1) ?? Number.NaN]
    bench.say(`${name.padEnd(28)}${String(times.length).padStart(7)}${figures.map((figure) => figure.toFixed(0).padStart(9)).join('')}`)
  }
  bench.say('\nAim: 99 of 100 alerts within 1,000 ms. Every message had its alert, once.')
}

async function orderFor(patientId: string, provider: Person, lab: Person): Promise<Order> {
  const { encounterId } = await provider.call(startEncounter, { patientId, reason: 'Fatigue' })
  const { orders } = await provider.call(placeOrder, { encounterId, panels: ['cbc'] })
  const orderId = orders[0]?.orderId ?? ''
  // The laboratory's own task is made by the order's event; a specimen cannot be taken before it is there.
  for (let attempt = 1; ; attempt++) {
    try {
      const { accession } = await lab.call(collectSpecimen, { orderId })
      return { patientId, orderId, accession }
    } catch (error) {
      if (attempt === 40) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

async function sendMessages(
  orders: readonly Order[],
  port: number,
): Promise<{ began: number; all: Promise<{ patientId: string; sent: number; answered: number }[]>; close(): void }> {
  const analysers = await Promise.all(Array.from({ length: ANALYSERS }, () => MllpClient.open(port)))
  const units = new Map(panelByCode('cbc')?.analytes.map(({ code, unit }) => [code, unit]))
  const began = performance.now() + 200
  const all = Promise.all(
    orders.map(async ({ accession, patientId }, nth) => {
      const message = analyserMessage({
        controlId: `BENCH-${nth}`,
        accession,
        panel: 'CBC',
        at: new Date(),
        values: Object.entries(values).map(([code, value]) => ({ code, value, unit: units.get(code) ?? '' })),
      })
      await until(began + (nth * 1000) / PER_SECOND)
      const sent = performance.now()
      const answer = await analysers[nth % ANALYSERS]?.send(message)
      if (!answer?.includes(`MSA|AA|BENCH-${nth}`)) throw new Error(`A message was not accepted: ${answer?.replaceAll('\r', ' ')}`)
      return { patientId, sent, answered: performance.now() }
    }),
  )
  all.catch(() => undefined)
  return { began, all, close: () => analysers.forEach((analyser) => void analyser.close()) }
}

function connect(url: string, token: string): Promise<Socket> {
  const socket = io(url, { auth: { token }, transports: ['websocket'], reconnection: false })
  return new Promise((resolve, reject) => {
    socket.on('connect', () => resolve(socket))
    socket.on('connect_error', reject)
  })
}

function until(moment: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, moment - performance.now())))
}

async function inParallel<T, R>(items: readonly T[], width: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const at = next++
      results[at] = await work(items[at] as T)
    }
  }
  await Promise.all(Array.from({ length: width }, worker))
  return results
}
