import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatFor, isTaken, STORED_JSON } from './format.ts'

const type = (accept?: string, format?: string): string | undefined => formatFor(accept, { format })?.contentType.replace('; charset=utf-8', '')
const JSON_TYPE = 'application/fhir+json'
const XML_TYPE = 'application/fhir+xml'

describe('the format of an answer', () => {
  test.each([
    [undefined, JSON_TYPE],
    ['', JSON_TYPE],
    ['*/*', JSON_TYPE],
    ['application/*', JSON_TYPE],
    ['text/*', XML_TYPE],
    ['application/fhir+json', JSON_TYPE],
    ['application/json', JSON_TYPE],
    ['application/fhir+xml', XML_TYPE],
    ['Application/XML', XML_TYPE],
    ['text/xml;charset=utf-8', XML_TYPE],
    ['application/json, text/plain, */*', JSON_TYPE],
    ['*/*, application/fhir+xml', XML_TYPE],
    ['application/fhir+xml;q=0.5, application/fhir+json;q=0.4', XML_TYPE],
    ['application/fhir+json;q=0.4, application/fhir+xml;q=0.5', XML_TYPE],
    ['application/fhir+xml, application/fhir+json', XML_TYPE],
    ['application/fhir+json;q=0, */*', XML_TYPE],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', XML_TYPE],
    ['text/html, */*;q=0.1', JSON_TYPE],
    ['text/turtle, application/fhir+xml;q=0.1', XML_TYPE],
    ['application/fhir+json; fhirVersion=4.0', `${JSON_TYPE}; fhirVersion=4.0`],
    ['application/fhir+xml;fhirVersion="4.0.1"', `${XML_TYPE}; fhirVersion=4.0`],
    ['application/fhir+json; fhirVersion=3.0, application/fhir+xml; fhirVersion=4.0', `${XML_TYPE}; fhirVersion=4.0`],
    ['application/fhir+json; fhirVersion=5.0', undefined],
    ['application/fhir+json; fhirVersion=4.3', undefined],
    ['text/turtle', undefined],
    ['application/fhir+turtle, text/html', undefined],
    ['application/fhir+json;q=0', undefined],
    ['*/*;q=0', undefined],
    ['json', JSON_TYPE],
    ['constructor', undefined],
    ['application/fhir+json;q=x', undefined],
  ])('Accept: %s gives %s', (accept, expected) => {
    expect(type(accept)).toBe(expected)
  })

  test.each([
    ['json', JSON_TYPE],
    ['xml', XML_TYPE],
    ['application/fhir+xml', XML_TYPE],
    ['application/fhir xml', XML_TYPE],
    ['application/fhir json', JSON_TYPE],
    ['text/xml', XML_TYPE],
    ['application/xml; fhirVersion=4.0', `${XML_TYPE}; fhirVersion=4.0`],
    ['application/xml; fhirVersion=3.0', undefined],
    ['ttl', undefined],
    ['html', undefined],
    ['*/*', undefined],
    ['toString', undefined],
  ])('_format=%s gives %s, whatever Accept says', (format, expected) => {
    for (const accept of [undefined, 'application/fhir+json', 'application/fhir+xml', 'text/turtle']) expect(type(accept, format)).toBe(expected)
  })

  test('stored bytes are sent as they are only where nothing else is asked for', () => {
    expect(formatFor(undefined)).toBe(STORED_JSON)
    expect(formatFor('application/json')).toBe(STORED_JSON)
    expect(formatFor('application/json', { pretty: true })).toMatchObject({ as: 'json', pretty: true })
    expect(formatFor('application/fhir+json; fhirVersion=4.0')).not.toBe(STORED_JSON)
  })

  test('no header breaks it', () => {
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom(...';,=/*" q.01', 'fhirVersion', 'application', 'fhir+xml', 'json') }), (header) => {
      formatFor(header)
      formatFor(undefined, { format: header })
      isTaken(header)
    }))
  })
})

test.each([
  ['application/fhir+json', true],
  ['application/fhir+xml; charset=UTF-8', true],
  ['application/fhir+xml;charset="utf-8";fhirVersion=4.0', true],
  ['application/json; fhirVersion=3.0', false],
  ['application/fhir+xml; charset=iso-8859-1', false],
])('a body of %s is taken: %s', (contentType, expected) => {
  expect(isTaken(contentType)).toBe(expected)
})
