import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readJson, writeJson } from './decimal-digits.ts'
import { writable } from './xml-narrative.ts'
import { readXml } from './xml-read.ts'
import { NotInXml, writeXml } from './xml-write.ts'

const DIV = '<div xmlns="http://www.w3.org/1999/xhtml">'
const fhir = (type: string, content: string): string => `<${type} xmlns="http://hl7.org/fhir">${content}</${type}>`

/** JSON as it is compared: numbers by how they are written. */
const written = (json: string): unknown =>
  JSON.parse(json, (_key: string, value: unknown, context?: { source?: string }) => (typeof value === 'number' ? `number ${context?.source}` : value))

function read(xml: string): unknown {
  const answer = readXml(xml)
  if ('issues' in answer) throw new Error(JSON.stringify(answer.issues))
  return written(writeJson(answer.resource))
}

function faults(xml: string): string[] {
  const answer = readXml(xml)
  return 'issues' in answer ? answer.issues.map(({ expression = '', diagnostics }) => `${expression} ${diagnostics}`.trim()) : []
}

const there = (json: unknown): unknown => read(writeXml(json))

describe('a resource in XML and back', () => {
  test('has elements in the order of R4, ids and URLs of extensions as attributes, primitives in the attribute value', () => {
    const patient = {
      gender: 'male',
      name: [{ id: 'n1', given: ['Ali', 'محمد'], family: 'O\'Neil "& <Sons>"' }],
      active: true,
      id: 'p1',
      resourceType: 'Patient',
      extension: [{ valueDecimal: 1.5, url: 'http://example.org/weight' }],
    }
    expect(writeXml(patient)).toBe(
      '<?xml version="1.0" encoding="UTF-8"?><Patient xmlns="http://hl7.org/fhir"><id value="p1"/>' +
        '<extension url="http://example.org/weight"><valueDecimal value="1.5"/></extension><active value="true"/>' +
        '<name id="n1"><family value="O\'Neil &quot;&amp; &lt;Sons&gt;&quot;"/><given value="Ali"/><given value="محمد"/></name>' +
        '<gender value="male"/></Patient>',
    )
    expect(there(patient)).toEqual(written(JSON.stringify(patient)))
    expect(read(writeXml(patient, { pretty: true }))).toEqual(written(JSON.stringify(patient)))
    expect(writeXml(patient, { pretty: true })).toContain('\n  <name id="n1">\n    <family')
  })

  test('keeps ids and extensions of primitives, gaps of arrays included', () => {
    const beside = (code: string) => ({ extension: [{ url: 'http://example.org/x', valueCode: code }] })
    const patient = {
      resourceType: 'Patient',
      _birthDate: { id: 'b', ...beside('unknown') },
      name: [
        { given: ['A', null, 'C'], _given: [null, beside('masked'), { id: 'c' }] },
        { _given: [beside('masked'), beside('asked')] },
        { given: [null, 'B'], _given: [{ id: 'a' }, null] },
        { given: ['only', 'values'] },
      ],
    }
    expect(there(patient)).toEqual(patient)
  })

  test('keeps contained resources, resources of Bundles and Parameters, and recursion', () => {
    const patient = { resourceType: 'Patient', contained: [{ resourceType: 'Organization', id: 'o', name: 'X' }, { resourceType: 'Practitioner', id: 'q' }], managingOrganization: { reference: '#o' } }
    const bundle = { resourceType: 'Bundle', type: 'batch-response', entry: [{ fullUrl: 'urn:x', resource: patient }, { response: { status: '404', outcome: { resourceType: 'OperationOutcome', issue: [{ severity: 'error', code: 'not-found' }] } } }] }
    expect(there(bundle)).toEqual(bundle)
    const parameters = { resourceType: 'Parameters', parameter: [{ name: 'a', part: [{ name: 'b', resource: bundle }, { name: 'c', valueBoolean: false }] }] }
    expect(there(parameters)).toEqual(parameters)
    expect(writeXml(bundle)).toContain('<outcome><OperationOutcome><issue>')
  })

  test.each(['1.00', '-0.0', '1e2', '1.5E-3', '100', '3.14159265358979323846', '12345678901234567890.10', '0'])('keeps %s to the digit', (digits) => {
    const json = `{"resourceType":"Observation","component":[{"valueQuantity":{"value":${digits}}}],"contained":[{"resourceType":"Observation","valueQuantity":{"value":${digits}}}]}`
    expect(writeXml(readJson(json))).toContain(`<value value="${digits}"/>`)
    expect(there(readJson(json))).toEqual(written(json))
  })

  test('keeps every text that XML can hold, and marks what it cannot', () => {
    const note = (text: string) => ({ resourceType: 'Observation', note: [{ text }] })
    const arabic = fc.string({ unit: fc.constantFrom(...'ابتثجحخدذرزسشصضطظعغفقكلمنهويءآأؤإئىة ًٌَُِّْ٠١٢٣٤‏‎') })
    const awkward = fc.string({ unit: fc.constantFrom('&', '<', '>', '"', "'", '\n', '\r', '\t', ' ', '&amp;', '&#10;', ']]>', '<!--', '😀', '\u2028', '\u0085', '\u00a0', '\ufeff', 'ﷺ') })
    fc.assert(fc.property(fc.oneof(arabic, awkward, fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' })), (text) => {
      expect(there(note(text))).toEqual(note(writable(text)))
    }))
    expect(there(note('\u0000\u000b\ud800\udc00\ud800a\udc00\uffff'))).toEqual(note('\ufffd\ufffd\ud800\udc00\ufffda\ufffd\ufffd'))
  })

  test('refuses what XML has no form for, and names it', () => {
    const said = (resource: object): string => {
      try {
        return writeXml(resource)
      } catch (error) {
        return error instanceof NotInXml ? `${error.expression}: ${error.message}` : String(error)
      }
    }
    expect(said({ resourceType: 'Patient', shoe: 1 })).toBe('Patient.shoe: R4 has no element of this name.')
    expect(said({ resourceType: 'Patient', extension: [{ url: 'x', _url: { id: '1' } }] })).toContain('Patient.extension._url: XML writes this as an attribute')
    expect(said({ resourceType: 'Shoe' })).toContain('not an R4 resource')
    expect(said({ resourceType: 'Patient', contact: [3] })).toContain('Patient.contact')
  })
})

describe('narrative', () => {
  const resource = (div: string) => ({ resourceType: 'Basic', text: { status: 'generated', div }, code: { text: 'after' } })

  test.each([
    ['<p>1 &lt; 2 &amp; "3" &#160;–  ☤</p>\n\t<br />'],
    ['<p style="x" title=\'a > b\'>عربي <!-- note --> <![CDATA[<raw>]]></p>'],
    ['line\r\nline\rline'],
    ['<p xml:lang="ar" dir="rtl">سكر الدم</p><div><div>inner</div></div>'],
  ])('is kept letter for letter: %j', (content) => {
    expect(there(resource(`${DIV}${content}</div>`))).toEqual(resource(`${DIV}${content}</div>`))
  })

  test('is made well-formed where it was not', () => {
    const after = (div: string): unknown => (there(resource(div)) as ReturnType<typeof resource>).text.div
    expect(after('<div>no namespace</div>')).toBe(`${DIV}no namespace</div>`)
    expect(after('<div title=\'xmlns="x"\'>a</div>')).toBe('<div xmlns="http://www.w3.org/1999/xhtml" title=\'xmlns="x"\'>a</div>')
    expect(after(`${DIV}a&nbsp;b &alpha;</div>`)).toBe(`${DIV}a&#160;b &#945;</div>`)
    expect(after(`${DIV}one<br>two &amp; &copy; three</div>`)).toBe(`${DIV} one two &amp; © three </div>`)
    expect(after(`${DIV}&#99999999; <b></div>`)).toBe(`${DIV} &amp;#99999999;   </div>`)
    expect(after('')).toBe(`${DIV}</div>`)
  })

  test('never says anything about what is around it', () => {
    const parts = ['<div>', DIV, '</div>', '</text>', '<id value="evil"/>', '<!--', '-->', '<![CDATA[', ']]>', '<?x?>', '<!DOCTYPE a>', '&x;', '&#0;', 'a', '"', '<b', '>', '</Basic>', '<x:y/>', '<svg xmlns="http://www.w3.org/2000/svg"/>']
    fc.assert(fc.property(fc.array(fc.constantFrom(...parts), { maxLength: 8 }), (pieces) => {
      const { text, ...rest } = there(resource(pieces.join(''))) as ReturnType<typeof resource>
      const { text: _text, ...wanted } = resource('')
      expect(rest).toEqual(wanted)
      expect(text.div.startsWith('<div')).toBe(true)
      expect(there(resource(text.div))).toEqual(resource(text.div))
    }), { numRuns: 300 })
  })

  test('that was sent with prefixes or an outer namespace stands in its own namespace', () => {
    const sent = (div: string, xmlns = ''): unknown => (read(`<f:Basic xmlns:f="http://hl7.org/fhir" ${xmlns}><f:text><f:status value="generated"/>${div}</f:text></f:Basic>`) as ReturnType<typeof resource>).text.div
    expect(sent('<h:div xmlns:h="http://www.w3.org/1999/xhtml"><h:p title="a &lt; &quot;b">1 &lt; 2<h:br/></h:p></h:div>')).toBe(`${DIV}<p title="a &lt; &quot;b">1 &lt; 2<br></br></p></div>`)
    expect(sent('<div><p xml:lang="ar">x</p></div>', 'xmlns="http://www.w3.org/1999/xhtml"')).toBe(`${DIV}<p xml:lang="ar">x</p></div>`)
    expect(sent(`${DIV}<p>x</p></div>`)).toBe(`${DIV}<p>x</p></div>`)
    expect(sent(`${DIV}a\r\nb&#13;</div>`)).toBe(`${DIV}a\nb\r</div>`)
  })
})

describe('XML is refused with its place', () => {
  const NAMESPACED = '<Patient xmlns="http://hl7.org/fhir">'
  const EMPTY = 'An element is not empty: leave it out, or give it a value or elements.'

  // ¶ marks the place that the fault names.
  test.each([
    ['\n  <active value="true"/>\n  ¶<shoe value="1"/>\n', 'Patient', 'There is no element shoe here.'],
    ['<name>\n<given value="a"/><given value="b"><extension url="u">\n  ¶<valueInteger\n value="x"/></extension></given></name>', 'Patient.name[0].given[1].extension[0].valueInteger', 'The value must be a whole number.'],
    ['<extension url="u">¶<valueDecimal value="+1.0"/></extension>', 'Patient.extension[0].valueDecimal', 'The value must be a number such as 1.50, without a leading + or 0.'],
    ['<birthDate value="1970"/>¶<gender value="male"/>', 'Patient.gender', 'gender stands too late: R4 has it before birthDate.'],
    ['<gender value="male"/>¶<gender value="male"/>', 'Patient.gender', 'gender does not repeat.'],
    ['<name><text value="A"/></name><gender value="male"/>¶<name><text value="A"/></name>', 'Patient.name', 'name stands too late: R4 has it before gender.'],
    ['<deceasedBoolean value="true"/>¶<deceasedDateTime value="2020"/>', 'Patient.deceasedDateTime', 'Only one of deceasedBoolean and deceasedDateTime may be given.'],
    ['¶<active value="TRUE"/>', 'Patient.active', 'The value must be true or false.'],
    ['¶<active value=" true"/>', 'Patient.active', 'The value must be true or false.'],
    ['¶<active/>', 'Patient.active', EMPTY],
    ['¶<active value="true">yes</active>', 'Patient.active', 'Text stands between elements: values of FHIR are in the attribute value.'],
    ['¶<name text="Ali"><family value="Ali"/></name>', 'Patient.name[0]', 'The element has an attribute that R4 does not give it.'],
    ['<name><text value="Ali"/></name>¶<name value="Ali"><text value="Ali"/></name>', 'Patient.name[1]', 'This element has elements in it instead of a value.'],
    ['<extension>¶<url value="x"/></extension>', 'Patient.extension[0]', 'url is an attribute here, not an element.'],
    ['¶<contained/>', 'Patient.contained[0]', 'A resource belongs in here.'],
    ['<contained>¶<Shoe/></contained>', 'Patient.contained[0]', 'R4 has no resource of this name.'],
    ['<contained><Basic/>¶<Basic/></contained>', 'Patient.contained[0]', 'This element holds one resource: write it again for the next.'],
    ['<text><status value="generated"/>¶<div>x</div></text>', 'Patient.text', 'div belongs to the namespace http://www.w3.org/1999/xhtml.'],
    [`<text><status value="generated"/>${DIV}¶<svg xmlns="http://www.w3.org/2000/svg"/></div></text>`, 'Patient.text.div', 'A narrative holds elements of XHTML alone.'],
    ['¶<active xmlns="http://example.org" value="true"/>', 'Patient', 'active belongs to the namespace http://hl7.org/fhir.'],
  ])('%s', (marked, expression, diagnostics) => {
    const before = NAMESPACED + marked.slice(0, marked.indexOf('¶'))
    const place = `Line ${before.split('\n').length}, column ${before.length - before.lastIndexOf('\n')}`
    expect(faults(`${NAMESPACED}${marked.replace('¶', '')}</Patient>`)).toEqual([`${expression} ${place}: ${diagnostics}`])
  })

  test.each([
    ['', 'Line 1, column 1: This is not well-formed XML: document must contain a root element.'],
    ['<Patient/>', 'Line 1, column 1: A resource is in the namespace http://hl7.org/fhir.'],
    [`${NAMESPACED}<active value="true"></Patient>`, 'Patient Line 1, column 68: This is not well-formed XML: unexpected close tag.'],
    [fhir('Patient', '<gender value="a" value="b"/>'), 'Patient Line 1, column 66: This is not well-formed XML: duplicate attribute.'],
    [fhir('Patient', '<id value="&nbsp;"/>'), 'Patient Line 1, column 54: This is not well-formed XML: undefined entity.'],
    [`<?xml version="1.0" encoding="ISO-8859-1"?>${fhir('Patient', '')}`, 'Line 1, column 43: The encoding of FHIR is UTF-8: the XML declaration names another.'],
    [`${fhir('Patient', '')}<more/>`, 'Line 1, column 53: This is not well-formed XML: documents may contain only one root.'],
  ])('%s', (xml, expected) => {
    expect(faults(xml)).toEqual([expected])
  })

  test('several faults come together, fifty at most', () => {
    expect(faults(fhir('Patient', '<a/><b><c/></b><active value="x"/><d/>'))).toHaveLength(4)
    expect(faults(fhir('Patient', '<a/>'.repeat(1000)))).toHaveLength(50)
  })

  test('a DTD ends it, so that no entity grows and no file is read', () => {
    const laughs = `<!DOCTYPE p [<!ENTITY a "ha">${Array.from({ length: 30 }, (_, at) => `<!ENTITY a${at} "&a${at - 1};&a${at - 1};">`).join('')}]>`
    for (const dtd of [laughs, '<!DOCTYPE p SYSTEM "file:///etc/passwd">', '<!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/passwd">]>']) {
      expect(faults(`${dtd}${fhir('Patient', '<id value="&x;"/>')}`)[0]).toMatch(/^Line 1, column \d+: A document type declaration \(DTD\) is not allowed/)
    }
  })

  test('depth has an end, in elements, narratives and what is skipped', () => {
    const deep = (name: string, inside: string, content = '') => `${inside.repeat(5000)}${content}${`</${name}>`.repeat(5000)}`
    expect(faults(fhir('Patient', deep('extension', '<extension url="x">')))).toEqual([expect.stringContaining('deeper than 200')])
    expect(faults(fhir('Patient', `<text>${deep('div', DIV)}</text>`))).toEqual([expect.stringContaining('deeper than 200')])
    expect(faults(fhir('Patient', deep('a', '<a>'))).at(-1)).toContain('deeper than 200')
  })

  test('what a fault says holds no value', () => {
    const secret = 'Fatima-Secret'
    for (const broken of [`<${secret}/>`, `<a ${secret}="1"/>`, `<name>${secret}</name>`, `<name ${secret}="x">`, `<${secret}:a/>`, `<name></${secret}>`, `&${secret};`, `<active value="${secret}"/>`, `<birthDate value="${secret}"/><birthDate value="${secret}"/>`]) {
      const said = faults(fhir('Patient', broken)).join('\n')
      expect(said).not.toBe('')
      expect(said).not.toContain(secret)
    }
  })

  test('comments, processing instructions, schema locations and white space say nothing', () => {
    const xml = '\uFEFF<?xml version="1.0" encoding="utf-8"?>\n<?xml-stylesheet href="x"?>\n<!-- who --><Patient xmlns="http://hl7.org/fhir" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://hl7.org/fhir patient.xsd">\n<!-- so --> <active value="true"/>\r\n</Patient>\n'
    expect(read(xml)).toEqual({ resourceType: 'Patient', active: true })
  })
})

const archive = fileURLToPath(new URL('../../../../shared/cases/fhir-r4-examples.tar.gz', import.meta.url))

describe.skipIf(!existsSync(archive))('examples of the R4 specification (../shared/cases/fhir-r4-examples.tar.gz)', () => {
  test('come back from XML to the digit', () => {
    const folder = mkdtempSync(join(tmpdir(), 'carespine-xml-'))
    execFileSync('tar', ['-xzf', archive, '-C', folder])
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.json'))
    expect(files.length).toBeGreaterThan(700)
    for (const [at, file] of files.entries()) {
      const json = readFileSync(join(folder, file), 'utf8')
      expect(read(writeXml(readJson(json), { pretty: at % 5 === 0 })), file).toEqual(written(json))
    }
    rmSync(folder, { recursive: true })
  }, 60_000)
})
