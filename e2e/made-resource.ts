import { codesOf, type ElementDefinition, elementsOf } from '@carespine/fhir/definitions'
import type { Resource, ResourceType } from '@carespine/fhir/resource'
import type { ElementPath } from '@carespine/fhir/search-parameters'

type Json = Record<string, unknown>

const primitives: Readonly<Record<string, unknown>> = {
  boolean: true,
  integer: 7,
  positiveInt: 7,
  unsignedInt: 7,
  decimal: 7.25,
  date: '2019-03-04',
  dateTime: '2019-03-04T05:06:07Z',
  instant: '2019-03-04T05:06:07.000Z',
  time: '05:06:07',
  uri: 'urn:made:thing',
  url: 'https://made.example/thing',
  canonical: 'https://made.example/thing|1.2',
  oid: 'urn:oid:1.2.3',
  uuid: 'urn:uuid:0b1d4f0e-7a3c-4b6e-9c1d-2f3a4b5c6d7e',
  id: 'made',
  code: 'made',
  string: 'Madewell',
  markdown: 'Madewell',
  base64Binary: 'bWFkZQ==',
  xhtml: '<div xmlns="http://www.w3.org/1999/xhtml">made</div>',
}

const shaped: Readonly<Record<string, Json>> = {
  Quantity: { value: 7.25, unit: 'mg', system: 'http://unitsofmeasure.org', code: 'mg' },
  Age: { value: 7, unit: 'a', system: 'http://unitsofmeasure.org', code: 'a' },
  Duration: { value: 7, unit: 'min', system: 'http://unitsofmeasure.org', code: 'min' },
  Money: { value: 7.25, currency: 'USD' },
  Range: { low: { value: 7, unit: 'mg', system: 'http://unitsofmeasure.org', code: 'mg' }, high: { value: 9, unit: 'mg', system: 'http://unitsofmeasure.org', code: 'mg' } },
  Period: { start: '2019-03-04', end: '2019-03-05' },
  Timing: { event: ['2019-03-04T05:06:07Z'] },
  SampledData: { origin: { value: 0, unit: 'mg', system: 'http://unitsofmeasure.org', code: 'mg' }, period: 1, dimensions: 1, data: '7 8 9' },
  Coding: { system: 'urn:made:system', code: 'made', display: 'Madewell' },
  CodeableConcept: { coding: [{ system: 'urn:made:system', code: 'made' }], text: 'Madewell' },
  Identifier: { system: 'urn:made:numbers', value: 'M-7' },
  ContactPoint: { system: 'phone', value: '+1 555 0107 007', use: 'work' },
  HumanName: { family: 'Madewell', given: ['Mo'] },
  Address: { use: 'home', line: ['7 Made Street'], city: 'Madeville', state: 'Madeland', postalCode: '70707', country: 'Madeira' },
  Attachment: { contentType: 'text/plain', url: 'https://made.example/file' },
  UsageContext: { code: { system: 'urn:made:system', code: 'made' }, valueCodeableConcept: { coding: [{ system: 'urn:made:system', code: 'made' }] } },
}

function sampleOf(type: string, element: ElementDefinition | undefined, target: string | undefined): unknown {
  if (type === 'code') return (element?.b && Object.values(codesOf(element.b) ?? {})[0]?.[0]) || 'made'
  if (type in primitives) return primitives[type]
  if (type === 'Reference') return { reference: `${target ?? element?.r?.[0] ?? 'Patient'}/made` }
  if (type === 'Resource') return { resourceType: 'Basic', id: 'made', code: { text: 'Madewell' } }
  return shaped[type] ?? structure(type)
}

const typeOf = (element: ElementDefinition): string => (element.t[0] ?? 'string').replace('#', '')
const propertyOf = (name: string, element: ElementDefinition, type = typeOf(element)): string => (element.x ? name + type[0]?.toUpperCase() + type.slice(1) : name)

/** A structure with what must be there, and no more. */
function structure(path: string, depth = 0): Json {
  const made: Json = {}
  if (depth > 6) return made
  for (const [name, element] of Object.entries(elementsOf(path) ?? {})) {
    if (element.min !== 1) continue
    const value = sampleOf(typeOf(element), element, undefined)
    made[propertyOf(name, element)] = element.many ? [value] : value
  }
  // Nothing is required of it, but an object is not empty.
  if (Object.keys(made).length === 0 && path.includes('.')) made.id = 'made'
  return made
}

/** Sets a value at a path of a structure; what lies on the way is made. */
function place(into: Json, type: string, steps: ElementPath['steps'], target: string | undefined): void {
  const [step, ...rest] = steps
  if (typeof step !== 'string') return
  const filters = rest.slice(0, Math.max(0, rest.findIndex((one) => typeof one === 'string')))
  const only = rest.length > 0 && rest.every((one) => typeof one !== 'string') ? rest : filters
  const after = rest.slice(only.length)
  const elements = elementsOf(type) ?? {}
  const [, element] = Object.entries(elements).find(([name, one]) => one.t.some((each) => propertyOf(name, one, each.replace('#', '')) === step)) ?? []
  if (!element) throw new Error(`${type} has no ${step}`)
  const found = element.t.map((one) => one.replace('#', '')).find((one) => !element.x || step.endsWith(one[0]?.toUpperCase() + one.slice(1))) ?? 'string'
  for (const name of Object.keys(into)) if (element.x && elements[name.replace(/[A-Z]\w*$/, '')] === element) delete into[name]
  let value: unknown = into[step]
  if (Array.isArray(value)) value = value[0]
  if (after.length > 0) {
    const inner = { ...((value as Json | undefined) ?? structure(found)) }
    for (const filter of only) if (typeof filter === 'object' && 'property' in filter) inner[filter.property] = filter.is
    place(inner, found, after, target)
    value = inner
  } else {
    value = sampleOf(found, element, target)
    for (const filter of only) if (typeof filter === 'object' && 'property' in filter) value = { ...(value as Json), [filter.property]: filter.is }
  }
  into[step] = element.many ? [value] : value
}

/** The smallest resource that has a value at each of the paths. Not one that means anything. */
export function madeResource(type: ResourceType, id: string, paths: readonly ElementPath[]): Resource {
  const made: Json = { resourceType: type, id, ...structure(type) }
  for (const { steps, target } of paths) place(made, type, steps, target)
  return made as unknown as Resource
}
