import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { registryOf } from '@carespine/kit/runtime'
import { hospitalModules } from '@carespine/server/modules'
import { describe, expect, test } from 'vitest'
import { flatten, formsOf, messageUses, placeholdersOf } from './messages.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

function sources(folders: readonly string[]): string[] {
  return folders
    .flatMap((folder) => readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(root, folder, name)))
    .filter((path) => /\.tsx?$/.test(path) && !path.includes('node_modules') && !path.endsWith('.test.ts'))
    .map((path) => readFileSync(path, 'utf8'))
}

function catalogue(language: string): Map<string, Map<string, string>> {
  return formsOf(flatten(JSON.parse(readFileSync(join(root, `web/shell/src/locales/${language}.json`), 'utf8')) as object))
}

const usual = (forms: ReadonlyMap<string, string> | undefined): string => forms?.get('') ?? forms?.get('other') ?? ''

const english = catalogue('en')
const arabic = catalogue('ar')
const screens = sources(['web', 'portals'])
const uses = messageUses(screens, [...english.keys()])
// A server names a refusal by its code and a notification by its key; the screen puts them behind a prefix.
const servers = sources(['engine', 'modules', 'links']).join('\n')

describe('the words on screen', () => {
  test('every message exists in English and in Arabic', () => {
    expect([...arabic.keys()].sort()).toEqual([...english.keys()].sort())
    expect([...english, ...arabic].filter(([, forms]) => [...forms.values()].some((text) => text.trim() === ''))).toEqual([])
  })

  test('what depends on a number is said in every form that its language has', () => {
    for (const [language, messages] of [['en', english], ['ar', arabic]] as const) {
      const wanted = new Intl.PluralRules(language).resolvedOptions().pluralCategories.toSorted()
      const counted = [...messages].filter(([, forms]) => !forms.has(''))
      expect(counted.length).toBeGreaterThan(2)
      expect(counted.filter(([, forms]) => [...forms.keys()].sort().join() !== wanted.join()).map(([name]) => `${language} ${name}`)).toEqual([])
    }
    expect([...english].filter(([name, forms]) => forms.has('') !== arabic.get(name)?.has('')).map(([name]) => name)).toEqual([])
  })

  test('both languages fill in the same values', () => {
    const differing = [...english].filter(([key, forms]) => placeholdersOf(usual(forms)).join() !== placeholdersOf(usual(arabic.get(key))).join())
    expect(differing.map(([key]) => key)).toEqual([])
  })

  test('every message that a screen asks for exists', () => {
    expect(uses.keys.size).toBeGreaterThan(100)
    expect([...uses.keys].filter((key) => !english.has(key))).toEqual([])
    // A prefix such as `sex.` stands for several, of which at least one must exist.
    expect([...uses.patterns].filter(([, pattern]) => ![...english.keys()].some((key) => pattern.test(key))).map(([text]) => text)).toEqual([])
  })

  test('every refusal of a module or the engine is said in words', () => {
    const { refusals } = registryOf(hospitalModules().modules)
    // Those of the FHIR API answer programs; screens do not call it.
    const codes = Object.keys(refusals).filter((code) => !code.startsWith('FHIR_'))
    expect(codes.length).toBeGreaterThan(40)
    expect(codes.filter((code) => !english.has(`refusals.${code}`))).toEqual([])
  })

  test('no message is left that nothing shows', () => {
    const shown = (key: string): boolean => {
      if (uses.keys.has(key)) return true
      const [group, name = ''] = key.split('.')
      if (group === 'refusals') return servers.includes(name) || screens.some((text) => text.includes(`'${name}'`))
      return [...uses.patterns.values()].some((pattern) => pattern.test(key))
    }
    expect([...english.keys()].filter((key) => !shown(key))).toEqual([])
  })
})

describe('the check of messages', () => {
  test('a message asked for by its whole name, by a prefix, by a choice or as a property is found', () => {
    const known = ['a.title', 'a.menu', 'a.unused', 'sex.male']
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the text of a screen.
    const { keys, patterns } = messageUses(["t('a.title') t(`sex.${sex}`) t(open ? 'a.yes' : 'a.no') menu: 'a.menu'"], known)
    expect([...keys].sort()).toEqual(['a.menu', 'a.no', 'a.title', 'a.yes'])
    expect(known.filter((key) => [...patterns.values()].some((pattern) => pattern.test(key)))).toEqual(['sex.male'])
  })

  test('a placeholder that one language lacks shows', () => {
    expect(placeholdersOf('{{count}} of {{ total }}')).toEqual(['count', 'total'])
    expect(placeholdersOf('no value')).toEqual([])
  })
})
