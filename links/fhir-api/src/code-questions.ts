import { Refusal, refuse } from '@carespine/kit/module'
import type { Services } from '@carespine/kit/services'
import type { CodeQuestions } from '@carespine/store/search-context'
import { codesOfValueSet, codesRelated } from '@carespine/terminology/contract'

/** What searches ask about codes, put to the terminology. */
export function codeQuestions(services: Services): CodeQuestions {
  return {
    async codesIn(valueSet) {
      return (await answered(services.ask(codesOfValueSet, { valueSet })))?.codes
    },
    async codesRelated(system, code, direction) {
      const answer = await answered(services.ask(codesRelated, { system, code, direction }))
      return answer?.known ? answer.codes : undefined
    },
  }
}

// What the terminology cannot answer is a fault of the search, which says why.
async function answered<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (!(error instanceof Refusal) || !error.code.startsWith('TERMINOLOGY_')) throw error
    const { issues } = error.details
    return issues === undefined ? undefined : refuse('SEARCH_INVALID', { issues })
  }
}
