import { randomBytes, randomUUID } from 'node:crypto'
import { command, query, refuse, Refusal, type ServedAction } from '@carespine/kit/module'
import type { ReadView, Transaction } from '@carespine/store/contract'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Account, digest, findAccount, listBranches } from './accounts.ts'
import { type Admission, answerWith, begin, entryOf, refreshTokenOf } from './admit.ts'
import { type Desk, parse, schema } from './desk.ts'
import { EnrolComputer, OTHERS, PinSignIn, revokeWardComputer, wardComputers, type WardPeople } from './factor-contract.ts'
import { badgeKey, peopleWithPin, takePin } from './pin.ts'
import { endSessionOf, endSessions } from './sessions.ts'

const COOKIE = 'carespine_ward'
/** Browsers keep a cookie for 400 days at most (RFC 6265bis); each sign-in by PIN renews it. */
const COOKIE_SECONDS = 400 * 86_400

interface Computer {
  id: string
  name: string
  branch: string
}

/** The enrolled computer that a request comes from, by the secret in its cookie. */
async function computerOf(view: ReadView, request: FastifyRequest): Promise<Computer | undefined> {
  const secret = request.cookies[COOKIE]
  if (secret === undefined) return undefined
  const [row] = await view.sql<Computer>('select id, name, branch from identity.ward_computer where secret_hash = $1 and revoked_at is null', [digest(secret)])
  return row
}

/** Which computers of a ward people may change over at: seen and taken out. */
export const wardComputerActions: readonly ServedAction[] = [
  query(wardComputers, async (_input, { view, actor }) => {
    const rows = await view.sql<Computer & { enrolled_at: Date; used_at: Date | null; enrolled_by: Buffer | null }>(
      'select c.id, c.name, c.branch, c.enrolled_at, c.used_at, u.display as enrolled_by from identity.ward_computer c left join identity.user_account u on u.id = c.enrolled_by ' +
        'where c.revoked_at is null and c.branch = any ($1::uuid[]) order by c.name, c.enrolled_at',
      [actor.branches],
    )
    return {
      computers: rows.map(({ id, name, branch, enrolled_at, used_at, enrolled_by }) => ({
        id,
        name,
        branch,
        enrolledAt: enrolled_at.toISOString(),
        enrolledBy: enrolled_by ? view.open(enrolled_by) : '',
        ...(used_at ? { usedAt: used_at.toISOString() } : {}),
      })),
    }
  }),
  command(revokeWardComputer, async ({ id }, { tx, actor, now }) => {
    const gone = await tx.sql('update identity.ward_computer set revoked_at = $2 where id = $1 and revoked_at is null and branch = any ($3::uuid[]) returning 1', [id, now, actor.branches])
    if (gone.length === 0) refuse('IDENTITY_COMPUTER_GONE')
    const there = await tx.sql<{ id: string }>('select id from identity.session where ward_computer = $1 and ended_at is null', [id])
    const ended = await endSessions(tx, { ids: there.map((session) => session.id), reason: 'computer taken out', now })
    tx.record({ action: revokeWardComputer.name, outcome: 'success', reason: `computer ${id}, ${ended.length} sessions` })
    return { ended: ended.length }
  }),
]

/** A computer that a ward shares: enrolled once, then people change over at it by badge and PIN within a shift. */
export function wardComputerRoutes(app: FastifyInstance, desk: Desk): void {
  const { services } = desk
  const keep = (request: FastifyRequest, secret: string) => ({ path: '/api/auth', httpOnly: true, sameSite: 'strict', secure: request.protocol === 'https', maxAge: COOKIE_SECONDS, value: secret }) as const

  app.post('/api/auth/ward-computer', { config: { allow: 'identity.ward-computers', stepUp: OTHERS }, schema: schema('Enrol this computer for sign-in by PIN at the branch of who asks') }, async (request, reply) => {
    const { name } = parse(EnrolComputer, request.body)
    const { actor } = request
    if (actor.kind !== 'user') return refuse('IDENTITY_PERSON_NEEDED')
    const secret = randomBytes(32).toString('base64url')
    const id = randomUUID()
    await services.transact(actor, { ...request.origin, action: 'identity.enrol-computer', module: 'identity' }, async ({ tx, now }) => {
      await tx.sql('insert into identity.ward_computer (id, branch, name, secret_hash, enrolled_by, enrolled_at) values ($1, $2, $3, $4, $5, $6)', [id, actor.branch, name, digest(secret), actor.id, now])
      tx.record({ action: 'identity.enrol-computer', outcome: 'success', reason: `computer ${id}` })
    })
    const { value, ...cookie } = keep(request, secret)
    reply.setCookie(COOKIE, value, cookie)
    return { id }
  })

  app.post('/api/auth/ward-computer/people', { config: { allow: 'anyone' }, onRequest: desk.limited, schema: schema('Which enrolled computer this is, and who may go on at it by PIN') }, async (request): Promise<WardPeople> => {
    if (request.headers['x-carespine-csrf'] === undefined) return refuse('IDENTITY_CSRF_HEADER')
    return await desk.transact(request, 'identity.ward-people', async (tx) => {
      const computer = await computerOf(tx, request)
      const branch = computer && (await listBranches(tx)).find(({ id }) => id === computer.branch)
      if (!branch) return { people: [] }
      return { computer: { name: computer.name, branch: branch.name, branchArabic: branch.nameArabic }, people: await peopleWithPin(tx, branch.id, services.now()) }
    })
  })

  app.post('/api/auth/ward-computer/sign-in', { config: { allow: 'anyone' }, onRequest: desk.limited, schema: schema('Change over at an enrolled computer by badge or name, and PIN') }, async (request, reply) => {
    // Demands the header as well, whether somebody was signed in or not.
    const former = refreshTokenOf(request)
    const { who, pin, portal } = parse(PinSignIn, request.body)
    const now = services.now()
    const { admission, left } = await desk.transact(request, 'identity.pin-sign-in', async (tx): Promise<{ admission: Admission; left?: string | undefined }> => {
      const computer = await computerOf(tx, request)
      const refused = (code: string, whom?: string): { admission: Admission } => {
        tx.record({ action: 'identity.login', outcome: 'failure', reason: `PIN at computer ${computer?.id ?? 'unknown'}${whom === undefined ? '' : `, account ${whom}`}: ${code}` })
        return { admission: { refusal: new Refusal(code) } }
      }
      if (!computer) return refused('IDENTITY_COMPUTER_UNKNOWN')
      const account = await whoever(tx, who, computer.branch)
      const found = await takePin(tx, account?.id, pin, now)
      if (!account || found !== 'fits') return refused(found === 'closed' ? 'IDENTITY_PIN_CLOSED' : 'IDENTITY_PIN_WRONG', account?.id)
      const left = former === undefined ? undefined : await endSessionOf(tx, former, now, 'changed over')
      await tx.sql('update identity.ward_computer set used_at = $2 where id = $1', [computer.id, now])
      const entry = entryOf(request, await portalFor(tx, account, portal), now)
      return { admission: await begin(desk, tx, account, { ...entry, proof: 'pin', computer: computer.id }), left }
    })
    if (left !== undefined) desk.forget(left)
    const secret = request.cookies[COOKIE]
    if (secret !== undefined && !('refusal' in admission)) {
      const { value, ...cookie } = keep(request, secret)
      reply.setCookie(COOKIE, value, cookie)
    }
    return await answerWith(desk, request, reply, admission)
  })
}

/** Whom a badge or a choice means; nobody who does not work at the computer's branch. */
async function whoever(tx: Transaction, who: { badge: string } | { userId: string }, branch: string): Promise<Account | undefined> {
  const [bearer] = 'badge' in who ? await tx.sql<{ user_id: string }>('select user_id from identity.badge where code = $1', [badgeKey(tx, who.badge)]) : [{ user_id: who.userId }]
  const account = bearer && (await findAccount(tx, bearer.user_id))
  return account?.active && account.branches.includes(branch) ? account : undefined
}

/** The portal asked for, else the one last used, else the first that the account works in. */
async function portalFor(tx: Transaction, { id, roles }: Account, wanted: string | undefined): Promise<string> {
  const [last] = await tx.sql<{ portal: string }>('select portal from identity.session where user_id = $1 order by started_at desc limit 1', [id])
  const works = roles.filter((role) => role !== 'patient')
  return [wanted, last?.portal].find((portal) => portal !== undefined && works.includes(portal)) ?? works[0] ?? 'patient'
}
