import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import fastifyHelmet from '@fastify/helmet'
import fastifyStatic from '@fastify/static'
import { PORTALS } from '@carespine/identity/contract'
import type { FastifyInstance } from 'fastify'

const dist = fileURLToPath(new URL('../../web/dist/', import.meta.url))

const isOfPrograms: ReadonlySet<string> = new Set(['api', 'fhir', 'oauth2', 'health', 'docs', 'metrics', 'socket.io', 'assets', '.well-known'])

/** Serves the built portals: hashed files forever, every other address outside the APIs as the one page. */
export async function serveWebApp(app: FastifyInstance): Promise<void> {
  const page = `${dist}index.html`
  if (!existsSync(page)) return
  const html = readFileSync(page)
  await app.register(async (web) => {
    web.addHook('onRoute', (route) => {
      route.config = { ...route.config, allow: 'anyone' }
      route.schema = { ...route.schema, hide: true }
    })
    await web.register(fastifyHelmet, {
      contentSecurityPolicy: {
        directives: {
          defaultSrc: ["'self'"],
          // Mantine sets element styles; scripts come from our own files alone.
          styleSrc: ["'self'", "'unsafe-inline'"],
          imgSrc: ["'self'", 'data:', 'blob:'],
          connectSrc: ["'self'", 'ws:', 'wss:'],
          upgradeInsecureRequests: null,
        },
      },
      strictTransportSecurity: false,
    })
    await web.register(fastifyStatic, {
      root: `${dist}assets`,
      prefix: '/assets/',
      immutable: true,
      maxAge: '1y',
      decorateReply: false,
    })
    for (const path of ['/', '/sign-in', '/setup', '/authorize', '/apps', '/:portal', '/:portal/*']) {
      web.get(path, async (request, reply) => {
        const { portal } = request.params as { portal?: string }
        const isKnown = portal === undefined || (PORTALS as readonly string[]).includes(portal)
        // A person is told by the page, a program as everywhere else.
        if (!isKnown && (isOfPrograms.has(portal) || !request.headers.accept?.includes('text/html'))) return reply.callNotFound()
        return reply.code(isKnown ? 200 : 404).header('cache-control', 'no-cache').type('text/html; charset=utf-8').send(html)
      })
    }
  })
}
