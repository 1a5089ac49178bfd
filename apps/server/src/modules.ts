import { access } from '@carespine/access'
import { chart } from '@carespine/chart'
import { documents } from '@carespine/documents'
import { encounters } from '@carespine/encounters'
import { createIdentity } from '@carespine/identity'
import type { Config } from '@carespine/kit/config'
import type { ModuleDefinition } from '@carespine/kit/module'
import { lab } from '@carespine/lab'
import { createFhirApi } from '@carespine/link-fhir-api'
import { createHl7v2 } from '@carespine/link-hl7v2'
import { createSmart } from '@carespine/link-smart'
import { notifications } from '@carespine/notifications'
import { orders } from '@carespine/orders'
import { registration } from '@carespine/registration'
import { createSubscriptions } from '@carespine/subscriptions'
import { createTerminology } from '@carespine/terminology'
import type { MigrationSet } from '@carespine/store/migrate'

/**
 * Every module of the hospital: the one list. Identity comes with the authenticator that all routes ask.
 *
 * @param sessions How long sessions last where it is not as shipped.
 * @param publicUrl Where people reach the portals.
 * @param apps Where keys of clients may be fetched from beside public addresses.
 * @param bulk What `$import` may fetch from; default: nowhere.
 */
export function hospitalModules({ bulk = { importOrigins: [] }, sessions = {}, apps = { keyHosts: [] }, publicUrl }: { bulk?: Pick<Config['bulk'], 'importOrigins'> } & Partial<Pick<Config, 'sessions' | 'apps' | 'publicUrl'>> = {}): { modules: ModuleDefinition[]; identity: ReturnType<typeof createIdentity> } {
  // Each has something of the other: accounts and keys are identity's, what an app was allowed is the link's.
  const identity = createIdentity({ sessions, publicUrl, asApp: (...asked) => smart.asApp(...asked) })
  const smart: ReturnType<typeof createSmart> = createSmart(identity.forApps, { ...(publicUrl === undefined ? {} : { publicUrl }), keyHosts: apps.keyHosts })
  return {
    identity,
    modules: [identity.module, access, registration, createTerminology(), encounters, orders, lab, documents, notifications, chart, createSubscriptions(), createHl7v2(), createFhirApi(bulk), smart.module],
  }
}

/** The store's own tables first, then each module's, in the order above. */
export function migrationSets(modules: readonly ModuleDefinition[]): MigrationSet[] {
  const engine = { name: 'store', folder: new URL('../../../engine/store/migrations/', import.meta.url) }
  return [engine, ...modules.flatMap(({ name, migrations }) => (migrations ? [{ name, folder: migrations }] : []))]
}
