import { action, question, z } from '@carespine/kit/contract'
import type { CodeSystem, ConceptMap, ValueSet } from '@carespine/fhir/resource'

/** A canonical URL, with `|version` when one version is meant. */
export const Canonical = z.string().min(1).max(1000)

const Code = z.string().min(1).max(1000)
const Language = z.string().min(2).max(35)

export const Coding = z.object({
  system: z.string().max(1000).optional(),
  version: z.string().max(200).optional(),
  code: z.string().max(1000).optional(),
  display: z.string().max(2000).optional(),
})
export type Coding = z.infer<typeof Coding>

function inline<R extends { resourceType: string }>(resourceType: R['resourceType']) {
  return z.custom<R>((value) => (value as R | undefined)?.resourceType === resourceType, `Send a ${resourceType}.`)
}

const ValueSetGiven = inline<ValueSet>('ValueSet')
const CodeSystemGiven = inline<CodeSystem>('CodeSystem')
const ConceptMapGiven = inline<ConceptMap>('ConceptMap')

// What other modules, the validator and the search ask. Answered over the published R4 definitions and whatever is
// stored; nothing of it is about a patient.

/** Most codes that an expansion for another module holds; beyond, the question is refused as too costly. */
export const MOST_CODES = 10_000

export const codesOfValueSet = question({
  name: 'terminology.codes-of-value-set',
  input: z.object({ valueSet: Canonical }),
  /** All of them; refused when the set cannot be listed, such as one that takes in all of SNOMED CT. */
  output: z.object({ codes: z.array(z.object({ system: z.string(), code: z.string(), display: z.string().optional() })) }),
})

export const CodeVerdict = z.object({
  /** `unknown`: the value set or the code system is not here, so neither yes nor no can be said. */
  verdict: z.enum(['valid', 'invalid', 'unknown']),
  /** False when a display was given that is none of the code's. */
  displayFits: z.boolean().optional(),
  /** One sentence for a person; names codes and canonical URLs. */
  message: z.string().optional(),
  /** The display that the code has. */
  display: z.string().optional(),
  /** The coding that decided, of several. */
  coding: Coding.optional(),
})
export type CodeVerdict = z.infer<typeof CodeVerdict>

export const codeInValueSet = question({
  name: 'terminology.code-in-value-set',
  input: z.object({
    valueSet: Canonical,
    /** One for a Coding or a code, several for a CodeableConcept: any that is in the set decides. A code may lack its system. */
    codings: z.array(Coding).max(100),
    /** Whether a code that is only there to gather others will do. */
    abstract: z.boolean().default(false),
  }),
  output: CodeVerdict,
})

export const codeInSystem = question({
  name: 'terminology.code-in-system',
  input: z.object({ system: Canonical, code: Code, display: z.string().max(2000).optional() }),
  output: CodeVerdict,
})

export const Subsumption = z.enum(['equivalent', 'subsumes', 'subsumed-by', 'not-subsumed'])
export type Subsumption = z.infer<typeof Subsumption>

export const codesRelated = question({
  name: 'terminology.codes-related',
  input: z.object({
    system: Canonical,
    code: Code,
    /** `below`: the code and what it subsumes; `above`: the code and what subsumes it. */
    direction: z.enum(['below', 'above']),
  }),
  output: z.object({
    codes: z.array(z.string()),
    /** False when the code system or the code is not here: only the code itself is listed then. */
    known: z.boolean(),
  }),
})

export const knownCodeSystems = question({
  name: 'terminology.known-code-systems',
  input: z.object({}),
  /** Those that are here without anybody having stored them: published with R4, or told by a rule. In the order of their URLs. */
  output: z.object({ codeSystems: z.array(z.object({ url: z.string(), version: z.string().optional() })) }),
})

// What screens and the FHIR API ask.

const ALLOW = 'terminology.read'

const WhichValueSet = z.object({
  url: Canonical.optional(),
  /** Of a stored or published ValueSet. */
  id: z.string().max(64).optional(),
  valueSet: ValueSetGiven.optional(),
  valueSetVersion: z.string().max(200).optional(),
})

export const expandValueSet = action({
  kind: 'query',
  name: 'terminology.expand',
  allow: ALLOW,
  summary: 'The codes of a value set, a page at a time, narrowed to those that a typed text fits.',
  input: WhichValueSet.extend({
    /** Beginnings of words of a display, a designation or a code. */
    filter: z.string().max(200).optional(),
    offset: z.number().int().min(0).default(0),
    count: z.number().int().min(0).optional(),
    activeOnly: z.boolean().default(false),
    includeDesignations: z.boolean().default(false),
    /** `urn:ietf:bcp:47|ar` for a language, `system|code` for a use. */
    designation: z.array(z.string().max(300)).max(20).default([]),
    includeDefinition: z.boolean().default(false),
    excludeNested: z.boolean().default(true),
    /** Leaves out codes that are only there to gather others. */
    excludeNotForUI: z.boolean().default(false),
    displayLanguage: Language.optional(),
    excludeSystem: z.array(Canonical).max(20).default([]),
    systemVersion: z.array(Canonical).max(20).default([]),
    checkSystemVersion: z.array(Canonical).max(20).default([]),
    forceSystemVersion: z.array(Canonical).max(20).default([]),
  }),
  /** With its expansion in place of its definition. */
  output: z.object({ valueSet: ValueSetGiven }),
})

const Checked = z.object({
  result: z.boolean(),
  message: z.string().optional(),
  display: z.string().optional(),
  code: z.string().optional(),
  system: z.string().optional(),
})
export type Checked = z.infer<typeof Checked>

/** The code: alone, as a Coding, or as several that say the same. */
const Codings = { codings: z.array(Coding).min(1).max(100), abstract: z.boolean().default(false), displayLanguage: Language.optional() }

export const validateInValueSet = action({
  kind: 'query',
  name: 'terminology.validate-in-value-set',
  allow: ALLOW,
  summary: 'Whether a code is in a value set, and whether the display given with it is right.',
  input: WhichValueSet.extend(Codings),
  output: Checked,
})

const WhichCodeSystem = z.object({
  url: Canonical.optional(),
  id: z.string().max(64).optional(),
  codeSystem: CodeSystemGiven.optional(),
  version: z.string().max(200).optional(),
})

export const validateInCodeSystem = action({
  kind: 'query',
  name: 'terminology.validate-in-code-system',
  allow: ALLOW,
  summary: 'Whether a code is in a code system, and whether the display given with it is right.',
  input: WhichCodeSystem.extend(Codings),
  output: Checked,
})

/** A property of a concept; one of the values is there. */
const ConceptProperty = z.object({
  code: z.string(),
  description: z.string().optional(),
  valueCode: z.string().optional(),
  valueCoding: Coding.optional(),
  valueString: z.string().optional(),
  valueInteger: z.number().optional(),
  valueBoolean: z.boolean().optional(),
  valueDateTime: z.string().optional(),
  valueDecimal: z.number().optional(),
})

export const lookUpCode = action({
  kind: 'query',
  name: 'terminology.look-up',
  allow: ALLOW,
  summary: 'What a code means: display, definition, properties and designations.',
  input: z.object({
    coding: Coding,
    displayLanguage: Language.optional(),
    /** Properties wanted; none named gives all. */
    properties: z.array(z.string().max(200)).max(50).default([]),
  }),
  output: z.object({
    name: z.string(),
    version: z.string().optional(),
    display: z.string(),
    definition: z.string().optional(),
    designations: z.array(z.object({ language: z.string().optional(), use: Coding.optional(), value: z.string() })),
    properties: z.array(ConceptProperty),
  }),
})

export const testSubsumption = action({
  kind: 'query',
  name: 'terminology.subsumes',
  allow: ALLOW,
  summary: 'Whether one code of a system takes in another.',
  input: WhichCodeSystem.extend({ a: Coding, b: Coding }),
  output: z.object({ outcome: Subsumption }),
})

export const Equivalence = z.enum(['relatedto', 'equivalent', 'equal', 'wider', 'subsumes', 'narrower', 'specializes', 'inexact', 'unmatched', 'disjoint'])
export type Equivalence = z.infer<typeof Equivalence>

const Element = z.object({ property: z.string(), system: z.string().optional(), value: z.string(), display: z.string().optional() })

export const translateCode = action({
  kind: 'query',
  name: 'terminology.translate',
  allow: ALLOW,
  summary: 'What a code is in another code system, by the concept maps that are here.',
  input: z.object({
    url: Canonical.optional(),
    id: z.string().max(64).optional(),
    conceptMap: ConceptMapGiven.optional(),
    conceptMapVersion: z.string().max(200).optional(),
    codings: z.array(Coding).min(1).max(100),
    /** Value set that the code comes from. */
    source: Canonical.optional(),
    /** Value set that the answer is to be of. */
    target: Canonical.optional(),
    targetSystem: z.string().max(1000).optional(),
    dependencies: z.array(Element).max(50).default([]),
    /** The codes given are targets: what maps to them? */
    reverse: z.boolean().default(false),
  }),
  output: z.object({
    result: z.boolean(),
    message: z.string().optional(),
    matches: z.array(
      z.object({
        equivalence: Equivalence,
        concept: Coding.optional(),
        comment: z.string().optional(),
        products: z.array(Element),
        /** The ConceptMap that says so. */
        source: z.string().optional(),
      }),
    ),
  }),
})

export const maintainClosure = action({
  kind: 'command',
  name: 'terminology.closure',
  allow: ALLOW,
  summary: 'Keeps a table of which codes of a client take in which others; answers with what is new in it.',
  input: z.object({
    name: z.string().trim().min(1).max(200),
    /** Codes to add. */
    concepts: z.array(Coding).max(1000).default([]),
    /** Gives again what was added after this version. */
    version: z.string().max(20).optional(),
  }),
  output: z.object({ conceptMap: ConceptMapGiven }),
})

export const refusals = {
  TERMINOLOGY_INPUT_INVALID: { status: 400, message: 'The question about codes has faults.' },
  TERMINOLOGY_VALUE_SET_UNKNOWN: { status: 404, message: 'No such value set is published or stored here.' },
  TERMINOLOGY_CODE_SYSTEM_UNKNOWN: { status: 404, message: 'No such code system is published or stored here.' },
  TERMINOLOGY_CONCEPT_MAP_UNKNOWN: { status: 404, message: 'No such concept map is published or stored here.' },
  TERMINOLOGY_CODE_UNKNOWN: { status: 404, message: 'The code system has no such code.' },
  TERMINOLOGY_CLOSURE_UNKNOWN: { status: 404, message: 'No closure table of this name. Make it with a request that has the name alone.' },
  TERMINOLOGY_NOT_EXPANDABLE: { status: 422, message: 'The codes of this value set cannot be listed here.' },
  TERMINOLOGY_TOO_COSTLY: { status: 422, message: 'The value set has too many codes. Ask for a page with `count`, or narrow it with `filter`.' },
} as const
