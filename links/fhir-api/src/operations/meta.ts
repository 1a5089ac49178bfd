import { resourceTypes } from '@carespine/fhir/definitions'
import type { Coding, Meta, Parameters, Resource, ResourceType } from '@carespine/fhir/resource'
import { parseSearch } from '@carespine/fhir/search-query'
import { allows } from '@carespine/kit/permission'
import { refuse } from '@carespine/kit/module'
import { filledTypes } from '@carespine/store/read-history'
import { auditRead, putResource, readResource, requirePermission } from '../interactions.ts'
import { parametersOf } from '../operation-input.ts'
import type { Asked, Operation } from '../operations.ts'

const isSame = (a: Coding, b: Coding): boolean => a.system === b.system && a.code === b.code

/** Labels of two metas: profiles, tags and security labels, each once (R4 Resource-meta-add). */
function withLabels(meta: Meta, added: Meta): Meta {
  const codings = (one: readonly Coding[] = [], other: readonly Coding[] = []): Coding[] =>
    [...one, ...other].filter((coding, at, all) => all.findIndex((earlier) => isSame(earlier, coding)) === at)
  return labelled(meta, {
    profile: [...new Set([...(meta.profile ?? []), ...(added.profile ?? [])])],
    security: codings(meta.security, added.security),
    tag: codings(meta.tag, added.tag),
  })
}

/** Without the labels of another meta; a coding is told by its system and code. */
function withoutLabels(meta: Meta, removed: Meta): Meta {
  const codings = (kept: readonly Coding[] = [], gone: readonly Coding[] = []): Coding[] => kept.filter((coding) => !gone.some((one) => isSame(one, coding)))
  return labelled(meta, {
    profile: (meta.profile ?? []).filter((profile) => !removed.profile?.includes(profile)),
    security: codings(meta.security, removed.security),
    tag: codings(meta.tag, removed.tag),
  })
}

function labelled(meta: Meta, { profile, security, tag }: { profile: string[]; security: Coding[]; tag: Coding[] }): Meta {
  const { profile: _profile, security: _security, tag: _tag, ...rest } = meta
  return { ...rest, ...(profile.length > 0 ? { profile } : {}), ...(security.length > 0 ? { security } : {}), ...(tag.length > 0 ? { tag } : {}) }
}

const LABELS = ['_profile', '_security', '_tag']

/** Resources with labels that are looked at for one answer; what an operation of a few seconds can open. */
const MOST_LOOKED_AT = 20_000

/** Labels in use on resources of these types, as far as the caller may see them. Refused when too many have some. */
async function labelsOf({ services, caller }: Asked, types: readonly ResourceType[]): Promise<Meta> {
  const { store } = services
  const scope = store.scopeOf(caller.actor)
  let found: Meta = {}
  let looked = 0
  for (const type of await filledTypes(store, scope, types)) {
    for (const label of LABELS) {
      let cursor: string | undefined
      do {
        const { query } = parseSearch(type, [[`${label}:missing`, 'false'], ['_count', '1000'], ...(cursor === undefined ? [] : [['_cursor', cursor] as const])])
        if (!query) throw new Error(`${type} cannot be searched by ${label}`)
        const page = await store.search(scope, query)
        for (const { body } of page.rows) {
          const { profile, security, tag } = (JSON.parse(body.toString()) as Resource).meta ?? {}
          found = withLabels(found, { ...(profile ? { profile } : {}), ...(security ? { security } : {}), ...(tag ? { tag } : {}) })
        }
        // A label such as a privacy code says something of whoever the resource is about.
        await auditRead(services, caller, type, page.rows.map(({ row }) => row))
        cursor = page.next
        looked += page.rows.length
        if (looked >= MOST_LOOKED_AT && cursor !== undefined) refuse('SEARCH_TOO_WIDE')
      } while (cursor !== undefined)
    }
  }
  return found
}

const answer = (meta: Meta): Parameters => parametersOf([{ name: 'return', valueMeta: meta }])

/** The labels of a resource, or those in use on a type or everywhere (http://hl7.org/fhir/R4/resource-operation-meta.html). */
export const resourceMeta: Operation = {
  definition: 'Resource-meta',
  levels: ['system', 'type', 'instance'],
  understood: [],
  async run(asked) {
    const { services, caller, type, id } = asked
    if (type !== undefined && id !== undefined) {
      const { body } = await readResource(services, caller, type, id)
      return answer((JSON.parse(body.toString()) as Resource).meta ?? {})
    }
    if (type !== undefined) {
      requirePermission(caller.actor, type, 'read')
      return answer(await labelsOf(asked, [type]))
    }
    return answer(await labelsOf(asked, resourceTypes.filter((one) => allows(caller.actor.permissions, `fhir:${one}:read`))))
  },
}

// A version of its own: versions here are never changed, so that what was signed and audited stays what it was.
async function relabel({ services, caller, type, id, input }: Asked, change: (meta: Meta, labels: Meta) => Meta): Promise<Parameters> {
  if (type === undefined || id === undefined) return refuse('NOT_FOUND')
  requirePermission(caller.actor, type, 'write')
  const labels = input.meta('meta') ?? {}
  return await services.transact(caller.actor, caller.origin, async ({ tx }) => {
    const resource = (await tx.read(type, id)) as Resource
    const { versionId, lastUpdated, ...meta } = resource.meta ?? {}
    const changed = change(meta, labels)
    if (JSON.stringify(changed) === JSON.stringify(meta)) return answer(resource.meta ?? {})
    const { stored } = await putResource(tx, { ...resource, meta: changed })
    return answer(stored.meta)
  })
}

/** Adds labels (http://hl7.org/fhir/R4/resource-operation-meta-add.html). */
export const resourceMetaAdd: Operation = {
  definition: 'Resource-meta-add',
  levels: ['instance'],
  understood: ['meta'],
  changes: true,
  run: (asked) => relabel(asked, withLabels),
}

/** Takes labels away (http://hl7.org/fhir/R4/resource-operation-meta-delete.html). */
export const resourceMetaDelete: Operation = {
  definition: 'Resource-meta-delete',
  levels: ['instance'],
  understood: ['meta'],
  changes: true,
  run: (asked) => relabel(asked, withoutLabels),
}
