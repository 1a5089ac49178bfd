import type { Issue } from '@carespine/fhir/outcome'
import { refuse } from '@carespine/kit/module'
import type { refusals } from './contract.ts'

/** Refuses with a sentence of its own: codes and canonical URLs are no patient data, and name what to correct. */
export function refuseSaying(refusal: keyof typeof refusals, code: Issue['code'], diagnostics: string): never {
  return refuse(refusal, { issues: [{ severity: 'error', code, diagnostics }] })
}
