import { getEncounter, listEncounters, listProviders, startEncounter, takeOverEncounter } from '@carespine/encounters/contract'
import { createUser } from '@carespine/identity/contract'
import { registerPatient } from '@carespine/registration/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BRANCHES, PASSWORD, type SignedInUser, startTestHospital, type TestHospital } from './test-hospital.ts'

let hospital: TestHospital
let desk: SignedInUser
let provider: SignedInUser

beforeAll(async () => {
  hospital = await startTestHospital()
  desk = await hospital.signIn('hub')
  provider = await hospital.signIn('provider')
}, 60_000)
afterAll(async () => {
  await hospital?.close()
})

const families = ['Haddad', 'Qabbani', 'Mansour', 'Zahrani', 'Otaibi', 'Shammari', 'Bakri', 'Darwish', 'Najjar', 'Ghamdi', 'Rashidi', 'Yami', 'Thaqafi', 'Khalidi', 'Subaie', 'Malki']
let registered = 0
/** Somebody whom nobody resembles. */
async function newPatient(): Promise<string> {
  const family = families[registered] ?? `Family${registered}`
  registered += 1
  const birthDate = `${1940 + registered * 3}-${String(1 + (registered % 12)).padStart(2, '0')}-${String(3 + registered).padStart(2, '0')}`
  return (await desk.call(registerPatient, { name: { given: `${family.slice(0, 3)}a`, family }, sex: 'female', birthDate })).patientId
}

async function visit(encounterId: string) {
  return (await provider.call(getEncounter, { encounterId })).encounter
}

describe('who answers for a visit', () => {
  test('one that the desk starts waits on the list of unclaimed ones until a provider takes it over', async () => {
    const { encounterId } = await desk.call(startEncounter, { patientId: await newPatient() })
    expect((await visit(encounterId))?.practitionerId).toBeUndefined()
    const ids = async (whose: 'mine' | 'unclaimed') => (await provider.call(listEncounters, { whose })).encounters.map(({ id }) => id)
    expect(await ids('unclaimed')).toContain(encounterId)
    expect(await ids('mine')).not.toContain(encounterId)

    await provider.call(takeOverEncounter, { encounterId })
    expect(await ids('unclaimed')).not.toContain(encounterId)
    expect(await ids('mine')).toContain(encounterId)
    expect(await visit(encounterId)).toMatchObject({ practitionerId: 'provider-main', practitioner: 'provider main' })
  })

  test('when two take it over at once, one gets it and the other is told', async () => {
    const admin = await hospital.signIn('admin')
    await admin.call(createUser, { email: 'colleague@main.example', password: PASSWORD, display: 'Dr Colleague', roles: ['provider'], branches: [BRANCHES.main] })
    const colleague = await hospital.signInAs('colleague@main.example', 'provider')
    expect((await desk.call(listProviders, {})).providers.map(({ name }) => name)).toEqual(['Dr Colleague', 'provider main'])
    const { encounterId } = await desk.call(startEncounter, { patientId: await newPatient() })
    const answers = await Promise.allSettled([provider, colleague, provider].map((user) => user.call(takeOverEncounter, { encounterId })))
    const refused = answers.flatMap((answer) => (answer.status === 'rejected' ? [(answer.reason as Error).message] : []))
    expect(refused.length).toBeGreaterThan(0)
    expect(new Set(refused)).toEqual(new Set(['ENCOUNTERS_TAKEN']))
    expect(['provider main', 'Dr Colleague']).toContain((await visit(encounterId))?.practitioner)
    // Whoever has it and asks again changes nothing.
    const mine = await provider.call(startEncounter, { patientId: await newPatient() })
    const version = (await visit(mine.encounterId))?.version
    expect((await provider.call(takeOverEncounter, { encounterId: mine.encounterId })).version).toBe(version)
  })

  test('a clerk or a nurse cannot take one over', async () => {
    const { encounterId } = await desk.call(startEncounter, { patientId: await newPatient() })
    for (const role of ['hub', 'nurse']) {
      const user = await hospital.signIn(role)
      await expect(user.call(takeOverEncounter, { encounterId })).rejects.toMatchObject({ message: 'ENCOUNTERS_PROVIDER_NEEDED', status: 403 })
    }
  })

  test('the desk is offered the providers of its own branch, and names one', async () => {
    const { providers } = await desk.call(listProviders, {})
    expect(providers).toContainEqual({ id: 'provider-main', name: 'provider main' })
    expect(providers.some(({ name }) => name.includes('other'))).toBe(false)
    const { encounterId } = await desk.call(startEncounter, { patientId: await newPatient(), practitioners: ['provider-main'] })
    expect((await visit(encounterId))?.practitioner).toBe('provider main')
    await expect(desk.call(startEncounter, { patientId: await newPatient(), practitioners: ['nobody'] })).rejects.toMatchObject({ message: 'ENCOUNTERS_PROVIDER_UNKNOWN' })
  })
})

describe('why somebody comes', () => {
  test('a reason of the catalogue is on record in both languages', async () => {
    const { encounterId } = await desk.call(startEncounter, { patientId: await newPatient(), reasonCode: 'chest-pain', reason: 'since last night' })
    expect(await visit(encounterId)).toMatchObject({ reason: 'Chest pain', reasonArabic: 'ألم في الصدر' })
  })

  test('one that the catalogue lacks is kept as it was written, and a code that it lacks is refused', async () => {
    const patientId = await newPatient()
    const { encounterId } = await desk.call(startEncounter, { patientId, reason: 'Swallowed a coin' })
    const found = await visit(encounterId)
    expect(found?.reason).toBe('Swallowed a coin')
    expect(found?.reasonArabic).toBeUndefined()
    await expect(desk.call(startEncounter, { patientId, reasonCode: 'coin' })).rejects.toMatchObject({ message: 'ENCOUNTERS_REASON_UNKNOWN' })
  })
})

test('the list of open visits comes in pages, each visit once, latest first', async () => {
  for (let i = 0; i < 5; i += 1) await desk.call(startEncounter, { patientId: await newPatient() })
  const seen: string[] = []
  const starts: string[] = []
  let cursor: string | undefined
  do {
    const page: { encounters: { id: string; start?: string | undefined }[]; next?: string | undefined } = await desk.call(listEncounters, { limit: 3, ...(cursor ? { cursor } : {}) })
    seen.push(...page.encounters.map(({ id }) => id))
    starts.push(...page.encounters.map(({ start }) => start ?? ''))
    cursor = page.next
  } while (cursor !== undefined)
  expect(seen.length).toBeGreaterThan(5)
  expect(new Set(seen).size).toBe(seen.length)
  expect(starts).toEqual([...starts].sort().reverse())
})
