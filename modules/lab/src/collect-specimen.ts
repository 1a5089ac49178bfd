import type { Specimen } from '@carespine/fhir/resource'
import { tokenOf } from '@carespine/fhir/search-query'
import { command, refuse } from '@carespine/kit/module'
import { can } from '@carespine/orders/contract'
import type { Transaction } from '@carespine/store/contract'
import { ACCESSION_SYSTEM, collectSpecimen, receiveSpecimen } from './contract.ts'
import { derivedId, type LabOrder, moveTask, readLabOrder, requireState } from './lab-order.ts'

/** Tells every screen of the branch that the laboratory's lists changed. */
export function signalWorklist(tx: Transaction, branch: string): void {
  tx.signal({ room: `branch:${branch}`, name: 'lab-worklist' })
}

/** An accession number: year, running number, as it is printed under the barcode. */
async function nextAccession(tx: Transaction, now: Date): Promise<string> {
  const [row] = await tx.sql<{ number: string }>("select nextval('lab.accession_number')::text as number")
  return `${now.getUTCFullYear() % 100}-${(row?.number ?? '').padStart(7, '0')}`
}

function draftSpecimen({ order, panel }: LabOrder, accession: string, collectedAt: string, collector?: string): Specimen {
  return {
    resourceType: 'Specimen',
    id: derivedId(order.id, 'specimen'),
    accessionIdentifier: { system: ACCESSION_SYSTEM, value: accession },
    status: 'available',
    type: { text: panel.specimen },
    subject: order.subject,
    request: [{ reference: `ServiceRequest/${order.id}` }],
    collection: {
      collectedDateTime: collectedAt,
      ...(collector === undefined ? {} : { collector: { reference: `Practitioner/${collector}` } }),
    },
    container: [{ type: { text: panel.tube } }],
  }
}

/** The collected specimen and its accession number, written with the Task's new state. */
export async function collect(
  tx: Transaction,
  labOrder: LabOrder,
  now: Date,
  details: { at?: string | undefined; accession?: string; collector?: string } = {},
): Promise<{ specimenId: string; accession: string; labOrder: LabOrder }> {
  const collectedAt = details.at ?? now.toISOString()
  const accession = details.accession ?? (await nextAccession(tx, now))
  const specimen = tx.write(draftSpecimen(labOrder, accession, collectedAt, details.collector))
  const task = moveTask(tx, labOrder, 'collected', now, {
    accession,
    collectedAt,
    specimen: { reference: `Specimen/${specimen.id}` },
  })
  return { specimenId: specimen.id, accession, labOrder: { ...labOrder, task, state: 'collected' } }
}

export const collectSpecimenCommand = command(collectSpecimen, async ({ orderId, at }, { tx, actor, now }) => {
  const labOrder = await readLabOrder(tx, orderId)
  requireState(labOrder, can.collect)
  const { specimenId, accession } = await collect(tx, labOrder, now, {
    at,
    ...(actor.practitioner === undefined ? {} : { collector: actor.practitioner }),
  })
  signalWorklist(tx, actor.branch)
  return { specimenId, accession }
})

export const receiveSpecimenCommand = command(receiveSpecimen, async ({ accession }, { tx, actor, now }) => {
  const [task] = await tx.search('Task', { identifier: tokenOf(ACCESSION_SYSTEM, accession), _count: '1' })
  if (!task) return refuse('LAB_ACCESSION_UNKNOWN', { field: 'accession' })
  const orderId = task.focus?.reference?.replace('ServiceRequest/', '') ?? ''
  const labOrder = await readLabOrder(tx, orderId)
  requireState(labOrder, can.receive)
  const specimen = await tx.find('Specimen', derivedId(orderId, 'specimen'))
  if (specimen) tx.write({ ...specimen, receivedTime: now.toISOString() })
  moveTask(tx, labOrder, 'received', now)
  signalWorklist(tx, actor.branch)
  return { orderId }
})
