import { isResourceType } from './definitions.ts'
import { isObject } from './fhirpath-values.ts'
import type { Report } from './report.ts'

const REST = /\/([A-Z][A-Za-z]+)\/([A-Za-z0-9\-.]{1,64})$/

/**
 * What the invariants of Bundle leave out: http://hl7.org/fhir/R4/bundle.html#bundle-unique (a fullUrl agrees with the id of
 * its resource) and http://hl7.org/fhir/R4/documents.html#content (a document brings along what it refers to).
 */
export function checkBundle(bundle: Readonly<Record<string, unknown>>, report: Report): void {
  if (!Array.isArray(bundle.entry)) return
  const urls = new Set<string>()
  for (const entry of bundle.entry) {
    if (!isObject(entry)) continue
    if (typeof entry.fullUrl === 'string') urls.add(entry.fullUrl)
    if (isObject(entry.resource)) urls.add(`${String(entry.resource.resourceType)}/${String(entry.resource.id)}`)
  }
  // In a transaction the server names what is created; in a history a resource may have been deleted.
  const isWhole = bundle.type === 'document' || bundle.type === 'collection' || bundle.type === 'message'
  bundle.entry.forEach((entry: unknown, at) => {
    if (!isObject(entry) || !isObject(entry.resource)) return
    const { fullUrl, resource } = entry
    report.path.push('entry', at)
    if (typeof fullUrl === 'string') checkFullUrl(fullUrl, resource, report)
    if (isWhole) {
      report.path.push('resource')
      checkReferences(resource, { urls, report, isDocument: bundle.type === 'document', depth: 0 })
      report.path.length -= 1
    }
    report.path.length -= 2
  })
}

function checkFullUrl(fullUrl: string, resource: Readonly<Record<string, unknown>>, report: Report): void {
  if (!/^(https?:\/\/|urn:(uuid|oid):)/i.test(fullUrl)) {
    report.at('fullUrl', () => report.error('value', 'A fullUrl is an absolute URL, urn:uuid:… or urn:oid:….'))
    return
  }
  const match = REST.exec(fullUrl)
  if (!match || !isResourceType(match[1] ?? '') || typeof resource.id !== 'string') return
  if (match[1] !== resource.resourceType || match[2] !== resource.id) {
    report.at('fullUrl', () => report.error('value', 'The fullUrl and the type and id of the resource disagree.'))
  }
}

function checkReferences(value: unknown, of: { urls: ReadonlySet<string>; report: Report; isDocument: boolean; depth: number }): void {
  const { urls, report } = of
  if (typeof value !== 'object' || value === null || of.depth > 60 || report.full) return
  const inner = { ...of, depth: of.depth + 1 }
  for (const [name, one] of Object.entries(value)) {
    if (name === 'reference' && typeof one === 'string') {
      const plain = one.replace(/\/_history\/[^/]*$/, '')
      const leadsIn = /^urn:(uuid|oid):/.test(one)
      if (leadsIn && !urls.has(one)) report.at(name, () => report.error('not-found', 'No entry of this Bundle has this fullUrl, and nothing else can be meant by it.'))
      else if (of.isDocument && /^[A-Z][A-Za-z]+\/[^/]+$/.test(plain) && !urls.has(plain)) {
        report.at(name, () => report.warning('not-found', 'The document does not bring along what this refers to.'))
      }
    } else if (typeof one === 'object' && one !== null && (name !== 'contained' || Array.isArray(value))) {
      report.at(Array.isArray(value) ? Number(name) : name, () => checkReferences(one, inner))
    }
  }
}
