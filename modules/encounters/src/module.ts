import { defineModule } from '@carespine/kit/module'
import { completeEncounterCommand } from './complete-encounter.ts'
import { EncounterCompleted, EncounterStarted, EncounterTakenOver, refusals, VitalsRecorded } from './contract.ts'
import { getEncounterQuery, listEncountersQuery, listProvidersQuery } from './list-encounters.ts'
import { recordVitalsCommand } from './record-vitals.ts'
import { startEncounterCommand } from './start-encounter.ts'
import { takeOverEncounterCommand } from './take-over-encounter.ts'

/** Visits and admissions, and the vital signs taken in them. */
export const encounters = defineModule({
  name: 'encounters',
  actions: [
    startEncounterCommand,
    takeOverEncounterCommand,
    completeEncounterCommand,
    recordVitalsCommand,
    listEncountersQuery,
    getEncounterQuery,
    listProvidersQuery,
  ],
  events: [EncounterStarted, EncounterTakenOver, EncounterCompleted, VitalsRecorded],
  refusals,
})
