import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import { type KeyEncryption, KeyServiceFault, WrongKeyEncryptionKey } from './key-encryption.ts'
import { EntryHashes } from './keyed-hash.ts'
import { refuse } from './refusal.ts'
import { decrypt, encrypt, FORMAT, versionOf } from './sealing.ts'

/** A key as it is kept. */
export interface ShelvedKey {
  version: number
  wrapped: Buffer
  /** Milliseconds until it is used; negative when it is. By the database's clock, which is the same for all processes. */
  activeIn: number
  destroyed: boolean
}

/** Where wrapped keys are kept: the database. */
export interface KeyShelf {
  load(): Promise<{ branchKeys: (ShelvedKey & { branch: string })[]; indexKeys: ShelvedKey[] }>
  /** Stores a wrapped key unless one of that branch and version is there; returns the one that is there. */
  keep(branch: string, version: number, wrapped: Buffer, by: string, activeIn: number): Promise<Buffer>
  /** The same for a key of the search index. */
  keepIndexKey(version: number, wrapped: Buffer, by: string, activeIn: number): Promise<Buffer>
  /** The same for a secret of the whole installation. */
  keepSecret(name: string, wrapped: Buffer, by: string): Promise<Buffer>
  findSecret(name: string): Promise<Buffer | undefined>
  /** Whether anything was ever stored in the database. */
  holdsRecords(): Promise<boolean>
}

/** The database has records and no keys: somebody removed them, or it is a part of a database. */
export class KeysMissing extends Error {}

interface DataKey {
  key: KeyObject
  /** By the clock of this process. */
  activeAt: number
}

interface Sealing {
  version: number
  key: KeyObject
  /** Until then no newer key takes its place. */
  until: number
}

/** A new key is used after this time: by then every process holds it. They are told at once, and look every ten seconds. */
export const EVERYONE_HOLDS_MILLISECONDS = 12_000

const INDEX_KEY = 'index-key'

/** Data keys of every branch and the index keys, held in memory for as long as the key-encryption key allows, wrapped at rest. */
export class Keyring {
  readonly #kek: KeyEncryption
  readonly #shelf: KeyShelf
  /** By branch; the version is the place. There is no version 0. */
  readonly #keys = new Map<string, (DataKey | undefined)[]>()
  readonly #sealing = new Map<string, Sealing>()
  readonly #branches = new Set<string>()
  #shredded: ReadonlySet<string> = new Set()
  /** By version; the first is the secret that values of modules are hashed with as well. */
  #indexKeys: { hashes: EntryHashes; activeAt: number; version: number }[] = []
  #goodUntil = 0
  /** Keys that were looked for in the database and are not there. */
  readonly #sought = new Set<string>()
  #loading: Promise<void> | undefined
  #fault: string | undefined

  private constructor(kek: KeyEncryption, shelf: KeyShelf) {
    this.#kek = kek
    this.#shelf = shelf
  }

  /**
   * Unwraps what the shelf holds. Throws WrongKeyEncryptionKey when the key-encryption key is not the one that wrapped it,
   * KeysMissing when there are records and no keys.
   */
  static async open(kek: KeyEncryption, shelf: KeyShelf): Promise<Keyring> {
    if ((await shelf.findSecret(INDEX_KEY)) === undefined) {
      if (await shelf.holdsRecords()) throw new KeysMissing('This database holds records and no keys. Nothing was changed. Restore it together with the tables store.secret and store.branch_key.')
      const fresh = await kek.wrap(randomBytes(32), INDEX_KEY)
      await shelf.keepSecret(INDEX_KEY, fresh, kek.nameOf(fresh))
    }
    const keyring = new Keyring(kek, shelf)
    await keyring.#load()
    return keyring
  }

  /** Why keys cannot be unwrapped or made at the moment, in a sentence; undefined when they can. */
  get fault(): string | undefined {
    return this.#fault
  }

  /** Milliseconds that keys may be used before the key service is asked again. */
  get lease(): number {
    return this.#kek.lease
  }

  /** False when the keys may not be used any longer: nothing can be read or written. */
  get isOpen(): boolean {
    return Date.now() < this.#goodUntil
  }

  /** Unwraps keys that another process has made since, and asks the key service anew when half its time has passed. */
  async refresh(): Promise<void> {
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined
    })
    await this.#loading
  }

  async #load(): Promise<void> {
    const { branchKeys, indexKeys } = await this.#shelf.load()
    try {
      await this.#prove()
      await this.#takeIndexKeys(indexKeys)
      await Promise.all(branchKeys.map((shelved) => this.#take(shelved)))
      this.#fault = undefined
    } catch (error) {
      this.#note(error)
      throw error
    }
    this.#sealing.clear()
    const alive = new Set(branchKeys.flatMap(({ branch, destroyed }) => (destroyed ? [] : [branch])))
    this.#shredded = new Set(branchKeys.flatMap(({ branch }) => (alive.has(branch) ? [] : [branch])))
    for (const branch of this.#shredded) this.#forget(branch)
    for (const branch of alive) this.#branches.add(branch)
  }

  // Keys from a service are good for a time; before it ends the service is asked whether they still are.
  async #prove(): Promise<void> {
    const { lease } = this.#kek
    if (this.#indexKeys.length > 0 && Date.now() < this.#goodUntil - lease / 2) return
    const asked = Date.now()
    const wrapped = (await this.#shelf.findSecret(INDEX_KEY)) ?? fail('The index key is gone from the database')
    const key = await this.#kek.unwrap(wrapped, INDEX_KEY)
    if (this.#indexKeys.length === 0) this.#indexKeys = [{ hashes: new EntryHashes(key), activeAt: 0, version: 1 }]
    this.#goodUntil = asked + lease
  }

  async #takeIndexKeys(shelved: readonly ShelvedKey[]): Promise<void> {
    for (const { version, wrapped, activeIn, destroyed } of shelved) {
      const known = this.#indexKeys.find((one) => one.version === version)
      if (destroyed || known) continue
      const key = await this.#kek.unwrap(wrapped, `index-key/${version}`)
      this.#indexKeys = [...this.#indexKeys, { hashes: new EntryHashes(key), activeAt: Date.now() + activeIn, version }].sort((a, b) => a.version - b.version)
    }
    const gone = new Set(shelved.flatMap(({ version, destroyed }) => (destroyed ? [version] : [])))
    if (gone.size > 0) this.#indexKeys = this.#indexKeys.filter(({ version }) => !gone.has(version))
  }

  async #take({ branch, version, wrapped, activeIn, destroyed }: ShelvedKey & { branch: string }): Promise<void> {
    const known = this.#keys.get(branch)
    if (destroyed) {
      if (known) known[version] = undefined
      return
    }
    if (known?.[version]) return
    const key = createSecretKey(await this.#kek.unwrap(wrapped, boundOf(branch, version)))
    // Only now: who finds the branch here seals with its key.
    const keys = this.#keys.get(branch) ?? []
    keys[version] = { key, activeAt: Date.now() + activeIn }
    this.#keys.set(branch, keys)
  }

  #forget(branch: string): void {
    this.#keys.delete(branch)
    this.#sealing.delete(branch)
    this.#branches.delete(branch)
  }

  #note(error: unknown): void {
    if (error instanceof KeyServiceFault || error instanceof WrongKeyEncryptionKey) this.#fault = error.message
    if (this.isOpen) return
    this.#keys.clear()
    this.#sealing.clear()
    this.#indexKeys = []
  }

  /** Wraps or unwraps for somebody who waits: what the key service lacks is a refusal that says so. */
  async #ask<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      this.#note(error)
      if (error instanceof KeyServiceFault || error instanceof WrongKeyEncryptionKey) refuse('KEYS_UNAVAILABLE')
      throw error
    }
  }

  /** True when values can be sealed for the branch at once. */
  has(branch: string): boolean {
    return this.#keys.has(branch)
  }

  /**
   * Makes the branch's first data key unless it has one. Refuses with KEYS_UNAVAILABLE when the key service does not
   * answer, BRANCH_SHREDDED when the branch's keys were destroyed.
   */
  async ensure(branch: string): Promise<void> {
    if (this.#keys.has(branch)) return
    if (this.#shredded.has(branch)) refuse('BRANCH_SHREDDED')
    await this.#addBranchKey(branch, 1, 0)
  }

  async #addBranchKey(branch: string, version: number, activeIn: number): Promise<void> {
    await this.#ask(async () => {
      const wrapped = await this.#wrapFresh(boundOf(branch, version))
      const kept = await this.#shelf.keep(branch, version, wrapped, this.#kek.nameOf(wrapped), activeIn)
      // Shredded by another process while this one did not know.
      if (kept.length === 0) refuse('BRANCH_SHREDDED')
      await this.#take({ branch, version, wrapped: kept, activeIn, destroyed: false })
    })
    this.#sealing.delete(branch)
    this.#branches.add(branch)
  }

  // A process that was left behind with an older key-encryption key would wrap what the others cannot open: whoever
  // wraps shows first that it opens what is there.
  async #wrapFresh(bound: string): Promise<Buffer> {
    const known = (await this.#shelf.findSecret(INDEX_KEY)) ?? fail('The index key is gone from the database')
    await this.#kek.unwrap(known, INDEX_KEY)
    return await this.#kek.wrap(randomBytes(32), bound)
  }

  /** Makes the next data key of the branch. It is used once every process holds it. Returns its version. */
  async addVersion(branch: string, activeIn = EVERYONE_HOLDS_MILLISECONDS): Promise<number> {
    await this.refresh()
    const version = this.#keys.get(branch)?.length ?? 0
    if (version === 0) throw new Error(`Branch ${branch} has no data key`)
    await this.#addBranchKey(branch, version, activeIn)
    return version
  }

  /** Makes the next key of the search index; see `addVersion`. */
  async addIndexVersion(activeIn = EVERYONE_HOLDS_MILLISECONDS): Promise<number> {
    await this.refresh()
    const version = (this.#indexKeys.at(-1)?.version ?? 0) + 1
    await this.#ask(async () => {
      const wrapped = await this.#wrapFresh(`index-key/${version}`)
      await this.#shelf.keepIndexKey(version, wrapped, this.#kek.nameOf(wrapped), activeIn)
    })
    await this.refresh()
    return version
  }

  /** Branches that hold or held content, and can be read. */
  branches(): string[] {
    return [...this.#branches]
  }

  /** Branches whose keys were destroyed. */
  get shredded(): ReadonlySet<string> {
    return this.#shredded
  }

  /**
   * Encrypts under the branch's newest key.
   * @param bound What the value belongs to, such as `Patient/<id>/<version>`; `open` must name the same.
   */
  seal(branch: string, plain: Uint8Array, bound: string): Buffer {
    const now = Date.now()
    const known = this.#sealing.get(branch)
    const { version, key } = known && now < known.until ? known : this.#newest(branch, now)
    return encrypt(key, version, plain, bound)
  }

  #newest(branch: string, now: number): Sealing {
    if (now >= this.#goodUntil) refuse('KEYS_UNAVAILABLE')
    if (this.#shredded.has(branch)) refuse('BRANCH_SHREDDED')
    const keys = this.#keys.get(branch) ?? []
    const version = keys.findLastIndex((one) => one !== undefined && one.activeAt <= now)
    const newest = keys[version]
    if (!newest) throw new Error(`Branch ${branch} has no data key`)
    const next = Math.min(this.#goodUntil, ...keys.slice(version + 1).flatMap((one) => (one ? [one.activeAt] : [])))
    const sealing = { version, key: newest.key, until: next }
    this.#sealing.set(branch, sealing)
    return sealing
  }

  /**
   * Decrypts what `seal` made. Throws when it was changed or moved to another place; refuses with STORE_UNAVAILABLE while
   * it fetches a key that another process has made.
   */
  open(branch: string, sealed: Buffer, bound: string): Buffer {
    if (sealed[0] !== FORMAT) throw new Error(`Sealed value of unknown format ${sealed[0]}`)
    if (Date.now() >= this.#goodUntil) refuse('KEYS_UNAVAILABLE')
    const version = versionOf(sealed)
    const key = this.#keys.get(branch)?.[version]?.key ?? this.#seek(branch, version)
    return decrypt(key, sealed, bound)
  }

  // A key is stored before anything is sealed with it: one that is not there after a look will not come.
  #seek(branch: string, version: number): never {
    if (this.#shredded.has(branch)) refuse('BRANCH_SHREDDED')
    const name = `${branch}/${version}`
    if (this.#sought.has(name)) throw new Error(`Branch ${branch} lacks data key ${version}`)
    this.refresh().then(
      () => this.#sought.add(name),
      () => undefined,
    )
    return refuse('STORE_UNAVAILABLE')
  }

  /** A secret of the whole installation, kept wrapped in the database: the one that is there, else `fresh` from then on. */
  async secret(name: string, fresh: Uint8Array): Promise<Buffer> {
    const bound = `secret/${name}`
    return await this.#ask(async () => {
      const kept = await this.#shelf.findSecret(name)
      if (kept) return await this.#kek.unwrap(kept, bound)
      const wrapped = await this.#kek.wrap(fresh, bound)
      return await this.#kek.unwrap(await this.#shelf.keepSecret(name, wrapped, this.#kek.nameOf(wrapped)), bound)
    })
  }

  /** Keyed hash of a value that a module finds its rows by: a signed 64-bit integer in decimal. Its key stays. */
  blind(value: string): string {
    return this.#hashesOf(1).of(value)
  }

  /** Keyed hash of an index entry under the index key of now: a signed 64-bit integer in decimal. */
  hash(entry: string): string {
    return this.#hashesOf(this.indexVersion).of(entry)
  }

  /** Hashes of an index entry that rows may bear: those of `oldest` and of every later index key, in use or about to be. */
  hashesSince(oldest: number, entry: string): string[] {
    const known = this.#indexKeys.filter(({ version }) => version >= oldest)
    return known.length === 0 ? [this.hash(entry)] : known.map(({ hashes }) => hashes.of(entry))
  }

  /** Version of the index key that rows are written with. */
  get indexVersion(): number {
    const keys = this.#indexKeys
    if (keys.length === 1) return keys[0]?.version ?? 1
    const now = Date.now()
    return keys.findLast(({ activeAt }) => activeAt <= now)?.version ?? 1
  }

  #hashesOf(version: number): EntryHashes {
    if (Date.now() >= this.#goodUntil) refuse('KEYS_UNAVAILABLE')
    return this.#indexKeys.find((one) => one.version === version)?.hashes ?? fail(`Index key ${version} is not here`)
  }
}

const boundOf = (branch: string, version: number): string => `branch-key/${branch}/${version}`

function fail(what: string): never {
  throw new Error(what)
}
