import { keptDigits } from './decimal-digits.ts'
import { attributeText, xhtmlElement } from './xml-narrative.ts'
import { FHIR_NAMESPACE, isResourceName, xmlPlanOf, type XmlElement, type XmlPlan } from './xml-plan.ts'

/** What JSON holds and R4 XML has no form for: unknown elements, extensions of what XML writes as an attribute. */
export class NotInXml extends Error {
  readonly expression: string

  constructor(expression: string, reason: string) {
    super(reason)
    this.expression = expression
  }
}

type Json = Record<string, unknown>

/**
 * A resource in JSON form as R4 XML: elements in the order of the definitions, decimals with their digits, narrative as
 * it stands. Characters that XML cannot hold become U+FFFD.
 *
 * @throws {NotInXml} when something of the resource has no form in XML.
 */
export function writeXml(resource: unknown, options: { pretty?: boolean } = {}): string {
  const writer = new Writer(options.pretty === true)
  writer.resource(resource, ` xmlns="${FHIR_NAMESPACE}"`, 0)
  return writer.parts.join('')
}

class Writer {
  // Joined once: cutting the end off a long text copies it.
  readonly parts = ['<?xml version="1.0" encoding="UTF-8"?>']
  readonly #pretty: boolean
  readonly #path: string[] = []

  constructor(pretty: boolean) {
    this.#pretty = pretty
  }

  resource(value: unknown, namespace: string, depth: number): void {
    const type = isObject(value) ? value.resourceType : undefined
    const plan = typeof type === 'string' && isResourceName(type) ? xmlPlanOf(type) : undefined
    if (!plan || typeof type !== 'string') throw this.#no('This is not an R4 resource.')
    this.#path.push(type)
    this.#line(depth)
    this.#element(type, namespace, () => this.#structure(value as Json, plan, depth + 1, 'resourceType'), depth)
    this.#path.pop()
  }

  #structure(value: Json, plan: XmlPlan, depth: number, except?: string): void {
    let written = 0
    for (const element of plan.elements) {
      const { name } = element
      const main = value[name]
      const beside = element.kind === 'primitive' ? value[`_${name}`] : undefined
      if (main === undefined && beside === undefined) continue
      written += (main === undefined ? 0 : 1) + (beside === undefined ? 0 : 1)
      this.#path.push(name)
      if (!element.many) this.#one(element, value, main, beside, depth)
      else this.#several(element, value, main, beside, depth)
      this.#path.pop()
    }
    for (const name of plan.attributes) if (value[name] !== undefined) written += 1
    if (except !== undefined) written += 1
    if (written < Object.keys(value).length) this.#refuseUnknown(value, plan, except)
  }

  #several(element: XmlElement, holder: Json, main: unknown, beside: unknown, depth: number): void {
    const values = Array.isArray(main) ? main : main === undefined ? [] : [main]
    const siblings = Array.isArray(beside) ? beside : beside === undefined ? [] : [beside]
    for (let at = 0; at < Math.max(values.length, siblings.length); at += 1) {
      this.#one(element, Array.isArray(main) ? (main as unknown as Json) : holder, values[at], siblings[at], depth, at)
    }
  }

  #one(element: XmlElement, holder: Json, main: unknown, beside: unknown, depth: number, at?: number): void {
    const { name, kind, type } = element
    this.#line(depth)
    if (kind === 'xhtml') {
      this.parts.push(xhtmlElement(String(main)))
    } else if (kind === 'resource') {
      this.#element(name, '', () => this.resource(main, '', depth + 1), depth)
    } else if (kind === 'primitive') {
      if (typeof main === 'object' && main !== null) throw this.#no('This element is not in the form that R4 gives it.')
      const said = main === undefined || main === null ? undefined : (keptDigits(holder, at ?? name) ?? String(main))
      const value = said === undefined ? '' : ` value="${attributeText(said)}"`
      if (!isObject(beside)) this.parts.push(`<${name}${value}/>`)
      else this.#complex(name, beside, 'Element', value, depth)
    } else if (isObject(main)) {
      this.#complex(name, main, type, '', depth)
    } else throw this.#no('This element is not in the form that R4 gives it.')
  }

  #complex(name: string, value: Json, type: string, more: string, depth: number): void {
    const plan = xmlPlanOf(type)
    if (!plan) throw this.#no('R4 has no such structure.')
    const attributes = plan.attributes.map((attribute) => {
      const said = value[attribute]
      return said === undefined ? '' : ` ${attribute}="${attributeText(String(said))}"`
    })
    this.#element(name, attributes.join('') + more, () => this.#structure(value, plan, depth + 1), depth)
  }

  #element(name: string, attributes: string, content: () => void, depth: number): void {
    const before = this.parts.push(`<${name}${attributes}>`)
    content()
    if (this.parts.length === before) {
      this.parts[before - 1] = `<${name}${attributes}/>`
      return
    }
    this.#line(depth)
    this.parts.push(`</${name}>`)
  }

  #line(depth: number): void {
    if (this.#pretty) this.parts.push(`\n${'  '.repeat(depth)}`)
  }

  #refuseUnknown(value: Json, plan: XmlPlan, except: string | undefined): void {
    for (const [name, inner] of Object.entries(value)) {
      if (name === except || plan.byName.has(name) || plan.attributes.includes(name) || inner === undefined) continue
      const own = name.startsWith('_') ? name.slice(1) : ''
      if (plan.byName.get(own)?.kind === 'primitive') continue
      this.#path.push(name)
      throw this.#no(plan.attributes.includes(own) ? 'XML writes this as an attribute, which has no extensions.' : 'R4 has no element of this name.')
    }
  }

  #no(reason: string): NotInXml {
    return new NotInXml(this.#path.join('.'), reason)
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
