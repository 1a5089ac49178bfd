import { createContext, Script } from 'node:vm'
import { elementsOf, invariantsOf, structureNames } from './definitions.ts'
import { ExpressionFault } from './fhirpath-syntax.ts'

const LONGEST_MS = 50
/** A longer text may take its time with a plain expression too. */
const SHORT = 1000
const MOST_PATTERNS = 1000

interface Pattern {
  expression: RegExp
  /** Repeats what repeats, so that a text can make it try for hours. */
  isRisky: boolean
}

const patterns = new Map<string, Pattern>()
const script = new Script('run()')
const context = createContext({ run: undefined as unknown })
let ofR4: ReadonlySet<string> | undefined

// Those that R4 itself uses were looked at: each begins every repetition with a character that nothing before it takes.
function isOfR4(source: string): boolean {
  ofR4 ??= new Set(
    structureNames()
      .flatMap((path) => [...invariantsOf(path), ...Object.values(elementsOf(path) ?? {}).flatMap(({ c }) => c ?? [])])
      .flatMap(({ expression }) => [...expression.matchAll(/matches\('((?:[^'\\]|\\.)*)'\)/gi)].map(([, pattern = '']) => pattern.replace(/\\(.)/gs, '$1'))),
  )
  return ofR4.has(source)
}

function patternOf(source: string): Pattern {
  let pattern = patterns.get(source)
  if (!pattern) {
    try {
      const isRisky = /[*+}?]\)?[*+{]|\)[*+{]/.test(source.replace(/\\./gs, 'x').replace(/\[[^\]]*\]/g, 'x')) && !isOfR4(source)
      pattern = { expression: new RegExp(source, 's'), isRisky }
    } catch {
      throw new ExpressionFault('its regular expression cannot be read')
    }
    if (patterns.size >= MOST_PATTERNS) patterns.clear()
    patterns.set(source, pattern)
  }
  return pattern
}

// A profile's author, or who sends a patch, must not be able to hold the server. 0.1 ms is what the watch costs.
function within<T>(isWatched: boolean, run: () => T): T {
  if (!isWatched) return run()
  try {
    context.run = run
    return script.runInContext(context, { timeout: LONGEST_MS }) as T
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw new ExpressionFault('its regular expression takes too long')
    throw error
  }
}

/** Whether a text has what a regular expression describes. */
export function matchesPattern(value: string, source: string): boolean {
  const { expression, isRisky } = patternOf(source)
  return within(isRisky || value.length > SHORT, () => expression.test(value))
}

/** A text with each place that a regular expression describes replaced. */
export function replacedPattern(value: string, source: string, by: string): string {
  const { isRisky } = patternOf(source)
  return within(isRisky || value.length > SHORT, () => value.replace(new RegExp(source, 'gs'), by))
}
