import type { Bilingual } from './coding.ts'
import type { Sex } from './people.ts'

export interface Limits {
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

function analyte(
  loinc: string,
  en: string,
  ar: string,
  unit: string,
  decimals: number,
  range: Analyte['range'] | readonly [number, number],
  critical?: Limits,
): Analyte {
  const [low, high] = typeof range === 'function' ? [] : range
  return {
    loinc,
    name: { en, ar },
    unit,
    decimals,
    range: typeof range === 'function' ? range : () => ({ low, high }),
    ...(critical ? { critical } : {}),
  }
}

function haemoglobin(sex: Sex, age: number): Limits {
  if (age < 6) return { low: 11, high: 14 }
  if (age < 12) return { low: 11.5, high: 15.5 }
  return sex === 'female' ? { low: 12, high: 15.5 } : { low: 13, high: 17 }
}

function creatinine(sex: Sex, age: number): Limits {
  if (age < 12) return { low: 0.3, high: 0.7 }
  return sex === 'female' ? { low: 0.5, high: 1 } : { low: 0.7, high: 1.3 }
}

const COUNT: readonly Analyte[] = [
  analyte('6690-2', 'White blood cells', 'كريات الدم البيضاء', '10*3/uL', 1, [4, 11], { low: 1, high: 50 }),
  analyte('789-8', 'Red blood cells', 'كريات الدم الحمراء', '10*6/uL', 2, [3.9, 5.7]),
  analyte('718-7', 'Haemoglobin', 'الهيموغلوبين', 'g/dL', 1, haemoglobin, { low: 7, high: 20 }),
  analyte('4544-3', 'Haematocrit', 'الهيماتوكريت', '%', 1, (sex, age) => (sex === 'female' || age < 12 ? { low: 34, high: 46 } : { low: 39, high: 50 })),
  analyte('787-2', 'MCV', 'متوسط حجم الكرية', 'fL', 1, (_sex, age) => (age < 12 ? { low: 75, high: 95 } : { low: 80, high: 100 })),
  analyte('785-6', 'MCH', 'متوسط هيموغلوبين الكرية', 'pg', 1, [25, 33]),
  analyte('786-4', 'MCHC', 'تركيز هيموغلوبين الكرية', 'g/dL', 1, [31, 36]),
  analyte('788-0', 'RDW', 'تفاوت حجم الكريات', '%', 1, [11.5, 14.5]),
  analyte('777-3', 'Platelets', 'الصفائح الدموية', '10*3/uL', 0, [150, 450], { low: 20, high: 1000 }),
]
const BASIC: readonly Analyte[] = [
  analyte('2345-7', 'Glucose', 'الغلوكوز', 'mg/dL', 0, [70, 140], { low: 50, high: 450 }),
  analyte('3094-0', 'Urea nitrogen', 'نيتروجين اليوريا', 'mg/dL', 0, [7, 20], { high: 100 }),
  analyte('2160-0', 'Creatinine', 'الكرياتينين', 'mg/dL', 2, creatinine, { high: 7.4 }),
  analyte('2951-2', 'Sodium', 'الصوديوم', 'mmol/L', 0, [135, 145], { low: 120, high: 160 }),
  analyte('2823-3', 'Potassium', 'البوتاسيوم', 'mmol/L', 1, [3.5, 5.1], { low: 2.8, high: 6.2 }),
  analyte('2075-0', 'Chloride', 'الكلوريد', 'mmol/L', 0, [98, 107], { low: 80, high: 120 }),
  analyte('2028-9', 'Carbon dioxide', 'ثاني أكسيد الكربون', 'mmol/L', 0, [22, 29], { low: 10, high: 40 }),
  analyte('17861-6', 'Calcium', 'الكالسيوم', 'mg/dL', 1, [8.6, 10.3], { low: 6.5, high: 13 }),
]
const LIVER: readonly Analyte[] = [
  analyte('2885-2', 'Total protein', 'البروتين الكلي', 'g/dL', 1, [6, 8.3]),
  analyte('1751-7', 'Albumin', 'الألبومين', 'g/dL', 1, [3.5, 5.2]),
  analyte('1975-2', 'Total bilirubin', 'البيليروبين الكلي', 'mg/dL', 1, [0.1, 1.2], { high: 15 }),
  analyte('6768-6', 'Alkaline phosphatase', 'الفوسفاتاز القلوي', 'U/L', 0, (_sex, age) => (age < 17 ? { low: 120, high: 420 } : { low: 40, high: 129 })),
  analyte('1742-6', 'ALT', 'ناقلة أمين الألانين', 'U/L', 0, [7, 45]),
  analyte('1920-8', 'AST', 'ناقلة أمين الأسبارتات', 'U/L', 0, [8, 40]),
]

export const PANELS = {
  cbc: { loinc: '58410-2', name: { en: 'Complete blood count', ar: 'تعداد الدم الكامل' }, analytes: COUNT },
  bmp: { loinc: '51990-0', name: { en: 'Basic metabolic panel', ar: 'اختبارات الأيض الأساسية' }, analytes: BASIC },
  cmp: { loinc: '24323-8', name: { en: 'Comprehensive metabolic panel', ar: 'اختبارات الأيض الشاملة' }, analytes: [...BASIC, ...LIVER] },
} as const satisfies Record<string, Panel>
