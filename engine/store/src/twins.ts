import { isSharedType } from '@carespine/fhir/compartments'
import type { ResourceType } from '@carespine/fhir/resource'
import type { Scope } from './database.ts'

/** The branch whose resource is meant, where an actor may meet two of one id. */
export function preferredBranch({ prefers }: Scope, type: ResourceType): string | undefined {
  return isSharedType(type) ? undefined : prefers
}

/**
 * SQL that keeps, of resources of one id in several branches, the one that the actor means: that of its own branch, else
 * the first by branch, deleted or not. Undefined where no two can be met: one branch is seen, or all share the type.
 *
 * @param alias Of a table of current or superseded versions.
 * @param place Makes a value a parameter of the statement.
 */
export function onlyMeant(scope: Scope, type: ResourceType, alias: string, place: (branch: string) => string): string | undefined {
  const branch = preferredBranch(scope, type)
  if (branch === undefined) return undefined
  const own = place(branch)
  // No `or` around it: PostgreSQL joins what does not exist, where it would ask for each row by itself.
  return (
    `not exists (select from fhir.${type.toLowerCase()} twin where twin.id = ${alias}.id and ${alias}.branch <> ${own} ` +
    `and (twin.branch = ${own} or twin.branch < ${alias}.branch))`
  )
}
