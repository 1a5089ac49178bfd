import { usersWho } from '@carespine/identity/contract'
import { reaction } from '@carespine/kit/module'
import type { CommandContext } from '@carespine/kit/module'
import { LabCriticalAlert, LabResultAvailable } from '@carespine/lab/contract'
import { analyteByCode, panelByCode } from '@carespine/pack-core/panels'
import { raise } from './alerts.ts'

/** Users responsible: who ordered and who takes part in the encounter; without one of them, every provider of the branch. */
async function responsible(
  { tx, ask }: CommandContext,
  about: { orderId: string; encounterId?: string | undefined; branch: string },
): Promise<string[]> {
  const order = await tx.find('ServiceRequest', about.orderId)
  const encounter = about.encounterId === undefined ? undefined : await tx.find('Encounter', about.encounterId)
  const references = [
    order?.requester?.reference,
    ...(encounter?.participant ?? []).map(({ individual }) => individual?.reference),
  ]
  const practitioners = references.flatMap((reference) =>
    reference?.startsWith('Practitioner/') ? [reference.replace('Practitioner/', '')] : [],
  )
  const { userIds } = await ask(usersWho, { practitioners })
  if (practitioners.length > 0 && userIds.length > 0) return userIds
  return (await ask(usersWho, { role: { name: 'provider', branch: about.branch } })).userIds
}

export const onResultAvailable = reaction({
  name: 'notifications.on-result-available',
  on: LabResultAvailable,
  async run({ data, branch }, context) {
    // The critical alert says it louder.
    if (data.critical) return
    const users = await responsible(context, { ...data, branch })
    const name = panelByCode(data.panel)?.name ?? data.panel
    await raise(
      context.tx,
      {
        type: 'lab.result',
        priority: 'normal',
        title: data.corrected ? 'Result corrected' : 'Result available',
        message: name,
        patientId: data.patientId,
        reportId: data.reportId,
        action: { type: 'open', url: `/provider/results/${data.reportId}` },
        details: { testName: name },
        requiresAcknowledgment: false,
        text: { key: data.corrected ? 'result-corrected' : 'result-available', values: { panel: data.panel } },
      },
      branch,
      users,
      context.now,
    )
  },
})

export const onCriticalAlert = reaction({
  name: 'notifications.on-critical-alert',
  on: LabCriticalAlert,
  async run({ data, branch }, context) {
    const { tx, now } = context
    const users = await responsible(context, { ...data, branch })
    const observations = await Promise.all(data.observationIds.map((id) => tx.find('Observation', id)))
    const [first, ...others] = observations.flatMap((observation) => observation ?? [])
    if (!first) return
    const code = first.code.coding?.[0]?.code ?? ''
    const analyte = analyteByCode(code)
    const value = first.valueQuantity?.value ?? first.valueString ?? ''
    const unit = first.valueQuantity?.code ?? ''
    const isLow = first.interpretation?.[0]?.coding?.[0]?.code === 'LL'
    const limit = isLow ? analyte?.critical?.low : analyte?.critical?.high
    const name = analyte?.name ?? first.code.text ?? code
    // A result that another laboratory calls critical need not be beyond our limits, nor be a number.
    const number = typeof value === 'number' ? value : Number(/^[<>≤≥]=?(\d.*)$/.exec(value)?.[1])
    const isBeyond = limit !== undefined && (isLow ? number <= limit : number >= limit)
    const reason = isBeyond ? `${isLow ? 'below' : 'above'} ${limit} ${unit || analyte?.unit}` : 'critical by the word of the laboratory that sent it'
    await raise(
      tx,
      {
        type: 'lab.critical',
        priority: 'urgent',
        title: `Critical: ${name} ${value} ${unit}`,
        message: `${name} is ${reason}.${others.length > 0 ? ` ${others.length} more critical.` : ''}`,
        patientId: data.patientId,
        reportId: data.reportId,
        action: { type: 'open', url: `/provider/results/${data.reportId}` },
        details: { testName: name, value, unit, criticalReason: reason },
        requiresAcknowledgment: true,
        text: {
          key: isBeyond ? (isLow ? 'critical-low' : 'critical-high') : 'critical-said',
          values: { analyte: code, value, unit: unit || (analyte?.unit ?? ''), limit: limit ?? '', more: others.length },
        },
      },
      branch,
      users,
      now,
    )
  },
})
