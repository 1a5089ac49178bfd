import type { Address, HumanName } from '@carespine/fhir/resource'
import type { Bilingual } from '@carespine/pack-core/bilingual'
import type { Dice } from './dice.ts'

export type Sex = 'female' | 'male'

/** Pairs of the usual Latin spelling and the Arabic one: common names, so that no combination points at anybody. */
const FEMALE: readonly Bilingual[] = pairs(
  'Noura نورة|Sara سارة|Fatimah فاطمة|Maryam مريم|Aisha عائشة|Huda هدى|Layla ليلى|Reem ريم|Amal أمل|Hanan حنان|' +
    'Salma سلمى|Dana دانة|Lujain لجين|Rania رانيا|Samira سميرة|Khadijah خديجة|Zainab زينب|Mona منى|Najla نجلاء|' +
    'Abeer عبير|Wafa وفاء|Ghada غادة|Haya هيا|Jawahir جواهر|Shahad شهد|Asma أسماء|Nadia نادية|Lama لمى|Basma بسمة|' +
    'Munira منيرة|Sumaya سمية|Rawan روان',
)
const MALE: readonly Bilingual[] = pairs(
  'Mohammed محمد|Ahmed أحمد|Abdullah عبدالله|Khalid خالد|Fahad فهد|Saad سعد|Omar عمر|Ali علي|Yousef يوسف|' +
    'Ibrahim إبراهيم|Sultan سلطان|Nasser ناصر|Turki تركي|Majed ماجد|Hassan حسن|Hussain حسين|Saleh صالح|Tariq طارق|' +
    'Faisal فيصل|Bandar بندر|Waleed وليد|Ziad زياد|Rashid راشد|Hamad حمد|Adel عادل|Sami سامي|Mansour منصور|' +
    'Badr بدر|Anas أنس|Rayan ريان|Mishal مشعل|Salman سلمان',
)
const FAMILIES: readonly Bilingual[] = pairs(
  'Al-Harbi الحربي|Al-Ghamdi الغامدي|Al-Zahrani الزهراني|Al-Qahtani القحطاني|Al-Otaibi العتيبي|Al-Shehri الشهري|' +
    'Al-Dosari الدوسري|Al-Mutairi المطيري|Al-Shammari الشمري|Al-Anazi العنزي|Al-Malki المالكي|Al-Juhani الجهني|' +
    'Al-Subaie السبيعي|Al-Amri العمري|Al-Asiri العسيري|Al-Hazmi الحازمي|Al-Rashidi الرشيدي|Al-Yami اليامي|' +
    'Al-Bishi البيشي|Al-Sulami السلمي|Al-Balawi البلوي|Al-Thaqafi الثقفي|Al-Khalidi الخالدي|Al-Najjar النجار|' +
    'Haddad حداد|Mansouri منصوري|Khalil خليل|Darwish درويش|Sabbagh صباغ|Bakri بكري',
)
const STREETS: readonly string[] = ['Olive', 'Palm Grove', 'Lighthouse', 'Old Market', 'Garden', 'Well', 'Jasmine']

function pairs(list: string): Bilingual[] {
  return list.split('|').map((pair) => {
    const space = pair.indexOf(' ')
    return { en: pair.slice(0, space), ar: pair.slice(space + 1) }
  })
}

export interface Person {
  sex: Sex
  given: Bilingual
  /** Father's given name. */
  middle: Bilingual
  family: Bilingual
}

export function personOf(dice: Dice, sex: Sex): Person {
  return {
    sex,
    given: dice.pick(sex === 'female' ? FEMALE : MALE),
    middle: dice.pick(MALE),
    family: dice.pick(FAMILIES),
  }
}

/** `Noura Al-Harbi` in both scripts. */
export function shortName({ given, family }: Person): Bilingual {
  return { en: `${given.en} ${family.en}`, ar: `${given.ar} ${family.ar}` }
}

/** The Latin name as official, the Arabic one as usual; the language is said with the core `language` extension. */
export function humanNames({ given, middle, family }: Person): HumanName[] {
  const name = (use: 'official' | 'usual', language: 'en' | 'ar'): HumanName => ({
    extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/language', valueCode: language }],
    use,
    text: `${given[language]} ${middle[language]} ${family[language]}`,
    family: family[language],
    given: [given[language], middle[language]],
  })
  return [name('official', 'en'), name('usual', 'ar')]
}

/** A made-up Saudi mobile number: right in form, all within +966 50 000 xxxx so that it is known at sight. */
export function phoneOf(dice: Dice): string {
  return `+96650000${String(dice.whole(0, 9999)).padStart(4, '0')}`
}

export function addressOf(dice: Dice, city: string): Address {
  return {
    use: 'home',
    line: [`${dice.whole(1, 240)} ${dice.pick(STREETS)} Street`],
    city,
    postalCode: `000${dice.whole(10, 99)}`,
    country: 'SA',
  }
}
