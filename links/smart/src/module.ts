import { command, defineModule, type ModuleDefinition, query, refuse, type ScheduledJob } from '@carespine/kit/module'
import type { Services } from '@carespine/kit/services'
import type { Actor, AppAccess, ReadView } from '@carespine/store/contract'
import { asApp, type Access, endAccess, openAccess } from './access.ts'
import { type App, appColumns, findApp, shownApp } from './apps.ts'
import { authorizeRoute } from './authorize.ts'
import { ClientKeys } from './client-keys.ts'
import { launchApp, launchableApps, listApps, myApps, refusals, registerApp, renewSecret, setAppActive, takeBack } from './contract.ts'
import { decideCommand, showRequestQuery, wishesOf } from './decide.ts'
import { after, type Desk, freshSecret, type Identity, openDesk, WAITS_MINUTES, type SmartSettings } from './desk.ts'
import { discoveryRoutes } from './discovery.ts'
import { readForms } from './form.ts'
import { appOf } from './give-token.ts'
import { addApp } from './register-app.ts'
import { tokenRoutes } from './token-routes.ts'

/** The authorization server for apps: SMART App Launch 2.2, on the accounts and keys of identity. */
export function createSmart(identity: Identity, settings: SmartSettings = {}): { module: ModuleDefinition; asApp(view: ReadView, actor: Actor, app: AppAccess): Promise<Actor | undefined> } {
  let opened: Desk | undefined
  const desk = (): Desk => {
    if (!opened) throw new Error('the SMART link was used before the server started')
    return opened
  }
  const module = defineModule({
    name: 'smart',
    migrations: new URL('../migrations/', import.meta.url),
    refusals,
    jobs: [forgetWhatIsOver],
    actions: [
      showRequestQuery,
      decideCommand,
      query(listApps, async (_input, { view }) => ({ apps: (await view.sql<App>(`select ${appColumns} from smart.app order by created_at, client`)).map(shownApp) })),
      command(registerApp, async (form, { tx, now }) => await addApp(desk(), tx, form, now)),
      command(setAppActive, async ({ client, active }, { tx, now }) => {
        const rows = await tx.sql('update smart.app set active = $2 where client = $1 returning 1', [client, active])
        if (rows.length === 0) refuse('SMART_APP_UNKNOWN')
        await identity.setClientActive(tx, client, active)
        if (!active) await endAccess(tx, { client }, 'app shut out', now)
        tx.record({ action: active ? 'smart.let-in' : 'smart.shut-out', outcome: 'success', reason: client })
        return { client }
      }),
      command(renewSecret, async ({ client }, { tx }) => {
        const app = (await findApp(tx, client)) ?? refuse('SMART_APP_UNKNOWN')
        if (!app.auth_method.startsWith('client_secret')) refuse('SMART_NO_SECRET')
        tx.record({ action: 'smart.renew-secret', outcome: 'success', reason: client })
        return { secret: await identity.newSecret(tx, client) }
      }),
      query(myApps, async (_input, { view, actor, now }) => {
        const rows = await view.sql<Access & { name: string; name_arabic: string }>(`${openAccess.replace('select ', 'select p.name, p.name_arabic, ')} and a.user_id = $1 and a.expires_at > $2 order by a.used_at desc`, [actor.id, now])
        const apps = [...Map.groupBy(rows, ({ client }) => client).values()].map((all) => {
          const [last] = all as [(typeof rows)[number]]
          const scopes = [...new Set(all.flatMap((one) => one.scopes))]
          const since = new Date(Math.min(...all.map((one) => one.created_at.getTime())))
          return { client: last.client, name: last.name, nameArabic: last.name_arabic, scopes, wishes: wishesOf(scopes), since: since.toISOString(), usedAt: last.used_at.toISOString() }
        })
        return { apps }
      }),
      command(takeBack, async ({ client }, { tx, actor, now }) => {
        const ended = await endAccess(tx, { client, user: actor.id }, 'taken back', now)
        if (ended.length > 0) tx.record({ action: 'smart.take-back', outcome: 'success', reason: client })
        for (const access of ended) identity.forget(appOf(access, access.scopes))
        return { ended: ended.length }
      }),
      query(launchableApps, async (_input, { view }) => {
        const apps = await view.sql<App>(`select ${appColumns} from smart.app where active and launch_url is not null and 'launch' = any (scopes) order by name`)
        return { apps: apps.map(({ client, name, name_arabic }) => ({ client, name, nameArabic: name_arabic })) }
      }),
      command(launchApp, async ({ client, patient, encounter }, { tx, actor, now }) => {
        const app = await findApp(tx, client)
        if (!app?.active || app.launch_url === null || !app.scopes.includes('launch')) return refuse('SMART_APP_UNKNOWN')
        await tx.read('Patient', patient)
        const visit = encounter === undefined ? undefined : await tx.read('Encounter', encounter)
        if (visit && visit.subject?.reference !== `Patient/${patient}`) refuse('SMART_ENCOUNTER_OTHERS')
        const { secret, hash } = freshSecret()
        await tx.sql('insert into smart.launch (hash, client, user_id, patient, encounter, expires_at) values ($1, $2, $3, $4, $5, $6)', [hash, client, actor.id, patient, encounter ?? null, after(now, WAITS_MINUTES.launch)])
        tx.record({ action: 'smart.launch', outcome: 'success', reason: client, patient })
        return { launchUrl: app.launch_url, launch: secret }
      }),
    ],
    start(services: Services) {
      opened = openDesk(services, identity, settings)
    },
    routes(app) {
      readForms(app)
      discoveryRoutes(app, desk())
      authorizeRoute(app, desk())
      tokenRoutes(app, desk(), new ClientKeys(settings.keyHosts ?? []))
    },
  })
  return { module, asApp: (view, actor, app) => asApp(view, actor, app, { termsOf: desk().termsOf, now: desk().services.now() }) }
}

const HOUR = 3600

/** What is over opens nothing; that it was is kept for a while, so that what comes a second time is known as such. */
const forgetWhatIsOver: ScheduledJob = {
  name: 'smart.forget-what-is-over',
  everySeconds: HOUR,
  async run({ tx, now }) {
    const hourAgo = after(now, -60)
    for (const table of ['launch', 'request', 'assertion']) await tx.sql(`delete from smart.${table} where expires_at < $1`, [hourAgo])
    const longAgo = after(now, -90 * 24 * 60)
    await tx.sql('delete from smart.refresh_token where expires_at < $1', [hourAgo])
    await tx.sql('delete from smart.code c where c.expires_at < $1', [after(now, -24 * 60)])
    await tx.sql('delete from smart.access where coalesce(ended_at, expires_at) < $1 and created_at < $1', [longAgo])
  },
}
