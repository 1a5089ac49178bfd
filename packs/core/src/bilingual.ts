import type { CodeableConcept, Coding, Extension } from '@carespine/fhir/resource'

export interface Bilingual {
  en: string
  ar: string
}

/** A concept whose text carries its Arabic words in the translation extension of R4. */
export type Translated = CodeableConcept & { _text?: { extension?: Extension[] } }

const TRANSLATION = 'http://hl7.org/fhir/StructureDefinition/translation'

/** Arabic words as the extension of the English text beside it. */
export function translation(arabic: string): { extension: Extension[] } {
  return {
    extension: [
      {
        url: TRANSLATION,
        extension: [
          { url: 'lang', valueCode: 'ar' },
          { url: 'content', valueString: arabic },
        ],
      },
    ],
  }
}

/** The Arabic words beside a text, if somebody gave them. */
export function translationOf(text: { extension?: Extension[] } | undefined): string | undefined {
  for (const { url, extension } of text?.extension ?? []) {
    const isArabic = extension?.some((part) => part.url === 'lang' && part.valueCode?.startsWith('ar'))
    if (url === TRANSLATION && isArabic) return extension?.find((part) => part.url === 'content')?.valueString
  }
  return undefined
}

/** A concept that people read in either language and machines by its codings. */
export function concept(words: Bilingual, coding: readonly Coding[] = []): Translated {
  return { ...(coding.length > 0 ? { coding: [...coding] } : {}), text: words.en, _text: translation(words.ar) }
}

/** What a concept, or another element with a text, is called: in English (or in whatever language it came) and in Arabic. */
export function wordsOf(concept: Pick<CodeableConcept, 'coding' | 'text'> | undefined): { name?: string; nameArabic?: string } {
  const { coding, text, _text } = (concept ?? {}) as Translated
  const name = text ?? coding?.find(({ display }) => display !== undefined)?.display
  const arabic = translationOf(_text)
  return { ...(name === undefined ? {} : { name }), ...(arabic === undefined ? {} : { nameArabic: arabic }) }
}
