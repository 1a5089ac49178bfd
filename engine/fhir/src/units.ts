import { createRequire } from 'node:module'

/** A unit in terms of the base units of UCUM. */
export interface CanonicalUnit {
  factor: number
  /** Which units can be compared with it: its dimension, or the unit itself when it needs more than a factor. */
  dimension: string
}

interface UcumUnit {
  magnitude_: number
  dim_?: { dimVec_?: number[] | null }
  cnv_?: string | null
  moleExp_?: number
}

let ucum: { getSpecifiedUnit(code: string, mode: 'validate'): { unit?: UcumUnit | null } } | undefined
const known = new Map<string, CanonicalUnit>()

/**
 * The canonical form of a UCUM code. Units that need more than a factor, such as Cel, and codes that UCUM does not
 * know are compared only with themselves.
 */
export function canonicalUnit(code: string): CanonicalUnit {
  let unit = known.get(code)
  if (!unit) {
    unit = lookUp(code)
    if (known.size < 5000) known.set(code, unit)
  }
  return unit
}

function lookUp(code: string): CanonicalUnit {
  const itself = { factor: 1, dimension: `unit:${code}` }
  if (code.length > 60) return itself
  // Loaded at the first quantity: its tables take 60 ms.
  ucum ??= (createRequire(import.meta.url)('@lhncbc/ucum-lhc') as { UcumLhcUtils: { getInstance(): typeof ucum } }).UcumLhcUtils.getInstance()
  try {
    const { unit } = ucum?.getSpecifiedUnit(code, 'validate') ?? {}
    if (!unit || unit.cnv_) return itself
    return { factor: unit.magnitude_, dimension: `${unit.dim_?.dimVec_?.join() ?? ''};${unit.moleExp_ ?? 0}` }
  } catch {
    return itself
  }
}
