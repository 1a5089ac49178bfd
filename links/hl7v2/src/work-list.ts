import { command, query, refuse } from '@carespine/kit/module'
import type { Transaction } from '@carespine/store/contract'
import { discardMessage, getMessage, listUnmatched, MessageReceived, resolveMessage } from './contract.ts'
import { mapMessage } from './map-message.ts'
import { parseMessage } from './message.ts'
import { ZONE } from './receive-message.ts'

interface Row {
  id: string
  branch: string
  sender: string
  control_id: string
  type: string
  received_at: Date
  status: string
  reason: string | null
  raw: Buffer
  answer: Buffer
}

const PLACE = /^[\d :.+-]+\/[0-9a-f-]{36}$/

export const listUnmatchedQuery = query(listUnmatched, async ({ limit, cursor }, { view }) => {
  if (cursor !== undefined && !PLACE.test(cursor)) refuse('SEARCH_CURSOR_INVALID')
  const [rows, [counted]] = await Promise.all([
    view.sql<Row & { place: string }>(
      "select id, sender, control_id, type, received_at, reason, raw, received_at::text || '/' || id as place from hl7v2.message " +
        "where status = 'unmatched' and ($2::text is null or (received_at, id) > (split_part($2, '/', 1)::timestamptz, split_part($2, '/', 2)::uuid)) " +
        'order by received_at, id limit $1',
      [limit + 1, cursor ?? null],
    ),
    view.sql<{ total: number }>("select count(*)::int as total from hl7v2.message where status = 'unmatched'"),
  ])
  const shown = rows.slice(0, limit)
  const messages = shown.map((row) => {
    const message = parseMessage(view.open(row.raw))
    const pid = message?.first('PID')
    const read = message && mapMessage(message, ZONE)
    const groups = read && 'mapped' in read && read.mapped.kind === 'results' ? read.mapped.groups : []
    const name = [pid?.get(5, 2), pid?.get(5, 1)].filter(Boolean).join(' ')
    return {
      id: row.id,
      sender: row.sender,
      controlId: row.control_id,
      type: row.type,
      receivedAt: row.received_at.toISOString(),
      reason: row.reason ?? '',
      ...(name ? { patient: name } : {}),
      identifiers: (pid?.repetitions(3) ?? []).map((_text, at) => pid?.get(3, 1, at) ?? ''),
      codes: groups.flatMap(({ items }) => items.filter(({ isLoinc }) => !isLoinc).map(({ code }) => code)),
    }
  })
  const last = shown.at(-1)
  return { messages, total: counted?.total ?? 0, ...(rows.length > limit && last ? { next: last.place } : {}) }
})

export const getMessageQuery = query(getMessage, async ({ id }, { view }) => {
  const [row] = await view.sql<Row>('select id, status, reason, raw, answer from hl7v2.message where id = $1', [id])
  if (!row) return refuse('HL7V2_UNKNOWN')
  return { id, status: row.status, ...(row.reason ? { reason: row.reason } : {}), text: view.open(row.raw), answer: view.open(row.answer) }
})

async function takeUnmatched(tx: Transaction, id: string): Promise<Row> {
  const [row] = await tx.sql<Row>('select id, branch, sender, status from hl7v2.message where id = $1 for update', [id])
  if (!row) return refuse('HL7V2_UNKNOWN')
  if (row.status !== 'unmatched') refuse('HL7V2_NOT_UNMATCHED')
  return row
}

export const resolveMessageCommand = command(resolveMessage, async ({ id, patientId, orderId, codes }, { tx }) => {
  const row = await takeUnmatched(tx, id)
  if (patientId !== undefined) await tx.read('Patient', patientId)
  if (orderId !== undefined) await tx.read('ServiceRequest', orderId)
  for (const { code, loinc } of codes) {
    await tx.sql(
      'insert into hl7v2.code_map (branch, sender, code, loinc) values ($1, $2, $3, $4) on conflict (branch, sender, code) do update set loinc = $4',
      [row.branch, row.sender, code, loinc],
    )
  }
  const resolution = JSON.stringify({ ...(patientId ? { patientId } : {}), ...(orderId ? { orderId } : {}) })
  await tx.sql("update hl7v2.message set status = 'received', resolution = $2 where id = $1", [id, tx.seal(resolution, row.branch)])
  tx.emit(MessageReceived, { messageId: id }, { branch: row.branch })
  return { id }
})

export const discardMessageCommand = command(discardMessage, async ({ id, reason }, { tx }) => {
  const row = await takeUnmatched(tx, id)
  await tx.sql("update hl7v2.message set status = 'discarded' where id = $1", [id])
  tx.record({ action: 'hl7v2.discard', outcome: 'success', reason })
  tx.signal({ room: `branch:${row.branch}`, name: 'hl7v2-unmatched' })
  return { id }
})
