import type { Resource, ResourceType } from '@carespine/fhir/resource'
import { type ElementPath, type SearchParameterDefinition, searchParametersOf, valuesAt } from '@carespine/fhir/search-parameters'
import { amountOf, dateSpanOf, existenceOf, referenceOf, textsOf, tokensOf, valuesOf } from '@carespine/fhir/search-values'
import { madeResource } from './made-resource.ts'

const escaped = (text: string): string => text.replace(/[\\,|$]/g, '\\$&')

/** What one would type to find a value. */
function askFor(type: SearchParameterDefinition['type'], value: unknown, path: ElementPath, resource: Resource): string | undefined {
  switch (type) {
    case 'token': {
      const [token] = tokensOf(value, path.type)
      return token && (token.system === undefined ? escaped(token.code) : `${escaped(token.system)}|${escaped(token.code)}`)
    }
    case 'reference': {
      const text = referenceOf(value, resource)?.text
      // What lies in the resource itself cannot be asked for.
      return text === undefined || text.startsWith('#') ? undefined : escaped(text).replaceAll('\\|', '|')
    }
    case 'string': {
      const [text] = textsOf(value)
      return text && escaped(text)
    }
    case 'uri':
      return escaped(String(value)).replaceAll('\\|', '|')
    case 'date': {
      if (dateSpanOf(value, path.type) === undefined) return undefined
      if (typeof value === 'string') return value
      const { start, end, event, repeat } = value as { start?: string; end?: string; event?: string[]; repeat?: { boundsPeriod?: { start?: string } } }
      const from = start ?? event?.[0] ?? repeat?.boundsPeriod?.start
      return from ? `ge${from}` : end ? `le${end}` : undefined
    }
    case 'number':
    case 'quantity': {
      const amount = amountOf(value)
      if (!amount) return undefined
      const [unit] = amount.units
      const number = Math.abs(amount.raw.low) > 1e200 ? `le${amount.raw.high}` : amount.raw.high === amount.raw.low ? String(amount.raw.low) : `ge${amount.raw.low}`
      return type === 'number' || unit === undefined ? number : `${number}|${escaped(amount.system ?? '')}|${escaped(unit)}`
    }
    case 'special': {
      const { latitude, longitude } = value as { latitude: number; longitude: number }
      return `${latitude}|${longitude}|1|km`
    }
    default:
      return undefined
  }
}

/** A search that a resource must come up in, by one of its parameters; none when it has no value for it. */
export function questionFor(resource: Resource, parameter: SearchParameterDefinition): string | undefined {
  if (parameter.code === '_id') return resource.id
  const existence = existenceOf(resource, parameter)
  if (existence !== undefined) return existence
  if (parameter.type !== 'composite') {
    for (const { value, path } of valuesOf(resource, parameter)) {
      const asked = askFor(parameter.type, value, path, resource)
      if (asked) return asked
    }
    return undefined
  }
  for (const root of parameter.paths) {
    for (const place of valuesAt(resource, root)) {
      const parts = (parameter.components ?? []).map(({ type, paths, whole }) => {
        const [found] = valuesOf(whole ? resource : place, { type, paths })
        return found && askFor(type, found.value, found.path, resource)
      })
      if (parts.every((part) => part !== undefined)) return parts.join('$')
    }
  }
  return undefined
}

export const madeId = (code: string): string => `made-${code.replace('_', 'common-')}`

/** Resources for parameters that no example has a value for; what a composite needs stands at one place. */
export function madeFor(type: ResourceType): Resource[] {
  return [...searchParametersOf(type).values()].flatMap((parameter): Resource[] => {
    const id = madeId(parameter.code)
    if (parameter.code === '_id' || parameter.code === '_lastUpdated') return []
    if (parameter.type !== 'composite') return [madeResource(type, id, parameter.paths.filter((path) => path.type !== 'Attachment').slice(0, 1))]
    const [root] = parameter.paths
    const paths = (parameter.components ?? []).map(({ paths: [path], whole }) => ({ ...(path as ElementPath), steps: [...(whole ? [] : (root?.steps ?? [])), ...(path?.steps ?? [])] }))
    return [madeResource(type, id, paths)]
  })
}
