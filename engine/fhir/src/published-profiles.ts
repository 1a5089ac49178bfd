import { readFileSync } from 'node:fs'
import { brotliDecompressSync } from 'node:zlib'
import type { ProfileDefinition } from './profile-definition.ts'

const source = new URL('../generated/profiles.json.br', import.meta.url)
let texts: Map<string, string> | undefined

/** A profile or an extension that R4 itself defines: http://hl7.org/fhir/R4/profilelist.html. Undefined for any other URL. */
export function publishedProfile(canonical: string): ProfileDefinition | undefined {
  if (!canonical.startsWith('http://hl7.org/fhir/StructureDefinition/')) return undefined
  // Read when the first one is named: 3 MB that many installations never need.
  texts ??= new Map(Object.entries(JSON.parse(brotliDecompressSync(readFileSync(source)).toString()) as Record<string, string>))
  const [url = '', version] = canonical.split('|')
  const text = version === undefined || version.startsWith('4.0') ? texts.get(url) : undefined
  return text === undefined ? undefined : (JSON.parse(text) as ProfileDefinition)
}
