import { readFileSync } from 'node:fs'
import { type KeyEncryption, KeyServiceFault, WrongKeyEncryptionKey } from './key-encryption.ts'

export interface VaultSettings {
  /** Address of the service, such as `https://vault.hospital.local:8200`. */
  url: string
  /** Name of the key in the transit engine. */
  key: string
  /** Path under which the transit engine is mounted. */
  mount: string
  /** A token, or a file that an agent keeps fresh. */
  token: { value: string } | { file: string }
  /** Minutes that unwrapped keys may be used without asking again. */
  leaseMinutes: number
  /** Milliseconds that one question may take. */
  patience?: number
}

const PATIENCE_MILLISECONDS = 5000

/**
 * The key-encryption key in the transit engine of HashiCorp Vault or OpenBao (HTTP API: POST /v1/<mount>/encrypt/<key> and
 * /decrypt/<key>): it never leaves the service. A data key is bound to its place by `associated_data`, which needs a key of
 * an AEAD type (the default, aes256-gcm96).
 */
export class VaultKeys implements KeyEncryption {
  readonly lease: number
  readonly #settings: VaultSettings

  constructor(settings: VaultSettings) {
    this.#settings = settings
    this.lease = settings.leaseMinutes * 60_000
  }

  get source(): string {
    return `the key service at ${this.#settings.url}`
  }

  async wrap(key: Uint8Array, bound: string): Promise<Buffer> {
    const { ciphertext } = await this.#ask<{ ciphertext: string }>('POST', `encrypt/${this.#settings.key}`, {
      plaintext: Buffer.from(key).toString('base64'),
      associated_data: Buffer.from(bound).toString('base64'),
    })
    if (typeof ciphertext !== 'string' || !CIPHERTEXT.test(ciphertext)) throw new KeyServiceFault(`${this.source} gave no ciphertext`)
    return Buffer.from(ciphertext)
  }

  async unwrap(wrapped: Buffer, bound: string): Promise<Buffer> {
    const ciphertext = wrapped.toString()
    if (!CIPHERTEXT.test(ciphertext)) throw new WrongKeyEncryptionKey(`What is stored was not wrapped by ${this.source}.`)
    const { plaintext } = await this.#ask<{ plaintext: string }>('POST', `decrypt/${this.#settings.key}`, {
      ciphertext,
      associated_data: Buffer.from(bound).toString('base64'),
    })
    const key = Buffer.from(plaintext ?? '', 'base64')
    if (key.length < 16) throw new KeyServiceFault(`${this.source} gave no key`)
    return key
  }

  nameOf(wrapped: Buffer): string {
    return `vault/${this.#settings.key}/${CIPHERTEXT.exec(wrapped.toString())?.[1] ?? 'unknown'}`
  }

  async currentName(): Promise<string> {
    const { latest_version: latest } = await this.#ask<{ latest_version: number }>('GET', `keys/${this.#settings.key}`)
    return `vault/${this.#settings.key}/${latest}`
  }

  #token(): string {
    const { token } = this.#settings
    if ('value' in token) return token.value
    try {
      return readFileSync(token.file, 'utf8').trim()
    } catch (error) {
      throw new KeyServiceFault(`The token for ${this.source} cannot be read from ${token.file} (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`)
    }
  }

  async #ask<T>(method: 'GET' | 'POST', path: string, body?: object): Promise<T> {
    const { url, mount, patience = PATIENCE_MILLISECONDS } = this.#settings
    let answer: Response
    let text: string
    try {
      answer = await fetch(`${url.replace(/\/$/, '')}/v1/${mount}/${path}`, {
        method,
        headers: { 'x-vault-token': this.#token(), 'x-vault-request': 'true', ...(body ? { 'content-type': 'application/json' } : {}) },
        ...(body ? { body: JSON.stringify(body) } : {}),
        redirect: 'error',
        signal: AbortSignal.timeout(patience),
      })
      text = await answer.text()
    } catch (error) {
      if (error instanceof KeyServiceFault) throw error
      const why = (error as Error).name === 'TimeoutError' ? `did not answer within ${patience} ms` : 'cannot be reached'
      throw new KeyServiceFault(`${this.source} ${why}`)
    }
    if (answer.status === 400 && /message authentication failed|invalid ciphertext/.test(text)) {
      throw new WrongKeyEncryptionKey(`${this.source} does not open what is stored: it was wrapped by another key, or changed.`)
    }
    // What it says may name more than a log should hold: the status is enough to look it up there.
    if (!answer.ok) throw new KeyServiceFault(`${this.source} refused with status ${answer.status}${answer.status === 403 ? ': is the token valid, and may it use the key?' : ''}`)
    try {
      return (JSON.parse(text) as { data: T }).data
    } catch {
      throw new KeyServiceFault(`${this.source} gave an answer that is no JSON`)
    }
  }
}

const CIPHERTEXT = /^vault:v(\d+):[A-Za-z\d+/=]+$/
