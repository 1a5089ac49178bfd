import { gunzipSync } from 'node:zlib'

const BLOCK = 512
/** The largest package of HL7, the examples of a release, is half of it. */
const MOST_BYTES = 1024 * 1024 * 1024

interface Entry {
  name: string
  content: Buffer
}

/** The files of a gzipped tar archive. Throws an Error with one sentence when it is none. */
export function* filesOf(archive: Buffer): Generator<Entry> {
  const tar = unzip(archive)
  let longName: string | undefined
  for (let at = 0; at + BLOCK <= tar.length; ) {
    const header = tar.subarray(at, at + BLOCK)
    if (header[0] === 0) return
    const size = Number.parseInt(text(header, 124, 12), 8)
    const type = String.fromCharCode(header[156] ?? 0)
    if (!Number.isSafeInteger(size) || at + BLOCK + size > tar.length) throw new Error('The archive is cut off, or is no tar archive.')
    const content = tar.subarray(at + BLOCK, at + BLOCK + size)
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK
    // Long names stand in an entry of their own before the file: as GNU tar has it, or POSIX.
    if (type === 'L') longName = content.toString('utf8').replace(/\0.*$/s, '')
    else if (type === 'x') longName = /(?:^|\n)\d+ path=([^\n]*)\n/.exec(content.toString('utf8'))?.[1] ?? longName
    else {
      const prefix = text(header, 257, 5) === 'ustar' ? text(header, 345, 155) : ''
      const short = text(header, 0, 100)
      if (type === '0' || type === '\0') yield { name: longName ?? (prefix === '' ? short : `${prefix}/${short}`), content }
      longName = undefined
    }
  }
}

function unzip(archive: Buffer): Buffer {
  try {
    return gunzipSync(archive, { maxOutputLength: MOST_BYTES })
  } catch {
    throw new Error('The file is no gzipped archive. A FHIR package is a .tgz file.')
  }
}

function text(header: Buffer, at: number, length: number): string {
  return header.toString('latin1', at, at + length).replace(/\0.*$/s, '').trim()
}
