import { type Panel as PanelContent, panelByCode, type ReferenceRange } from '@carespine/pack-core/panels'
import type { Bilingual } from '@carespine/pack-core/bilingual'
import type { Sex } from './people.ts'

interface Limits {
  low?: number
  high?: number
}
export interface Analyte {
  loinc: string
  name: Bilingual
  /** UCUM. */
  unit: string
  decimals: number
  /** Usual range by sex and age in years. */
  range(sex: Sex, age: number): Limits
  critical?: Limits
}
export interface Panel {
  loinc: string
  name: Bilingual
  analytes: readonly Analyte[]
}

export const PANELS = {
  cbc: panelOf('cbc'),
  bmp: panelOf('bmp'),
  cmp: panelOf('cmp'),
  // American Diabetes Association, Standards of Care in Diabetes (2024), section 2: below 5.7 % is normal.
  hba1c: {
    loinc: '4548-4',
    name: { en: 'Haemoglobin A1c', ar: 'الهيموغلوبين السكري' },
    analytes: [
      { loinc: '4548-4', name: { en: 'Haemoglobin A1c', ar: 'الهيموغلوبين السكري' }, unit: '%', decimals: 1, range: () => ({ low: 4, high: 5.6 }) },
    ],
  },
} as const satisfies Record<string, Panel>

/** The measured analytes of a panel that the hospital offers. */
function panelOf(code: string): Panel {
  const content: PanelContent | undefined = panelByCode(code)
  if (!content) throw new Error(`There is no panel ${code}`)
  return {
    loinc: content.loinc,
    name: { en: content.name, ar: content.nameArabic },
    analytes: content.analytes
      .filter(({ derived }) => derived === undefined)
      .map((analyte) => ({
        loinc: analyte.code,
        name: { en: analyte.name, ar: analyte.nameArabic },
        unit: analyte.unit,
        decimals: analyte.decimals,
        range: (sex, age) => rangeIn(analyte.ranges, sex, age),
        ...(analyte.critical ? { critical: analyte.critical } : {}),
      })),
  }
}

function rangeIn(ranges: readonly ReferenceRange[], sex: Sex, age: number): Limits {
  const days = Math.floor((age + 0.5) * 365.25)
  const fitting = ranges.find(
    ({ fromDays = 0, toDays = Number.POSITIVE_INFINITY, ...range }) =>
      days >= fromDays && days < toDays && (range.sex === undefined || range.sex === sex),
  )
  return {
    ...(fitting?.low === undefined ? {} : { low: fitting.low }),
    ...(fitting?.high === undefined ? {} : { high: fitting.high }),
  }
}
