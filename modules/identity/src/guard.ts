import type { Actor, ReadView } from '@carespine/store/contract'

/**
 * The actor with what is said of single patients: which of them are hidden from it, or shown beyond its branches. In the
 * patient portal a person sees their own record alone, whatever is said of it.
 */
export async function guarded(view: ReadView, actor: Actor): Promise<Actor> {
  if (actor.patient !== undefined && actor.practitioner === undefined) return actor
  const [standing] = await view.sql<{ person: string | null; widened: boolean }>('select person::text, widened from store.standing($1, $2)', [actor.id, actor.branch])
  if (!standing || standing.person === null) return actor
  return { ...actor, guard: { person: standing.person, widened: standing.widened } }
}
