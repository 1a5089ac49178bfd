import { createCipheriv, createDecipheriv, createSecretKey, hash, type KeyObject, randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { refuse } from './refusal.ts'

// A sealed value: format (1 byte), version of the branch's data key (2), nonce (12), ciphertext, tag (16).
const FORMAT = 1
const HEADER = 15
const TAG = 16
/** Where the nonce stands in a sealed value. */
export const NONCE = { start: 3, end: HEADER } as const

/** Where wrapped keys are kept: the database. */
export interface KeyShelf {
  load(): Promise<{ branch: string; version: number; wrapped: Buffer }[]>
  /** Stores a wrapped key unless one of that branch and version is there; returns the one that is there. */
  keep(branch: string, version: number, wrapped: Buffer): Promise<Buffer>
  /** The same for a secret of the whole installation. */
  keepSecret(name: string, wrapped: Buffer): Promise<Buffer>
}

/**
 * Reads the key-encryption key: 32 bytes, base64, from `CARESPINE_KEK` or the file it lives in. The file is made at the
 * first start, readable by its owner alone. Without it nothing in the database can be read: back it up apart from the
 * database.
 */
export function keyEncryptionKey(dataFolder: string, given?: string): Buffer {
  if (given !== undefined) return parseKey(given, 'The key-encryption key that was given')
  const file = keyFile(dataFolder)
  if (!existsSync(file)) {
    mkdirSync(join(dataFolder, 'keys'), { recursive: true, mode: 0o700 })
    writeFileSync(file, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600, flag: 'wx' })
    chmodSync(file, 0o600)
  }
  return parseKey(readFileSync(file, 'utf8').trim(), file)
}

export function keyFile(dataFolder: string): string {
  return join(dataFolder, 'keys', 'key-encryption-key')
}

function parseKey(text: string, source: string): Buffer {
  const key = Buffer.from(text, 'base64')
  if (key.length !== 32) throw new Error(`${source} must be 32 bytes in base64 (make one: openssl rand -base64 32)`)
  return key
}

// Keys are KeyObjects: Node makes one anew of a Buffer at each use, which cost more than the cipher. Measured for a body
// of 700 bytes: opening 47 µs with a Buffer, 15 µs with a KeyObject; sealing 29 µs and 14 µs.
function encrypt(key: KeyObject, keyVersion: number, plain: Uint8Array, bound: string): Buffer {
  const nonce = randomNonce()
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(Buffer.from(bound))
  const sealed = Buffer.allocUnsafe(HEADER + plain.length + TAG)
  sealed[0] = FORMAT
  sealed.writeUInt16BE(keyVersion, 1)
  nonce.copy(sealed, 3)
  cipher.update(plain).copy(sealed, HEADER)
  cipher.final()
  cipher.getAuthTag().copy(sealed, HEADER + plain.length)
  return sealed
}

function decrypt(key: KeyObject, sealed: Buffer, bound: string): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(3, HEADER))
  decipher.setAAD(Buffer.from(bound))
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG))
  const plain = decipher.update(sealed.subarray(HEADER, sealed.length - TAG))
  decipher.final()
  return plain
}

// Nonces are cut from a block of random bytes: one call to the generator serves 512 of them.
let nonceBlock = Buffer.alloc(0)
let nonceAt = 0
function randomNonce(): Buffer {
  if (nonceAt + 12 > nonceBlock.length) {
    nonceBlock = randomBytes(12 * 512)
    nonceAt = 0
  }
  nonceAt += 12
  return nonceBlock.subarray(nonceAt - 12, nonceAt)
}

/** Data keys of every branch and the index key, held in memory, wrapped at rest. */
export class Keyring {
  readonly #kek: KeyObject
  readonly #shelf: KeyShelf
  readonly #digest: (fact: string) => Buffer
  /** By branch; the version is the place. There is no version 0. */
  readonly #keys = new Map<string, KeyObject[]>()
  // Two generations: most index entries are of one resource alone and never come again, and keeping an order of use for
  // them took longer than the hashes it saved.
  #hashes = new Map<string, string>()
  #olderHashes = new Map<string, string>()
  readonly #sights = new Uint8Array(SIGHTS)
  #sightsInRound = 0
  #round = 1
  /** Keys that were looked for in the database and are not there. */
  readonly #sought = new Set<string>()

  private constructor(kek: KeyObject, shelf: KeyShelf, indexKey: Buffer) {
    this.#kek = kek
    this.#shelf = shelf
    this.#digest = keyedHash(indexKey)
  }

  /** Unwraps what the shelf holds. Throws when the key-encryption key is not the one that wrapped it. */
  static async open(kekBytes: Buffer, shelf: KeyShelf): Promise<Keyring> {
    const kek = createSecretKey(kekBytes)
    const fresh = encrypt(kek, 0, randomBytes(32), 'index-key')
    const keyring = new Keyring(kek, shelf, unwrap(kek, await shelf.keepSecret('index-key', fresh), 'index-key'))
    await keyring.#load()
    return keyring
  }

  async #load(): Promise<void> {
    for (const { branch, version, wrapped } of await this.#shelf.load()) {
      const keys = this.#keys.get(branch) ?? []
      keys[version] = createSecretKey(unwrap(this.#kek, wrapped, `branch-key/${branch}/${version}`))
      this.#keys.set(branch, keys)
    }
  }

  /** True when values can be sealed for the branch at once. */
  has(branch: string): boolean {
    return this.#keys.has(branch)
  }

  /** Makes the branch's first data key unless it has one. */
  async ensure(branch: string): Promise<void> {
    if (this.#keys.has(branch)) return
    const bound = `branch-key/${branch}/1`
    const wrapped = await this.#shelf.keep(branch, 1, encrypt(this.#kek, 0, randomBytes(32), bound))
    const keys: KeyObject[] = []
    keys[1] = createSecretKey(unwrap(this.#kek, wrapped, bound))
    this.#keys.set(branch, keys)
  }

  /** Branches that hold or held content. */
  branches(): string[] {
    return [...this.#keys.keys()]
  }

  /**
   * Encrypts under the branch's newest key.
   * @param bound What the value belongs to, such as `Patient/<id>/<version>`; `open` must name the same.
   */
  seal(branch: string, plain: Uint8Array, bound: string): Buffer {
    const keys = this.#keys.get(branch)
    const key = keys?.at(-1)
    if (!keys || !key) throw new Error(`Branch ${branch} has no data key`)
    return encrypt(key, keys.length - 1, plain, bound)
  }

  /**
   * Decrypts what `seal` made. Throws when it was changed or moved to another place; refuses with STORE_UNAVAILABLE while
   * it fetches a key that another process has made.
   */
  open(branch: string, sealed: Buffer, bound: string): Buffer {
    if (sealed[0] !== FORMAT) throw new Error(`Sealed value of unknown format ${sealed[0]}`)
    const version = sealed.readUInt16BE(1)
    const key = this.#keys.get(branch)?.[version] ?? this.#seek(branch, version)
    return decrypt(key, sealed, bound)
  }

  // A key is stored before anything is sealed with it: one that is not there after a look will not come.
  #seek(branch: string, version: number): never {
    const name = `${branch}/${version}`
    if (this.#sought.has(name)) throw new Error(`Branch ${branch} lacks data key ${version}`)
    this.#load().then(
      () => this.#sought.add(name),
      () => undefined,
    )
    return refuse('STORE_UNAVAILABLE')
  }

  /** A secret of the whole installation, kept wrapped in the database: the one that is there, else `fresh` from then on. */
  async secret(name: string, fresh: Uint8Array): Promise<Buffer> {
    const bound = `secret/${name}`
    return unwrap(this.#kek, await this.#shelf.keepSecret(name, encrypt(this.#kek, 0, fresh, bound)), bound)
  }

  /** Unwraps keys that another process has made since. */
  async refresh(): Promise<void> {
    await this.#load()
  }

  // Numbers and phones of a record come once: kept at first sight, they filled both generations twice a second under
  // creates, for the garbage collector to clear away.
  #comesAgain(digest: Buffer): boolean {
    if (++this.#sightsInRound > SIGHTS_IN_A_ROUND) {
      this.#sightsInRound = 0
      this.#round = (this.#round % 255) + 1
    }
    const place = digest.readUInt32BE(4) % SIGHTS
    const isKnown = this.#sights[place] === this.#round
    this.#sights[place] = this.#round
    return isKnown
  }

  /** Keyed hash of an index entry: a signed 64-bit integer in decimal. */
  hash(fact: string): string {
    const known = this.#hashes.get(fact)
    if (known !== undefined) return known
    const older = this.#olderHashes.get(fact)
    const digest = older === undefined ? this.#digest(fact) : undefined
    const hashed = digest ? digest.readBigInt64BE(0).toString() : (older as string)
    if (digest && !this.#comesAgain(digest)) return hashed
    if (this.#hashes.size >= HASHES_KEPT) {
      this.#olderHashes = this.#hashes
      this.#hashes = new Map()
    }
    this.#hashes.set(fact, hashed)
    return hashed
  }
}

/** Index entries of one generation whose hashes are kept. */
const HASHES_KEPT = 20_000
/** Places where a first sight is noted; a power of two. */
const SIGHTS = 2 ** 18
/** Sights of one round: few enough that two entries seldom meet in a place. */
const SIGHTS_IN_A_ROUND = 2 ** 15

const BLOCK = 64

/**
 * HMAC-SHA-256 (RFC 2104) under one key of at most 64 bytes, out of two calls of the one-shot hash. Measured for an index
 * entry: 7 µs; `createHmac` took 34 µs with the key as a Buffer and 10 µs with a KeyObject.
 */
export function keyedHash(key: Uint8Array): (text: string) => Buffer {
  if (key.length > BLOCK) throw new Error('The key is longer than a block of the hash')
  const outer = Buffer.alloc(BLOCK + 32, 0x5c)
  let inner = Buffer.alloc(1024, 0x36)
  key.forEach((byte, at) => {
    inner[at] = byte ^ 0x36
    outer[at] = byte ^ 0x5c
  })
  return (text) => {
    // A UTF-16 unit is at most three bytes of UTF-8.
    if (inner.length < BLOCK + text.length * 3) inner = Buffer.concat([inner.subarray(0, BLOCK)], BLOCK + text.length * 3)
    const end = BLOCK + inner.write(text, BLOCK)
    hash('sha256', inner.subarray(0, end), 'buffer').copy(outer, BLOCK)
    return hash('sha256', outer, 'buffer')
  }
}

/** The database was made with another key-encryption key. */
export class WrongKeyEncryptionKey extends Error {}

function unwrap(kek: KeyObject, wrapped: Buffer, bound: string): Buffer {
  try {
    return decrypt(kek, wrapped, bound)
  } catch {
    throw new WrongKeyEncryptionKey('The key-encryption key does not open this database. Use the key file it was created with.')
  }
}
