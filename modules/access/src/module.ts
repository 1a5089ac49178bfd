import { defineModule } from '@carespine/kit/module'
import { isAboutSharing, listConsentsQuery, recordConsentCommand, withdrawConsentCommand } from './consents.ts'
import { GlassBroken, refusals } from './contract.ts'
import { breakGlassCommand, endGlassCommand, listGlassesQuery, myGlassQuery, reviewGlassCommand } from './emergency.ts'
import { liftRestrictionCommand, listRestrictionsQuery, listTeamsQuery, restrictPatientCommand, saveTeamCommand, whichPatientAnswer } from './restrictions.ts'

/** Which patients are closed to whom, what they said about sharing, and emergency access past both. */
export const access = defineModule({
  name: 'access',
  migrations: new URL('../migrations/', import.meta.url),
  owns: [{ type: 'Consent', when: isAboutSharing, instead: 'POST /api/access/record-consent or /api/access/withdraw-consent' }],
  actions: [
    listTeamsQuery,
    saveTeamCommand,
    listRestrictionsQuery,
    restrictPatientCommand,
    liftRestrictionCommand,
    listConsentsQuery,
    recordConsentCommand,
    withdrawConsentCommand,
    breakGlassCommand,
    endGlassCommand,
    myGlassQuery,
    listGlassesQuery,
    reviewGlassCommand,
  ],
  answers: [whichPatientAnswer],
  events: [GlassBroken],
  refusals,
})
