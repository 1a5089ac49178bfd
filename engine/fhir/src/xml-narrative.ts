import { SaxesParser } from 'saxes'
import { XHTML_NAMESPACE } from './xml-plan.ts'

// Characters that XML 1.0 has no way to write (https://www.w3.org/TR/xml/#charsets), halves of a pair included.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters meant.
const UNWRITABLE = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g

/** With U+FFFD, the replacement character, for each character that XML cannot hold. */
export function writable(text: string): string {
  return text.replace(UNWRITABLE, '\uFFFD')
}

const REFERENCES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\t': '&#9;', '\n': '&#10;', '\r': '&#13;' }

/** For an attribute between double quotes. Line ends and tabs would come back as spaces if they were written as they are. */
export function attributeText(text: string): string {
  return /[&<>"\t\n\r]|[^ -\uD7FF]/.test(text) ? writable(text).replace(/[&<>"\t\n\r]/g, (character) => REFERENCES[character] as string) : text
}

function elementText(text: string): string {
  return writable(text).replace(/[&<>\r]/g, (character) => REFERENCES[character] as string)
}

// HTML's own names of characters (HTML 4.01, 24): XML without a DTD does not know them. Those of Latin-1 stand in the
// order of their code points from 160 on.
const LATIN_1 =
  'nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml'
const OTHERS: Readonly<Record<string, number>> = {
  ensp: 8194, emsp: 8195, thinsp: 8201, zwnj: 8204, zwj: 8205, lrm: 8206, rlm: 8207, ndash: 8211, mdash: 8212, lsquo: 8216, rsquo: 8217,
  sbquo: 8218, ldquo: 8220, rdquo: 8221, bdquo: 8222, dagger: 8224, Dagger: 8225, bull: 8226, hellip: 8230, permil: 8240, prime: 8242,
  Prime: 8243, lsaquo: 8249, rsaquo: 8250, euro: 8364, trade: 8482, larr: 8592, uarr: 8593, rarr: 8594, darr: 8595, harr: 8596, minus: 8722,
  infin: 8734, asymp: 8776, ne: 8800, le: 8804, ge: 8805, alpha: 945, beta: 946, gamma: 947, delta: 948, Delta: 916, mu: 956, omega: 969,
  Omega: 937, OElig: 338, oelig: 339, Scaron: 352, scaron: 353, Yuml: 376, circ: 710, tilde: 732,
}
const named = new Map([...LATIN_1.split(' ').map((name, at): [string, number] => [name, 160 + at]), ...Object.entries(OTHERS)])
const predefined = new Map([['amp', 38], ['lt', 60], ['gt', 62], ['quot', 34], ['apos', 39]])

// The parser looks through every open element for a namespace: what is nested without end takes it for ever.
const MAX_DEPTH = 200

class Broken extends Error {}

/** Whether text is one well-formed `div` and nothing else, and then whether it names its namespace itself. */
function formOf(text: string): 'broken' | 'bare' | 'spaced' {
  const parser = new SaxesParser({ xmlns: true, position: false, defaultXMLVersion: '1.0', forceXMLVersion: true })
  let form: 'bare' | 'spaced' | undefined
  let depth = 0
  const broken = (): never => {
    throw new Broken()
  }
  parser.on('error', broken)
  parser.on('doctype', broken)
  parser.on('processinginstruction', broken)
  parser.on('xmldecl', broken)
  parser.on('opentag', ({ name, uri, attributes }) => {
    depth += 1
    if (form === undefined && name === 'div') form = attributes.xmlns === undefined ? 'bare' : 'spaced'
    if (form === undefined || depth > MAX_DEPTH || (uri !== XHTML_NAMESPACE && (uri !== '' || form === 'spaced'))) broken()
  })
  parser.on('closetag', () => {
    depth -= 1
  })
  try {
    parser.write(text).close()
  } catch (error) {
    if (!(error instanceof Broken)) throw error
    return 'broken'
  }
  return form ?? 'broken'
}

function characterOf(reference: string, name: string): string {
  const code = named.get(name) ?? (/^#\d{1,7}$/.test(name) ? Number(name.slice(1)) : predefined.get(name))
  return code === undefined || code > 0x10_ff_ff ? reference : String.fromCodePoint(code)
}

/**
 * A narrative's `div` as an XML element. Names of HTML are replaced by numbers, the namespace is added where it is
 * missing. What is not well-formed all the same is reduced to its words, so that it cannot break what is around it.
 */
export function xhtmlElement(div: string): string {
  const text = writable(div.trim()).replaceAll('\r', '&#13;')
  const numbered = text.replace(/&(\w+);/g, (reference, name: string) => (named.has(name) ? `&#${named.get(name)};` : reference))
  const form = formOf(numbered)
  if (form === 'spaced') return numbered
  if (form === 'bare') return `<div xmlns="${XHTML_NAMESPACE}"${numbered.slice(4)}`
  const words = text.replace(/<[^<>]*>/g, ' ').replace(/&(#?\w+);/g, characterOf)
  return `<div xmlns="${XHTML_NAMESPACE}">${elementText(words)}</div>`
}

/**
 * A `div` from the XML of its sender as JSON holds it: line ends are one character, and a carriage return that was
 * written as a reference is one.
 */
export function xhtmlText(source: string): string {
  return source.replace(/\r\n?/g, '\n').replace(/&#(?:0*13|[xX]0*[dD]);/g, '\r')
}

/** Puts a narrative together that its sender wrote with prefixes, or under a namespace that stands further out. */
export class PrefixlessXhtml {
  #text = ''
  #depth = 0

  open(local: string, attributes: readonly { name: string; value: string }[]): void {
    const namespace = this.#depth === 0 ? ` xmlns="${XHTML_NAMESPACE}"` : ''
    this.#depth += 1
    this.#text += `<${local}${namespace}${attributes.map(({ name, value }) => ` ${name}="${attributeText(value)}"`).join('')}>`
  }

  write(text: string): void {
    this.#text += elementText(text)
  }

  close(local: string): void {
    this.#depth -= 1
    this.#text += `</${local}>`
  }

  toString(): string {
    return this.#text
  }
}
