import type { Patient } from '@carespine/fhir/resource'
import { refuse } from '@carespine/kit/module'
import { matchPatient } from '@carespine/registration/contract'
import type { StoredRow } from '@carespine/store/read-records'
import { bundleBytes, type Entry, entryOf } from '../bundle-bytes.ts'
import { requirePermission } from '../interactions.ts'
import type { Operation } from '../operations.ts'

const GRADE = 'http://hl7.org/fhir/StructureDefinition/match-grade'
const MOST = 50

/**
 * Patients who may be the one described, graded (http://hl7.org/fhir/R4/patient-operation-match.html). The rule is that of
 * registration, which asks the same of whoever is about to be registered.
 */
export const patientMatch: Operation = {
  definition: 'Patient-match',
  levels: ['type'],
  understood: ['resource', 'onlyCertainMatches', 'count'],
  async run({ services, caller, base, method, input }) {
    requirePermission(caller.actor, 'Patient', 'read')
    const patient = input.resource<Patient>('resource')
    if (method !== 'POST' || patient?.resourceType !== 'Patient') {
      return refuse('FHIR_OPERATION_INPUT_INVALID', { issues: [{ severity: 'error', code: 'required', diagnostics: 'Send the Patient to be found, as resource, by POST.' }] })
    }
    const asked = { patient, onlyCertain: input.flag('onlyCertainMatches'), limit: Math.max(1, Math.min(input.number('count') ?? 10, MOST)) }
    const { candidates } = await services.perform(matchPatient, asked, caller.actor, caller.origin)
    const { store } = services
    const scope = store.scopeOf(caller.actor)
    // Each match is shown, so each is read and written down as such.
    const rows = await Promise.all(
      candidates.map(({ patient: { id } }) => store.reader.read({ ...caller, now: services.now() }, scope, 'Patient', id)),
    )
    const entries = candidates.flatMap(({ score, grade }, at): Entry[] => {
      const row: StoredRow | undefined = rows[at]
      if (!row || row.deleted) return []
      const entry = entryOf(base, 'Patient', store.bodyOf('Patient', row), 'match', row)
      const search = { extension: [{ url: GRADE, valueCode: grade }], mode: 'match', score: Math.round(score * 1e6) / 1e6 }
      return [{ ...entry, after: `"search":${JSON.stringify(search)}}` }]
    })
    return bundleBytes({ resourceType: 'Bundle', type: 'searchset', total: entries.length }, entries)
  },
}
