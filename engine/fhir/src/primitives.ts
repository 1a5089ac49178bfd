// Value spaces of the R4 primitive types: http://hl7.org/fhir/R4/datatypes.html#primitive

const DATE = /^(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?$/
const DATE_TIME = /^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T(\d{2}):(\d{2}):(\d{2})(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2}))?)?)?$/
const INSTANT = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/
const TIME = /^([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(?:\.\d+)?$/
const ID = /^[A-Za-z0-9\-.]{1,64}$/
const CODE = /^\S+( \S+)*$/
const BASE64 = /^[A-Za-z0-9+/\s]*={0,2}\s*$/

const daysInMonth = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

function isRealDate(match: RegExpExecArray | null): boolean {
  if (!match) return false
  const [, year, month, day, hour, minute, second] = match.map(Number)
  if (!year) return false
  if (match[2] !== undefined && (!month || month > 12)) return false
  if (match[3] !== undefined) {
    if (!day || day > (daysInMonth[(month ?? 1) - 1] ?? 31)) return false
    const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
    if (month === 2 && day === 29 && !leap) return false
  }
  return match[4] === undefined || ((hour ?? 0) < 24 && (minute ?? 0) < 60 && (second ?? 0) <= 60)
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.trim() !== '' && value.length <= 1_048_576
}

const isInteger = (low: number) => (value: unknown) =>
  typeof value === 'number' && Number.isInteger(value) && value >= low && value <= 2_147_483_647

/** By type: whether a JSON value is one, and what to tell who sent it when it is not. */
export const primitives: ReadonlyMap<string, { is(value: unknown): boolean; wanted: string }> = new Map([
  ['boolean', { is: (value) => typeof value === 'boolean', wanted: 'true or false, without quotes' }],
  ['integer', { is: isInteger(-2_147_483_648), wanted: 'a whole number of 32 bits' }],
  ['unsignedInt', { is: isInteger(0), wanted: 'a whole number from 0' }],
  ['positiveInt', { is: isInteger(1), wanted: 'a whole number from 1' }],
  ['decimal', { is: (value) => typeof value === 'number' && Number.isFinite(value), wanted: 'a number, without quotes' }],
  ['string', { is: isText, wanted: 'a text that is not empty' }],
  ['markdown', { is: isText, wanted: 'a text that is not empty' }],
  ['code', { is: (value) => isText(value) && CODE.test(value), wanted: 'a code without spaces around it' }],
  ['id', { is: (value) => typeof value === 'string' && ID.test(value), wanted: '1 to 64 of A-Z a-z 0-9 - .' }],
  ['uri', { is: (value) => isText(value) && !/\s/.test(value), wanted: 'a URI without spaces' }],
  ['url', { is: (value) => isText(value) && !/\s/.test(value), wanted: 'a URL without spaces' }],
  ['canonical', { is: (value) => isText(value) && !/\s/.test(value), wanted: 'a canonical URL without spaces' }],
  ['oid', { is: (value) => typeof value === 'string' && /^urn:oid:[0-2](\.(0|[1-9]\d*))+$/.test(value), wanted: 'urn:oid:…' }],
  ['uuid', { is: (value) => typeof value === 'string' && /^urn:uuid:[0-9a-fA-F-]{36}$/.test(value), wanted: 'urn:uuid:…' }],
  ['date', { is: (value) => typeof value === 'string' && isRealDate(DATE.exec(value)), wanted: 'a real date: YYYY, YYYY-MM or YYYY-MM-DD' }],
  [
    'dateTime',
    {
      is: (value) => typeof value === 'string' && isRealDate(DATE_TIME.exec(value)),
      wanted: 'a real date, or a date with time and time zone: YYYY-MM-DDThh:mm:ss+zz:zz',
    },
  ],
  [
    'instant',
    {
      is: (value) => typeof value === 'string' && isRealDate(INSTANT.exec(value)),
      wanted: 'a moment with time zone: YYYY-MM-DDThh:mm:ss+zz:zz',
    },
  ],
  ['time', { is: (value) => typeof value === 'string' && TIME.test(value), wanted: 'a time: hh:mm:ss' }],
  ['base64Binary', { is: (value) => typeof value === 'string' && BASE64.test(value), wanted: 'base64' }],
  [
    'xhtml',
    {
      // What may be in it is told by narrative.ts.
      is: isText,
      wanted: 'an XHTML <div>',
    },
  ],
])
