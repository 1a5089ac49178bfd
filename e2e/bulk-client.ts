import type { OperationOutcome, Resource } from '@carespine/fhir/resource'

type Fetch = (path: string, init?: RequestInit) => Promise<Response>

interface Listed {
  type: string
  url: string
  count: number
}

export interface Manifest {
  transactionTime: string
  request: string
  requiresAccessToken: boolean
  output: Listed[]
  deleted?: Listed[]
  error: Listed[]
}

/** What a bulk data client does, under one token. Addresses are absolute, as the server gives them. */
export function bulkClient(url: string, fetch: Fetch) {
  const at = (address: string, init?: RequestInit): Promise<Response> => fetch(address.replace(url, ''), init)
  const client = {
    fetch: at,
    /** Asks for a job. @returns The address of its status; throws the outcome of a refusal. */
    async start(path: string, init: RequestInit = {}): Promise<string> {
      const response = await client.ask(path, init)
      if (response.status !== 202) throw new Error(`${path}: ${response.status} ${await response.text()}`)
      await response.body?.cancel()
      return response.headers.get('content-location') ?? ''
    },
    ask: (path: string, init: RequestInit = {}): Promise<Response> => fetch(`/fhir/R4${path}`, { ...init, headers: { prefer: 'respond-async', ...init.headers } }),
    async wait(status: string, milliseconds = 30_000): Promise<Manifest> {
      for (let waited = 0; waited < milliseconds; waited += 50) {
        const response = await at(status)
        if (response.status === 200) return (await response.json()) as Manifest
        const text = await response.text()
        if (response.status !== 202) throw new Error(`${response.status} ${text}`)
        await new Promise((done) => setTimeout(done, 50))
      }
      throw new Error('the job was not done in time')
    },
    async lines<R = Resource>(files: readonly Listed[]): Promise<R[]> {
      const found: R[] = []
      for (const file of files) {
        const response = await at(file.url)
        if (response.status !== 200) throw new Error(`${file.url}: ${response.status} ${await response.text()}`)
        const lines = (await response.text()).split('\n').slice(0, -1)
        if (lines.length !== file.count) throw new Error(`${file.url}: ${lines.length} lines, and ${file.count} were promised`)
        found.push(...lines.map((line) => JSON.parse(line) as R))
      }
      return found
    },
    /** Exports and downloads. */
    async export(path: string, init?: RequestInit): Promise<{ manifest: Manifest; resources: Resource[] }> {
      const manifest = await client.wait(await client.start(path, init))
      return { manifest, resources: await client.lines(manifest.output) }
    },
    /** Brings lines in. @returns What was said of each type, and of what was refused. */
    async import(body: string, headers: Record<string, string> = { 'content-type': 'application/fhir+ndjson' }): Promise<{ said: string[]; refused: string[] }> {
      const manifest = await client.wait(await client.start('/$import', { method: 'POST', body, headers }))
      const sentences = (outcomes: readonly OperationOutcome[]): string[] => outcomes.flatMap(({ issue }) => issue.map(({ diagnostics = '' }) => diagnostics))
      return { said: sentences(await client.lines(manifest.output)), refused: sentences(await client.lines(manifest.error)) }
    },
  }
  return client
}

/** References of resources, in order. */
export function namesOf(resources: readonly Resource[]): string[] {
  return resources.map(({ resourceType, id }) => `${resourceType}/${id}`).toSorted()
}
