import { findStoredProfile } from '@carespine/store/stored-profiles'
import type { Services } from '@carespine/kit/services'
import { Refusal } from '@carespine/kit/module'
import { codeInValueSet } from '@carespine/terminology/contract'

const CHANGED = 'carespine_definitions'
/** A message of a change is lost while the database is away; what was missed is seen at the latest after this time. */
const FORGET_MILLISECONDS = 60_000

/** Lets validation ask the terminology whether a code is in a value set. */
export function judgeCodes({ store, ask }: Pick<Services, 'store' | 'ask'>): void {
  store.validator.knowledge.sources = {
    findProfile: (canonical) => findStoredProfile(store, canonical),
    async judgeCode(valueSet, coding) {
      try {
        return (await ask(codeInValueSet, { valueSet, codings: [coding] })).verdict
      } catch (error) {
        // A value set that cannot be looked through decides nothing.
        if (error instanceof Refusal && error.code.startsWith('TERMINOLOGY_')) return 'unknown'
        throw error
      }
    },
  }
}

/** Makes profiles, value sets and code systems that another process stored count here as well. Returns how to stop. */
export async function followDefinitions({ store }: Pick<Services, 'store'>): Promise<() => void> {
  const { knowledge } = store.validator
  const stop = await store.database.listen([CHANGED], (_channel, table) => knowledge.forget([table === 'structuredefinition' ? 'StructureDefinition' : 'CodeSystem']))
  const timer = setInterval(() => knowledge.forget(), FORGET_MILLISECONDS)
  timer.unref()
  return () => {
    clearInterval(timer)
    stop()
  }
}
