import { type VisitReason, visitReasonByCode } from '@carespine/pack-core/visit-reasons'

/** A reason of the catalogue. Throws when the catalogue has lost it. */
export function reasonOf(code: string): VisitReason {
  const reason = visitReasonByCode(code)
  if (!reason) throw new Error(`There is no reason ${code}`)
  return reason
}
