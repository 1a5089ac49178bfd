import type { ScheduledJob } from '@carespine/kit/module'
import { NoteDamaged } from './contract.ts'

/** Tells of damaged notes that somebody met since the last time; each version once. */
export const tellOfDamage: ScheduledJob = {
  name: 'documents.tell-of-damage',
  everySeconds: 15,
  async run({ tx, now }) {
    const found = await tx.sql<{ branch: string; note: string; version: string }>(
      'update documents.damage set told_at = $1 where told_at is null returning branch, note, version',
      [now],
    )
    for (const { branch, note, version } of found) tx.emit(NoteDamaged, { noteId: note, version }, { branch })
  },
}
