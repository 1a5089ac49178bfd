import fastify, { type FastifyInstance } from 'fastify'
import { describe, expect, test } from 'vitest'
import { readConfig } from './config.ts'
import { allowOrigins } from './cors.ts'

const APP = 'https://app.example.org'

async function serverFor(origins: readonly string[]): Promise<FastifyInstance> {
  const app = fastify() as unknown as FastifyInstance
  allowOrigins(app, { origins, paths: ['/fhir/'] })
  app.addHook('onRequest', async (request, reply) => {
    if (request.routeOptions.url === '/fhir/closed') return reply.code(401).send('sign in')
    return undefined
  })
  app.get('/fhir/open', async () => 'open')
  app.get('/fhir/closed', async () => 'closed')
  app.get('/api', async () => 'api')
  return app
}

const cors = (headers: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name === 'vary' || name.startsWith('access-control-')))

describe('pages of other origins', () => {
  test('read answers and refusals where their origin is named, and only there', async () => {
    const app = await serverFor([APP])
    const shown = { 'access-control-allow-origin': APP, 'access-control-expose-headers': expect.stringContaining('ETag'), vary: 'Origin' }
    for (const url of ['/fhir/open', '/fhir/closed', '/fhir/nothing']) {
      expect(cors((await app.inject({ url, headers: { origin: APP } })).headers), url).toEqual(shown)
      expect(cors((await app.inject({ url, headers: { origin: `${APP}.evil.test` } })).headers), url).toEqual({ vary: 'Origin' })
      expect(cors((await app.inject({ url, headers: { origin: 'null' } })).headers), url).toEqual({ vary: 'Origin' })
    }
    expect(cors((await app.inject({ url: '/api', headers: { origin: APP } })).headers)).toEqual({})
  })

  test('may ask beforehand, without a token, and never bring cookies', async () => {
    const app = await serverFor([APP])
    const ask = (url: string, origin: string) =>
      app.inject({ method: 'OPTIONS', url, headers: { origin, 'access-control-request-method': 'PUT', 'access-control-request-headers': 'authorization,if-match' } })
    const answer = await ask('/fhir/closed', APP)
    expect(answer.statusCode).toBe(204)
    expect(answer.headers).toMatchObject({ 'access-control-allow-origin': APP, 'access-control-allow-methods': expect.stringContaining('PUT'), 'access-control-allow-headers': expect.stringMatching(/Authorization.*If-Match/) })
    expect(answer.headers).not.toHaveProperty('access-control-allow-credentials')
    for (const refused of [await ask('/fhir/closed', 'https://other.example.org'), await ask('/api', APP)]) {
      expect(refused.statusCode).toBe(404)
      expect(refused.headers).not.toHaveProperty('access-control-allow-origin')
    }
  })

  test('are all let in where the star says so', async () => {
    const app = await serverFor(['*'])
    expect(cors((await app.inject({ url: '/fhir/open', headers: { origin: APP } })).headers)).toMatchObject({ 'access-control-allow-origin': '*' })
  })
})

test('CORS_ORIGINS takes origins as browsers send them', () => {
  expect(readConfig({}).corsOrigins).toEqual([])
  expect(readConfig({ CORS_ORIGINS: `${APP}, http://localhost:3000` }).corsOrigins).toEqual([APP, 'http://localhost:3000'])
  expect(readConfig({ CORS_ORIGINS: '*' }).corsOrigins).toEqual(['*'])
  for (const wrong of [`${APP}/`, 'app.example.org', 'null', 'https://*.example.org/x', 'file:///x']) {
    expect(() => readConfig({ CORS_ORIGINS: wrong }), wrong).toThrow('CORS_ORIGINS')
  }
})
