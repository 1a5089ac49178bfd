import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getReport, getWorklist } from '@carespine/lab/contract'
import { listUnmatched } from '@carespine/link-hl7v2/contract'
import { MllpClient } from '@carespine/link-hl7v2/mllp-client'
import { listNotifications } from '@carespine/notifications/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Caller, criticalResult, fillDataFolder, ServerProcess } from './server-process.ts'

let dataFolder: string
let server: ServerProcess
let hub: Caller
let provider: Caller
let lab: Caller
const pause = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds))

beforeAll(async () => {
  dataFolder = await mkdtemp(join(tmpdir(), 'carespine-kill-'))
  await fillDataFolder(dataFolder)
  server = await ServerProcess.on(dataFolder)
  await server.start()
  await signIn()
})

afterAll(async () => {
  if (server?.hasEnded === false) await server.kill('SIGTERM')
  else await server?.postmaster().then((left) => process.kill(left, 'SIGQUIT')).catch(() => undefined)
  await rm(dataFolder, { recursive: true, force: true })
})

async function signIn(): Promise<void> {
  ;[hub, provider, lab] = [await server.signIn('hub'), await server.signIn('provider'), await server.signIn('lab')]
}

let results = 0
async function waitingResult() {
  results += 1
  return await criticalResult({ hub, provider, lab }, results)
}

async function send(message: string): Promise<string> {
  const analyser = await MllpClient.open(server.hl7Port)
  try {
    return await analyser.send(message)
  } finally {
    analyser.close()
  }
}

async function alertsAbout(patientId: string) {
  return (await provider(listNotifications, {})).notifications.filter((one) => one.patientId === patientId && one.type === 'lab.critical')
}

/** Waits for the alert, then long enough for a second one to show itself. */
async function expectOneAlertAndReport({ patientId }: { patientId: string }): Promise<void> {
  for (let waited = 0; waited < 15_000 && (await alertsAbout(patientId)).length === 0; waited += 50) await pause(50)
  await pause(400)
  expect(await alertsAbout(patientId)).toHaveLength(1)
  const released = (await lab(getWorklist, { queue: 'released' })).rows.filter((row) => row.patientId === patientId)
  expect(released).toHaveLength(1)
  const { report, trends } = await provider(getReport, { reportId: released[0]?.reportId ?? '' })
  expect(report.status).toBe('final')
  expect(trends.find(({ code }) => code === '718-7')?.points).toHaveLength(1)
  expect((await lab(listUnmatched, {})).total).toBe(0)
}

describe('the server is killed', () => {
  test.each([0, 5, 20, 60])('%i ms after it said AA to a critical result: the alert comes once, with one report', async (delay) => {
    const waiting = await waitingResult()
    expect(await send(waiting.message)).toContain(`MSA|AA|${waiting.controlId}`)
    if (delay > 0) await pause(delay)
    await server.kill()
    await server.start()
    await signIn()
    // The analyser cannot know whether its message arrived.
    expect(await send(waiting.message)).toContain(`MSA|AA|${waiting.controlId}`)
    await expectOneAlertAndReport(waiting)
  })

  test('before it said AA: sending again gives the alert once', async () => {
    const waiting = await waitingResult()
    const analyser = await MllpClient.open(server.hl7Port)
    const answer = analyser.send(waiting.message).catch(() => 'none')
    await pause(3)
    await server.kill()
    await answer
    analyser.close()
    await server.start()
    await signIn()
    expect(await send(waiting.message)).toContain(`MSA|AA|${waiting.controlId}`)
    await expectOneAlertAndReport(waiting)
  })

  test('the next start takes over the lock and the database that was left behind', async () => {
    const database = await server.postmaster()
    await server.kill()
    process.kill(database, 0)
    await server.start()
    expect(server.said).toContain('Taking over the database of the last run')
    expect(await server.postmaster()).toBe(database)
    await signIn()
  })
})

describe('the database is killed', () => {
  test('under a running server: it says that it is not ready, brings the database back, and the alert comes once', async () => {
    // Of the two, one result comes just before the end and one during the outage.
    const [before, during] = [await waitingResult(), await waitingResult()]
    expect(await send(before.message)).toContain(`MSA|AA|${before.controlId}`)
    const dead = await server.postmaster()
    process.kill(dead, 'SIGKILL')
    const statuses = new Set<number>()
    const watching = (async () => {
      for (let waited = 0; waited < 20_000; waited += 10) {
        const status = await server.readiness()
        const isBack = status === 200 && statuses.has(503)
        statuses.add(status)
        if (isBack) return
        await pause(10)
      }
    })()
    const answer = await send(during.message)
    await watching
    expect([...statuses].toSorted()).toEqual(expect.arrayContaining([200, 503]))
    expect(statuses.has(0)).toBe(false)
    expect(server.hasEnded).toBe(false)
    expect(await server.postmaster()).not.toBe(dead)
    expect(answer).toMatch(/MSA\|(AA|AE)\|/)
    expect(await send(during.message)).toContain(`MSA|AA|${during.controlId}`)
    await expectOneAlertAndReport(before)
    await expectOneAlertAndReport(during)
  })

  test('together with the server: the next start recovers what was acknowledged', async () => {
    const waiting = await waitingResult()
    expect(await send(waiting.message)).toContain(`MSA|AA|${waiting.controlId}`)
    process.kill(await server.postmaster(), 'SIGKILL')
    await server.kill()
    await server.start()
    await signIn()
    await expectOneAlertAndReport(waiting)
  })
})

describe('a start that cannot be', () => {
  test.each(['PORT', 'HL7_PORT'] as const)('a port that is taken is said in one line that names %s', async (variable) => {
    const other = createServer()
    await new Promise<void>((done) => other.listen(0, '127.0.0.1', done))
    const { port } = other.address() as { port: number }
    const folder = await mkdtemp(join(tmpdir(), 'carespine-port-'))
    try {
      const second = await ServerProcess.on(folder, variable === 'PORT' ? { port } : { hl7Port: port })
      second.launch()
      expect(await second.ended()).toBe(1)
      expect(second.said.trim().split('\n').at(-1)).toBe(`Port ${port} is in use. Set ${variable} to another one: ${variable}=${port + 1} npm start`)
    } finally {
      other.close()
      await rm(folder, { recursive: true, force: true })
    }
  })

  test('a second server on the same data folder is told which process serves it', async () => {
    const second = await ServerProcess.on(dataFolder)
    second.launch()
    expect(await second.ended()).toBe(1)
    expect(second.said).toMatch(/Process \d+ already serves .*CARESPINE_DATA/)
    expect(await server.readiness()).toBe(200)
  })
})
