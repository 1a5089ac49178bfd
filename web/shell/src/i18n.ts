import i18next from 'i18next'
import { initReactI18next, useTranslation } from 'react-i18next'
import ar from './locales/ar.json'
import en from './locales/en.json'

export const LANGUAGES = ['en', 'ar'] as const
export type Language = (typeof LANGUAGES)[number]
const STORED = 'carespine-language'

function stored(): Language {
  const known = localStorage.getItem(STORED) ?? (navigator.language.startsWith('ar') ? 'ar' : 'en')
  return known === 'ar' ? 'ar' : 'en'
}

export const i18n = i18next.createInstance()

/** Loads the catalogues; the language is the one chosen last, else the browser's. */
export async function startI18n(): Promise<void> {
  await i18n.use(initReactI18next).init({
    lng: stored(),
    fallbackLng: 'en',
    resources: { en: { translation: en }, ar: { translation: ar } },
    interpolation: { escapeValue: false },
  })
  mirror(stored())
}

function mirror(language: Language): void {
  document.documentElement.lang = language
  document.documentElement.dir = language === 'ar' ? 'rtl' : 'ltr'
}

export async function chooseLanguage(language: Language): Promise<void> {
  localStorage.setItem(STORED, language)
  mirror(language)
  await i18n.changeLanguage(language)
}

export function useLanguage(): Language {
  return useTranslation().i18n.language === 'ar' ? 'ar' : 'en'
}

/** The Arabic or the English of two, by the language on screen. */
export function useWords(): (english: string, arabic: string | undefined) => string {
  const language = useLanguage()
  return (english, arabic) => (language === 'ar' && arabic ? arabic : english)
}

const HIJRI = 'carespine-hijri'
export function isHijri(): boolean {
  return localStorage.getItem(HIJRI) === 'on'
}
export function setHijri(on: boolean): void {
  localStorage.setItem(HIJRI, on ? 'on' : 'off')
}

/** Formats dates as the language and the calendar chosen say; digits stay Latin, as on charts and labels. */
export function formatDate(value: string | undefined, language: Language, style: 'date' | 'time' | 'both' = 'date'): string {
  if (value === undefined || value === '') return '—'
  const date = new Date(value)
  if (Number.isNaN(date.getTime())) return '—'
  const calendar = isHijri() ? '-u-ca-islamic-umalqura-nu-latn' : '-u-ca-gregory-nu-latn'
  const options: Intl.DateTimeFormatOptions = {
    ...(style === 'time' ? {} : { dateStyle: 'medium' }),
    ...(style === 'date' ? {} : { timeStyle: 'short' }),
    ...(value.length === 10 ? { timeZone: 'UTC' } : {}),
  }
  return new Intl.DateTimeFormat(`${language === 'ar' ? 'ar-SA' : 'en-GB'}${calendar}`, options).format(date)
}

/** Age in words: days, months or years. */
export function ageOf(birthDate: string | undefined, language: Language): string {
  if (birthDate === undefined) return '—'
  const days = Math.floor((Date.now() - Date.parse(birthDate)) / 86_400_000)
  const [value, unit] = days < 60 ? [days, 'day'] : days < 730 ? [Math.floor(days / 30.44), 'month'] : [Math.floor(days / 365.25), 'year']
  return new Intl.NumberFormat(`${language}-u-nu-latn`, { style: 'unit', unit: unit as string, unitDisplay: 'short' }).format(value as number)
}
