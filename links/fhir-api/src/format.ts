// In which format an answer is given: http://hl7.org/fhir/R4/http.html#general

/** What an answer is written as. One object for each kind: compared by identity. */
export interface Format {
  as: 'json' | 'xml'
  contentType: string
  pretty: boolean
}

type Kind = Format['as']

const kinds: Readonly<Record<string, Kind>> = {
  'application/fhir+json': 'json',
  'application/json': 'json',
  'text/json': 'json',
  json: 'json',
  'application/fhir+xml': 'xml',
  'application/xml': 'xml',
  'text/xml': 'xml',
  xml: 'xml',
}

// What a range with a star stands for; JSON is what the record is stored as.
const ranges: Readonly<Record<string, readonly Kind[]>> = { '*/*': ['json', 'xml'], 'application/*': ['json', 'xml'], 'text/*': ['xml', 'json'] }

const R4 = /^4\.0(?:\.\d)?$/

const formats = new Map<string, Format>()
for (const as of ['json', 'xml'] as const) {
  for (const version of ['', '; fhirVersion=4.0']) {
    for (const pretty of [false, true]) {
      formats.set(`${as}${version}${pretty}`, { as, contentType: `application/fhir+${as}${version}; charset=utf-8`, pretty })
    }
  }
}

function formatOf(kind: Kind, versioned: boolean, pretty: boolean): Format {
  return formats.get(`${kind}${versioned ? '; fhirVersion=4.0' : ''}${pretty}`) as Format
}

/** JSON as it is stored: bytes are sent as they are. */
export const STORED_JSON = formatOf('json', false, false)

interface MediaRange {
  name: string
  quality: number
  version?: string
  charset?: string
}

function mediaRange(text: string): MediaRange {
  const [name = '', ...parameters] = text.split(';')
  const range: MediaRange = { name: name.trim().toLowerCase(), quality: 1 }
  for (const parameter of parameters) {
    const at = parameter.indexOf('=')
    const key = parameter.slice(0, at).trim().toLowerCase()
    const value = parameter.slice(at + 1).trim().replace(/^"(.*)"$/, '$1')
    if (key === 'q') range.quality = Number(value)
    else if (key === 'fhirversion') range.version = value
    else if (key === 'charset') range.charset = value.toLowerCase()
  }
  return range
}

/** Whether a media type names a format of FHIR. */
export function isFormatName(name: string): boolean {
  return Object.hasOwn(kinds, name)
}

/** Media types that an Accept header takes, without their parameters. */
export function namesOfAccept(header = ''): string[] {
  return header.split(',').filter((part) => part.trim() !== '').map(mediaRange).flatMap(({ name, quality }) => (quality === 0 ? [] : [name]))
}

const isOurVersion = ({ version }: MediaRange): boolean => version === undefined || R4.test(version)

/** The best of what an Accept header takes; undefined when it takes nothing that is given here. */
function accepted(header: string): { kind: Kind; versioned: boolean } | undefined {
  const asked = header.split(',').filter((part) => part.trim() !== '').map(mediaRange)
  if (asked.length === 0) return { kind: 'json', versioned: false }
  const refused = new Set(asked.flatMap(({ name, quality }) => (quality === 0 ? (kinds[name] ?? []) : [])))
  const wanted = asked
    .filter((range) => range.quality > 0 && isOurVersion(range) && (Object.hasOwn(kinds, range.name) || Object.hasOwn(ranges, range.name)))
    // RFC 9110, 12.5.1: a higher weight first; of equal ones the more precise, then the earlier.
    .toSorted((a, b) => b.quality - a.quality || Number(b.name in kinds) - Number(a.name in kinds))
  for (const range of wanted) {
    const kind = (Object.hasOwn(kinds, range.name) ? [kinds[range.name] as Kind] : (ranges[range.name] ?? [])).find((one) => !refused.has(one))
    if (kind) return { kind, versioned: range.version !== undefined }
  }
  return undefined
}

/**
 * The format of an answer; undefined when what is asked for is not given here.
 *
 * @param accept The Accept header.
 * @param parameters `_format` wins over Accept; `_pretty=true` is for people.
 */
export function formatFor(accept: string | undefined, parameters: { format?: string | undefined; pretty?: boolean } = {}): Format | undefined {
  const { format = '', pretty = false } = parameters
  if (format !== '') {
    // A plus sign stands for a space in a URL.
    const range = mediaRange(format.replace(/^([a-z]+\/fhir) /i, '$1+'))
    const kind = Object.hasOwn(kinds, range.name) && isOurVersion(range) ? kinds[range.name] : undefined
    return kind && formatOf(kind, range.version !== undefined, pretty)
  }
  if (accept === undefined) return formatOf('json', false, pretty)
  const best = accepted(accept)
  return best && formatOf(best.kind, best.versioned, pretty)
}

/** Whether a body of this Content-Type can be one of R4 in UTF-8; which types are taken at all is the routes' matter. */
export function isTaken(contentType: string): boolean {
  const range = mediaRange(contentType)
  return isOurVersion(range) && (range.charset === undefined || range.charset === 'utf-8' || range.charset === 'utf8')
}
