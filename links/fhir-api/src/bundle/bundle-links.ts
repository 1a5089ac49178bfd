import { replaceLinks } from '@carespine/fhir/links'
import { isResourceType } from '@carespine/fhir/definitions'
import type { Resource, ResourceType } from '@carespine/fhir/resource'
import { refuse } from '@carespine/kit/module'
import { type Condition, conditionOf, type Setting } from '../condition.ts'

const RESTFUL = /^(.*\/)[A-Z][A-Za-z]+\/[A-Za-z0-9\-.]{1,64}(?:\/_history\/[A-Za-z0-9\-.]{1,64})?$/
const RELATIVE = /^[A-Z][A-Za-z]+\/[A-Za-z0-9\-.]{1,64}$/
const CONDITIONAL = /^([A-Z][A-Za-z]+)\?(.+)$/

/** Where the entries of a transaction are stored, by how they are referred to in it. */
export class BundleLinks {
  readonly #byFullUrl = new Map<string, string>()
  /** What conditional references were found to mean. */
  readonly #byCondition = new Map<string, string>()

  set(fullUrl: string, type: ResourceType, id: string): void {
    this.#byFullUrl.set(fullUrl, `${type}/${id}`)
  }

  setCondition(reference: string, type: ResourceType, id: string): void {
    this.#byCondition.set(reference, `${type}/${id}`)
  }

  #entry(link: string, root: string | undefined): string | undefined {
    const direct = this.#byFullUrl.get(link)
    if (direct !== undefined || root === undefined || !RELATIVE.test(link)) return direct
    // Relative to the server that the entry comes from (R4 Bundle, 2.36.4.1).
    return this.#byFullUrl.get(root + link)
  }

  /**
   * The resource with links to other entries, and conditional references, as what is stored. Refuses when one leads
   * nowhere, unless `known` says that it stood there before.
   */
  apply(resource: Resource, at: number, fullUrl: string | undefined, known?: (reference: string) => boolean): Resource {
    const root = fullUrl === undefined ? undefined : RESTFUL.exec(fullUrl)?.[1]
    return replaceLinks(resource, {
      reference: (reference) => {
        const target = this.#entry(reference, root) ?? this.#byCondition.get(reference)
        const leadsNowhere = target === undefined && (reference.startsWith('urn:uuid:') || CONDITIONAL.test(reference))
        return leadsNowhere && known?.(reference) !== true ? refuseUnresolved(at) : target
      },
      other: (link) => this.#entry(link, root),
    })
  }
}

function refuseUnresolved(at: number): never {
  const diagnostics = 'A reference points to no entry of this Bundle and matches no stored resource.'
  return refuse('BUNDLE_REFERENCE_UNRESOLVED', { issues: [{ severity: 'error', code: 'not-found', expression: `Bundle.entry[${at}].resource`, diagnostics }] })
}

/** References of the form `Practitioner?identifier=…` in a resource, as conditions. */
export function conditionalReferences(setting: Setting, resource: Resource): Map<string, Condition> {
  const found = new Map<string, Condition>()
  if (resource.resourceType === 'Bundle') return found
  visitReferences(resource, (reference) => {
    if (!reference.includes('?') || found.has(reference)) return
    const [, type = '', criteria = ''] = CONDITIONAL.exec(reference) ?? []
    if (criteria !== '' && isResourceType(type)) found.set(reference, conditionOf(setting, type, criteria))
  })
  return found
}

function visitReferences(value: object, visit: (reference: string) => void): void {
  for (const [name, inner] of Object.entries(value)) {
    if (typeof inner === 'object' && inner !== null) visitReferences(inner as object, visit)
    else if (name === 'reference' && typeof inner === 'string') visit(inner)
  }
}
