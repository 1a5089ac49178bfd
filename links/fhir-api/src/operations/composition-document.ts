import { randomUUID } from 'node:crypto'
import { isResourceType } from '@carespine/fhir/definitions'
import { readJson, tellDigitsBelow } from '@carespine/fhir/decimal-digits'
import type { Issue } from '@carespine/fhir/outcome'
import type { Bundle, Composition, CompositionSection, Reference, Resource } from '@carespine/fhir/resource'
import { Refusal, refuse } from '@carespine/kit/module'
import { postResource, readResource, requirePermission } from '../interactions.ts'
import type { Asked, Operation } from '../operations.ts'

interface Mention {
  reference: string
  /** Where the composition names it. */
  expression: string
}

const LOCAL = /^([A-Za-z]+)\/([A-Za-z0-9\-.]{1,64})(?:\/_history\/.*)?$/

function mention(reference: Reference | undefined, expression: string): Mention[] {
  const text = reference?.reference
  // What the composition contains travels in it; what lies elsewhere is not ours to pack.
  return text === undefined || text.startsWith('#') ? [] : [{ reference: text, expression }]
}

function inSections(sections: readonly CompositionSection[] | undefined, where: string): Mention[] {
  return (sections ?? []).flatMap(({ author, focus, entry, section }, at) => {
    const path = `${where}.section[${at}]`
    return [
      ...(author ?? []).flatMap((one, n) => mention(one, `${path}.author[${n}]`)),
      ...mention(focus, `${path}.focus`),
      ...(entry ?? []).flatMap((one, n) => mention(one, `${path}.entry[${n}]`)),
      ...inSections(section, path),
    ]
  })
}

/** What a document must hold beside its composition (R4 Documents, section 2.42.1). */
function mentionedIn(composition: Composition): Mention[] {
  const { subject, encounter, author, attester, custodian, event, section } = composition
  return [
    ...mention(subject, 'Composition.subject'),
    ...mention(encounter, 'Composition.encounter'),
    ...(author ?? []).flatMap((one, at) => mention(one, `Composition.author[${at}]`)),
    ...(attester ?? []).flatMap(({ party }, at) => mention(party, `Composition.attester[${at}].party`)),
    ...mention(custodian, 'Composition.custodian'),
    ...(event ?? []).flatMap(({ detail }, at) => (detail ?? []).flatMap((one, n) => mention(one, `Composition.event[${at}].detail[${n}]`))),
    ...inSections(section, 'Composition'),
  ]
}

// A document with a gap would be taken for the whole: what is absent or hidden stops it, and is named.
async function gather({ services, caller, base }: Asked, mentions: readonly Mention[]): Promise<Map<string, Resource>> {
  const found = new Map<string, Resource>()
  const issues: Issue[] = []
  for (const { reference, expression } of mentions) {
    const [, type = '', id = ''] = LOCAL.exec(reference.startsWith(`${base}/`) ? reference.slice(base.length + 1) : reference) ?? []
    if (found.has(`${type}/${id}`)) continue
    if (!isResourceType(type)) {
      issues.push({ severity: 'error', code: 'not-supported', expression, diagnostics: 'The reference leads to no resource of this server.' })
      continue
    }
    try {
      const { body } = await readResource(services, caller, type, id)
      found.set(`${type}/${id}`, readJson(body.toString()) as Resource)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      issues.push({ severity: 'error', code: 'not-found', expression, diagnostics: 'This resource is not there, or not for this sign-in.' })
    }
  }
  if (issues.length > 0) refuse('FHIR_DOCUMENT_INCOMPLETE', { issues })
  return found
}

/** A composition with all it speaks of, as one document (http://hl7.org/fhir/R4/composition-operation-document.html). */
export const compositionDocument: Operation = {
  definition: 'Composition-document',
  levels: ['type', 'instance'],
  understood: ['id', 'persist'],
  async run(asked) {
    const { services, caller, base, input } = asked
    const persist = input.flag('persist') === true
    if (persist && asked.method !== 'POST') refuse('FHIR_OPERATION_INPUT_INVALID', { issues: [{ severity: 'error', code: 'not-supported', diagnostics: 'persist stores the document: send it by POST.' }] })
    if (persist) requirePermission(caller.actor, 'Bundle', 'write')
    const named = input.text('id')?.replace(`${base}/`, '')
    const id = asked.id ?? (named?.startsWith('Composition/') ? named.slice(12) : named)
    if (id === undefined) return refuse('FHIR_OPERATION_INPUT_INVALID', { issues: [{ severity: 'error', code: 'required', diagnostics: 'Name the composition: Composition/[id]/$document, or id.' }] })
    const { body } = await readResource(services, caller, 'Composition', id)
    const composition = readJson(body.toString()) as Composition
    const parts = await gather(asked, mentionedIn(composition))
    const entry = [composition as Resource, ...parts.values()].map((resource) => {
      const one = { fullUrl: `${base}/${resource.resourceType}/${resource.id}`, resource }
      tellDigitsBelow(one, resource)
      return one
    })
    const document: Bundle = {
      resourceType: 'Bundle',
      identifier: { system: 'urn:ietf:rfc:3986', value: `urn:uuid:${randomUUID()}` },
      type: 'document',
      timestamp: services.now().toISOString(),
      entry,
    }
    for (const one of entry) tellDigitsBelow(document, one)
    if (!persist) return document
    return await services.transact(caller.actor, caller.origin, async ({ tx }) => postResource(tx, document))
  },
}

export const documentRefusals = {
  FHIR_DOCUMENT_INCOMPLETE: { status: 422, message: 'The document cannot be put together: something that the composition names is missing.' },
} as const

