import { createHmac, randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { keyedHash, Keyring, type KeyShelf } from './keys.ts'

const shelf = (): KeyShelf => {
  const kept = new Map<string, Buffer>()
  const keep = (name: string, wrapped: Buffer): Buffer => {
    if (!kept.has(name)) kept.set(name, wrapped)
    return kept.get(name) as Buffer
  }
  return {
    load: async () =>
      [...kept].flatMap(([name, wrapped]) => {
        const [branch = '', version] = name.split('/')
        return version === undefined ? [] : [{ branch, version: Number(version), wrapped }]
      }),
    keep: async (branch, version, wrapped) => keep(`${branch}/${version}`, wrapped),
    keepSecret: async (name, wrapped) => keep(name, wrapped),
  }
}

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
    const kek = randomBytes(32)
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
    const [kek, kept] = [randomBytes(32), shelf()]
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
    const [kek, kept] = [randomBytes(32), shelf()]
    const [one, other] = [await Keyring.open(kek, kept), await Keyring.open(kek, kept)]
    const [first, second] = [await one.secret('a', randomBytes(40)), await other.secret('a', randomBytes(40))]
    expect(second).toEqual(first)
    expect(await other.secret('b', Buffer.from('b'))).toEqual(Buffer.from('b'))
  })

  test('does not open under another key-encryption key', async () => {
    const kept = shelf()
    await (await Keyring.open(randomBytes(32), kept)).ensure('branch')
    await expect(Keyring.open(randomBytes(32), kept)).rejects.toThrow('does not open this database')
  })
})
