import type { ScheduledJob } from '@carespine/kit/module'

const CHUNKS_AT_ONCE = 5000

/** Removes the files of bulk jobs that were deleted or have expired, some at a time, and then the jobs. */
export const forgetBulkJobs: ScheduledJob = {
  name: 'fhir-api.forget-bulk-jobs',
  everySeconds: 30,
  async run({ tx, now }) {
    // An upload that was not finished within an hour never will be.
    await tx.sql("update bulk.job set state = 'cancelled' where state = 'receiving' and created_at < $1", [new Date(now.getTime() - 3_600_000)])
    const gone = "select id from bulk.job where state = 'cancelled' or expires_at <= $1"
    const chunks = await tx.sql(
      `delete from bulk.chunk c using (select job, file, nth from bulk.chunk where job in (${gone}) limit $2) old where c.job = old.job and c.file = old.file and c.nth = old.nth returning 1`,
      [now, CHUNKS_AT_ONCE],
    )
    if (chunks.length < CHUNKS_AT_ONCE) await tx.sql(`delete from bulk.job where id in (${gone})`, [now])
  },
}
