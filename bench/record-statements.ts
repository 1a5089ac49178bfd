import type { Statement } from '@carespine/store/database'
import type { Store } from '@carespine/store/store'

/** The statements of one request, for the bare handler to send again. */
export interface Recording {
  /** Those of one stage are under way together; stages follow one another. */
  stages: { text: string; values: unknown[] }[][]
  /** The id that a request puts its own in place of. */
  subject?: string
  /** Ids of what the request made; each repetition makes its own. */
  fresh: string[]
  /** What is sent back; without it, the bytes of the rows. */
  answer?: Buffer
}

const ID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g

/** A read without the audit entry that the engine writes in the same statement. */
function withoutAudit({ text, values = [] }: Statement): { text: string; values: unknown[] } | undefined {
  if (text.startsWith('insert into audit.entry')) return undefined
  const found = /^with found as materialized \((.*?)\), noted as \(insert into audit\.entry/s.exec(text)?.[1]
  if (found !== undefined) return { text: found, values: values.slice(0, 1) }
  const noted = /, noted as \(insert into audit\.entry .*?unnest\(\$(\d+)::.*? as a\([^)]*\)(?: where exists \([^)]*\))?\)/s.exec(text)
  if (noted) return { text: text.replace(noted[0], ''), values: values.slice(0, Number(noted[1]) - 1) }
  if (text.includes('audit.entry')) throw new Error('A read of the engine writes its audit entries in a way that the bench does not know')
  return { text, values: [...values] }
}

/** Listens to what `store` sends while `request` runs. The store must be at rest otherwise. */
export async function recordRead(store: Store, subject: string, request: () => Promise<unknown>): Promise<Recording> {
  const { stages } = await listen(store, request, withoutAudit)
  return { stages, subject, fresh: [] }
}

/** The same for a request that writes; `kept` are ids that stay as they are: branches, and what is written about. */
export async function recordWrite(store: Store, kept: readonly string[], request: () => Promise<Buffer>): Promise<Recording> {
  const { stages, answer } = await listen(store, request, ({ text, values = [] }) =>
    text.includes('pg_notify') ? undefined : { text, values: [...values] },
  )
  const ids = new Set<string>()
  for (const { values } of stages.flat()) {
    for (const value of values) if (typeof value === 'string') for (const [id] of value.matchAll(ID)) ids.add(id)
  }
  for (const id of kept) ids.delete(id)
  return { stages, fresh: [...ids], answer }
}

async function listen<T>(
  store: Store,
  request: () => Promise<T>,
  keep: (statement: Statement) => { text: string; values: unknown[] } | undefined,
): Promise<{ stages: Recording['stages']; answer: T }> {
  const { database } = store
  const query = database.query
  const stages: Recording['stages'] = []
  let underWay = 0
  database.query = async function <R>(this: typeof database, ...given: Parameters<typeof database.query>): Promise<R[]> {
    const kept = keep(given[1])
    if (!kept) return await query.apply(this, given) as R[]
    if (underWay === 0) stages.push([])
    stages.at(-1)?.push(kept)
    underWay += 1
    try {
      return await query.apply(this, given) as R[]
    } finally {
      underWay -= 1
    }
  }
  try {
    const answer = await request()
    if (stages.length === 0) throw new Error('The request sent no statement: nothing to compare with')
    return { stages, answer }
  } finally {
    database.query = query
  }
}
