import type { Server as NetServer } from 'node:net'
import { InProcessBus } from '@carespine/bus/in-process'
import type { Bus } from '@carespine/bus/bus'
import type { Config } from '@carespine/kit/config'
import { createHttp } from '@carespine/kit/http'
import { createServices, registryOf } from '@carespine/kit/runtime'
import { PERMISSIONS_CHANGED } from '@carespine/kit/permissions-changed'
import { serveSockets, type Sockets } from '@carespine/kit/sockets'
import { runBulkJobs } from '@carespine/link-fhir-api/run-bulk-jobs'
import { startListener } from '@carespine/link-hl7v2/listener'
import { getNotification, notificationHints } from '@carespine/notifications/contract'
import type { Hint } from '@carespine/store/contract'
import { IndexKeeper } from '@carespine/store/index-again'
import { howToOpenTheIndex, isIndexOpen } from '@carespine/store/migrate'
import { deliverNotifications } from '@carespine/subscriptions/deliver-notifications'
import { followTypes } from '@carespine/subscriptions/follow-types'
import { serveWebsockets } from '@carespine/subscriptions/serve-websockets'
import { pino } from 'pino'
import { followKeys } from './follow-keys.ts'
import { joinOthers } from './join-others.ts'
import { followDefinitions, judgeCodes } from './judge-codes.ts'
import { hospitalModules } from './modules.ts'
import { openStore } from './open-store.ts'
import { runJobs } from './run-jobs.ts'
import { serverGauges } from './server-gauges.ts'
import { serveWebApp } from './serve-web-app.ts'
import { watchDisk } from './watch-disk.ts'

export interface RunningHospital {
  url: string
  port: number
  hl7Port?: number
  services: ReturnType<typeof createServices>
  bus: Bus
  close(): Promise<void>
}

export interface HospitalOptions {
  /** Owner of the database, for migrations. */
  ownerUrl: string
  now?(): Date
  onProgress?(step: string): void
}

/** Starts the parts of the hospital that the configuration names, on one database. */
export async function startHospital(config: Config, options: HospitalOptions): Promise<RunningHospital> {
  const { onProgress = () => undefined, now = () => new Date() } = options
  const log = pino({ level: config.logLevel, base: null })
  const has = (role: Config['roles'][number]): boolean => config.roles.includes(role)
  const { modules, identity } = hospitalModules(config)
  const registry = registryOf(modules)
  const { store } = await openStore(config, {
    ownerUrl: options.ownerUrl,
    registry,
    now,
    onMigration: (file) => onProgress(`Updating the database: ${file}`),
  })
  if (!(await isIndexOpen(store.database))) log.warn({ sql: howToOpenTheIndex }, 'searches read whole tables until a superuser of the database runs this once')
  const services = createServices({ registry, store, log })
  judgeCodes(services)
  const stopFollowing = await followDefinitions(services)
  const stopFollowingKeys = await followKeys(store, log)
  const stopFollowingTypes = await followTypes(services)
  const authenticator = await identity.authenticator(services)

  const bus: Bus = new InProcessBus({
    database: store.database,
    open: (row) => store.openEvent(row),
    onFault: (fault) => log.warn(fault, 'an event was not handled'),
  })
  const stopWatching = config.databaseUrl === undefined ? watchDisk(store, config.dataFolder, log) : undefined
  let sockets: Sockets | undefined
  const deliver = (hint: Hint): void => {
    if (hint.name === PERMISSIONS_CHANGED.name) {
      authenticator.forgetActors()
      sockets?.recheck()
    } else sockets?.deliver(hint)
  }
  // On a database of its own a process has nobody to tell.
  const others =
    config.databaseUrl === undefined
      ? undefined
      : await joinOthers(store, {
          onEvents: () => bus.wake(),
          onHint: deliver,
          onFault: () => log.warn('other processes were not told'),
        })
  store.onCommitted = (committed) => {
    if (committed.events) bus.wake()
    committed.hints.forEach(deliver)
    others?.tell(committed)
  }

  const app = await createHttp({
    registry,
    services,
    authenticator,
    health: {
      async faults() {
        return [...((await store.database.isReachable()) ? [] : ['database']), ...(store.keyring.isOpen ? [] : ['keys'])]
      },
      warnings: () => (store.keyring.fault === undefined ? [] : ['keys']),
    },
    roles: config.roles,
    gauges: serverGauges({ store, sockets: () => sockets, ...(config.databaseUrl === undefined ? { dataFolder: config.dataFolder } : {}) }),
    metricsAccess: config.metricsAccess,
    trustedProxies: config.trustedProxies,
    cors: { origins: config.corsOrigins, paths: ['/fhir/', '/oauth2/', '/.well-known/'] },
  })
  if (has('api')) await serveWebApp(app)
  await app.listen({ port: config.port, host: config.host })
  const address = app.server.address()
  const port = typeof address === 'object' && address ? address.port : config.port
  let stopWebsockets = (): void => undefined
  if (has('sockets')) {
    const present = async (ref: Readonly<Record<string, string>>, actor: Parameters<typeof services.perform>[2]) =>
      await services.perform(getNotification, { id: ref.id ?? '' }, actor)
    stopWebsockets = await serveWebsockets(app.server, services)
    sockets = serveSockets({
      server: app.server,
      authenticator,
      log,
      presents: new Map(Object.values(notificationHints).map((name) => [name, present])),
    })
  }
  let stopDelivering: () => Promise<void> = async () => undefined
  let stopJobs: () => Promise<void> = async () => undefined
  let stopBulkJobs: () => Promise<void> = async () => undefined
  const indexKeeper = new IndexKeeper(store, (error) => log.warn({ fault: (error as Error).name }, 'the search index was not kept'))
  if (has('worker')) {
    await bus.start(
      registry.reactions.map(({ module, reaction }) => ({
        name: reaction.name,
        type: reaction.on.type,
        handle: (event) => services.react(module, reaction, event),
      })),
    )
    stopJobs = runJobs(registry, services)
    stopBulkJobs = runBulkJobs(services, config.bulk)
    stopDelivering = await deliverNotifications(services, config.subscriptions)
    indexKeeper.start()
  }
  const listener = has('links') ? await startListener({ port: config.hl7Port, host: config.host, services }) : undefined

  return {
    url: `http://${config.host === '0.0.0.0' ? 'localhost' : config.host}:${port}`,
    port,
    ...(listener ? { hl7Port: listener.port } : {}),
    services,
    bus,
    async close() {
      stopWatching?.()
      stopFollowing()
      stopFollowingTypes()
      stopFollowingKeys()
      others?.leave()
      await listener?.close()
      stopWebsockets()
      await sockets?.close()
      await closeHttp(app.server as unknown as NetServer, () => app.close())
      await stopJobs()
      await stopBulkJobs()
      await stopDelivering()
      await indexKeeper.stop()
      await bus.close()
      await store.close()
    },
  }
}

async function closeHttp(server: NetServer & { closeAllConnections?(): void }, close: () => Promise<unknown>): Promise<void> {
  const closing = close()
  setTimeout(() => server.closeAllConnections?.(), 1500).unref()
  await closing
}
