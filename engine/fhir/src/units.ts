import { createRequire } from 'node:module'

/** A unit in terms of the base units of UCUM. */
export interface CanonicalUnit {
  factor: number
  /** Which units can be compared with it: its dimension, or the unit itself when it needs more than a factor. */
  dimension: string
}

/** A unit as a straight line to the base units: `base = value * factor + offset`. */
export interface Scale extends CanonicalUnit {
  offset: number
}

interface UcumUnit {
  magnitude_: number
  dim_?: { dimVec_?: number[] | null }
  cnv_?: string | null
  cnvPfx_?: number
  moleExp_?: number
  isArbitrary_?: boolean
}

let ucum: { getSpecifiedUnit(code: string, mode: 'validate'): { unit?: UcumUnit | null } } | undefined
const known = new Map<string, Scale>()

/**
 * The canonical form of a UCUM code. Units that need more than a factor, such as Cel, and codes that UCUM does not
 * know are compared only with themselves.
 */
export function canonicalUnit(code: string): CanonicalUnit {
  const scale = scaleOf(code)
  return scale.offset === 0 ? scale : alone(code)
}

/** As `canonicalUnit`, with degrees Celsius and Fahrenheit beside Kelvin: what a search compares. */
export function scaleOf(code: string): Scale {
  let scale = known.get(code)
  if (!scale) {
    scale = lookUp(code)
    if (known.size < 5000) known.set(code, scale)
  }
  return scale
}

function alone(code: string): Scale {
  return { factor: 1, offset: 0, dimension: `unit:${code}` }
}

/** Kelvin at the zero of a scale of temperature, in its own degrees. */
const zeros: Readonly<Record<string, number>> = { Cel: 273.15, degF: 459.67 }

function lookUp(code: string): Scale {
  if (code.length > 60) return alone(code)
  // Loaded at the first quantity: its tables take 60 ms.
  ucum ??= (createRequire(import.meta.url)('@lhncbc/ucum-lhc') as { UcumLhcUtils: { getInstance(): typeof ucum } }).UcumLhcUtils.getInstance()
  try {
    const { unit } = ucum?.getSpecifiedUnit(code, 'validate') ?? {}
    if (!unit) return alone(code)
    const zero = unit.cnv_ ? zeros[unit.cnv_] : 0
    if (zero === undefined) return alone(code)
    // Two arbitrary units are never the same thing, whatever their dimension (UCUM, section 24).
    const arbitrary = unit.isArbitrary_ ? `;${(code.match(/\[[^\]]*\]/g) ?? []).join().toLowerCase()}` : ''
    const dimension = `${unit.dim_?.dimVec_?.join() ?? ''};${unit.moleExp_ ?? 0}${arbitrary}`
    return { factor: (unit.cnvPfx_ ?? 1) * unit.magnitude_, offset: zero * unit.magnitude_, dimension }
  } catch {
    return alone(code)
  }
}
