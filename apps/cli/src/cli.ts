// npm run cli -- <command>. Works beside a running server and without one.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { randomUUID } from 'node:crypto'
import { listDeadLetters, replayDeadLetters } from '@carespine/bus/dead-letters'
import { rebuildChart } from '@carespine/chart/contract'
import { addClient, firstBranch, listBranches } from '@carespine/identity/accounts'
import { PORTALS } from '@carespine/identity/contract'
import { rotateSigningKey } from '@carespine/identity/signing-keys'
import { readConfig } from '@carespine/kit/config'
import { createServices, registryOf } from '@carespine/kit/runtime'
import { judgeCodes } from '@carespine/server/judge-codes'
import { hospitalModules } from '@carespine/server/modules'
import { openStore } from '@carespine/server/open-store'
import { startPostgres } from '@carespine/store/embedded-postgres'
import type { Store } from '@carespine/store/store'
import { everywhere, listDeadNotifications, replayFrom } from '@carespine/subscriptions/ledger'
import { followTypes } from '@carespine/subscriptions/follow-types'
import { pino } from 'pino'
import { filesToImport, importFiles } from './import-files.ts'
import { loadPackage } from './load-package.ts'

const CLIENT_ROLES: readonly string[] = ['system', 'monitor', ...PORTALS]

const usage = `Usage: npm run cli -- <command>

  migrate                          bring the database up to date
  import <file|folder> [--branch CODE]
                                   load transaction bundles, resources and NDJSON
  package load <file.tgz>          load the profiles, extensions, value sets and code systems of a FHIR package;
                                   resources are checked against them from then on
  client create --role <role> [--name NAME] [--permissions P,P]
                                   make a confidential client; its secret is shown once
                                   roles: ${CLIENT_ROLES.join(', ')}
  signing-key rotate [--at-once]   sign access tokens with a new key; those of the former one are good until they
                                   expire, or with --at-once not any more: for a key that somebody else may have
  dead-letters                     events that could not be handled
  replay <id…|all>                 give dead letters back to their consumers
  dead-notifications               events of subscriptions that no attempt could deliver
  replay-notifications <subscription> <number>
                                   send the events of a subscription again, from a number on
  rebuild-charts                   throw the chart projections away; they are made anew when read
`

const say = (line: string): void => void process.stdout.write(`${line}\n`)

interface Installation {
  services: ReturnType<typeof createServices>
  store: Store
  applied: string[]
  close(): Promise<void>
}

async function open(): Promise<Installation> {
  const config = readConfig(process.env)
  if (config.databaseUrl === undefined && !existsSync(config.dataFolder)) {
    throw new Error(`There is no hospital in ${config.dataFolder}. Run npm start once, or set CARESPINE_DATA or DATABASE_URL.`)
  }
  const postgres = config.databaseUrl === undefined ? await startPostgres({ folder: join(config.dataFolder, 'postgres') }) : undefined
  const ownerUrl = config.databaseUrl ?? postgres?.url ?? ''
  const registry = registryOf(hospitalModules().modules)
  const { store, applied } = await openStore(config, { ownerUrl, registry, now: () => new Date(), connections: 4 })
  const services = createServices({ registry, store, log: pino({ level: 'silent' }) })
  judgeCodes(services)
  const stopFollowing = await followTypes(services)
  return {
    services,
    store,
    applied,
    async close() {
      stopFollowing()
      await store.close()
      // A database that a running server uses stays.
      if (postgres && !postgres.reattached) await postgres.stop()
    },
  }
}

function option(args: readonly string[], name: string): string | undefined {
  const at = args.indexOf(name)
  return at < 0 ? undefined : args[at + 1]
}

const originOf = (action: string) => ({ correlationId: randomUUID(), action, module: 'identity' })

async function runImport({ services }: Installation, args: readonly string[]): Promise<void> {
  const [path] = args
  if (path === undefined || !existsSync(path)) throw new Error('Name a file or a folder that exists.')
  const system = services.system('import')
  const branches = await services.view(system, originOf('import.branches'), ({ view }) => listBranches(view))
  const code = option(args, '--branch')
  const branch = code === undefined ? branches[0] : branches.find((one) => one.code === code)
  if (!branch) throw new Error(`No branch ${code ?? ''}. There are: ${branches.map((one) => one.code).join(', ') || 'none yet'}`)
  const began = performance.now()
  const summary = await importFiles(services, filesToImport(path), {
    branch: branch.id,
    onProgress: ({ files, of, added }) => {
      const seconds = (performance.now() - began) / 1000
      process.stdout.write(`\r  ${files} of ${of} files, ${added} resources, ${Math.round(added / seconds)} a second `)
    },
  })
  const seconds = (performance.now() - began) / 1000
  say(`\n${summary.added} resources added to ${branch.name}, ${summary.known} were there before, ${summary.refused.length} refused, in ${seconds.toFixed(1)} s`)
  for (const { where, why } of summary.refused.slice(0, 50)) say(`  refused: ${where}: ${why}`)
  if (summary.refused.length > 0) process.exitCode = 2
}

const MOST_LINES = 50

async function runPackage({ services }: Installation, [verb, file]: readonly string[]): Promise<void> {
  if (verb !== 'load') throw new Error('package load is what there is.')
  if (file === undefined || !existsSync(file)) throw new Error('Name the archive of a package that exists: package load <file.tgz>.')
  const summary = await loadPackage(services, readFileSync(file), (done, of) => process.stdout.write(`\r  ${done} of ${of} definitions `))
  const { name, version, added, changed, same, refused, missing, unchecked } = summary
  say(`\n${name} ${version}: ${added} definitions added, ${changed} changed, ${same} were there before, ${refused.length} refused`)
  for (const { where, why } of refused.slice(0, MOST_LINES)) say(`  refused: ${where}: ${why}`)
  for (const canonical of missing.slice(0, MOST_LINES)) say(`  not here, load its package too: ${canonical}`)
  for (const what of unchecked.slice(0, MOST_LINES)) say(`  not checked: ${what}`)
  if (refused.length > 0) process.exitCode = 2
}

async function createClient({ services }: Installation, args: readonly string[]): Promise<void> {
  const role = option(args, '--role')
  if (role === undefined || !CLIENT_ROLES.includes(role)) throw new Error(`Give --role: ${CLIENT_ROLES.join(', ')}`)
  const permissions = option(args, '--permissions')?.split(',')
  const client = await services.transact(services.system('identity'), originOf('identity.create-client'), async ({ tx }) => {
    await firstBranch(tx)
    return await addClient(tx, { display: option(args, '--name') ?? `${role} client`, roles: [role], ...(permissions ? { permissions } : {}) })
  })
  say(`client_id:     ${client.client_id}\nclient_secret: ${client.client_secret}\nThe secret is shown this once.`)
}

const commands: Readonly<Record<string, (installation: Installation, args: readonly string[]) => Promise<void>>> = {
  migrate: async ({ applied }) => say(applied.length === 0 ? 'Up to date.' : applied.join('\n')),
  import: runImport,
  package: runPackage,
  client: (installation, [verb, ...args]) => {
    if (verb !== 'create') throw new Error('client create is what there is.')
    return createClient(installation, args)
  },
  'signing-key': async ({ services }, [verb, ...args]) => {
    if (verb !== 'rotate') throw new Error('signing-key rotate is what there is.')
    const former = args.includes('--at-once') ? 'at-once' : 'until-tokens-end'
    const kid = await services.transact(services.system('identity'), originOf('identity.rotate-signing-key'), ({ tx, now }) => rotateSigningKey(tx, now, former))
    say(`Key ${kid} signs from now on. ${former === 'at-once' ? 'Tokens of former keys are refused within seconds; browsers get new ones by themselves.' : 'Tokens of the former one are good until they expire.'}`)
  },
  'dead-letters': async ({ store }) => {
    const letters = await listDeadLetters(store.database)
    for (const { id, consumer, type, attempts, error, at } of letters) say(`${id}  ${at.toISOString()}  ${consumer}  ${type}  ${attempts} attempts  ${error}`)
    say(`${letters.length} dead letters`)
  },
  replay: async ({ store }, ids) => {
    const all = ids.includes('all') ? (await listDeadLetters(store.database)).map(({ id }) => id) : ids
    say(`${await replayDeadLetters(store.database, all)} events given back`)
  },
  'dead-notifications': async ({ store }) => {
    const dead = await listDeadNotifications(store.database)
    for (const { row, number, owner, attempts, error, at } of dead) say(`${row}  ${number}  ${at.toISOString()}  subscriber ${owner}  ${attempts} attempts  ${error ?? ''}`)
    say(`${dead.length} dead notifications`)
  },
  'replay-notifications': async ({ store }, [row = '', from = '']) => {
    if (!/^[\da-f-]{36}$/.test(row) || !/^\d{1,15}$/.test(from)) throw new Error('Name a subscription, as dead-notifications does, and the number of an event.')
    const events = await replayFrom((text, values) => store.database.query(everywhere, { text, values }), row, Number(from), new Date())
    say(`${events} events put back in line`)
  },
  'rebuild-charts': async ({ services }) => {
    const { rebuilt } = await services.perform(rebuildChart, {}, services.system('chart'))
    say(`${rebuilt} projections thrown away`)
  },
}

const [name = '', ...args] = process.argv.slice(2)
const command = commands[name]
if (!command) {
  process.stderr.write(usage)
  process.exit(name === '' || name === 'help' ? 0 : 1)
}
try {
  const installation = await open()
  try {
    await command(installation, args)
  } finally {
    await installation.close()
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
}
