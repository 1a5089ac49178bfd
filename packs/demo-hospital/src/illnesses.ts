import type { Bilingual } from '@carespine/pack-core/bilingual'
import type { Specialty } from './house.ts'
import type { MedicineName } from './medicines.ts'
import type { Sex } from './people.ts'

export interface Illness {
  name: Bilingual
  snomed: string
  /** ICD-10, WHO edition. */
  icd10: string
  sex?: Sex
  ages: readonly [youngest: number, oldest: number]
  /** How many of those of this sex and age have it, as drawn here; long illnesses become likelier with age. */
  share: number
  grows?: true
  /** Tried in turn; what an allergy, a pregnancy or the kidneys rule out is left away. */
  medicines: readonly MedicineName[]
  /** How many of the medicines are given. */
  gives: number
  seenBy: Specialty
}

/** Illnesses that stay. Shares are rounded from Saudi health surveys to make a lively, not an exact, population. */
export const LASTING = {
  diabetes: { name: { en: 'Type 2 diabetes mellitus', ar: 'داء السكري من النوع الثاني' }, snomed: '44054006', icd10: 'E11.9', ages: [32, 95], share: 0.3, grows: true, medicines: ['metformin', 'empagliflozin', 'gliclazide', 'insulinGlargine'], gives: 2, seenBy: 'medicine' },
  hypertension: { name: { en: 'Essential hypertension', ar: 'ارتفاع ضغط الدم الأساسي' }, snomed: '59621000', icd10: 'I10', ages: [35, 95], share: 0.42, grows: true, medicines: ['amlodipine', 'lisinopril', 'losartan', 'methyldopa'], gives: 1, seenBy: 'medicine' },
  lipids: { name: { en: 'Hyperlipidaemia', ar: 'فرط شحميات الدم' }, snomed: '55822004', icd10: 'E78.5', ages: [38, 90], share: 0.26, grows: true, medicines: ['atorvastatin'], gives: 1, seenBy: 'medicine' },
  kidney: { name: { en: 'Chronic kidney disease stage 3', ar: 'مرض الكلى المزمن، المرحلة الثالثة' }, snomed: '433144002', icd10: 'N18.3', ages: [50, 95], share: 0.14, grows: true, medicines: ['furosemide', 'cholecalciferol'], gives: 1, seenBy: 'medicine' },
  asthma: { name: { en: 'Asthma', ar: 'الربو' }, snomed: '195967001', icd10: 'J45.9', ages: [4, 75], share: 0.1, medicines: ['salbutamol', 'beclometasone'], gives: 2, seenBy: 'general' },
  ironDeficiency: { name: { en: 'Iron deficiency anaemia', ar: 'فقر الدم بعوز الحديد' }, snomed: '87522002', icd10: 'D50.9', sex: 'female', ages: [13, 52], share: 0.2, medicines: ['ferrousSulfate'], gives: 1, seenBy: 'medicine' },
  ironDeficiencyOfChild: { name: { en: 'Iron deficiency anaemia', ar: 'فقر الدم بعوز الحديد' }, snomed: '87522002', icd10: 'D50.9', ages: [1, 12], share: 0.08, medicines: ['ferrousSulfate'], gives: 1, seenBy: 'children' },
  thyroid: { name: { en: 'Hypothyroidism', ar: 'قصور الغدة الدرقية' }, snomed: '40930008', icd10: 'E03.9', sex: 'female', ages: [20, 85], share: 0.09, medicines: ['levothyroxine'], gives: 1, seenBy: 'medicine' },
  vitaminD: { name: { en: 'Vitamin D deficiency', ar: 'نقص فيتامين د' }, snomed: '34713006', icd10: 'E55.9', ages: [14, 80], share: 0.16, medicines: ['cholecalciferol'], gives: 1, seenBy: 'general' },
  obesity: { name: { en: 'Obesity', ar: 'السمنة' }, snomed: '414916001', icd10: 'E66.9', ages: [16, 75], share: 0.2, medicines: [], gives: 0, seenBy: 'general' },
  heartDisease: { name: { en: 'Coronary arteriosclerosis', ar: 'تصلب الشرايين التاجية' }, snomed: '53741008', icd10: 'I25.1', ages: [48, 95], share: 0.14, grows: true, medicines: ['aspirin', 'bisoprolol', 'atorvastatin'], gives: 3, seenBy: 'medicine' },
  heartFailure: { name: { en: 'Heart failure', ar: 'فشل القلب' }, snomed: '84114007', icd10: 'I50.9', ages: [58, 95], share: 0.08, grows: true, medicines: ['furosemide', 'bisoprolol', 'lisinopril'], gives: 3, seenBy: 'medicine' },
  atrialFibrillation: { name: { en: 'Atrial fibrillation', ar: 'الرجفان الأذيني' }, snomed: '49436004', icd10: 'I48.9', ages: [58, 95], share: 0.08, grows: true, medicines: ['apixaban', 'bisoprolol'], gives: 2, seenBy: 'medicine' },
  lungDisease: { name: { en: 'Chronic obstructive pulmonary disease', ar: 'الانسداد الرئوي المزمن' }, snomed: '13645005', icd10: 'J44.9', sex: 'male', ages: [48, 90], share: 0.1, medicines: ['tiotropium', 'salbutamol'], gives: 2, seenBy: 'medicine' },
  rhinitis: { name: { en: 'Allergic rhinitis', ar: 'التهاب الأنف التحسسي' }, snomed: '61582004', icd10: 'J30.4', ages: [5, 60], share: 0.12, medicines: ['cetirizine'], gives: 1, seenBy: 'general' },
  reflux: { name: { en: 'Gastro-oesophageal reflux disease', ar: 'الارتجاع المعدي المريئي' }, snomed: '235595009', icd10: 'K21.9', ages: [22, 80], share: 0.12, medicines: ['omeprazole'], gives: 1, seenBy: 'general' },
  migraine: { name: { en: 'Migraine', ar: 'الشقيقة' }, snomed: '37796009', icd10: 'G43.9', ages: [16, 60], share: 0.08, medicines: ['sumatriptan'], gives: 1, seenBy: 'general' },
  depression: { name: { en: 'Depressive disorder', ar: 'اضطراب اكتئابي' }, snomed: '35489007', icd10: 'F32.9', ages: [19, 80], share: 0.06, medicines: ['sertraline'], gives: 1, seenBy: 'general' },
  kneeArthrosis: { name: { en: 'Osteoarthritis of knee', ar: 'خشونة الركبة' }, snomed: '239873007', icd10: 'M17.9', ages: [48, 95], share: 0.18, grows: true, medicines: ['paracetamol'], gives: 1, seenBy: 'general' },
  prostate: { name: { en: 'Benign prostatic hyperplasia', ar: 'تضخم البروستاتا الحميد' }, snomed: '266569009', icd10: 'N40', sex: 'male', ages: [52, 95], share: 0.22, grows: true, medicines: ['tamsulosin'], gives: 1, seenBy: 'general' },
  pregnancy: { name: { en: 'Pregnancy', ar: 'حمل' }, snomed: '77386006', icd10: 'Z34.9', sex: 'female', ages: [19, 43], share: 0.14, medicines: ['folicAcid', 'ferrousSulfate'], gives: 2, seenBy: 'women' },
} as const satisfies Record<string, Illness>
export type LastingIllness = keyof typeof LASTING

/** Illnesses that bring somebody in once and pass. `admits` of those who come are kept in. */
export const PASSING: readonly (Illness & { days: number; emergency: boolean; admits: number; fever: boolean })[] = [
  { name: { en: 'Acute upper respiratory infection', ar: 'عدوى الجهاز التنفسي العلوي الحادة' }, snomed: '54150009', icd10: 'J06.9', ages: [0, 95], share: 0.3, medicines: ['paracetamol'], gives: 1, seenBy: 'general', days: 8, emergency: false, admits: 0, fever: true },
  { name: { en: 'Acute otitis media', ar: 'التهاب الأذن الوسطى الحاد' }, snomed: '3110003', icd10: 'H66.0', ages: [1, 11], share: 0.25, medicines: ['amoxicillin', 'azithromycin'], gives: 1, seenBy: 'children', days: 10, emergency: false, admits: 0, fever: true },
  { name: { en: 'Viral gastroenteritis', ar: 'التهاب المعدة والأمعاء الفيروسي' }, snomed: '111843007', icd10: 'A08.4', ages: [1, 80], share: 0.14, medicines: ['paracetamol'], gives: 1, seenBy: 'emergency', days: 5, emergency: true, admits: 0.15, fever: true },
  { name: { en: 'Urinary tract infection', ar: 'التهاب المسالك البولية' }, snomed: '68566005', icd10: 'N39.0', sex: 'female', ages: [16, 90], share: 0.18, medicines: ['nitrofurantoin', 'cefalexin', 'ciprofloxacin'], gives: 1, seenBy: 'general', days: 7, emergency: false, admits: 0, fever: false },
  { name: { en: 'Pneumonia', ar: 'الالتهاب الرئوي' }, snomed: '233604007', icd10: 'J18.9', ages: [2, 95], share: 0.07, medicines: ['coAmoxiclav', 'azithromycin'], gives: 1, seenBy: 'emergency', days: 14, emergency: true, admits: 0.75, fever: true },
  { name: { en: 'Sprain of ankle', ar: 'التواء الكاحل' }, snomed: '44465007', icd10: 'S93.4', ages: [9, 60], share: 0.1, medicines: ['ibuprofen', 'paracetamol'], gives: 1, seenBy: 'emergency', days: 21, emergency: true, admits: 0, fever: false },
  { name: { en: 'Low back pain', ar: 'ألم أسفل الظهر' }, snomed: '279039007', icd10: 'M54.5', ages: [20, 75], share: 0.16, medicines: ['ibuprofen', 'paracetamol'], gives: 1, seenBy: 'general', days: 28, emergency: false, admits: 0, fever: false },
  { name: { en: 'Cellulitis of leg', ar: 'التهاب النسيج الخلوي في الساق' }, snomed: '128276007', icd10: 'L03.1', ages: [30, 95], share: 0.06, medicines: ['cefalexin', 'azithromycin'], gives: 1, seenBy: 'emergency', days: 14, emergency: true, admits: 0.5, fever: true },
  { name: { en: 'Acute bronchitis', ar: 'التهاب القصبات الحاد' }, snomed: '10509002', icd10: 'J20.9', ages: [14, 90], share: 0.12, medicines: ['paracetamol'], gives: 1, seenBy: 'general', days: 14, emergency: false, admits: 0, fever: true },
]
