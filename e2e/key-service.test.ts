import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '@carespine/kit/config'
import { registerPatient, searchPatients } from '@carespine/registration/contract'
import { startHospital } from '@carespine/server/hospital-server'
import { type KeyEncryption, keysInEnvironment, keysInFile, KeyServiceFault, WrongKeyEncryptionKey } from '@carespine/store/key-encryption'
import { VaultKeys } from '@carespine/store/vault-keys'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { KeyService } from './key-service.ts'
import { startTestHospital, type TestHospital } from './test-hospital.ts'

const pause = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds))
let service: KeyService
let folder: string

beforeAll(async () => {
  service = await new KeyService().start()
  folder = await mkdtemp(join(tmpdir(), 'carespine-keys-'))
})
afterAll(async () => {
  await service.stop()
  await rm(folder, { recursive: true, force: true })
})

const vault = (key = 'carespine') => new VaultKeys({ url: service.url, key, mount: 'transit', token: { value: service.token }, leaseMinutes: 60, patience: 300 })
const text = (): string => randomBytes(32).toString('base64')

/** Each as it is, as it is after a rotation, and another one that never was the same. */
const kinds: Record<string, () => Promise<{ keys: KeyEncryption; rotate(): Promise<KeyEncryption>; other: KeyEncryption }>> = {
  environment: async () => {
    const one = text()
    return { keys: keysInEnvironment(one), rotate: async () => keysInEnvironment(`${text()},${one}`), other: keysInEnvironment(text()) }
  },
  file: async () => {
    const [file, one] = [join(folder, 'kek'), text()]
    await writeFile(file, `${one}\n`)
    const keys = keysInFile(file)
    await writeFile(join(folder, 'other'), text())
    return {
      keys,
      rotate: async () => {
        await writeFile(file, `${text()}\n${one}\n`)
        return keys
      },
      other: keysInFile(join(folder, 'other')),
    }
  },
  'key service': async () => ({
    keys: vault(),
    rotate: async () => {
      service.rotate()
      return vault()
    },
    other: await vault('other').wrap(randomBytes(32), 'x').then(() => vault('other')),
  }),
}

describe.each(Object.keys(kinds))('a key-encryption key from %s', (kind) => {
  const make = () => (kinds[kind] as (typeof kinds)[string])()

  test('opens what it wrapped, at its place and nowhere else', async () => {
    const { keys } = await make()
    const key = randomBytes(32)
    const wrapped = await keys.wrap(key, 'branch-key/1/1')
    expect(wrapped.includes(key)).toBe(false)
    expect(await keys.unwrap(wrapped, 'branch-key/1/1')).toEqual(key)
    await expect(keys.unwrap(wrapped, 'branch-key/2/1')).rejects.toThrow(WrongKeyEncryptionKey)
  })

  test('does not open what another one wrapped', async () => {
    const { keys, other } = await make()
    await expect(other.unwrap(await keys.wrap(randomBytes(32), 'a'), 'a')).rejects.toThrow(WrongKeyEncryptionKey)
  })

  test('after its own rotation opens what it wrapped before, and tells the two apart', async () => {
    const { keys, rotate } = await make()
    const key = randomBytes(32)
    const before = await keys.wrap(key, 'a')
    expect(keys.nameOf(before)).toBe(await keys.currentName())
    const after = await rotate()
    expect(await after.unwrap(before, 'a')).toEqual(key)
    expect(after.nameOf(before)).not.toBe(await after.currentName())
    expect(after.nameOf(await after.wrap(key, 'a'))).toBe(await after.currentName())
  })
})

describe('a key service', () => {
  test.each([
    ['slow', /did not answer within 300 ms/],
    ['sealed', /refused with status 503/],
    ['refuses', /refused with status 403: is the token valid/],
  ] as const)('that is %s is said so, with no word of a key', async (mood, said) => {
    service.mood = mood
    try {
      const fault = await vault().wrap(Buffer.alloc(32, 5), 'a').catch((error: unknown) => error)
      expect(fault).toBeInstanceOf(KeyServiceFault)
      expect((fault as Error).message).toMatch(said)
      expect((fault as Error).message).not.toContain(Buffer.alloc(32, 5).toString('base64').slice(0, 12))
    } finally {
      service.mood = 'well'
    }
  })

  test('that is away stops the start with one line, and nothing is made', async () => {
    const config = readConfig({ PORT: '0', HL7_PORT: '0', CARESPINE_DATA: folder, DATABASE_URL: hospital.databaseUrl, CARESPINE_KMS_URL: 'http://127.0.0.1:9', CARESPINE_KMS_TOKEN: 'x', LOG_LEVEL: 'silent' })
    await expect(startHospital(config, { ownerUrl: hospital.databaseUrl })).rejects.toThrow('cannot be reached. Without it the record cannot be opened; nothing was changed.')
  })
})

let hospital: TestHospital
beforeAll(async () => {
  hospital = await startTestHospital({ settings: { ...service.settings, CARESPINE_KMS_MINUTES: '0.1', LOG_LEVEL: 'silent' } })
})
afterAll(async () => {
  service.mood = 'well'
  await hospital?.close()
})

const nora = { name: { family: 'Alpha', given: 'Nora' }, sex: 'female', birthDate: '1980-01-01' } as const
const ready = async () => {
  const answer = await fetch(`${hospital.url}/health/ready`)
  return { ...((await answer.json()) as { faults: string[]; warnings?: string[] }), status: answer.status }
}
async function until(what: () => Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 10_000; waited += 50) {
    if (await what()) return
    await pause(50)
  }
  throw new Error(`it did not come within 10 s: ${JSON.stringify(await ready())}`)
}

describe('a hospital whose key is in a key service', () => {
  test('goes on with the keys it holds while the service is away, and says so', async () => {
    const hub = await hospital.signIn('hub')
    service.mood = 'sealed'
    await until(async () => (await ready()).warnings?.includes('keys') === true)
    await hub.call(searchPatients, { text: 'Nobody' })
    expect(await ready()).toMatchObject({ status: 200, faults: [] })
    service.mood = 'well'
    await until(async () => (await ready()).warnings === undefined)
    expect((await ready()).status).toBe(200)
    await hub.call(registerPatient, nora)
  })

  test('makes no new key while it is away: the branch’s first write is refused, and leaves nothing', async () => {
    const { store } = hospital.hospital.services
    const branch = '10000000-0000-4000-8000-0000000000aa'
    service.mood = 'refuses'
    await expect(store.keyring.ensure(branch)).rejects.toThrow('KEYS_UNAVAILABLE')
    const owner = new pg.Client({ connectionString: hospital.databaseUrl })
    await owner.connect()
    expect((await owner.query('select from store.branch_key where branch = $1', [branch])).rowCount).toBe(0)
    await owner.end()
    service.mood = 'well'
    await store.keyring.ensure(branch)
  })

  test('lets go of its keys when the time is over: nothing is read or written, until the service is back', async () => {
    const hub = await hospital.signIn('hub')
    const owner = new pg.Client({ connectionString: hospital.databaseUrl })
    await owner.connect()
    const versions = async () => (await owner.query('select count(*)::int as n from fhir.patient')).rows[0].n
    const before = await versions()
    service.mood = 'refuses'
    await until(async () => (await ready()).status === 503)
    expect((await ready()).faults).toEqual(['keys'])
    await expect(hub.call(searchPatients, { text: 'Alpha' })).rejects.toThrow('KEYS_UNAVAILABLE')
    await expect(hub.call(registerPatient, nora)).rejects.toThrow('KEYS_UNAVAILABLE')
    expect(await versions()).toBe(before)
    service.mood = 'well'
    await until(async () => (await ready()).status === 200)
    expect((await hub.call(searchPatients, { text: 'Alpha' })).patients).not.toEqual([])
    await owner.end()
  })
})
