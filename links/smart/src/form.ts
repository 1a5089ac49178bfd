import type { FastifyInstance, FastifyRequest } from 'fastify'

const TWICE = Symbol('parameters that stand twice')

type Form = Record<string, string> & { [TWICE]?: Set<string> }

/** Parameters of a form or a query. One that stands twice is wrong wherever it is looked at (RFC 6749, section 3.1). */
function readForm(text: string): Form {
  const form: Form = Object.create(null) as Form
  const twice = new Set<string>()
  for (const [name, value] of new URLSearchParams(text)) {
    if (name in form) twice.add(name)
    form[name] = value
  }
  form[TWICE] = twice
  return form
}

export function isRepeated(form: Readonly<Record<string, string>>, name: string): boolean {
  return (form as Form)[TWICE]?.has(name) ?? false
}

export function hasRepeated(form: Readonly<Record<string, string>>): boolean {
  return ((form as Form)[TWICE]?.size ?? 0) > 0
}

/** Lets the routes of a scope take forms. */
export function readForms(app: FastifyInstance): void {
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => done(null, readForm(body as string)))
}

/** What was sent: the form of a POST, its JSON, or the query of a GET. */
export function formOf(request: FastifyRequest): Readonly<Record<string, string>> {
  if (request.method === 'GET' || request.method === 'HEAD') {
    const at = request.url.indexOf('?')
    return readForm(at < 0 ? '' : request.url.slice(at + 1))
  }
  const { body } = request
  if (typeof body !== 'object' || body === null) return {}
  if (TWICE in body) return body as Form
  return Object.fromEntries(Object.entries(body).filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
}
