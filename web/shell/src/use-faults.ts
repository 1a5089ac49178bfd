import type { z } from '@carespine/kit/contract'
import { useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'

/** What is wrong with a form by field, said from the first attempt to send it on, until it is right. */
export interface Faults {
  /** The sentence below a field, named by its path in the schema: `name.family`. */
  of(field: string): string | undefined
  /** True when the form may be sent; else the first faulty field gets the focus. */
  check(): boolean
}

type Issue = z.core.$ZodIssue

function isMissing({ input }: Issue): boolean {
  return input === undefined || input === null || input === ''
}

/** Checks a form with the schema of the action that it is for, in the language on screen. */
export function useFaults(schema: z.ZodType, input: unknown): Faults {
  const { t } = useTranslation()
  const [attempts, setAttempts] = useState(0)
  const focused = useRef(0)
  const result = schema.safeParse(input, { reportInput: true })
  const issues = result.success ? [] : result.error.issues
  useEffect(() => {
    if (attempts === focused.current) return
    focused.current = attempts
    document.querySelector<HTMLElement>('form [aria-invalid="true"]')?.focus()
  }, [attempts])
  const sentence = (issue: Issue): string => {
    if (isMissing(issue)) return t('fault.required')
    if (issue.code === 'too_small') return t('fault.short', { count: Number(issue.minimum) })
    if (issue.code === 'too_big') return t('fault.long', { count: Number(issue.maximum) })
    if (issue.code === 'invalid_format' && issue.format === 'email') return t('fault.email')
    if (issue.code === 'invalid_format' && issue.format === 'date') return t('fault.date')
    return t('fault.wrong')
  }
  return {
    of(field) {
      const issue = attempts > 0 ? issues.find(({ path }) => path.join('.') === field) : undefined
      return issue && sentence(issue)
    },
    check() {
      if (issues.length > 0) setAttempts(attempts + 1)
      return issues.length === 0
    },
  }
}
