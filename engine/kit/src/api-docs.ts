import fastifySwagger from '@fastify/swagger'
import fastifySwaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'

/** OpenAPI of every route at `/docs/json`, with a page to read it at `/docs`. */
export async function registerApiDocs(app: FastifyInstance): Promise<void> {
  await app.register(fastifySwagger, {
    openapi: {
      info: { title: 'Carespine', version: '0.1.0', description: 'Derived from the actions of every module.' },
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
      security: [{ bearer: [] }],
    },
  })
  await app.register(async (docs) => {
    docs.addHook('onRoute', (route) => {
      route.config = { ...route.config, allow: 'anyone' }
    })
    await docs.register(fastifySwaggerUi, { routePrefix: '/docs', staticCSP: true })
  })
}
