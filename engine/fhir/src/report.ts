import type { Issue } from './outcome.ts'

const MAX_ISSUES = 50

/** Faults as they are found, with the place where the finder stands. */
export class Report {
  readonly issues: Issue[] = []
  /** Names and positions from the resource down. */
  readonly path: (string | number)[]
  /** Whether good practice, unknown profiles and the like are told as well. */
  readonly warns: boolean
  readonly #most: number
  #errors = 0

  constructor(options: { warns: boolean; most?: number; path?: readonly (string | number)[] }) {
    this.warns = options.warns
    this.#most = options.most ?? MAX_ISSUES
    this.path = [...(options.path ?? [])]
  }

  /** True when so many faults were found that more would help nobody. */
  get full(): boolean {
    return this.issues.length >= this.#most
  }

  get hasErrors(): boolean {
    return this.#errors > 0
  }

  get expression(): string {
    let expression = ''
    for (const part of this.path) expression += typeof part === 'number' ? `[${part}]` : (expression && '.') + part
    return expression
  }

  error(code: Issue['code'], diagnostics: string): void {
    this.#errors += 1
    this.#add('error', code, diagnostics)
  }

  warning(code: Issue['code'], diagnostics: string): void {
    if (this.warns) this.#add('warning', code, diagnostics)
  }

  /** Takes over what another found. */
  take(other: Report): void {
    for (const issue of other.issues) {
      if (this.full) return
      if (issue.severity === 'error') this.#errors += 1
      this.issues.push(issue)
    }
  }

  #add(severity: Issue['severity'], code: Issue['code'], diagnostics: string): void {
    if (this.full) return
    const { expression } = this
    // The same fault of the same place may be told by two profiles.
    if (this.issues.some((known) => known.expression === (expression || undefined) && known.diagnostics === diagnostics)) return
    this.issues.push({ severity, code, ...(expression ? { expression } : {}), diagnostics })
  }

  /** Runs `check` one step further down. */
  at(step: string | number, check: () => void): void {
    this.path.push(step)
    check()
    this.path.pop()
  }
}
