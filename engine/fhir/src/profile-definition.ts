import type { ElementDefinition, StructureDefinition } from './resource.ts'

type Value = { readonly name: string; readonly value: unknown }

/** An element of a profile, as far as validation reads it. */
export interface ProfileElement {
  id: string
  path: string
  sliceName?: string
  min?: number
  max?: string
  type?: { code: string; profile?: string[]; targetProfile?: string[] }[]
  contentReference?: string
  isModifier?: true
  slicing?: { discriminator?: { type: string; path: string }[]; rules?: string; ordered?: true }
  fixed?: Value
  pattern?: Value
  minValue?: Value
  maxValue?: Value
  maxLength?: number
  binding?: { strength: string; valueSet: string; most?: string }
  constraint?: { key: string; severity: string; human: string; expression: string }[]
}

/** A StructureDefinition, as far as validation reads it. */
export interface ProfileDefinition {
  url: string
  version?: string
  name: string
  /** The resource or datatype that is profiled. */
  type: string
  kind: string
  derivation?: string
  baseDefinition?: string
  /** Where an extension may stand. */
  context?: { type: string; expression: string }[]
  contextInvariant?: string[]
  /** True when the elements are those of a snapshot, which need no base. */
  whole: boolean
  elements: ProfileElement[]
}

const MAX_VALUE_SET = 'http://hl7.org/fhir/StructureDefinition/elementdefinition-maxValueSet'

/** What validation needs of a StructureDefinition: texts, mappings and examples are most of its bulk. */
export function definingPart(definition: StructureDefinition): ProfileDefinition {
  const { url, version, name, type = '', kind, derivation, baseDefinition, context, contextInvariant, snapshot, differential } = definition
  const whole = (snapshot?.element?.length ?? 0) > 0
  const elements = ((whole ? snapshot : differential)?.element ?? []).map(elementPart)
  return {
    url: url ?? '',
    ...(version === undefined ? {} : { version }),
    name: name ?? url ?? '',
    type,
    kind: kind ?? '',
    ...(derivation === undefined ? {} : { derivation }),
    ...(baseDefinition === undefined ? {} : { baseDefinition }),
    ...(context ? { context: context.map(({ type: of, expression }) => ({ type: of ?? '', expression: expression ?? '' })) } : {}),
    ...(contextInvariant ? { contextInvariant } : {}),
    whole,
    elements,
  }
}

function elementPart(element: ElementDefinition): ProfileElement {
  const { path = '', sliceName, min, max, type, contentReference, isModifier, slicing, maxLength, binding, constraint } = element
  const values: Partial<Record<string, Value>> = {}
  for (const [property, value] of Object.entries(element)) {
    const match = /^(fixed|pattern|minValue|maxValue)([A-Z]\w*)$/.exec(property)
    if (match?.[1] && match[2]) values[match[1]] = { name: match[2], value }
  }
  const most = binding?.extension?.find(({ url }) => url === MAX_VALUE_SET)
  const bound = binding?.valueSet !== undefined && (binding.strength === 'required' || binding.strength === 'extensible' || most)
  return {
    id: element.id ?? (sliceName === undefined ? path : `${path}:${sliceName}`),
    path,
    ...(sliceName === undefined ? {} : { sliceName }),
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
    ...(type
      ? {
          type: type.map(({ code, profile, targetProfile }) => ({
            code: code?.startsWith('http://hl7.org/fhirpath/System.') ? 'string' : (code ?? ''),
            ...(profile ? { profile } : {}),
            ...(targetProfile ? { targetProfile } : {}),
          })),
        }
      : {}),
    ...(contentReference === undefined ? {} : { contentReference: contentReference.replace(/^.*#/, '') }),
    ...(isModifier ? { isModifier } : {}),
    ...(slicing
      ? {
          slicing: {
            ...(slicing.discriminator ? { discriminator: slicing.discriminator.map(({ type: kind, path: at }) => ({ type: kind ?? '', path: at ?? '' })) } : {}),
            ...(slicing.rules === undefined ? {} : { rules: slicing.rules }),
            ...(slicing.ordered ? { ordered: true as const } : {}),
          },
        }
      : {}),
    ...values,
    ...(maxLength === undefined ? {} : { maxLength }),
    ...(bound
      ? {
          binding: {
            strength: binding.strength ?? '',
            valueSet: binding.valueSet ?? '',
            ...(most?.valueCanonical || most?.valueUri ? { most: most.valueCanonical ?? most.valueUri ?? '' } : {}),
          },
        }
      : {}),
    ...ownConstraints(constraint),
  }
}

// ele-1 and ext-1 are repeated at every element of a snapshot, dom-* at every root.
function ownConstraints(constraint: ElementDefinition['constraint']): Pick<ProfileElement, 'constraint'> {
  const own = (constraint ?? []).flatMap(({ key = '', severity = 'error', human = '', expression }) =>
    expression === undefined || /^(ele-1|ext-1|dom-\w+|ref-1|txt-\d)$/.test(key) ? [] : [{ key, severity, human, expression }],
  )
  return own.length > 0 ? { constraint: own } : {}
}
