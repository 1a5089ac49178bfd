import { randomUUID } from 'node:crypto'
import { idKey } from '@carespine/fhir/index-entries'
import { command, query, refuse } from '@carespine/kit/module'
import { PERMISSIONS_CHANGED } from '@carespine/kit/permissions-changed'
import { admit, dismiss, isHiddenFrom } from '@carespine/store/guarded-patients'
import { SHARED_BRANCH } from '@carespine/store/contract'
import { breakGlass, endGlass, type Glass, GlassBroken, listGlasses, myGlass, reviewGlass } from './contract.ts'
import { aboutWhom, openAbout, sealAbout } from './restrictions.ts'

const PAGE = 50

export const breakGlassCommand = command(breakGlass, async ({ reason, words, hours, ...which }, { tx, actor, now, ask }) => {
  if (actor.kind !== 'user' || actor.practitioner === undefined) return refuse('ACCESS_PERSON_NEEDED')
  const about = await aboutWhom(ask, which)
  if (await isHiddenFrom(tx, about.patientId, actor.id)) return refuse('ACCESS_OWN_RECORD')
  const id = randomUUID()
  const until = new Date(now.getTime() + hours * 3_600_000)
  await tx.sql(
    'insert into access.glass (id, branch, person, person_name, patient, about, reason, words, broken_at, until) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)',
    [id, actor.branch, actor.id, tx.seal(actor.display, SHARED_BRANCH), idKey(about.patientId), sealAbout(tx, about), reason, tx.seal(words), now, until],
  )
  await admit(tx, { source: id, patient: about.patientId, holders: [actor.id], sees: 'everywhere', until })
  tx.record({ action: 'access.break-glass', outcome: 'success', reason: `${reason}: ${words}`, patient: about.patientId })
  tx.emit(GlassBroken, { glassId: id, reason }, { branch: actor.branch, lane: id })
  tx.signal(PERMISSIONS_CHANGED)
  tx.signal({ room: `user:${actor.id}`, name: 'emergency-access' })
  return { glassId: id, patientId: about.patientId, until: until.toISOString() }
})

export const endGlassCommand = command(endGlass, async ({ glassId }, { tx, actor, now }) => {
  const [row] = await tx.sql<{ about: Buffer }>(
    'update access.glass set ended_at = $3 where id = $1 and person = $2 and ended_at is null and until > $3 returning about',
    [glassId, actor.id, now],
  )
  if (!row) return refuse('ACCESS_GLASS_OVER')
  await dismiss(tx, glassId)
  tx.record({ action: 'access.end-glass', outcome: 'success', patient: openAbout(tx, row.about).patientId })
  tx.signal(PERMISSIONS_CHANGED)
  tx.signal({ room: `user:${actor.id}`, name: 'emergency-access' })
  return { glassId }
})

export const myGlassQuery = query(myGlass, async (_input, { view, actor, now }) => {
  const rows = await view.sql<{ id: string; about: Buffer; until: Date }>(
    'select id::text, about, until from access.glass where person = $1 and ended_at is null and until > $2 order by until, id',
    [actor.id, now],
  )
  return { glasses: rows.map(({ id, about, until }) => ({ id, ...openAbout(view, about), until: until.toISOString() })) }
})

interface GlassRow {
  id: string
  branch: string
  person_name: Buffer
  about: Buffer
  reason: Glass['reason']
  words: Buffer
  broken_at: Date
  /** To the microsecond, for the place in the list. */
  place: string
  until: Date
  ended_at: Date | null
  verdict: NonNullable<Glass['verdict']> | null
  reviewer_name: Buffer | null
  comment: Buffer | null
}

export const listGlassesQuery = query(listGlasses, async ({ only, cursor }, { view }) => {
  const rows = await view.sql<GlassRow>(
    `select id::text, branch::text, person_name, about, reason, words, broken_at, to_char(broken_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as place, until, ended_at, verdict, reviewer_name, comment from access.glass ` +
      "where ($1 = 'all' or verdict is null) and ($2::timestamptz is null or (broken_at, id) < ($2, $3::uuid)) order by broken_at desc, id desc limit $4",
    [only, cursor?.at ?? null, cursor?.id ?? null, PAGE + 1],
  )
  const shown = rows.slice(0, PAGE)
  const abouts = shown.map(({ about }) => openAbout(view, about))
  view.noteRead(abouts.map(({ patientId }) => patientId))
  const last = rows.length > PAGE ? shown.at(-1) : undefined
  return {
    glasses: shown.map(({ id, branch, person_name, reason, words, broken_at, until, ended_at, verdict, reviewer_name, comment }, nth) => ({
      id,
      branch,
      person: view.open(person_name),
      mrn: abouts[nth]?.mrn,
      reason,
      words: view.open(words),
      brokenAt: broken_at.toISOString(),
      until: until.toISOString(),
      ...(ended_at === null ? {} : { endedAt: ended_at.toISOString() }),
      ...(verdict === null ? {} : { verdict }),
      ...(reviewer_name === null ? {} : { reviewer: view.open(reviewer_name) }),
      ...(comment === null ? {} : { comment: view.open(comment) }),
    })),
    ...(last ? { next: { at: last.place, id: last.id } } : {}),
  }
})

export const reviewGlassCommand = command(reviewGlass, async ({ glassId, verdict, comment }, { tx, actor, now }) => {
  const [row] = await tx.sql<{ person: string; about: Buffer; verdict: string | null }>('select person::text, about, verdict from access.glass where id = $1 for update', [glassId])
  if (!row) return refuse('ACCESS_GLASS_UNKNOWN')
  if (row.person === actor.id) return refuse('ACCESS_OWN_REVIEW')
  if (row.verdict !== null) return refuse('ACCESS_GLASS_REVIEWED')
  await tx.sql('update access.glass set verdict = $2, reviewer = $3, reviewer_name = $4, reviewed_at = $5, comment = $6 where id = $1', [
    glassId,
    verdict,
    actor.id,
    tx.seal(actor.display, SHARED_BRANCH),
    now,
    tx.seal(comment),
  ])
  tx.record({ action: 'access.review-glass', outcome: 'success', reason: `${verdict}: ${comment}`, patient: openAbout(tx, row.about).patientId })
  return { glassId }
})
