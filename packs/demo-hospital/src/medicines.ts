import type { Bilingual } from '@carespine/pack-core/bilingual'

/** Kinds of medicine that an allergy or a state of the patient rules out. */
type MedicineGroup =
  | 'penicillin'
  | 'cephalosporin'
  | 'macrolide'
  | 'quinolone'
  | 'nsaid'
  | 'sulfonamide'
  | 'statin'
  | 'renin-angiotensin'
type Caution = 'pregnancy' | 'kidney'

export interface Medicine {
  name: Bilingual
  atc: string
  /** RxNorm ingredient. */
  rxnorm: string
  groups?: readonly MedicineGroup[]
  /** States in which it is not given. */
  avoid?: readonly Caution[]
  /** From 12 years on. */
  adult: { dose: number; unit: string; words: Bilingual; perDay?: number; asNeeded?: boolean }
  /** Below 12 years: per kilogram, in the unit of `adult`; absent when it is not for children. */
  childPerKg?: number
}

const ONCE: Bilingual = { en: 'once daily', ar: 'مرة واحدة يوميًا' }
const TWICE: Bilingual = { en: 'twice daily', ar: 'مرتين يوميًا' }
const THRICE: Bilingual = { en: 'three times daily', ar: 'ثلاث مرات يوميًا' }
const NEEDED: Bilingual = { en: 'when needed', ar: 'عند اللزوم' }
const NIGHT: Bilingual = { en: 'at night', ar: 'ليلًا' }

function once(dose: number, unit = 'mg', words = ONCE): Medicine['adult'] {
  return { dose, unit, words, perDay: 1 }
}
function twice(dose: number, unit = 'mg'): Medicine['adult'] {
  return { dose, unit, words: TWICE, perDay: 2 }
}
function thrice(dose: number, unit = 'mg'): Medicine['adult'] {
  return { dose, unit, words: THRICE, perDay: 3 }
}
function needed(dose: number, unit = 'mg'): Medicine['adult'] {
  return { dose, unit, words: NEEDED, asNeeded: true }
}

/**
 * Usual doses of the WHO Model Formulary. Codes: WHO ATC and RxNorm ingredients. Cautions are the labelled
 * contraindications that matter to the illnesses here.
 */
export const MEDICINES = {
  metformin: { name: { en: 'Metformin', ar: 'ميتفورمين' }, atc: 'A10BA02', rxnorm: '6809', avoid: ['kidney'], adult: twice(1000) },
  gliclazide: { name: { en: 'Gliclazide', ar: 'غليكلازيد' }, atc: 'A10BB09', rxnorm: '4816', avoid: ['pregnancy'], adult: once(60) },
  empagliflozin: { name: { en: 'Empagliflozin', ar: 'إمباغليفلوزين' }, atc: 'A10BK03', rxnorm: '1545653', avoid: ['pregnancy'], adult: once(10) },
  insulinGlargine: { name: { en: 'Insulin glargine', ar: 'إنسولين جلارجين' }, atc: 'A10AE04', rxnorm: '274783', adult: once(20, '[IU]', NIGHT), childPerKg: 0.4 },
  amlodipine: { name: { en: 'Amlodipine', ar: 'أملوديبين' }, atc: 'C08CA01', rxnorm: '17767', avoid: ['pregnancy'], adult: once(5) },
  lisinopril: { name: { en: 'Lisinopril', ar: 'ليزينوبريل' }, atc: 'C09AA03', rxnorm: '29046', groups: ['renin-angiotensin'], avoid: ['pregnancy'], adult: once(10) },
  losartan: { name: { en: 'Losartan', ar: 'لوسارتان' }, atc: 'C09CA01', rxnorm: '52175', groups: ['renin-angiotensin'], avoid: ['pregnancy'], adult: once(50) },
  methyldopa: { name: { en: 'Methyldopa', ar: 'ميثيل دوبا' }, atc: 'C02AB01', rxnorm: '6876', adult: thrice(250) },
  bisoprolol: { name: { en: 'Bisoprolol', ar: 'بيسوبرولول' }, atc: 'C07AB07', rxnorm: '19484', avoid: ['pregnancy'], adult: once(5) },
  furosemide: { name: { en: 'Furosemide', ar: 'فوروسيميد' }, atc: 'C03CA01', rxnorm: '4603', groups: ['sulfonamide'], avoid: ['pregnancy'], adult: once(40) },
  atorvastatin: { name: { en: 'Atorvastatin', ar: 'أتورفاستاتين' }, atc: 'C10AA05', rxnorm: '83367', groups: ['statin'], avoid: ['pregnancy'], adult: once(20, 'mg', NIGHT) },
  aspirin: { name: { en: 'Aspirin', ar: 'أسبرين' }, atc: 'B01AC06', rxnorm: '1191', groups: ['nsaid'], avoid: ['pregnancy'], adult: once(81) },
  apixaban: { name: { en: 'Apixaban', ar: 'أبيكسابان' }, atc: 'B01AF02', rxnorm: '1364430', avoid: ['pregnancy'], adult: twice(5) },
  levothyroxine: { name: { en: 'Levothyroxine', ar: 'ليفوثيروكسين' }, atc: 'H03AA01', rxnorm: '10582', adult: once(75, 'ug') },
  cholecalciferol: { name: { en: 'Cholecalciferol', ar: 'كوليكالسيفيرول' }, atc: 'A11CC05', rxnorm: '2418', adult: once(2000, '[IU]') },
  omeprazole: { name: { en: 'Omeprazole', ar: 'أوميبرازول' }, atc: 'A02BC01', rxnorm: '7646', adult: once(20) },
  ferrousSulfate: { name: { en: 'Ferrous sulfate', ar: 'كبريتات الحديدوز' }, atc: 'B03AA07', rxnorm: '24947', adult: twice(325), childPerKg: 5 },
  folicAcid: { name: { en: 'Folic acid', ar: 'حمض الفوليك' }, atc: 'B03BB01', rxnorm: '4511', adult: once(5) },
  salbutamol: { name: { en: 'Salbutamol inhaler', ar: 'بخاخ سالبوتامول' }, atc: 'R03AC02', rxnorm: '435', adult: needed(200, 'ug'), childPerKg: 8 },
  beclometasone: { name: { en: 'Beclometasone inhaler', ar: 'بخاخ بيكلوميتازون' }, atc: 'R03BA01', rxnorm: '1347', adult: twice(100, 'ug'), childPerKg: 3 },
  tiotropium: { name: { en: 'Tiotropium inhaler', ar: 'بخاخ تيوتروبيوم' }, atc: 'R03BB04', rxnorm: '69120', adult: once(18, 'ug') },
  cetirizine: { name: { en: 'Cetirizine', ar: 'سيتيريزين' }, atc: 'R06AE07', rxnorm: '20610', adult: once(10), childPerKg: 0.25 },
  sertraline: { name: { en: 'Sertraline', ar: 'سيرترالين' }, atc: 'N06AB06', rxnorm: '36437', adult: once(50) },
  tamsulosin: { name: { en: 'Tamsulosin', ar: 'تامسولوسين' }, atc: 'G04CA02', rxnorm: '77492', adult: once(0.4) },
  sumatriptan: { name: { en: 'Sumatriptan', ar: 'سوماتريبتان' }, atc: 'N02CC01', rxnorm: '37418', avoid: ['pregnancy'], adult: needed(50) },
  paracetamol: { name: { en: 'Paracetamol', ar: 'باراسيتامول' }, atc: 'N02BE01', rxnorm: '161', adult: needed(1000), childPerKg: 15 },
  ibuprofen: { name: { en: 'Ibuprofen', ar: 'إيبوبروفين' }, atc: 'M01AE01', rxnorm: '5640', groups: ['nsaid'], avoid: ['pregnancy', 'kidney'], adult: thrice(400), childPerKg: 10 },
  amoxicillin: { name: { en: 'Amoxicillin', ar: 'أموكسيسيلين' }, atc: 'J01CA04', rxnorm: '723', groups: ['penicillin'], adult: thrice(500), childPerKg: 15 },
  coAmoxiclav: { name: { en: 'Amoxicillin/clavulanic acid', ar: 'أموكسيسيلين/حمض الكلافولانيك' }, atc: 'J01CR02', rxnorm: '19711', groups: ['penicillin'], adult: thrice(625), childPerKg: 20 },
  cefalexin: { name: { en: 'Cefalexin', ar: 'سيفالكسين' }, atc: 'J01DB01', rxnorm: '2231', groups: ['cephalosporin'], adult: thrice(500), childPerKg: 12.5 },
  azithromycin: { name: { en: 'Azithromycin', ar: 'أزيثروميسين' }, atc: 'J01FA10', rxnorm: '18631', groups: ['macrolide'], adult: once(500), childPerKg: 10 },
  ciprofloxacin: { name: { en: 'Ciprofloxacin', ar: 'سيبروفلوكساسين' }, atc: 'J01MA02', rxnorm: '2551', groups: ['quinolone'], avoid: ['pregnancy'], adult: twice(500) },
  nitrofurantoin: { name: { en: 'Nitrofurantoin', ar: 'نيتروفورانتوين' }, atc: 'J01XE01', rxnorm: '7454', avoid: ['kidney'], adult: twice(100) },
} as const satisfies Record<string, Medicine>
export type MedicineName = keyof typeof MEDICINES

export interface Allergen {
  name: Bilingual
  /** SNOMED CT substance. */
  snomed: string
  category: 'medication' | 'food' | 'environment'
  reaction: Bilingual
  /** SNOMED CT finding of the reaction. */
  reactionSnomed: string
  /** What is not given to somebody with this allergy, close relatives of the substance included. */
  rulesOut: readonly MedicineGroup[]
}

const RASH = { reaction: { en: 'Urticaria', ar: 'شرى' }, reactionSnomed: '126485001' }
const SHOCK = { reaction: { en: 'Anaphylaxis', ar: 'صدمة تحسسية' }, reactionSnomed: '39579001' }
const WHEEZE = { reaction: { en: 'Wheezing', ar: 'أزيز' }, reactionSnomed: '56018004' }

export const ALLERGENS: readonly Allergen[] = [
  { name: { en: 'Penicillin', ar: 'البنسلين' }, snomed: '373270004', category: 'medication', ...RASH, rulesOut: ['penicillin', 'cephalosporin'] },
  { name: { en: 'Penicillin', ar: 'البنسلين' }, snomed: '373270004', category: 'medication', ...SHOCK, rulesOut: ['penicillin', 'cephalosporin'] },
  { name: { en: 'Aspirin', ar: 'الأسبرين' }, snomed: '387458008', category: 'medication', ...WHEEZE, rulesOut: ['nsaid'] },
  { name: { en: 'Ibuprofen', ar: 'الإيبوبروفين' }, snomed: '387207008', category: 'medication', ...RASH, rulesOut: ['nsaid'] },
  { name: { en: 'Sulfonamide', ar: 'السلفوناميد' }, snomed: '387406002', category: 'medication', ...RASH, rulesOut: ['sulfonamide'] },
  { name: { en: 'Ciprofloxacin', ar: 'السيبروفلوكساسين' }, snomed: '372840008', category: 'medication', ...RASH, rulesOut: ['quinolone'] },
  { name: { en: 'Peanut', ar: 'الفول السوداني' }, snomed: '762952008', category: 'food', ...SHOCK, rulesOut: [] },
  { name: { en: 'Shellfish', ar: 'المحار والقشريات' }, snomed: '735029006', category: 'food', ...RASH, rulesOut: [] },
  { name: { en: 'Egg', ar: 'البيض' }, snomed: '102263004', category: 'food', ...RASH, rulesOut: [] },
  { name: { en: 'House dust mite', ar: 'عث الغبار المنزلي' }, snomed: '260147004', category: 'environment', ...WHEEZE, rulesOut: [] },
  { name: { en: 'Latex', ar: 'اللاتكس' }, snomed: '111088007', category: 'environment', ...RASH, rulesOut: [] },
]
