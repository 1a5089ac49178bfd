import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:http'

/**
 * The transit engine of HashiCorp Vault as it answers over HTTP (API version 1: /v1/transit/encrypt, decrypt, keys, rotate),
 * for a key of the type aes256-gcm96. What it says when it refuses is word for word what Vault says.
 */
export class KeyService {
  readonly token = `hvs.${randomUUID()}`
  readonly asked: string[] = []
  /** How it behaves: as it should, not answering, sealed after a restart, or with the token taken away. */
  mood: 'well' | 'slow' | 'sealed' | 'refuses' = 'well'
  readonly #keys = new Map<string, Buffer[]>()
  readonly #server: Server
  #port = 0

  constructor() {
    this.#server = createServer((request, response) => {
      const parts: Buffer[] = []
      request.on('data', (part: Buffer) => parts.push(part))
      request.on('end', () => {
        if (this.mood === 'slow') return
        const { status, body } = this.#answer(request.method ?? '', request.url ?? '', request.headers['x-vault-token'], Buffer.concat(parts).toString())
        response.writeHead(status, { 'content-type': 'application/json' }).end(body === undefined ? '' : JSON.stringify(body))
      })
    })
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** Settings with which a server uses it. */
  get settings(): Record<string, string> {
    return { CARESPINE_KMS_URL: this.url, CARESPINE_KMS_TOKEN: this.token }
  }

  async start(): Promise<this> {
    await new Promise<void>((done) => this.#server.listen(this.#port, '127.0.0.1', done))
    this.#port = (this.#server.address() as { port: number }).port
    return this
  }

  /** Nothing listens at the address any longer; `start` brings it back there with the same keys. */
  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((done) => this.#server.close(done))
  }

  /** A new version of every key, as by `vault write -f transit/keys/<name>/rotate`. */
  rotate(): void {
    for (const versions of this.#keys.values()) versions.push(randomBytes(32))
  }

  /** The keys are gone, as by `vault delete transit/keys/<name>`. */
  forget(): void {
    this.#keys.clear()
  }

  #answer(method: string, url: string, token: string | string[] | undefined, body: string): { status: number; body?: object } {
    this.asked.push(`${method} ${url}`)
    if (this.mood === 'sealed') return { status: 503, body: { errors: ['Vault is sealed'] } }
    if (this.mood === 'refuses' || token !== this.token) return { status: 403, body: { errors: ['permission denied'] } }
    const [, version, mount, verb, name = ''] = url.split('/')
    if (version !== 'v1' || mount !== 'transit') return { status: 404, body: { errors: [] } }
    if (method === 'GET' && verb === 'keys') {
      const versions = this.#keys.get(name)
      return versions ? this.#data({ name, type: 'aes256-gcm96', latest_version: versions.length, min_decryption_version: 1 }) : { status: 404, body: { errors: [] } }
    }
    if (method !== 'POST') return { status: 405, body: { errors: ['unsupported operation'] } }
    const given = JSON.parse(body) as { plaintext?: string; ciphertext?: string; associated_data?: string }
    const bound = Buffer.from(given.associated_data ?? '', 'base64')
    if (verb === 'encrypt') {
      // A token that may create keys makes one by its first use.
      const versions = this.#keys.get(name) ?? [randomBytes(32)]
      this.#keys.set(name, versions)
      const nonce = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', versions.at(-1) as Buffer, nonce).setAAD(bound)
      const sealed = Buffer.concat([nonce, cipher.update(Buffer.from(given.plaintext ?? '', 'base64')), cipher.final(), cipher.getAuthTag()])
      return this.#data({ ciphertext: `vault:v${versions.length}:${sealed.toString('base64')}`, key_version: versions.length })
    }
    if (verb === 'decrypt') {
      const versions = this.#keys.get(name)
      if (!versions) return { status: 400, body: { errors: ['encryption key not found'] } }
      const [prefix, nth = '', text = ''] = (given.ciphertext ?? '').split(':')
      const key = versions[Number(nth.slice(1)) - 1]
      if (prefix !== 'vault' || !key) return { status: 400, body: { errors: ['invalid ciphertext: no prefix'] } }
      const sealed = Buffer.from(text, 'base64')
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12)).setAAD(bound).setAuthTag(sealed.subarray(-16))
        return this.#data({ plaintext: Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]).toString('base64') })
      } catch {
        return { status: 400, body: { errors: ['cipher: message authentication failed'] } }
      }
    }
    return { status: 404, body: { errors: ['no handler for route'] } }
  }

  #data(data: object): { status: number; body: object } {
    return { status: 200, body: { request_id: randomUUID(), lease_id: '', renewable: false, lease_duration: 0, data, wrap_info: null, warnings: null, auth: null } }
  }
}
