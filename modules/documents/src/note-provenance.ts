import type { Composition, Provenance, Stored } from '@carespine/fhir/resource'
import type { RevisionAct } from './contract.ts'
import { signedHashOf, type Who } from './note-resource.ts'

/** System of what was done to a note; a Provenance with such an activity is governed. */
export const ACT_SYSTEM = 'https://carespine.example/fhir/CodeSystem/note-act'
const SIGNATURE_TYPES = 'urn:iso-astm:E1762-95:2013'

/** Code, of the signature types of ASTM E1762 that R4 binds, for acts that are signatures. */
const SIGNATURES: Readonly<Partial<Record<RevisionAct, { code: string; display: string }>>> = {
  signed: { code: '1.2.840.10065.1.12.1.1', display: "Author's Signature" },
  'co-signed': { code: '1.2.840.10065.1.12.1.5', display: 'Verification Signature' },
  amended: { code: '1.2.840.10065.1.12.1.16', display: 'Modification Signature' },
  addendum: { code: '1.2.840.10065.1.12.1.17', display: 'Addendum Signature' },
}

const ACTIVITY: Readonly<Record<Exclude<RevisionAct, 'written'>, string>> = { signed: 'LA', 'co-signed': 'VERIFY', amended: 'UPDATE', addendum: 'APPEND', 'entered-in-error': 'NULLIFY' }
const ACTIVITY_SYSTEMS: Readonly<Record<string, string>> = { LA: 'http://terminology.hl7.org/CodeSystem/v3-DocumentCompletion' }

/**
 * Who did what to which version of a note, when and why; with the hash of what was signed as the data of the signature.
 */
export function noteProvenance(note: Stored<Composition>, act: Exclude<RevisionAct, 'written'>, by: Who, now: Date, reason?: string): Provenance {
  const signature = SIGNATURES[act]
  const hash = signedHashOf(note)
  const code = ACTIVITY[act]
  const system = ACTIVITY_SYSTEMS[code] ?? 'http://terminology.hl7.org/CodeSystem/v3-DataOperation'
  return {
    resourceType: 'Provenance',
    target: [{ reference: `Composition/${note.id}/_history/${note.meta.versionId}` }],
    recorded: now.toISOString(),
    activity: { coding: [{ system: ACT_SYSTEM, code: act }, ...(code === 'VERIFY' || code === 'APPEND' ? [] : [{ system, code }])] },
    ...(reason === undefined ? {} : { reason: [{ text: reason }] }),
    agent: [{ type: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/provenance-participant-type', code: act === 'co-signed' ? 'verifier' : 'author' }] }, who: by }],
    ...(signature && hash !== undefined
      ? {
          signature: [
            {
              type: [{ system: SIGNATURE_TYPES, ...signature }],
              when: now.toISOString(),
              who: by,
              targetFormat: 'application/fhir+json',
              data: Buffer.from(hash).toString('base64'),
            },
          ],
        }
      : {}),
  }
}

/** The hash that somebody signed, as it stands in a Provenance. */
export function hashInProvenance({ signature }: Provenance): string | undefined {
  const data = signature?.[0]?.data
  return data === undefined ? undefined : Buffer.from(data, 'base64').toString()
}
