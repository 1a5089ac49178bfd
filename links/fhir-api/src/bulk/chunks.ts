import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import type { Services } from '@carespine/kit/services'
import type { Transaction } from '@carespine/store/contract'
import type { Scope } from '@carespine/store/database'
import type { JobFile } from './job.ts'

const compress = promisify(gzip)
const decompress = promisify(gunzip)

interface Place {
  job: string
  branch: string
  file: number
  nth: number
}

const bound = ({ job, file, nth }: Place): string => `bulk/${job}/${file}/${nth}`

/** Lines as they are kept: a member of a gzip file, sealed. Members one after the other are a gzip file (RFC 1952, 2.2). */
export async function sealChunk({ store }: Services, place: Place, lines: Buffer): Promise<Buffer> {
  return store.keyring.seal(place.branch, await compress(lines, { level: 1 }), bound(place))
}

/** Adds a chunk to its file, which the first one makes. */
export async function keepChunk(tx: Transaction, place: Place, file: Pick<JobFile, 'kind' | 'type'> & { count: number; bytes: number }, sealed: Buffer): Promise<void> {
  const { job, branch, file: number, nth } = place
  await tx.sql(
    'insert into bulk.file as f (job, number, branch, kind, type, count, bytes, chunks) values ($1, $2, $3, $4, $5, $6, $7, 1) ' +
      'on conflict (job, number) do update set count = f.count + excluded.count, bytes = f.bytes + excluded.bytes, chunks = f.chunks + 1',
    [job, number, branch, file.kind, file.type, file.count, file.bytes],
  )
  await tx.sql('insert into bulk.chunk (job, file, nth, branch, body) values ($1, $2, $3, $4, $5)', [job, number, nth, branch, sealed])
}

/** One chunk as a member of a gzip file; undefined behind the last one. */
export async function readChunk({ store }: Services, scope: Scope, place: Place): Promise<Buffer | undefined> {
  const [row] = await store.database.query<{ body: Buffer }>(
    scope,
    { name: 'bulk-chunk', text: 'select body from bulk.chunk where job = $1 and file = $2 and nth = $3', values: [place.job, place.file, place.nth] },
    { retry: 'reads' },
  )
  return row && store.keyring.open(place.branch, row.body, bound(place))
}

/** A file, a chunk at a time: compressed, or as its lines. */
export async function* readFile(services: Services, scope: Scope, file: Omit<Place, 'nth'> & { chunks: number }, as: 'gzip' | 'lines'): AsyncGenerator<Buffer> {
  for (let nth = 0; nth < file.chunks; nth++) {
    const member = await readChunk(services, scope, { ...file, nth })
    // Removed under the reader's hands: a file that ends early must not look whole.
    if (!member) throw new Error('A file of a bulk job was removed while it was read')
    yield as === 'gzip' ? member : await decompress(member)
  }
}

export async function linesOf(member: Buffer): Promise<string[]> {
  const text = (await decompress(member)).toString()
  return text.split('\n').slice(0, text.endsWith('\n') ? -1 : undefined)
}

const CHUNK = 256 * 1024
/** A resource that is longer is none that the API would take either. */
const LONGEST_LINE = 16 * 1024 * 1024

export class LineTooLong extends Error {}
export class InputTooLarge extends Error {}

/** Cuts what comes in into whole lines, some at a time. Throws LineTooLong and InputTooLarge. */
export async function* wholeLines(stream: AsyncIterable<Buffer>, most: number): AsyncGenerator<{ lines: Buffer; count: number }> {
  let parts: Buffer[] = []
  let size = 0
  let total = 0
  const cut = (bytes: Buffer): { lines: Buffer; count: number } => {
    let count = 0
    for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) count++
    return { lines: bytes, count: count + (bytes.at(-1) === 10 ? 0 : 1) }
  }
  for await (const part of stream) {
    total += part.length
    if (total > most) throw new InputTooLarge()
    parts.push(part)
    size += part.length
    if (size < CHUNK || !part.includes(10)) {
      if (size > LONGEST_LINE) throw new LineTooLong()
      continue
    }
    const bytes = Buffer.concat(parts)
    const end = bytes.lastIndexOf(10) + 1
    yield cut(bytes.subarray(0, end))
    parts = end < bytes.length ? [bytes.subarray(end)] : []
    size = bytes.length - end
  }
  if (size > 0) yield cut(Buffer.concat(parts))
}
