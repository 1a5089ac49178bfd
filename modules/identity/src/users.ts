import { answer, command, query } from '@carespine/kit/module'
import { addUser, clientActor, draftPractitioner, findAccount, listAccounts, listBranches, userActor } from './accounts.ts'
import type { AsApp } from './apps.ts'
import { actorNow, branches, createUser, disableUser, listUsers, practitionersWith, usersWho } from './contract.ts'
import { guarded } from './guard.ts'
import { endSessions } from './sessions.ts'

export const listUsersQuery = query(listUsers, async (_input, { view }) => ({
  users: (await listAccounts(view)).map(({ id, email, display, roles, branch, active }) => ({ id, email, display, roles, branch, active })),
}))

export const createUserCommand = command(createUser, async (input, { tx }) => {
  const isStaff = input.roles.some((role) => role !== 'patient')
  const practitioner = input.practitioner ?? (isStaff ? tx.write(draftPractitioner(input.display)).id : undefined)
  const userId = await addUser(tx, { ...input, branch: input.branches[0] ?? '', ...(practitioner === undefined ? {} : { practitioner }) })
  tx.record({ action: 'identity.create-user', outcome: 'success' })
  return { userId }
})

export const disableUserCommand = command(disableUser, async ({ userId }, { tx, now }) => {
  await tx.sql('update identity.user_account set active = false where id = $1', [userId])
  await endSessions(tx, { user: userId, reason: 'account closed', now })
  tx.record({ action: 'identity.disable-user', outcome: 'success' })
  return { userId }
})

export const usersWhoAnswer = answer(usersWho, async ({ practitioners, role }, { view }) => {
  const rows = await view.sql<{ id: string }>(
    'select id from identity.user_account where active and (practitioner = any ($1) or ($2::text = any (roles) and $3::uuid = any (branches)))',
    [practitioners, role?.name ?? null, role?.branch ?? null],
  )
  return { userIds: rows.map(({ id }) => id) }
})

export const practitionersWithAnswer = answer(practitionersWith, async ({ role, branch }, { view }) => {
  const rows = await view.sql<{ practitioner: string }>(
    'select distinct practitioner from identity.user_account where active and practitioner is not null and $1 = any (roles) and $2::uuid = any (branches)',
    [role, branch],
  )
  return { practitioners: rows.map(({ practitioner }) => practitioner) }
})

export const branchesAnswer = answer(branches, async (_input, { view }) => ({ branches: await listBranches(view) }))

export const actorNowAnswer = (asApp: AsApp) => answer(actorNow, async ({ kind, id, portal = '', app }, { view }) => {
  const account = kind === 'user' ? await findAccount(view, id) : undefined
  // The session of none: who asks acts for a person who need not be signed in.
  const actor = kind === 'client' ? await clientActor(view, id) : account?.active ? userActor(account, { id: '', portal }) : undefined
  if (!actor) return {}
  const itself = await guarded(view, actor)
  const acting = app ? await asApp(view, itself, { client: app.client, scope: app.scope, ...(app.grant === undefined ? {} : { grant: app.grant }) }) : itself
  // As JSON would have it: an actor is read-only, its contract is not.
  return acting ? { actor: { ...structuredClone(acting), kind } as never } : {}
})
