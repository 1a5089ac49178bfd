import { createHash, createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { decrypt, encrypt } from './sealing.ts'

/** What wraps the keys of an installation. It never sees what they encrypt. */
export interface KeyEncryption {
  /** Where it comes from, for messages: `CARESPINE_KEK`, a file, an address. */
  readonly source: string
  /** Milliseconds that unwrapped keys may be used before this has to be asked again; Infinity for keys that are here. */
  readonly lease: number
  /** @param bound What the key is, such as `branch-key/<branch>/<version>`; `unwrap` must name the same. */
  wrap(key: Uint8Array, bound: string): Promise<Buffer>
  /** Throws WrongKeyEncryptionKey when it cannot be opened by it, KeyServiceFault when nobody can say. */
  unwrap(wrapped: Buffer, bound: string): Promise<Buffer>
  /** Name of the key that wrapped it: what is wrapped by another than the newest is wrapped again by a rotation. */
  nameOf(wrapped: Buffer): string
  /** Name of the key that wraps now. */
  currentName(): Promise<string>
}

/** The database was made with another key-encryption key. */
export class WrongKeyEncryptionKey extends Error {}

/** The service that holds the key-encryption key is slow, away, or refuses. It says nothing about the key. */
export class KeyServiceFault extends Error {}

interface HeldKey {
  key: KeyObject
  name: string
  /** Marks what it wrapped. */
  print: number
}

/** Key-encryption keys that this process holds itself. The first wraps; all of them open, so that one can follow another. */
export class HeldKeys implements KeyEncryption {
  readonly source: string
  readonly lease = Number.POSITIVE_INFINITY
  readonly #read: () => Buffer[]
  #keys: HeldKey[] = []

  /** @param read Called at once, and again when a wrapped key is met that the known ones do not open. */
  constructor(source: string, read: () => Buffer[]) {
    this.source = source
    this.#read = read
    this.#look()
  }

  #look(): void {
    this.#keys = this.#read().map((bytes) => {
      const digest = createHash('sha256').update('carespine-key-encryption-key').update(bytes).digest()
      return { key: createSecretKey(bytes), name: `held/${digest.toString('hex', 0, 6)}`, print: digest.readUInt16BE(6) }
    })
  }

  get #first(): HeldKey {
    const [first] = this.#keys
    if (!first) throw new Error(`${this.source} holds no key`)
    return first
  }

  async wrap(key: Uint8Array, bound: string): Promise<Buffer> {
    return encrypt(this.#first.key, this.#first.print, key, bound)
  }

  async unwrap(wrapped: Buffer, bound: string): Promise<Buffer> {
    const opened = this.#open(wrapped, bound)
    if (opened) return opened
    // Another key may lie in the file since.
    this.#look()
    return this.#open(wrapped, bound) ?? wrong()
  }

  #open(wrapped: Buffer, bound: string): Buffer | undefined {
    for (const { key } of this.#keys) {
      try {
        return decrypt(key, wrapped, bound)
      } catch {
        // The next may be the one.
      }
    }
    return undefined
  }

  // Until keys could follow each other, the place of the fingerprint was 0.
  nameOf(wrapped: Buffer): string {
    const print = wrapped.readUInt16BE(1)
    return this.#keys.find((one) => one.print === print)?.name ?? `held/unknown-${print}`
  }

  async currentName(): Promise<string> {
    this.#look()
    return this.#first.name
  }
}

function wrong(): never {
  throw new WrongKeyEncryptionKey('The key-encryption key does not open this database. Use the key file it was created with.')
}

/** Keys in base64, 32 bytes each, with white space or commas between. */
export function parseKeys(text: string, source: string): Buffer[] {
  const keys = text.split(/[\s,]+/).filter((one) => one !== '').map((one) => Buffer.from(one, 'base64'))
  if (keys.length === 0 || keys.some((key) => key.length !== 32)) throw new Error(`${source} must be 32 bytes in base64 (make one: openssl rand -base64 32)`)
  return keys
}

/** Keys from the environment. */
export function keysInEnvironment(text: string): KeyEncryption {
  const keys = parseKeys(text, 'The key-encryption key that was given')
  return new HeldKeys('CARESPINE_KEK', () => keys)
}

/** Keys in a file, one a line, the one that wraps first. */
export function keysInFile(file: string): KeyEncryption {
  return new HeldKeys(file, () => parseKeys(readFileSync(file, 'utf8'), file))
}

export function keyFile(dataFolder: string): string {
  return join(dataFolder, 'keys', 'key-encryption-key')
}

/** Makes the file with a first key, readable by its owner alone, unless it is there. Returns whether it made it. */
export function makeKeyFile(file: string): boolean {
  if (existsSync(file)) return false
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  writeFileSync(file, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600, flag: 'wx' })
  chmodSync(file, 0o600)
  return true
}
