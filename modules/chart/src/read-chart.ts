import { createHash } from 'node:crypto'
import { idKey } from '@carespine/fhir/index-entries'
import { command, query, refuse, type Ask } from '@carespine/kit/module'
import { openAlerts } from '@carespine/notifications/contract'
import type { Actor, LookUp, ReadView } from '@carespine/store/contract'
import { buildChart, type RecordChart } from './build-chart.ts'
import { type Chart, getChart, rebuildChart } from './contract.ts'

interface Row {
  tick: string | null
  as_of: Date | null
  known_tick: string | null
  built_at: Date | null
  body: Buffer | null
  seen: string | null
  known_seen: string | null
}

// How far the record is, and the projection that is there.
const chartNow: LookUp = {
  columns: { patient: 'uuid', scope: 'bytea' },
  text:
    'select a.nth, c.tick::text, c.as_of, c.seen, p.tick::text as known_tick, p.seen as known_seen, p.built_at, p.body from asked a cross join lateral ' +
    "(select sum(tick) as tick, max(at) as as_of, string_agg(branch::text, ',' order by branch) as seen from store.patient_clock where patient = a.patient) c " +
    'left join chart.projection p on p.patient = a.patient and p.scope = a.scope',
}

/** Of what a projection is made; one of another shape is not opened. */
const SHAPE = 2

function scopeOf(actor: Actor): Buffer {
  return createHash('sha256').update(`${SHAPE};${[...actor.branches].sort().join()};${actor.patient ?? ''}${actor.guard ? `;${actor.guard.person};${actor.branch}` : ''}`).digest()
}

/** The chart: the projection when it is as new as the record, else made anew and kept. */
async function readChart(view: ReadView, actor: Actor, ask: Ask, patientId: string, now: Date): Promise<Chart> {
  const key = idKey(patientId)
  const scope = scopeOf(actor)
  const [[row], { alerts }] = await Promise.all([
    view.lookUp<Row>(chartNow, [key, scope], [patientId]),
    actor.kind === 'user' ? ask(openAlerts, { userId: actor.id, patientId }) : { alerts: [] },
  ])
  if (!row?.tick || !row.as_of) return refuse('RECORD_NOT_FOUND', { resourceType: 'Patient' })
  const isFresh = row.known_tick === row.tick && row.known_seen === row.seen && row.body !== null && row.built_at !== null
  let record: RecordChart
  if (isFresh) record = JSON.parse(view.open(row.body as Buffer)) as RecordChart
  else {
    record = await buildChart(view, patientId)
    await view.sql(
      'insert into chart.projection as p (patient, scope, branch, tick, as_of, built_at, body, seen) values ($1, $2, $3, $4, $5, $6, $7, $8) ' +
        'on conflict (patient, scope) do update set tick = $4, as_of = $5, built_at = $6, body = $7, seen = $8 where p.tick < $4 or p.seen <> $8',
      [key, scope, actor.branch, row.tick, row.as_of, now, view.seal(JSON.stringify(record)), row.seen],
    )
  }
  const { totals, ...shown } = record
  return {
    ...shown,
    alerts,
    counters: {
      allergies: record.allergies.length,
      medications: record.medications.length,
      problems: record.problems.length,
      encounters: totals.encounters,
      pendingOrders: record.pendingOrders.length,
      reports: totals.reports,
      alerts: alerts.length,
    },
    freshness: {
      builtAt: (isFresh ? (row.built_at as Date) : now).toISOString(),
      asOf: row.as_of.toISOString(),
      rebuilt: !isFresh,
    },
  }
}

export const getChartQuery = query(getChart, async ({ patientId }, { view, actor, ask, now }) =>
  readChart(view, actor, ask, patientId, now),
)

export const rebuildChartCommand = command(rebuildChart, async ({ patientId }, { tx }) => {
  const rows = await tx.sql('delete from chart.projection where $1::uuid is null or patient = $1 returning 1', [
    patientId === undefined ? null : idKey(patientId),
  ])
  return { rebuilt: rows.length }
})
