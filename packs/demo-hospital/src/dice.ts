import { createHash } from 'node:crypto'

/** Throws that depend on nothing but their seed. */
export interface Dice {
  /** From 0, below 1. */
  fraction(): number
  /** Uniform between two numbers. */
  between(low: number, high: number): number
  /** A whole number, both ends included. */
  whole(low: number, high: number): number
  chance(probability: number): boolean
  /** Gaussian, cut at three standard deviations so that nothing impossible comes up. */
  normal(mean: number, deviation: number): number
  pick<T>(items: readonly T[]): T
}

/** A small fast counter PRNG (Chris Doty-Humphrey's sfc32, public domain), seeded with the SHA-256 of a text. */
export function diceOf(seed: string): Dice {
  const digest = createHash('sha256').update(seed).digest()
  let [a, b, c, counter] = [digest.readInt32LE(0), digest.readInt32LE(4), digest.readInt32LE(8), 1]
  const fraction = (): number => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return (sum >>> 0) / 0x1_0000_0000
  }
  const whole = (low: number, high: number): number => low + Math.floor(fraction() * (high - low + 1))
  return {
    fraction,
    whole,
    between: (low, high) => low + fraction() * (high - low),
    chance: (probability) => fraction() < probability,
    normal: (mean, deviation) => {
      const radius = Math.sqrt(-2 * Math.log(1 - fraction()))
      const standard = radius * Math.cos(2 * Math.PI * fraction())
      return mean + Math.max(-3, Math.min(3, standard)) * deviation
    },
    pick: (items) => {
      const item = items[whole(0, items.length - 1)]
      if (item === undefined) throw new Error('pick needs at least one item')
      return item
    },
  }
}

/** A name-based uuid (RFC 9562, version 5 layout): the same seed and name give the same id. */
export function uuidOf(seed: string, name: string): string {
  const bytes = createHash('sha1').update(`carespine-demo/${seed}/${name}`).digest().subarray(0, 16)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** Rounds to a number of decimals, as laboratories and scales report. */
export function rounded(value: number, decimals: number): number {
  return Number(value.toFixed(decimals))
}
