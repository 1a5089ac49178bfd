// What the engine is compared with: Node's own HTTP and a pool, and the statements that the engine itself sent for the
// same request. No sign-in, no validation, no encryption, no index entries to compute, no audit of reads; as the owner
// of the database, so row-level security is off as well.
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import pg from 'pg'
import type { Recording } from './record-statements.ts'

export interface BareTask {
  databaseUrl: string
  recordings: Record<string, Recording>
}

type Fill = (subject: string) => unknown
interface Prepared {
  text: string
  name: string
  values: Fill[]
}

const BYTEA = 17
// As the store does it: pg's own parser walks the text byte by byte.
const types = {
  getTypeParser(oid: number, format?: string): (value: never) => unknown {
    if (oid === BYTEA) return (value: string) => Buffer.from(value.slice(2), 'hex')
    return pg.types.getTypeParser(oid, format as 'text') as (value: never) => unknown
  },
}

/** Cuts a recorded value at its ids once, so that a request only joins the pieces. */
function fillerOf(value: unknown, recording: Recording, fresh: Map<string, string>): Fill {
  if (Array.isArray(value)) {
    const inner = value.map((one) => fillerOf(one, recording, fresh))
    return (subject) => inner.map((fill) => fill(subject))
  }
  if (typeof value !== 'string') return () => value
  const ids = [...recording.fresh, ...(recording.subject === undefined ? [] : [recording.subject])]
  if (!ids.some((id) => value.includes(id))) return () => value
  const pieces = value.split(new RegExp(`(${ids.join('|')})`))
  return (subject) =>
    pieces.map((piece, at) => (at % 2 === 0 ? piece : piece === recording.subject ? subject : fresh.get(piece))).join('')
}

function serve({ databaseUrl, recordings }: BareTask): void {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 12, options: '-c jit=off -c timezone=UTC' })
  const routes = new Map(
    Object.entries(recordings).map(([name, recording]) => {
      const fresh = new Map<string, string>()
      const stages = recording.stages.map((stage, nth) =>
        stage.map(({ text, values }, at): Prepared => ({
          text,
          name: `${name}-${nth}-${at}`,
          values: values.map((value) => fillerOf(value, recording, fresh)),
        })),
      )
      return [name, { recording, stages, fresh }] as const
    }),
  )
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const [, name = '', subject = ''] = (request.url ?? '').split('/')
    const route = routes.get(name)
    if (!route) {
      response.writeHead(404).end()
      return
    }
    for await (const _chunk of request);
    for (const id of route.recording.fresh) route.fresh.set(id, randomUUID())
    const bytes: Buffer[] = []
    for (const stage of route.stages) {
      const filled = stage.map(({ text, name: statement, values }) => ({ text, name: statement, values: values.map((fill) => fill(subject)), types }))
      const results = await Promise.all(filled.map((one) => pool.query<Record<string, unknown>>(one as pg.QueryConfig)))
      for (const { rows } of results) for (const row of rows) for (const value of Object.values(row)) if (Buffer.isBuffer(value)) bytes.push(value)
    }
    const body = route.recording.answer ?? Buffer.concat(bytes)
    response.writeHead(route.recording.answer ? 201 : 200, { 'content-type': 'application/fhir+json', 'content-length': body.length }).end(body)
  }
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      process.stderr.write(`bare handler: ${error instanceof Error ? error.message : String(error)}\n`)
      response.writeHead(500).end()
    })
  })
  server.listen(0, '127.0.0.1', () => {
    const address = server.address()
    process.send?.({ url: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}` })
  })
}

process.once('message', serve)
process.on('SIGTERM', () => process.exit(0))
process.on('disconnect', () => process.exit(0))
process.on('SIGINT', () => undefined)
