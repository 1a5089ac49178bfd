import type { ScheduledJob } from '@carespine/kit/module'

/** Removes claims that are older than any unit of work; see decision 24. */
export const forgetClaims: ScheduledJob = {
  name: 'fhir-api.forget-claims',
  everySeconds: 86_400,
  async run({ tx }) {
    await tx.sql("delete from store.claim where at < now() - interval '1 day'")
  },
}
