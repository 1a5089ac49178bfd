// One process with everything in it, or with the roles that ROLES names.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type ProcessRole, readConfig } from '@carespine/kit/config'
import type { RunningHospital } from './hospital-server.ts'
import type { DemoAccess } from './seed-demo.ts'

const began = performance.now()
const say = (line: string): void => void process.stdout.write(`${line}\n`)
const progress = (step: string): void => say(`  ${((performance.now() - began) / 1000).toFixed(1).padStart(5)} s  ${step}`)

function stop(line: string): never {
  process.stderr.write(`\n${line}\n`)
  process.exit(1)
}

/** Why a port cannot be opened; undefined when it can. */
function portFault(port: number, host: string): Promise<string | undefined> {
  return new Promise((done) => {
    const probe = createServer()
    probe.once('error', ({ code }: NodeJS.ErrnoException) => done(code))
    probe.listen(port, host, () => probe.close(() => done(undefined)))
  })
}

async function checkPort(variable: 'PORT' | 'HL7_PORT', port: number, host: string): Promise<void> {
  if (port === 0) return
  const fault = await portFault(port, host)
  const other = port < 1024 ? port + 8000 : port < 65_535 ? port + 1 : port - 1
  if (fault === 'EADDRINUSE') stop(`Port ${port} is in use. Set ${variable} to another one: ${variable}=${other} npm start`)
  if (fault === 'EACCES') stop(`Port ${port} may not be opened by this account. Set ${variable} to another one: ${variable}=${other} npm start`)
  if (fault !== undefined) stop(`${host} cannot be listened on (${fault}). Set HOST to an address of this machine, or 0.0.0.0 for all.`)
}

// One server for a data folder. The lock of a process that was killed is taken over.
function lock(folder: string): () => void {
  const file = join(folder, 'server.pid')
  const before = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0
  if (before > 0 && before !== process.pid && isServer(before)) {
    stop(`Process ${before} already serves ${folder}. Stop it, or set CARESPINE_DATA to another folder.`)
  }
  writeFileSync(file, String(process.pid))
  return () => rmSync(file, { force: true })
}

function isServer(pid: number): boolean {
  try {
    process.kill(pid, 0)
    const command = existsSync(`/proc/${pid}/cmdline`) ? readFileSync(`/proc/${pid}/cmdline`, 'utf8') : 'start.js'
    return command.includes('start.js')
  } catch {
    return false
  }
}

async function main(): Promise<void> {
  const config = (() => {
    try {
      return readConfig(process.env)
    } catch (error) {
      return stop((error as Error).message)
    }
  })()
  say('Carespine')
  await checkPort('PORT', config.port, config.host)
  if (config.roles.includes('links')) await checkPort('HL7_PORT', config.hl7Port, config.host)
  try {
    mkdirSync(config.dataFolder, { recursive: true, mode: 0o711 })
  } catch (error) {
    stop(`The data folder cannot be made: ${(error as Error).message}. Set CARESPINE_DATA to a folder you may write to.`)
  }
  const has = (role: ProcessRole): boolean => config.roles.includes(role)
  const unlock = lock(config.dataFolder)
  const { startPostgres } = await import('@carespine/store/embedded-postgres')
  const server = import('./hospital-server.ts')
  const web = import('./build-web.ts').then(({ buildWeb }) => (has('api') ? buildWeb(progress) : undefined))
  const postgres =
    config.databaseUrl === undefined
      ? await startPostgres({ folder: join(config.dataFolder, 'postgres'), onProgress: progress })
      : undefined
  await web
  const { startHospital } = await server
  const hospital = await startHospital(config, { ownerUrl: config.databaseUrl ?? postgres?.url ?? '', onProgress: progress })

  let closing = false
  const close = async (): Promise<void> => {
    if (closing) return
    closing = true
    setTimeout(() => process.exit(1), 15_000).unref()
    await hospital.close()
    await postgres?.stop()
    unlock()
    process.exit(0)
  }
  process.on('SIGINT', () => void close())
  process.on('SIGTERM', () => void close())

  const demo = config.demo && has('api')
  const users = demo ? await fillDemo(hospital, config.dataFolder) : undefined
  progress(`Ready: ${config.roles.map((role) => `${role} (${works(hospital)[role]})`).join(', ')}`)
  say(`\n  ${hospital.url}${has('api') ? '' : '  health and metrics'}\n`)
  if (users) sayLogIns(users, config.dataFolder)
  else if (demo) say('  The demo hospital was filled by another process: its log-ins are in demo-access.json in the data folder of that one.\n')
  else if (has('api')) await saySetupLink(hospital)
  // Now, and not at the end, which not every process comes to see.
  flushCompileCache()
}

/** What a process does under each role, for the line that says it has started. */
const works = ({ hl7Port }: RunningHospital): Readonly<Record<ProcessRole, string>> => ({
  api: 'HTTP API, FHIR and portals',
  worker: 'events and scheduled jobs',
  links: `HL7 v2 on port ${hl7Port}`,
  sockets: 'live connections',
})

async function fillDemo(hospital: RunningHospital, dataFolder: string): Promise<DemoAccess['users'] | undefined> {
  const { demoAccess } = await import('./seed-demo.ts')
  return (await demoAccess(hospital, dataFolder, { onProgress: progress }))?.users
}

function sayLogIns(users: DemoAccess['users'], dataFolder: string): void {
  say(`  ${'portal'.padEnd(11)}${'e-mail'.padEnd(44)}password`)
  for (const role of new Set(users.map((user) => user.role))) {
    const user = users.find((one) => one.role === role)
    if (user) say(`  ${role.padEnd(11)}${user.email.padEnd(44)}${user.password}`)
  }
  say(`\n  Demo data; all log-ins are in ${join(dataFolder, 'demo-access.json')}. CARESPINE_DEMO=off starts empty.\n`)
}

const SETUP_LOCK = 4_203_118

async function saySetupLink({ services, url }: RunningHospital): Promise<void> {
  const { addSetupLink, firstBranch, listAccounts } = await import('@carespine/identity/accounts')
  const origin = { correlationId: 'setup-link', action: 'identity.setup-link', module: 'identity' }
  const link = await services.transact(services.system('identity'), origin, async ({ tx, now }) => {
    // Two processes that start at once would both make the first branch.
    await tx.sql('select pg_advisory_xact_lock($1)', [SETUP_LOCK])
    await firstBranch(tx)
    return (await listAccounts(tx)).length === 0 ? await addSetupLink(tx, now) : undefined
  })
  if (link !== undefined) say(`  Set up the first administrator, once, within a day: ${url}/setup#${link}\n`)
}

main().catch((error: unknown) => {
  const { code, message = String(error) } = error as NodeJS.ErrnoException
  stop(code === 'ENOSPC' ? `There is no room on the disk of the data folder (${message}). Make room, and start again.` : message)
})
