import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { collectDefaultMetrics, Counter, Histogram, Registry as Metrics } from 'prom-client'
import type { createServices, Registry } from './runtime.ts'

/** Numbers that are read together when /metrics is. */
export interface GaugeGroup {
  /** What each says, by its name. */
  help: Readonly<Record<string, string>>
  read(): Promise<Readonly<Record<string, number | undefined>>>
}

/** A number that cannot be read is left out: a zero would say that all is well. */
const PATIENCE_MILLISECONDS = 3000

/** What the modules count, each read as its module's system account. */
export function gaugesOfModules({ modules }: Registry, services: ReturnType<typeof createServices>): GaugeGroup[] {
  return modules.flatMap(({ name: module, gauges }) =>
    gauges
      ? [
          {
            help: gauges.help,
            read: async () => {
              const origin = { correlationId: randomUUID(), action: 'metrics', module }
              return await services.view(services.system(module), origin, (context) => gauges.read(context))
            },
          },
        ]
      : [],
  )
}

/** Serves /metrics for Prometheus: the process, its answers, and the groups. */
export function serveMetrics(app: FastifyInstance, options: { access: 'local' | 'token'; groups: readonly GaugeGroup[] }): void {
  const metrics = new Metrics()
  collectDefaultMetrics({ register: metrics })
  const seconds = new Histogram({
    name: 'carespine_http_seconds',
    help: 'Time to answer, by route pattern and status',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5],
    registers: [metrics],
  })
  const refused = new Counter({
    name: 'carespine_http_refused_total',
    help: 'Answers of 400 and above',
    labelNames: ['status'],
    registers: [metrics],
  })
  // Labels are route patterns: a URL may hold an identifier, a pattern cannot.
  app.addHook('onResponse', async (request, reply) => {
    const status = String(reply.statusCode)
    seconds.observe({ method: request.method, route: request.routeOptions.url ?? 'none', status }, reply.elapsedTime / 1000)
    if (reply.statusCode >= 400) refused.inc({ status })
  })
  const config = { allow: 'system.metrics', openOnThisMachine: options.access === 'local' }
  app.get('/metrics', { config, schema: { hide: true } }, async (_request, reply) => {
    const groups = await Promise.all(options.groups.map(linesOf))
    return reply.type(metrics.contentType).send((await metrics.metrics()) + groups.join(''))
  })
}

async function linesOf({ help, read }: GaugeGroup): Promise<string> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Record<string, never>>((resolve) => {
    timer = setTimeout(() => resolve({}), PATIENCE_MILLISECONDS)
  })
  const values = await Promise.race([read().catch(() => ({})), late])
  clearTimeout(timer)
  return Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `# HELP ${name} ${help[name] ?? ''}\n# TYPE ${name} gauge\n${name} ${value}\n`)
    .join('')
}
