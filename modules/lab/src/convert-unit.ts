import { canonicalUnit } from '@carespine/fhir/units'

// What analysers write for UCUM codes.
const usual: Readonly<Record<string, string>> = {
  'x10^3/ul': '10*3/uL',
  '10^3/ul': '10*3/uL',
  '10e3/ul': '10*3/uL',
  'k/ul': '10*3/uL',
  'x10e9/l': '10*9/L',
  '10^9/l': '10*9/L',
  'x10^9/l': '10*9/L',
  'x10^6/ul': '10*6/uL',
  '10^6/ul': '10*6/uL',
  '10e6/ul': '10*6/uL',
  'm/ul': '10*6/uL',
  '10^12/l': '10*12/L',
  'x10^12/l': '10*12/L',
  'gm/dl': 'g/dL',
  'g/dl': 'g/dL',
  'mg/dl': 'mg/dL',
  'meq/l': 'meq/L',
  'mmol/l': 'mmol/L',
  'iu/l': 'U/L',
  'u/l': 'U/L',
  fl: 'fL',
  pg: 'pg',
  'ml/min/1.73m2': 'mL/min/{1.73_m2}',
}
// Ions of one charge: a milliequivalent is a millimole.
const monovalent: ReadonlySet<string> = new Set(['2951-2', '2823-3', '2075-0', '2028-9'])

/** The value in the analyte's unit; undefined when the units measure different things. Without a unit it is taken as is. */
export function convertTo(wanted: string, value: number, given: string | undefined, code: string): number | undefined {
  if (given === undefined || given === '' || given === wanted) return value
  const named = usual[given.toLowerCase().replace(/\s/g, '')] ?? given
  const unit = named === 'meq/L' && monovalent.has(code) ? 'mmol/L' : named
  if (unit === wanted) return value
  const from = canonicalUnit(unit)
  const to = canonicalUnit(wanted)
  if (from.dimension !== to.dimension) return undefined
  return Number(((value * from.factor) / to.factor).toPrecision(12))
}
