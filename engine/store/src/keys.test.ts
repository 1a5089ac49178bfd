import { createHmac, randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { keysInEnvironment } from './key-encryption.ts'
import { keyedHash } from './keyed-hash.ts'
import { Keyring, type KeyShelf } from './keys.ts'

const shelf = (): KeyShelf => {
  const kept = new Map<string, { wrapped: Buffer; activeAt: number }>()
  const keep = async (name: string, wrapped: Buffer, activeIn = 0): Promise<Buffer> => {
    if (!kept.has(name)) kept.set(name, { wrapped, activeAt: Date.now() + activeIn })
    return kept.get(name)?.wrapped ?? wrapped
  }
  const listed = (kind: string) =>
    [...kept].flatMap(([name, { wrapped, activeAt }]) => {
      const [of, branch = '', version = ''] = name.split('/')
      return of === kind ? [{ branch, version: Number(version), wrapped, activeIn: activeAt - Date.now(), destroyed: false }] : []
    })
  return {
    load: async () => ({ branchKeys: listed('branch'), indexKeys: listed('index') }),
    keep: (branch, version, wrapped, _by, activeIn) => keep(`branch/${branch}/${version}`, wrapped, activeIn),
    keepIndexKey: (version, wrapped, _by, activeIn) => keep(`index//${version}`, wrapped, activeIn),
    keepSecret: (name, wrapped) => keep(`secret/${name}`, wrapped),
    findSecret: async (name) => kept.get(`secret/${name}`)?.wrapped,
    holdsRecords: async () => listed('branch').length > 0,
  }
}

const newKek = () => keysInEnvironment(randomBytes(32).toString('base64'))

describe('the keyed hash of index entries', () => {
  test('is HMAC-SHA-256, whatever the length and script of the entry', () => {
    const key = randomBytes(32)
    const digest = keyedHash(key)
    for (const text of ['', 'name^moh', 'name^محمد', '\u{1F9EC}'.repeat(400), 'x'.repeat(5000), 'code||718-7']) {
      expect(digest(text)).toEqual(createHmac('sha256', key).update(text).digest())
    }
  })
})

describe('the keyring', () => {
  test('opens after a restart what it sealed before, and nothing that was moved', async () => {
    const kek = newKek()
    const kept = shelf()
    const before = await Keyring.open(kek, kept)
    await before.ensure('branch')
    const sealed = before.seal('branch', Buffer.from('a note'), 'Patient/1/1')
    const after = await Keyring.open(kek, kept)
    expect(after.branches()).toEqual(['branch'])
    expect(after.open('branch', sealed, 'Patient/1/1').toString()).toBe('a note')
    expect(after.hash('code||718-7')).toBe(before.hash('code||718-7'))
    expect(() => after.open('branch', sealed, 'Patient/2/1')).toThrow()
    sealed[20] = (sealed[20] ?? 0) ^ 1
    expect(() => after.open('branch', sealed, 'Patient/1/1')).toThrow()
  })

  test('opens what another process sealed under a key that it made meanwhile', async () => {
    const [kek, kept] = [newKek(), shelf()]
    const [one, other] = [await Keyring.open(kek, kept), await Keyring.open(kek, kept)]
    await one.ensure('branch')
    const sealed = one.seal('branch', Buffer.from('a note'), 'value')
    expect(() => other.open('branch', sealed, 'value')).toThrow('STORE_UNAVAILABLE')
    await new Promise((resolve) => setTimeout(resolve, 10))
    expect(other.open('branch', sealed, 'value').toString()).toBe('a note')
    const elsewhere = await Keyring.open(kek, shelf())
    expect(() => elsewhere.open('branch', sealed, 'value')).toThrow('STORE_UNAVAILABLE')
    await new Promise((resolve) => setTimeout(resolve, 10))
    expect(() => elsewhere.open('branch', sealed, 'value')).toThrow('lacks data key')
  })

  test('gives every process the secret that was kept first', async () => {
    const [kek, kept] = [newKek(), shelf()]
    const [one, other] = [await Keyring.open(kek, kept), await Keyring.open(kek, kept)]
    const [first, second] = [await one.secret('a', randomBytes(40)), await other.secret('a', randomBytes(40))]
    expect(second).toEqual(first)
    expect(await other.secret('b', Buffer.from('b'))).toEqual(Buffer.from('b'))
  })

  test('does not open under another key-encryption key', async () => {
    const kept = shelf()
    await (await Keyring.open(newKek(), kept)).ensure('branch')
    await expect(Keyring.open(newKek(), kept)).rejects.toThrow('does not open this database')
  })

  test('seals under a new version once every process holds it, and opens what older ones sealed', async () => {
    const [kek, kept] = [newKek(), shelf()]
    const [one, other] = [await Keyring.open(kek, kept), await Keyring.open(kek, kept)]
    await one.ensure('branch')
    const old = one.seal('branch', Buffer.from('a note'), 'value')
    expect(await one.addVersion('branch', 60)).toBe(2)
    await other.refresh()
    expect(one.seal('branch', Buffer.from('a note'), 'value').readUInt16BE(1)).toBe(1)
    await new Promise((resolve) => setTimeout(resolve, 80))
    const fresh = one.seal('branch', Buffer.from('a note'), 'value')
    expect(fresh.readUInt16BE(1)).toBe(2)
    for (const sealed of [old, fresh]) expect(other.open('branch', sealed, 'value').toString()).toBe('a note')
  })

  test('hashes what is written under the newest index key, and knows what rows bear until they are indexed again', async () => {
    const kept = shelf()
    const ring = await Keyring.open(newKek(), kept)
    const [first, blind] = [ring.hash('code||718-7'), ring.blind('email:a@b')]
    expect(await ring.addIndexVersion(50)).toBe(2)
    expect(ring.hash('code||718-7')).toBe(first)
    expect(ring.hashesSince(1, 'code||718-7')).toHaveLength(2)
    await new Promise((resolve) => setTimeout(resolve, 70))
    const second = ring.hash('code||718-7')
    expect(ring.hashesSince(1, 'code||718-7')).toEqual([first, second])
    expect(ring.hashesSince(2, 'code||718-7')).toEqual([second])
    expect(second).not.toBe(first)
    expect(ring.blind('email:a@b')).toBe(blind)
  })

  test('of a database with records whose keys are gone makes no new ones', async () => {
    const kept = { ...shelf(), holdsRecords: async () => true }
    await expect(Keyring.open(newKek(), kept)).rejects.toThrow('holds records and no keys')
    expect(await kept.findSecret('index-key')).toBeUndefined()
  })

  test('wraps nothing when its key-encryption key is no longer that of the others', async () => {
    const [old, next] = [randomBytes(32), randomBytes(32)].map((key) => key.toString('base64'))
    const entries = new Map<string, Buffer>()
    const kept: KeyShelf = { ...shelf(), findSecret: async (name) => entries.get(name), keepSecret: async (name, wrapped) => entries.set(name, wrapped).get(name) ?? wrapped }
    const left = await Keyring.open(keysInEnvironment(old ?? ''), kept)
    const both = keysInEnvironment(`${next} ${old}`)
    const key = await both.unwrap(entries.get('index-key') as Buffer, 'index-key')
    entries.set('index-key', await both.wrap(key, 'index-key'))
    await expect(left.ensure('branch')).rejects.toThrow('KEYS_UNAVAILABLE')
    expect(left.fault).toContain('does not open')
    expect((await kept.load()).branchKeys).toEqual([])
    await (await Keyring.open(both, kept)).ensure('branch')
  })
})
