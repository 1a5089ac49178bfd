import type { FastifyInstance } from 'fastify'

/** Which pages of other origins may call which addresses. */
export interface CorsRules {
  /** Origins such as `https://app.example.org`, or `*` for all. */
  origins: readonly string[]
  /** Beginnings of the addresses that they may call. */
  paths: readonly string[]
}

const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE'
const TAKEN = 'Accept, Authorization, Content-Type, Idempotency-Key, If-Match, If-Modified-Since, If-None-Exist, If-None-Match, Prefer, X-Correlation-Id'
const SHOWN = 'Content-Location, ETag, Last-Modified, Location, Retry-After, X-Correlation-Id, X-Progress'
const HOUR = '3600'

/**
 * Lets pages of these origins call the server (https://fetch.spec.whatwg.org/#http-cors-protocol), and answers what
 * browsers ask beforehand. Cookies never come along: a page has the access token that its user gave it, or nothing.
 */
export function allowOrigins(app: FastifyInstance, { origins, paths }: CorsRules): void {
  const all = origins.includes('*')
  const known = new Set(origins)
  app.addHook('onRequest', (request, reply, done) => {
    if (!paths.some((path) => request.url.startsWith(path))) {
      done()
      return
    }
    const { origin, 'access-control-request-method': asks } = request.headers
    if (!all) reply.header('vary', 'Origin')
    if (origin === undefined || !(all || known.has(origin))) {
      done()
      return
    }
    reply.header('access-control-allow-origin', all ? '*' : origin)
    if (request.method !== 'OPTIONS' || asks === undefined) {
      reply.header('access-control-expose-headers', SHOWN)
      done()
      return
    }
    reply
      .header('access-control-allow-methods', METHODS)
      .header('access-control-allow-headers', TAKEN)
      .header('access-control-max-age', HOUR)
      .code(204)
      .send()
  })
}

/** Whether text is an origin as browsers send it, or the star for all. */
export function isOrigin(text: string): boolean {
  if (text === '*') return true
  const url = URL.parse(text)
  return url !== null && url.origin === text && (url.protocol === 'https:' || url.protocol === 'http:')
}
