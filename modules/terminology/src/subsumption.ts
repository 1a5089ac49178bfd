import type { CodeSystem } from '@carespine/fhir/resource'
import type { z } from '@carespine/kit/contract'
import { type CodeBook, relationOf } from './code-book.ts'
import type { Subsumption, testSubsumption } from './contract.ts'
import type { Library } from './library.ts'
import { refuseSaying } from './refuse-saying.ts'

type Input = z.output<(typeof testSubsumption)['input']>

/** The code system that a question names, sent with it or by id or URL. */
async function systemAsked({ id, codeSystem }: Input, library: Library): Promise<CodeSystem | undefined> {
  if (codeSystem) return codeSystem
  if (id === undefined) return undefined
  return (await library.byId('CodeSystem', id)) ?? refuseSaying('TERMINOLOGY_CODE_SYSTEM_UNKNOWN', 'not-found', 'No code system has this id.')
}

const required = (diagnostics: string): never => refuseSaying('TERMINOLOGY_INPUT_INVALID', 'required', diagnostics)

/** Whether one code takes in another (R4 CodeSystem-subsumes). Codes that do not exist are refused: they relate to nothing. */
export async function relate(input: Input, library: Library): Promise<Subsumption> {
  const { a, b } = input
  const given = await systemAsked(input, library)
  const url = given?.url ?? input.url ?? a.system ?? b.system ?? required('Give the code system of the codes.')
  for (const { system } of [a, b]) {
    if (system !== undefined && system !== url) refuseSaying('TERMINOLOGY_INPUT_INVALID', 'not-supported', 'Both codes must be of one code system.')
  }
  const book: CodeBook =
    (given ? await library.codesOf(given) : await library.codes(url, input.version ?? a.version ?? b.version)) ??
    refuseSaying('TERMINOLOGY_CODE_SYSTEM_UNKNOWN', 'not-found', `The codes of ${url} are not here.`)
  const [one, two] = [a, b].map(({ code }) => {
    const wanted = code ?? required('Give both codes.')
    return (book.find(wanted) ?? refuseSaying('TERMINOLOGY_CODE_UNKNOWN', 'not-found', `${url} has no code '${wanted}'.`)).code
  }) as [string, string]
  return relationOf(book, one, two)
}
