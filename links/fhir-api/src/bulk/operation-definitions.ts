// Operations of http://hl7.org/fhir/uv/bulkdata, version 2.0.0, in the form of those of R4, and $import, which no guide
// has: its parameters are those of the proposal https://github.com/smart-on-fhir/bulk-import.
const inputs = {
  _outputFormat: { type: 'string', min: 0, max: '1' },
  _since: { type: 'instant', min: 0, max: '1' },
  _type: { type: 'string', min: 0, max: '*' },
  _elements: { type: 'string', min: 0, max: '*' },
  includeAssociatedData: { type: 'string', min: 0, max: '*' },
  _typeFilter: { type: 'string', min: 0, max: '*' },
} as const
const patient = { type: 'Reference', min: 0, max: '*' } as const

const DEFINITIONS = 'http://hl7.org/fhir/uv/bulkdata/OperationDefinition'

export const bulkOperations = {
  'bulkdata-export': { code: 'export', url: `${DEFINITIONS}/export`, levels: ['system'], types: [], inputs },
  'bulkdata-patient-export': { code: 'export', url: `${DEFINITIONS}/patient-export`, levels: ['type'], types: ['Patient'], inputs: { ...inputs, patient } },
  'bulkdata-group-export': { code: 'export', url: `${DEFINITIONS}/group-export`, levels: ['instance'], types: ['Group'], inputs: { ...inputs, patient } },
  'bulk-import': {
    code: 'import',
    url: 'https://carespine.example/fhir/OperationDefinition/bulk-import',
    levels: ['system'],
    types: [],
    inputs: {
      inputFormat: { type: 'code', min: 0, max: '1' },
      inputSource: { type: 'uri', min: 0, max: '1' },
      input: { type: 'parts', min: 1, max: '*' },
    },
  },
}

export const BULK_DATA_SERVER = 'http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data'
