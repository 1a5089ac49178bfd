import { idKey } from '@carespine/fhir/index-entries'
import type { Consent, Resource, Stored } from '@carespine/fhir/resource'
import { branches } from '@carespine/identity/contract'
import { command, query, refuse } from '@carespine/kit/module'
import { PERMISSIONS_CHANGED } from '@carespine/kit/permissions-changed'
import { keepApart, shareWith, takeBack } from '@carespine/store/guarded-patients'
import { listConsents, recordConsent, withdrawConsent } from './contract.ts'

/** Category of the consents that say who sees what of which branch. */
const SHARING = { system: 'urn:carespine:consent', code: 'branch-sharing' } as const
const BRANCH = 'urn:carespine:branch'

/** True for a consent that is kept by `access.record-consent` and nothing else. */
export function isAboutSharing(resource: Resource): boolean {
  return resource.resourceType === 'Consent' && resource.category.some(({ coding }) => coding?.some(({ system, code }) => system === SHARING.system && code === SHARING.code))
}

interface Said {
  patientId: string
  /** The branch that sees what all have; without one, none sees what another has. */
  branch?: string | undefined
  until?: string | undefined
}

/** What a patient said as a FHIR Consent (R4, section 6.2: `provision` denies or permits, to whom, until when). */
function draftConsent({ patientId, branch, until }: Said, now: Date): Consent {
  return {
    resourceType: 'Consent',
    status: 'active',
    scope: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/consentscope', code: 'patient-privacy' }] },
    category: [{ coding: [SHARING] }],
    patient: { reference: `Patient/${patientId}` },
    dateTime: now.toISOString(),
    policyRule: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: branch === undefined ? 'OPTOUT' : 'OPTIN' }] },
    provision: {
      type: branch === undefined ? 'deny' : 'permit',
      ...(until === undefined ? {} : { period: { end: until } }),
      ...(branch === undefined
        ? {}
        : { actor: [{ role: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType', code: 'IRCP' }] }, reference: { identifier: { system: BRANCH, value: branch } } }] }),
    },
  }
}

function saidIn({ id, dateTime, meta, provision }: Stored<Consent>) {
  const branch = provision?.actor?.[0]?.reference.identifier?.value
  const until = provision?.period?.end
  return {
    id,
    kind: provision?.type === 'permit' ? ('share' as const) : ('keep-apart' as const),
    ...(branch === undefined ? {} : { branch }),
    ...(until === undefined ? {} : { until }),
    at: dateTime ?? meta.lastUpdated,
  }
}

export const listConsentsQuery = query(listConsents, async ({ patientId }, { view, now }) => {
  await view.read('Patient', patientId)
  const found = await view.search('Consent', { patient: `Patient/${patientId}`, category: `${SHARING.system}|${SHARING.code}`, status: 'active', _count: '100' })
  return { consents: found.map(saidIn).filter(({ until }) => until === undefined || new Date(until) > now) }
})

export const recordConsentCommand = command(recordConsent, async ({ patientId, branch, until }, { tx, ask, now }) => {
  await tx.read('Patient', patientId)
  if (branch !== undefined && !(await ask(branches, {})).branches.some(({ id }) => id === branch)) refuse('ACCESS_BRANCH_UNKNOWN', { field: 'branch' })
  const { id } = tx.write(draftConsent({ patientId, branch, until }, now))
  if (branch === undefined) await keepApart(tx, idKey(id), patientId, until === undefined ? undefined : new Date(until))
  else await shareWith(tx, { source: idKey(id), patient: patientId, branch, ...(until === undefined ? {} : { until: new Date(until) }) })
  tx.record({ action: 'access.record-consent', outcome: 'success', reason: JSON.stringify({ branch, until }), patient: patientId })
  tx.signal(PERMISSIONS_CHANGED)
  return { consentId: id }
})

export const withdrawConsentCommand = command(withdrawConsent, async ({ consentId }, { tx }) => {
  const consent = await tx.find('Consent', consentId)
  if (!consent || !isAboutSharing(consent) || consent.status !== 'active') return refuse('ACCESS_CONSENT_UNKNOWN')
  tx.write({ ...consent, status: 'inactive' as const })
  await takeBack(tx, idKey(consentId))
  tx.record({ action: 'access.withdraw-consent', outcome: 'success', ...(consent.patient?.reference ? { patient: consent.patient.reference.replace('Patient/', '') } : {}) })
  tx.signal(PERMISSIONS_CHANGED)
  return { consentId }
})
