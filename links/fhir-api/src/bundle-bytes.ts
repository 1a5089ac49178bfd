import type { StoredRow } from '@carespine/store/read-records'

/** An entry of a Bundle as text around the bytes of a resource. */
export interface Entry {
  before: string
  body?: Buffer
  after: string
}

/** A Bundle put together from stored bytes: bodies are copied, not parsed. */
export function bundleBytes(head: object, entries: readonly Entry[]): Buffer {
  const text = JSON.stringify(head)
  if (entries.length === 0) return Buffer.from(text)
  const texts = entries.map(({ before, body, after }, at): [string, Buffer | undefined, string] => {
    const opening = at > 0 ? ',' : `${text.slice(0, -1)},"entry":[`
    const closing = at === entries.length - 1 ? ']}' : ''
    return body ? [`${opening}${before}"resource":`, body, `,${after}${closing}`] : [`${opening}${before}${after}${closing}`, undefined, '']
  })
  // Written into one place: joining three Buffers for each entry cost more than copying the bodies.
  const most = texts.reduce((sum, [before, body, after]) => sum + (before.length + after.length) * BYTES_OF_A_UNIT + (body?.length ?? 0), 0)
  const bytes = Buffer.allocUnsafeSlow(most)
  let end = 0
  for (const [before, body, after] of texts) {
    end += bytes.write(before, end)
    if (body) end += body.copy(bytes, end)
    end += bytes.write(after, end)
  }
  return bytes.subarray(0, end)
}

/** A UTF-16 unit is at most three bytes of UTF-8. */
const BYTES_OF_A_UNIT = 3

export function entryOf(base: string, type: string, body: Buffer, mode: 'match' | 'include', row: Pick<StoredRow, 'id'>): Entry {
  return { before: `{"fullUrl":"${base}/${type}/${idOf(body, row)}",`, body, after: `"search":{"mode":"${mode}"}}` }
}

// Most ids are their own key, and stand near the beginning of the body when the client gave one, near the end when the
// store did. Looking only at the beginning, bodies of the second kind were parsed whole: 15 % of the processor time of
// $everything. The store keeps bodies that were opened lately, and a body never changes: what was found is kept with it.
const ids = new WeakMap<Buffer, string>()

/** The id in a body; the row holds its key only. */
export function idOf(body: Buffer, row: Pick<StoredRow, 'id'>): string {
  let id = ids.get(body)
  if (id === undefined) {
    const own = `"id":"${row.id}"`
    const isKey = body.toString('latin1', 0, 400).includes(own) || body.toString('latin1', Math.max(0, body.length - 200)).includes(own)
    id = isKey ? row.id : (JSON.parse(body.toString()) as { id: string }).id
    ids.set(body, id)
  }
  return id
}
