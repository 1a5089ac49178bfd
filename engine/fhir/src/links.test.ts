import { expect, test } from 'vitest'
import { readJson, writeJson } from './decimal-digits.ts'
import { replaceLinks } from './links.ts'

const OLD = 'urn:uuid:0c5b1e0a-0000-4000-8000-000000000001'
const resolve = (link: string): string | undefined => (link === OLD ? 'Patient/7' : undefined)
const replaced = (resource: object): unknown => replaceLinks(resource, { reference: resolve, other: resolve })

test('links are replaced in references, in elements that are links, and in the narrative', () => {
  expect(
    replaced({
      resourceType: 'DocumentReference',
      text: { status: 'generated', div: `<div><a class="x" href="${OLD}">his</a> <img src='${OLD}' alt="${OLD}"/> <a href="other">${OLD}</a></div>` },
      subject: { reference: OLD, display: OLD },
      author: [{ reference: 'Practitioner/1' }, { reference: OLD, type: 'Patient' }],
      masterIdentifier: { system: OLD, value: OLD },
      content: [{ attachment: { url: OLD, title: OLD } }],
      extension: [{ url: 'urn:x', valueUri: OLD }, { url: 'urn:y', valueString: OLD }, { url: 'urn:z', valueReference: { reference: OLD } }],
      contained: [{ resourceType: 'Observation', id: 'o', subject: { reference: OLD } }],
      _description: { extension: [{ url: 'urn:x', valueUrl: OLD }] },
    }),
  ).toEqual({
    resourceType: 'DocumentReference',
    text: { status: 'generated', div: `<div><a class="x" href="Patient/7">his</a> <img src="Patient/7" alt="${OLD}"/> <a href="other">${OLD}</a></div>` },
    subject: { reference: 'Patient/7', display: OLD },
    author: [{ reference: 'Practitioner/1' }, { reference: 'Patient/7', type: 'Patient' }],
    masterIdentifier: { system: 'Patient/7', value: OLD },
    content: [{ attachment: { url: 'Patient/7', title: OLD } }],
    extension: [{ url: 'urn:x', valueUri: 'Patient/7' }, { url: 'urn:y', valueString: OLD }, { url: 'urn:z', valueReference: { reference: 'Patient/7' } }],
    contained: [{ resourceType: 'Observation', id: 'o', subject: { reference: 'Patient/7' } }],
    _description: { extension: [{ url: 'urn:x', valueUrl: 'Patient/7' }] },
  })
})

test('a canonical stays, and so does what stands in a Bundle', () => {
  const stays = [
    { resourceType: 'Observation', meta: { profile: [OLD] }, extension: [{ url: 'urn:x', valueCanonical: OLD }] },
    { resourceType: 'Bundle', type: 'document', entry: [{ fullUrl: OLD, resource: { resourceType: 'Observation', subject: { reference: OLD } } }] },
  ]
  for (const resource of stays) expect(replaced(resource)).toEqual(resource)
})

test('decimals keep their digits, and the original stays as it is', () => {
  const text = `{"resourceType":"Observation","subject":{"reference":"${OLD}"},"component":[{"valueQuantity":{"value":1.00}}]}`
  const resource = readJson(text) as object
  expect(writeJson(replaced(resource))).toBe(text.replace(OLD, 'Patient/7'))
  expect(writeJson(resource)).toBe(text)
})
