import { elementsOf } from './definitions.ts'
import { compileExpression } from './fhirpath.ts'
import type { Surroundings } from './fhirpath-functions.ts'
import { ExpressionFault } from './fhirpath-syntax.ts'
import { isObject, isOfType, type Item, itemOf } from './fhirpath-values.ts'
import { judge } from './invariants.ts'
import type { Knowledge } from './knowledge.ts'
import { planOf } from './plans.ts'
import type { Profile } from './profile-rules.ts'
import type { Report } from './report.ts'
import { ProfileCheck } from './validate-profile.ts'

/** Where an extension stands. */
interface Stand {
  /** What it extends. */
  parent: Item
  /** `Patient.name`, and `Patient` for the resource itself. */
  paths: readonly string[]
  isModifier: boolean
}

/** Checks extensions against their definitions: http://hl7.org/fhir/R4/defining-extensions.html */
export class ExtensionCheck {
  readonly #report: Report
  readonly #knowledge: Knowledge

  constructor(report: Report, knowledge: Knowledge) {
    this.#report = report
    this.#knowledge = knowledge
  }

  check(value: Record<string, unknown>, root: unknown, around: Surroundings): void {
    const { url } = value
    const report = this.#report
    // Parts of an extension have names that only the extension they are in can tell.
    if (typeof url !== 'string' || !/^[a-z]+:/i.test(url)) return
    const definition = this.#knowledge.profile(url)
    if (definition === undefined) return
    if (definition === null) {
      if (report.path.at(-2) === 'modifierExtension') {
        report.error('extension', 'This modifier extension is not known here, and what it changes must not be overlooked. Load its definition first, or leave it out.')
      } else report.warning('extension', 'This extension is not known here: its definition is not loaded.')
      return
    }
    const item: Item = { value, type: 'Extension' }
    if (definition.type !== 'Extension') {
      report.error('extension', 'The URL names a definition that is not of an extension.')
      return
    }
    const stand = standOf(root, report.path)
    if (stand) this.#placed(definition, stand, around, value)
    new ProfileCheck(report, around, this.#knowledge).check(item, definition)
  }

  #placed(definition: Profile, stand: Stand, around: Surroundings, value: Record<string, unknown>): void {
    const report = this.#report
    if (definition.isModifier !== stand.isModifier) {
      report.error('extension', definition.isModifier ? 'This extension changes meaning: it is sent as modifierExtension.' : 'This extension does not change meaning: it is sent as extension.')
    }
    if (definition.context.length > 0 && !definition.context.some((context) => mayStand(context, stand, around))) {
      const diagnostics = `This extension may not stand here, but at ${definition.context.map(({ expression }) => expression).join(', ')}.`
      // R4 has its own extensions stand where their definitions do not let them: structuredefinition-wg in each ValueSet.
      if (definition.isPublished) report.warning('extension', diagnostics)
      else report.error('extension', diagnostics)
    }
    for (const invariant of definition.contextInvariant) {
      const where = { ...around, extension: { value, type: 'Extension' } }
      if (judge(invariant, stand.parent, where) === 'broken') report.error('extension', 'The condition under which this extension may stand here is not met.')
    }
  }
}

function mayStand({ type, expression }: { type: string; expression: string }, { parent, paths }: Stand, around: Surroundings): boolean {
  switch (type) {
    case 'extension':
      return isObject(parent.value) && parent.value.url === expression
    case 'fhirpath':
      try {
        return compileExpression(expression)(around.resource, around).some((item) => item.value === parent.value)
      } catch (error) {
        if (error instanceof ExpressionFault) return true
        throw error
      }
    default: {
      const path = expression.replace(/^.*#/, '').replace('[x]', '')
      return path === 'Element' || path === 'CanonicalResource' || path === 'MetadataResource' || paths.includes(path) || isOfType(parent, path)
    }
  }
}

// Walks down from the resource: what is only needed where an extension is defined need not be kept on every way.
function standOf(root: unknown, path: readonly (string | number)[]): Stand | undefined {
  const steps = path.slice(1, -1)
  const kind = steps.pop()
  if (kind !== 'extension' && kind !== 'modifierExtension') return undefined
  if (!isObject(root)) return undefined
  let at = itemOf(root)
  let paths: string[] = [at.type]
  for (let nth = 0; nth < steps.length; nth++) {
    const name = String(steps[nth])
    if (!isObject(at.value)) return undefined
    const property = planOf(at.type)?.properties.get(name.replace(/^_/, ''))
    if (!property) return undefined
    let value: unknown = at.value[name]
    if (Array.isArray(value)) {
      nth += 1
      value = value[Number(steps[nth])]
    }
    const element = nameOf(at.type, property.name)
    // Of a path through datatypes, such as Patient.name.family, every longer reading counts: HumanName.family as well.
    paths = [...paths.map((before) => `${before}.${element}`), `${at.type}.${element}`]
    at = property.type === 'Resource' && isObject(value) ? itemOf(value) : { value, type: property.type }
    if (property.type === 'Resource') paths = [at.type]
    if (elementsOf(at.type) && !at.type.includes('.')) paths.push(at.type)
  }
  return { parent: at, paths: [...new Set(paths)], isModifier: kind === 'modifierExtension' }
}

function nameOf(type: string, property: string): string {
  for (const [name, properties] of planOf(type)?.elements ?? []) if (properties.some((one) => one.name === property)) return name
  return property
}
