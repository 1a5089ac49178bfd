import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Services } from '@carespine/kit/services'

// One secret of the whole installation: any of its processes checks what another one has signed.
const secrets = new WeakMap<object, Promise<Buffer>>()

function secretOf({ store }: Services): Promise<Buffer> {
  let secret = secrets.get(store)
  if (!secret) {
    secret = store.keyring.secret('bulk-file-links', randomBytes(32))
    secrets.set(store, secret)
    secret.catch(() => secrets.delete(store))
  }
  return secret
}

export interface FileLink {
  job: string
  file: number
  /** Account that it was given to. */
  owner: string
  /** Milliseconds since 1970. */
  expires: number
}

async function signatureOf(services: Services, { job, file, owner, expires }: FileLink): Promise<Buffer> {
  return createHmac('sha256', await secretOf(services)).update(`${job}/${file}/${owner}/${expires}`).digest()
}

/** Path and query of a file, good until it expires and for the account that it was given to. */
export async function linkTo(services: Services, link: FileLink): Promise<string> {
  return `/$bulk-file/${link.job}/${link.file}?expires=${link.expires}&signature=${(await signatureOf(services, link)).toString('base64url')}`
}

/** Whether the signature is ours, and the time it bears has not come. */
export async function isGood(services: Services, link: FileLink, signature: string): Promise<boolean> {
  const ours = await signatureOf(services, link)
  const given = Buffer.from(signature, 'base64url')
  return given.length === ours.length && timingSafeEqual(given, ours) && link.expires > services.now().getTime()
}
