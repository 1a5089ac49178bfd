import type { Narrative } from '@carespine/fhir/resource'

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' }

/** Plain text as the narrative of a section: a paragraph for each line, each in the direction of its own words. */
export function narrativeOf(text: string): Narrative {
  const lines = text.replaceAll(/\r\n?/g, '\n').split('\n')
  const paragraphs = lines.map((line) => `<p dir="auto">${line.replaceAll(/[&<>]/g, (character) => ESCAPES[character] ?? character)}</p>`)
  return { status: 'additional', div: `<div xmlns="http://www.w3.org/1999/xhtml">${paragraphs.join('')}</div>` }
}

/** The plain text that `narrativeOf` was given. */
export function textOf(narrative: Narrative | undefined): string {
  const lines = [...(narrative?.div ?? '').matchAll(/<p dir="auto">([^<]*)<\/p>/g)].map(([, line = '']) => line)
  return lines.join('\n').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')
}

/** Text as it is kept: without characters that XML cannot hold, and without white space around it. */
export function keptText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  return text.toWellFormed().replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '').replaceAll(/\r\n?/g, '\n').trim()
}
