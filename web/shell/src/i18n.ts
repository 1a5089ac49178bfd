import i18next from 'i18next'
import { initReactI18next, useTranslation } from 'react-i18next'
import { agePartsOf, waitOf } from './dates.ts'
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
    // Months by name: in figures, 3/4 is another day for every second reader.
    ...(style === 'time' ? {} : { day: 'numeric', month: 'short', year: 'numeric' }),
    ...(style === 'date' ? {} : { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }),
    ...(value.length === 10 ? { timeZone: 'UTC' } : {}),
  }
  return new Intl.DateTimeFormat(`${localeOf(language)}${calendar}`, options).format(date)
}

/** When something happened that is still going on: the time alone when that was today. */
export function formatMoment(value: string | undefined, language: Language): string {
  const isToday = value !== undefined && new Date(value).toDateString() === new Date().toDateString()
  return formatDate(value, language, isToday ? 'time' : 'both')
}

function localeOf(language: Language): string {
  return language === 'ar' ? 'ar-SA' : 'en-GB'
}

/** A day in the calendar that is not the chosen one, for who knows it by the other. */
export function formatOtherCalendar(value: string, language: Language): string {
  const calendar = isHijri() ? 'gregory' : 'islamic-umalqura'
  return new Intl.DateTimeFormat(`${localeOf(language)}-u-ca-${calendar}-nu-latn`, { day: 'numeric', month: 'long', year: 'numeric', timeZone: 'UTC' }).format(new Date(value))
}

function inUnit(value: number, unit: string, language: Language): string {
  return new Intl.NumberFormat(`${language}-u-nu-latn`, { style: 'unit', unit, unitDisplay: 'short' }).format(value)
}

/** Age in words: days, months or years. */
export function ageOf(birthDate: string | undefined, language: Language): string {
  if (birthDate === undefined) return '—'
  const { value, unit } = agePartsOf(birthDate, new Date())
  return inUnit(value, unit, language)
}

/** How long something has waited. */
export function waitText(since: string | undefined, language: Language): string {
  if (since === undefined) return '—'
  const { value, unit } = waitOf(since, new Date())
  return inUnit(value, unit, language)
}

/** Names after one another, as the language puts them. */
export function listText(names: readonly string[], language: Language): string {
  return new Intl.ListFormat(language, { type: 'conjunction' }).format(names)
}
