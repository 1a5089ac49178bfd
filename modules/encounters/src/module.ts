import { defineModule } from '@carespine/kit/module'
import { completeEncounterCommand } from './complete-encounter.ts'
import { EncounterCompleted, EncounterStarted, refusals, VitalsRecorded } from './contract.ts'
import { getEncounterQuery, listEncountersQuery } from './list-encounters.ts'
import { recordVitalsCommand } from './record-vitals.ts'
import { startEncounterCommand } from './start-encounter.ts'

/** Visits and admissions, and the vital signs taken in them. */
export const encounters = defineModule({
  name: 'encounters',
  actions: [startEncounterCommand, completeEncounterCommand, recordVitalsCommand, listEncountersQuery, getEncounterQuery],
  events: [EncounterStarted, EncounterCompleted, VitalsRecorded],
  refusals,
})
