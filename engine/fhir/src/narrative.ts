// What a narrative may hold: http://hl7.org/fhir/R4/narrative.html#xhtml (txt-1, txt-2).

const ELEMENTS: ReadonlySet<string> = new Set(
  ('div p br h1 h2 h3 h4 h5 h6 a span b em i strong small big tt dfn q var abbr acronym cite blockquote hr address bdo kbd sub sup ' +
    'ul ol li dl dt dd pre table caption colgroup col thead tr tfoot tbody th td code samp img map area').split(' '),
)

const ATTRIBUTES: ReadonlySet<string> = new Set(
  ('title style class id lang xml:lang dir accesskey tabindex xmlns xml:space span width height align valign char charoff abbr axis headers scope ' +
    'rowspan colspan href name rel rev shape coords hreflang charset type target src alt longdesc usemap ismap border cellpadding ' +
    'cellspacing frame rules summary nowrap start value compact cite clear size noshade bgcolor nohref hspace vspace').split(' '),
)

const TAG = /<(\/?)([A-Za-z][\w:.-]*)((?:\s+[\w:.-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>|<!--(?:(?!-->)[\s\S])*-->|<\?(?:(?!\?>)[\s\S])*\?>/y
const ATTRIBUTE = /([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g
const ENTITY = /&(?!(?:[A-Za-z]\w{0,31}|#\d{1,7}|#x[0-9a-fA-F]{1,6});)/

/** What keeps a text from being an XHTML `<div>` as FHIR allows it; undefined when it is one. */
export function narrativeFault(div: string): string | undefined {
  const open: string[] = []
  let content = false
  let at = 0
  for (;;) {
    const next = div.indexOf('<', at)
    const between = div.slice(at, next < 0 ? undefined : next)
    if (between.trim() !== '') {
      if (open.length === 0) return 'It has text outside of the div.'
      content = true
      if (ENTITY.test(between)) return 'It has an & that begins no entity: write &amp;.'
    }
    if (next < 0) break
    TAG.lastIndex = next
    const tag = TAG.exec(div)
    if (!tag) return 'It is not well-formed XHTML.'
    at = TAG.lastIndex
    const [, closes, name, attributes = '', empty] = tag
    if (name === undefined) continue
    if (closes) {
      if (open.pop() !== name) return 'It is not well-formed XHTML: each element that is opened is closed in turn.'
      continue
    }
    if (open.length === 0 && (next > 0 ? div.slice(0, next).includes('<div') : false)) return 'It is one div, and nothing beside it.'
    if (open.length === 0 && name !== 'div') return 'It begins with a div.'
    if (!ELEMENTS.has(name)) return 'It has an element that narratives may not have (txt-1): no scripts, forms, frames or objects.'
    const fault = attributes === '' ? undefined : attributeFault(attributes)
    if (fault) return fault
    if (name === 'img') content = true
    if (!empty) open.push(name)
    if (open.length > 200) return 'Its elements are nested too deeply.'
  }
  if (open.length > 0) return 'It is not well-formed XHTML: each element that is opened is closed in turn.'
  return content ? undefined : 'It has no content (txt-2).'
}

// Browsers read character references first and overlook white space within the name of a scheme.
function asRead(value: string): string {
  return value
    .replace(/&#(?:(\d{1,7})|x([0-9a-f]{1,6}));?/gi, (_all, decimal: string | undefined, hex: string | undefined) => {
      const code = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal)
      return code <= 0x10ffff ? String.fromCodePoint(code) : ''
    })
    .replace(/&(?:colon|Tab|NewLine);/gi, (name) => (name.toLowerCase() === '&colon;' ? ':' : ''))
    .replace(/[^!-~]/g, '')
}

function attributeFault(attributes: string): string | undefined {
  for (const [, name = '', double, single] of attributes.matchAll(ATTRIBUTE)) {
    if (!ATTRIBUTES.has(name)) return 'It has an attribute that narratives may not have (txt-1), such as an event handler.'
    const value = double ?? single ?? ''
    if (/^(?:javascript|vbscript|data(?!:image\/)):/i.test(asRead(value))) return 'It has a link that runs a script (txt-1).'
    if (ENTITY.test(value)) return 'It has an & that begins no entity: write &amp;.'
  }
  return undefined
}
