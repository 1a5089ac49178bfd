const written: Readonly<Record<string, string>> = {
  'mm[Hg]': 'mmHg',
  Cel: '°C',
  '{score}': '/10',
  'kg/m2': 'kg/m²',
  '10*3/uL': '10³/µL',
  '10*6/uL': '10⁶/µL',
  'mL/min/{1.73_m2}': 'mL/min/1.73 m²',
}

/** A UCUM unit as it is written on wards; what is not listed is written as UCUM has it. */
export function unitText(ucum: string): string {
  return written[ucum] ?? ucum
}
