import type { Plan } from './commit.ts'
import type { Statement } from './database.ts'

type Ask = (statement: Statement) => Promise<{ key: string; tick: number }[]>

/** Claims of one unit of work on what is absent: see `Transaction.watch` and `Transaction.claim`. */
export class Claims {
  readonly #hash: (term: string) => string
  /** As they stood before the unit looked for what they are about, by key. */
  readonly #watched = new Map<string, number>()
  readonly #claimed = new Set<string>()

  constructor(hash: (term: string) => string) {
    this.#hash = hash
  }

  async watch(things: readonly string[], ask: () => Promise<Ask>): Promise<void> {
    const keys = [...new Set(things.map((thing) => this.#keyOf(thing)))].filter((key) => !this.#watched.has(key))
    if (keys.length === 0) return
    const rows = await (await ask())({ name: 'claims', text: 'select key::text, tick from store.claim where key = any ($1::int8[])', values: [keys] })
    for (const key of keys) this.#watched.set(key, 0)
    for (const { key, tick } of rows) this.#watched.set(key, tick)
  }

  claim(plan: Plan, thing: string): void {
    const key = this.#keyOf(thing)
    const tick = this.#watched.get(key)
    if (tick === undefined) throw new Error('What is claimed must be watched before it is looked for')
    if (this.#claimed.has(key)) return
    this.#claimed.add(key)
    plan.claims.push({ key, tick: tick + 1 })
  }

  #keyOf(thing: string): string {
    return this.#hash(`claim:${thing}`)
  }
}
