import { randomUUID } from 'node:crypto'
import type { createServices, Registry } from '@carespine/kit/runtime'

/** Runs the modules' scheduled jobs, each in one process at a time. Returns how to stop. */
export function runJobs(registry: Registry, services: ReturnType<typeof createServices>): () => Promise<void> {
  const running = new Set<Promise<void>>()
  const timers = registry.modules.flatMap(({ name: module, jobs = [] }) =>
    jobs.map((job) => {
      const run = async (): Promise<void> => {
        const origin = { correlationId: randomUUID(), action: job.name, module }
        const actor = services.system(module)
        await services.transact(actor, origin, async (context) => {
          // The row is locked until the commit: another process that comes at the same moment finds it taken.
          const mine = await context.tx.sql(
            'insert into bus.job as j (name, ran_at) values ($1, $2) on conflict (name) do update set ran_at = $2 ' +
              "where j.ran_at <= $2::timestamptz - $3 * interval '1 second' returning 1",
            [job.name, context.now, job.everySeconds * 0.9],
          )
          if (mine.length > 0) await job.run(context)
        })
      }
      const timer = setInterval(() => {
        const once = run()
          .catch((error: unknown) => services.log.warn({ job: job.name, fault: (error as Error).name }, 'a job failed'))
          .finally(() => running.delete(once))
        running.add(once)
      }, job.everySeconds * 1000)
      timer.unref()
      return timer
    }),
  )
  return async () => {
    for (const timer of timers) clearInterval(timer)
    await Promise.all(running)
  }
}
