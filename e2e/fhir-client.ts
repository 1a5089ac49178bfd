import type { Bundle, OperationOutcome, Resource } from '@carespine/fhir/resource'

export interface FhirAnswer<T> {
  status: number
  body: T
  text: string
  headers: Headers
}

type Fetch = (path: string, init?: RequestInit) => Promise<Response>

/** What an outside system does: FHIR over HTTP under one token. */
export interface FhirClient {
  send<T = Resource>(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<FhirAnswer<T>>
  /** Creates and gives what was stored; throws when it was refused. */
  create<R extends Resource>(resource: R): Promise<R & { id: string; meta: { versionId: string; lastUpdated: string } }>
  /** Ids found by a search, in order; throws when it was refused. */
  ids(path: string): Promise<string[]>
  search(path: string): Promise<Bundle>
}

export function fhirClient(fetch: Fetch): FhirClient {
  const send: FhirClient['send'] = async (method, path, body, headers = {}) => {
    const response = await fetch(`/fhir/R4${path}`, {
      method,
      headers: { accept: 'application/fhir+json', ...(body === undefined ? {} : { 'content-type': 'application/fhir+json' }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, body: (text === '' ? undefined : JSON.parse(text)) as never, text, headers: response.headers }
  }
  const search = async (path: string): Promise<Bundle> => {
    const { status, body, text } = await send<Bundle>('GET', path)
    if (status !== 200) throw new Error(`${path}: ${status} ${text}`)
    return body
  }
  return {
    send,
    search,
    async create(resource) {
      const { status, body, text } = await send('POST', `/${resource.resourceType}`, resource)
      if (status !== 201) throw new Error(`create ${resource.resourceType}: ${status} ${text}`)
      return body as never
    },
    ids: async (path) => (await search(path)).entry?.map(({ resource }) => resource?.id ?? '') ?? [],
  }
}

/** Faults as `code expression`. */
export function faultsOf(answer: FhirAnswer<unknown>): string[] {
  const { resourceType, issue } = answer.body as OperationOutcome
  if (resourceType !== 'OperationOutcome') throw new Error(`no OperationOutcome but ${answer.text}`)
  return issue.map(({ code, expression }) => [code, ...(expression ?? [])].join(' '))
}
