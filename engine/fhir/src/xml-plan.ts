import { elementsOf, isResourceType } from './definitions.ts'
import { primitives } from './primitives.ts'

// How R4 XML says what R4 JSON says: http://hl7.org/fhir/R4/xml.html

export const FHIR_NAMESPACE = 'http://hl7.org/fhir'
export const XHTML_NAMESPACE = 'http://www.w3.org/1999/xhtml'

/** One JSON property as an XML element. */
export interface XmlElement {
  /** Name of the property and of the element: `valueQuantity`, not `value[x]`. */
  name: string
  /** Place in the order of the definition; the forms of one choice share it. */
  at: number
  many: boolean
  kind: 'primitive' | 'structure' | 'resource' | 'xhtml'
  /** Type of a primitive, or path of the structure below. */
  type: string
}

export interface XmlPlan {
  /** In the order of the definition. */
  elements: readonly XmlElement[]
  byName: ReadonlyMap<string, XmlElement>
  /** Properties that XML says as attributes: ids of elements, the url of an extension. */
  attributes: readonly string[]
}

const plans = new Map<string, XmlPlan | undefined>()

/** How a resource, datatype or inner structure is written; undefined when R4 has none of this name. */
export function xmlPlanOf(path: string): XmlPlan | undefined {
  if (plans.has(path)) return plans.get(path)
  const definition = elementsOf(path)
  const plan = definition && isWritten(path) ? planFrom(path, definition) : undefined
  plans.set(path, plan)
  return plan
}

// The definitions also hold abstract types, of which there is no instance.
const isWritten = (path: string): boolean => path !== 'Resource' && path !== 'DomainResource'

export function isResourceName(name: string): boolean {
  return isResourceType(name) || name === 'Parameters'
}

function planFrom(path: string, definition: NonNullable<ReturnType<typeof elementsOf>>): XmlPlan {
  const attributes = isResourceName(path) ? [] : path === 'Extension' ? ['id', 'url'] : ['id']
  const elements: XmlElement[] = []
  let at = 0
  for (const [name, { t: types, many, x }] of Object.entries(definition)) {
    at += 1
    if (attributes.includes(name)) continue
    for (const type of x ? types : types.slice(0, 1)) {
      const below = type.replace('#', '')
      elements.push({
        name: x ? name + (type[0]?.toUpperCase() ?? '') + type.slice(1) : name,
        at,
        many: many === 1,
        kind: below === 'xhtml' ? 'xhtml' : primitives.has(below) ? 'primitive' : below === 'Resource' || isResourceName(below) ? 'resource' : 'structure',
        type: below,
      })
    }
  }
  return { elements, byName: new Map(elements.map((element) => [element.name, element])), attributes }
}
