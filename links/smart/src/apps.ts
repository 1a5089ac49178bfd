import type { ReadView } from '@carespine/store/contract'
import type { RegisteredApp } from './contract.ts'

/** A registered app, as a row has it. */
export interface App {
  client: string
  name: string
  name_arabic: string
  kind: RegisteredApp['kind']
  auth_method: RegisteredApp['authMethod']
  redirect_uris: string[]
  launch_url: string | null
  scopes: string[]
  jwks_uri: string | null
  jwks: { keys: Record<string, unknown>[] } | null
  active: boolean
}

export const appColumns = 'client, name, name_arabic, kind, auth_method, redirect_uris, launch_url, scopes, jwks_uri, jwks, active'

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/

function isClientId(text: string): boolean {
  return UUID.test(text)
}

/** The app that is registered as this client, shut out or not. */
export async function findApp(view: ReadView, client: string): Promise<App | undefined> {
  if (!isClientId(client)) return undefined
  const [app] = await view.sql<App>(`select ${appColumns} from smart.app where client = $1`, [client])
  return app
}

export function shownApp(app: App): RegisteredApp {
  return {
    client: app.client,
    name: app.name,
    nameArabic: app.name_arabic,
    kind: app.kind,
    authMethod: app.auth_method,
    redirectUris: app.redirect_uris,
    ...(app.launch_url === null ? {} : { launchUrl: app.launch_url }),
    scopes: app.scopes,
    ...(app.jwks_uri === null ? {} : { jwksUri: app.jwks_uri }),
    active: app.active,
  }
}
