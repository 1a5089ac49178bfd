import { randomUUID } from 'node:crypto'
import { idKey } from '@carespine/fhir/index-entries'
import { answer, type Ask, command, query, refuse } from '@carespine/kit/module'
import { PERMISSIONS_CHANGED } from '@carespine/kit/permissions-changed'
import { MRN_SYSTEM } from '@carespine/registration/contract'
import { SHARED_BRANCH, type ReadView, type Transaction } from '@carespine/store/contract'
import { admit, dismiss, gather, hideFrom, hidePatient, showPatient, showTo } from '@carespine/store/guarded-patients'
import { liftRestriction, listRestrictions, listTeams, restrictPatient, saveTeam, type Team, whichPatient } from './contract.ts'

export const whichPatientAnswer = answer(whichPatient, async ({ patientId, mrn }, { view }) => {
  const found = patientId === undefined ? (await view.search('Patient', { identifier: `${MRN_SYSTEM}|${mrn}`, _count: '2' }))[0] : await view.find('Patient', patientId)
  const number = found?.identifier?.find(({ system }) => system === MRN_SYSTEM)?.value
  return { ...(found ? { patientId: found.id } : {}), ...(number === undefined ? {} : { mrn: number }) }
})

/** A patient as a rule about them is kept. Refuses with ACCESS_PATIENT_UNKNOWN. */
export interface About {
  patientId: string
  mrn?: string | undefined
}

export async function aboutWhom(ask: Ask, which: { patientId?: string | undefined; mrn?: string | undefined }): Promise<About> {
  const { patientId, mrn } = await ask(whichPatient, which)
  return patientId === undefined ? refuse('ACCESS_PATIENT_UNKNOWN', { field: 'mrn' }) : { patientId, mrn }
}

export function sealAbout(tx: Transaction, about: About): Buffer {
  return tx.seal(JSON.stringify(about), SHARED_BRANCH)
}

export function openAbout(view: ReadView, sealed: Buffer): About {
  return JSON.parse(view.open(sealed)) as About
}

export const listTeamsQuery = query(listTeams, async (_input, { view }) => ({
  teams: await view.sql<Team>(
    'select t.id::text, t.name, t.name_arabic as "nameArabic", array(select m.person::text from store.circle_member m where m.circle = t.id) as members from access.team t order by t.name, t.id',
  ),
}))

export const saveTeamCommand = command(saveTeam, async ({ teamId = randomUUID(), name, nameArabic, members }, { tx }) => {
  await tx.sql(
    'insert into access.team (id, name, name_arabic) values ($1, $2, $3) on conflict (id) do update set name = $2, name_arabic = $3',
    [teamId, name, nameArabic],
  )
  await gather(tx, teamId, members)
  tx.record({ action: 'access.save-team', outcome: 'success', reason: JSON.stringify({ teamId, members }) })
  tx.signal(PERMISSIONS_CHANGED)
  return { teamId }
})

interface RestrictionRow {
  id: string
  kind: 'vip' | 'own' | 'family'
  about: Buffer
  person: string | null
  teams: string[]
  people: string[]
  reason: Buffer
  author_name: Buffer
  at: Date
}

export const listRestrictionsQuery = query(listRestrictions, async (_input, { view }) => {
  const rows = await view.sql<RestrictionRow>(
    'select id::text, kind, about, person::text, teams::text[] as teams, people::text[] as people, reason, author_name, at from access.restriction where lifted_at is null order by at desc, id',
  )
  const restrictions = rows.map(({ id, kind, about, person, teams, people, reason, author_name, at }) => ({
    id,
    kind,
    ...openAbout(view, about),
    ...(person === null ? {} : { person }),
    teams,
    people,
    reason: view.open(reason),
    author: view.open(author_name),
    at: at.toISOString(),
  }))
  view.noteRead(restrictions.map(({ patientId }) => patientId))
  return { restrictions }
})

export const restrictPatientCommand = command(restrictPatient, async ({ kind, person, teams, people, reason, ...which }, { tx, actor, now, ask }) => {
  const about = await aboutWhom(ask, which)
  const id = randomUUID()
  await tx.sql(
    'insert into access.restriction (id, kind, patient, about, person, teams, people, reason, author, author_name, at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)',
    [id, kind, idKey(about.patientId), sealAbout(tx, about), person ?? null, teams, people, tx.seal(reason, SHARED_BRANCH), actor.id, tx.seal(actor.display, SHARED_BRANCH), now],
  )
  if (person === undefined) {
    await hidePatient(tx, about.patientId)
    await admit(tx, { source: id, patient: about.patientId, holders: [...teams, ...people], sees: 'own branches' })
  } else await hideFrom(tx, about.patientId, person)
  tx.record({ action: 'access.restrict', outcome: 'success', reason: JSON.stringify({ kind, person, teams, people, reason }), patient: about.patientId })
  tx.signal(PERMISSIONS_CHANGED)
  return { restrictionId: id }
})

export const liftRestrictionCommand = command(liftRestriction, async ({ restrictionId, reason }, { tx, actor, now }) => {
  const [row] = await tx.sql<{ about: Buffer; patient: string; person: string | null }>(
    'update access.restriction set lifted_at = $2, lifted_by = $3, lifted_why = $4 where id = $1 and lifted_at is null returning about, patient::text, person::text',
    [restrictionId, now, actor.id, tx.seal(reason, SHARED_BRANCH)],
  )
  if (!row) return refuse('ACCESS_RESTRICTION_UNKNOWN')
  const { patientId } = openAbout(tx, row.about)
  // Another rule of the same kind may stand beside it.
  const others = await tx.sql('select 1 from access.restriction where patient = $1 and person is not distinct from $2 and lifted_at is null', [row.patient, row.person])
  if (others.length === 0) await (row.person === null ? showPatient(tx, patientId) : showTo(tx, patientId, row.person))
  await dismiss(tx, restrictionId)
  tx.record({ action: 'access.lift-restriction', outcome: 'success', reason, patient: patientId })
  tx.signal(PERMISSIONS_CHANGED)
  return { restrictionId }
})
