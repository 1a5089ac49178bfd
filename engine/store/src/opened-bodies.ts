import { LRUCache } from 'lru-cache'
import { NONCE } from './sealing.ts'

const MOST_BYTES = 16 * 1024 * 1024
const LARGEST = 64 * 1024
/** What an entry takes beside its bytes: key, list nodes, the Buffer itself. */
const OVERHEAD = 300

/**
 * Bodies that were opened lately. A version never changes, so what was opened once stays right, in every process; which
 * rows a caller may see is still for the database to say at each read, which finds the row and its sealed body. The
 * nonce, which no two sealings share, names the sealing that the bytes come from. Opening 500 bodies took two thirds of
 * the processor time of a $everything.
 */
export class OpenedBodies {
  readonly #bodies = new LRUCache<string, Buffer>({
    maxSize: MOST_BYTES,
    sizeCalculation: (body) => body.length + OVERHEAD,
  })

  /** `branch` and `bound` as in `Keyring.open`: a sealing that was moved to another place is not known here. */
  open(branch: string, sealed: Buffer, bound: string, open: () => Buffer): Buffer {
    const key = `${sealed.toString('latin1', NONCE.start, NONCE.end)}${branch}/${bound}`
    const known = this.#bodies.get(key)
    if (known) return known
    const body = open()
    if (body.length <= LARGEST) this.#bodies.set(key, body)
    return body
  }
}
