import { defineModule } from '@carespine/kit/module'
import { addAllergyCommand, removeAllergyCommand } from './allergies.ts'
import { getBannerQuery } from './banner.ts'
import { AllergyAdded, AllergyRemoved, PatientCreated, PatientUpdated, refusals } from './contract.ts'
import { findByIdentifierQuery, findDuplicatesQuery, matchPatientQuery } from './find-duplicates.ts'
import { registerPatientCommand } from './register-patient.ts'
import { searchPatientsQuery } from './search-patients.ts'
import { updatePatientCommand } from './update-patient.ts'

/** Who the patients are: search, registration, demographics, allergies. */
export const registration = defineModule({
  name: 'registration',
  migrations: new URL('../migrations/', import.meta.url),
  actions: [
    searchPatientsQuery,
    findByIdentifierQuery,
    findDuplicatesQuery,
    matchPatientQuery,
    registerPatientCommand,
    updatePatientCommand,
    getBannerQuery,
    addAllergyCommand,
    removeAllergyCommand,
  ],
  events: [PatientCreated, PatientUpdated, AllergyAdded, AllergyRemoved],
  refusals,
})
