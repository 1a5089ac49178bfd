import { SaxesParser, type SaxesTagNS } from 'saxes'
import { setDecimal, tellDigitsBelow } from './decimal-digits.ts'
import type { Issue } from './outcome.ts'
import { PrefixlessXhtml, xhtmlText } from './xml-narrative.ts'
import { FHIR_NAMESPACE, isResourceName, XHTML_NAMESPACE, xmlPlanOf, type XmlElement, type XmlPlan } from './xml-plan.ts'

const MAX_DEPTH = 200
const MAX_ISSUES = 50
const SCHEMA_INSTANCE = 'http://www.w3.org/2001/XMLSchema-instance'
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/
const WHOLE = /^-?(0|[1-9]\d*)$/

type Json = Record<string, unknown>

/** An element that is open: what has been read of it, and what it may hold. */
type Frame =
  | { kind: 'structure' | 'primitive'; element: XmlElement; plan: XmlPlan; value: Json; said?: string; last?: XmlElement; full: boolean }
  | { kind: 'slot'; element: XmlElement; resource?: Json }
  | { kind: 'resource'; name: string; plan: XmlPlan; value: Json; last?: XmlElement }
  | { kind: 'xhtml'; element: XmlElement; start: number; depth: number; plain: boolean; rebuilt: PrefixlessXhtml }
  | { kind: 'skipped'; depth: number }

/**
 * R4 XML as the JSON form that is stored, decimals with their digits (see `writeJson`). Elements must be known, in the
 * order of the definitions and no more than once where they do not repeat; values must be of the form of their type.
 * Everything else is left to `validate`. DTDs are refused, so that there are no entities but those of XML itself.
 *
 * @returns The resource, or up to 50 faults with line and column; what is not well-formed ends the reading. No fault
 *   quotes a value.
 */
export function readXml(xml: string): { resource: Json } | { issues: Issue[] } {
  const reader = new Reader(xml.startsWith('\uFEFF') ? xml.slice(1) : xml)
  reader.read()
  return reader.issues.length > 0 || !reader.resource ? { issues: reader.issues } : { resource: reader.resource }
}

class EndOfReading extends Error {}

class Reader {
  readonly issues: Issue[] = []
  resource: Json | undefined
  readonly #xml: string
  readonly #parser = new SaxesParser({ xmlns: true, position: true, defaultXMLVersion: '1.0', forceXMLVersion: true })
  readonly #open: Frame[] = []
  /** Elements that are open, those of narratives and those that are skipped included. */
  #depth = 0
  /** Where the tag at hand begins. */
  #start = 0

  constructor(xml: string) {
    this.#xml = xml
  }

  read(): void {
    const parser = this.#parser
    parser.on('error', ({ message }) => this.#end(`This is not well-formed XML: ${message.replace(/^[\d:]+ /, '').replace(/[:"].*$|\.$/s, '').trim()}.`))
    parser.on('doctype', () => this.#end('A document type declaration (DTD) is not allowed: leave it out.'))
    parser.on('xmldecl', ({ encoding }) => {
      if (encoding !== undefined && !/^utf-?8$/i.test(encoding)) this.#end('The encoding of FHIR is UTF-8: the XML declaration names another.')
    })
    parser.on('opentagstart', () => {
      this.#start = this.#xml.lastIndexOf('<', parser.position - 1)
    })
    parser.on('opentag', (tag) => this.#opened(tag))
    parser.on('text', (text) => this.#text(text))
    parser.on('cdata', (text) => this.#text(text))
    parser.on('closetag', (tag) => this.#closed(tag))
    try {
      parser.write(this.#xml).close()
    } catch (error) {
      if (!(error instanceof EndOfReading)) throw error
    }
  }

  #opened(tag: SaxesTagNS): void {
    const frame = this.#open.at(-1)
    this.#depth += 1
    if (this.#depth > MAX_DEPTH) this.#end(`Elements are nested deeper than ${MAX_DEPTH} levels.`)
    if (frame === undefined) {
      this.#openResource(tag)
      return
    }
    switch (frame.kind) {
      case 'skipped':
        frame.depth += 1
        return
      case 'xhtml':
        this.#openXhtml(frame, tag)
        return
      case 'slot':
        if (frame.resource === undefined) this.#openResource(tag)
        else this.#skip('This element holds one resource: write it again for the next.')
        return
      default:
        this.#openElement(frame, tag)
    }
  }

  #openResource(tag: SaxesTagNS): void {
    const { local, uri } = tag
    const plan = isResourceName(local) ? xmlPlanOf(local) : undefined
    if (uri !== FHIR_NAMESPACE || !plan) {
      this.#skip(uri === FHIR_NAMESPACE ? 'R4 has no resource of this name.' : `A resource is in the namespace ${FHIR_NAMESPACE}.`)
      return
    }
    const slot = this.#open.at(-1)
    const value: Json = { resourceType: local }
    if (slot?.kind === 'slot') slot.resource = value
    this.#open.push({ kind: 'resource', name: local, plan, value })
    this.#attributes(tag, {})
  }

  #openElement(frame: Extract<Frame, { plan: XmlPlan }>, tag: SaxesTagNS): void {
    const { local, uri } = tag
    const element = frame.plan.byName.get(local)
    if ('full' in frame) frame.full = true
    if (!element || uri !== namespaceOf(element)) {
      this.#skip(unknownElement(frame.plan, local, element))
      return
    }
    const misplaced = placeFault(element, frame.last)
    if (misplaced !== undefined) {
      this.#skip(misplaced, element)
      return
    }
    frame.last = element
    const { kind } = element
    if (kind === 'xhtml') {
      const rebuilt = new PrefixlessXhtml()
      const xhtml: Frame = { kind, element, start: this.#start, depth: 0, plain: tag.attributes.xmlns !== undefined, rebuilt }
      this.#open.push(xhtml)
      this.#openXhtml(xhtml, tag)
    } else if (kind === 'resource') {
      this.#open.push({ kind: 'slot', element })
      this.#attributes(tag, {})
    } else {
      const plan = xmlPlanOf(kind === 'primitive' ? 'Element' : element.type)
      if (!plan) throw new Error(`no definition of ${element.type}`)
      const opened: Frame = { kind, element, plan, value: {}, full: false }
      this.#open.push(opened)
      const said: Json = {}
      this.#attributes(tag, said, plan.attributes, kind === 'primitive')
      const { value, ...rest } = said
      opened.value = rest
      if (kind === 'primitive' && typeof value === 'string') opened.said = value
      opened.full = Object.keys(said).length > 0
    }
  }

  #attributes({ attributes }: SaxesTagNS, into: Json, allowed: readonly string[] = [], takesValue = false): void {
    for (const { prefix, local, uri, value, name } of Object.values(attributes)) {
      if (prefix === 'xmlns' || name === 'xmlns') continue
      if (uri === SCHEMA_INSTANCE && /^(?:noNamespaceS|s)chemaLocation$/.test(local)) continue
      if (uri === '' && (allowed.includes(local) || (takesValue && local === 'value'))) into[local] = value
      else this.#fault('structure', local === 'value' ? 'This element has elements in it instead of a value.' : 'The element has an attribute that R4 does not give it.')
    }
  }

  #openXhtml(frame: Extract<Frame, { kind: 'xhtml' }>, { prefix, local, uri, attributes }: SaxesTagNS): void {
    frame.depth += 1
    if (uri !== XHTML_NAMESPACE) this.#fault('structure', 'A narrative holds elements of XHTML alone.')
    if (prefix !== '') frame.plain = false
    const kept: { name: string; value: string }[] = []
    for (const attribute of Object.values(attributes)) {
      if (attribute.name === 'xmlns') continue
      if (attribute.prefix === 'xmlns') frame.plain = false
      else kept.push(attribute)
      if (attribute.prefix !== '' && attribute.prefix !== 'xml' && attribute.prefix !== 'xmlns') {
        this.#fault('structure', 'A narrative has attributes of XHTML alone.')
      }
    }
    frame.rebuilt.open(local, kept)
  }

  #text(text: string): void {
    const frame = this.#open.at(-1)
    if (frame === undefined || frame.kind === 'skipped') return
    if (frame.kind === 'xhtml') frame.rebuilt.write(text)
    else if (/[^ \t\r\n]/.test(text)) this.#fault('structure', 'Text stands between elements: values of FHIR are in the attribute value.')
  }

  #closed({ local }: SaxesTagNS): void {
    this.#depth -= 1
    const frame = this.#open.at(-1)
    if (frame === undefined) return
    if (frame.kind === 'skipped') {
      frame.depth -= 1
      if (frame.depth === 0) this.#open.pop()
      return
    }
    if (frame.kind === 'xhtml') {
      frame.rebuilt.close(local)
      frame.depth -= 1
      if (frame.depth > 0) return
    }
    if ((frame.kind === 'primitive' || frame.kind === 'structure') && !frame.full) {
      this.#fault('structure', 'An element is not empty: leave it out, or give it a value or elements.')
    }
    if (frame.kind === 'slot' && frame.resource === undefined && this.issues.length === 0) this.#fault('structure', 'A resource belongs in here.')
    const primitive = frame.kind === 'primitive' && frame.said !== undefined ? this.#primitive(frame.element.type, frame.said) : undefined
    this.#open.pop()
    const parent = this.#open.at(-1)
    if (frame.kind === 'resource') {
      if (parent === undefined) this.resource = frame.value
      return
    }
    if (parent === undefined || !('plan' in parent)) return
    const { element } = frame
    switch (frame.kind) {
      case 'primitive':
        putPrimitive(parent.value, element, primitive, Object.keys(frame.value).length > 0 ? frame.value : undefined)
        return
      case 'xhtml':
        parent.value[element.name] = frame.plain ? xhtmlText(this.#xml.slice(frame.start, this.#parser.position)) : frame.rebuilt.toString()
        return
      default:
        put(parent.value, element, frame.kind === 'slot' ? (frame.resource ?? {}) : frame.value)
    }
  }

  /** A value of the type's form in JSON: a text, a truth value, or the digits of a number. */
  #primitive(type: string, said: string): string | boolean | { digits: string } {
    switch (type) {
      case 'boolean':
        if (said !== 'true' && said !== 'false') this.#fault('value', 'The value must be true or false.')
        return said === 'true'
      case 'integer':
      case 'unsignedInt':
      case 'positiveInt':
        if (!WHOLE.test(said)) this.#fault('value', 'The value must be a whole number.')
        return { digits: said }
      case 'decimal':
        if (!NUMBER.test(said)) this.#fault('value', 'The value must be a number such as 1.50, without a leading + or 0.')
        return { digits: said }
      default:
        return said
    }
  }

  #skip(diagnostics: string, element?: XmlElement): void {
    this.#fault('structure', diagnostics, element)
    this.#open.push({ kind: 'skipped', depth: 1 })
  }

  #fault(code: Issue['code'], diagnostics: string, element?: XmlElement): void {
    const line = this.#lineAt(this.#start)
    const column = this.#start - this.#xml.lastIndexOf('\n', this.#start - 1)
    this.#tell(code, `Line ${line}, column ${column}: ${diagnostics}`, element)
    if (this.issues.length >= MAX_ISSUES) throw new EndOfReading()
  }

  /** The parser counts lines up to where it is; a tag may be written over several. */
  #lineAt(start: number): number {
    let line = this.#parser.line
    for (let at = this.#parser.position; at > start; at -= 1) if (this.#xml.charCodeAt(at - 1) === 0x0a) line -= 1
    return line
  }

  #end(diagnostics: string): never {
    this.#tell('structure', `Line ${this.#parser.line}, column ${Math.max(1, this.#parser.columnIndex)}: ${diagnostics}`)
    throw new EndOfReading()
  }

  #tell(code: Issue['code'], diagnostics: string, element?: XmlElement): void {
    const expression = this.#expression() + (element ? `.${element.name}` : '')
    this.issues.push({ severity: 'error', code, ...(expression ? { expression } : {}), diagnostics })
  }

  // FHIRPath of the innermost open element: `Patient.name[0].given[1]`.
  #expression(): string {
    let path = ''
    let parent: Json | undefined
    for (const frame of this.#open) {
      if (frame.kind === 'skipped') break
      if (frame.kind === 'resource') {
        if (path === '') path = frame.name
        parent = frame.value
        continue
      }
      const { name, many } = frame.element
      const before = parent?.[name] ?? parent?.[`_${name}`]
      path += `.${name}${many ? `[${Array.isArray(before) ? before.length : 0}]` : ''}`
      parent = 'value' in frame ? frame.value : undefined
    }
    return path
  }
}

const namespaceOf = ({ kind }: XmlElement): string => (kind === 'xhtml' ? XHTML_NAMESPACE : FHIR_NAMESPACE)

function unknownElement(plan: XmlPlan, local: string, element: XmlElement | undefined): string {
  if (element) return `${local} belongs to the namespace ${namespaceOf(element)}.`
  if (plan.attributes.includes(local)) return `${local} is an attribute here, not an element.`
  // A name of some length may be somebody's words between brackets.
  return `There is no element ${/^[A-Za-z]\w{0,40}$/.test(local) ? local : 'of this name'} here.`
}

function placeFault(element: XmlElement, last: XmlElement | undefined): string | undefined {
  if (!last || element.at > last.at || (element === last && element.many)) return undefined
  if (element === last) return `${element.name} does not repeat.`
  if (element.at === last.at) return `Only one of ${last.name} and ${element.name} may be given.`
  return `${element.name} stands too late: R4 has it before ${last.name}.`
}

function put(holder: Json, { name, many }: XmlElement, value: Json): void {
  tellDigitsBelow(holder, value)
  if (!many) holder[name] = value
  else if (Array.isArray(holder[name])) holder[name].push(value)
  else holder[name] = [value]
}

// http://hl7.org/fhir/R4/json.html#primitive: what a primitive has beside its value stands under its name with a line
// before it; where it repeats, null fills the gaps of either array.
function putPrimitive(holder: Json, { name, many }: XmlElement, value: string | boolean | { digits: string } | undefined, beside: Json | undefined): void {
  if (beside) tellDigitsBelow(holder, beside)
  if (!many) {
    if (typeof value === 'object') setDecimal(holder, name, value.digits)
    else if (value !== undefined) holder[name] = value
    if (beside) holder[`_${name}`] = beside
    return
  }
  const before = lengthOf(holder[name]) ?? lengthOf(holder[`_${name}`]) ?? 0
  if (value !== undefined || holder[name] !== undefined) {
    const list = listAt(holder, name, before)
    if (typeof value === 'object') {
      setDecimal(list, String(before), value.digits)
      tellDigitsBelow(holder, list)
    } else list.push(value ?? null)
  }
  if (beside || holder[`_${name}`] !== undefined) listAt(holder, `_${name}`, before).push(beside ?? null)
}

const lengthOf = (list: unknown): number | undefined => (Array.isArray(list) ? list.length : undefined)

function listAt(holder: Json, name: string, gaps: number): unknown[] {
  const list = (holder[name] as unknown[] | undefined) ?? Array.from({ length: gaps }, () => null)
  holder[name] = list
  return list
}
