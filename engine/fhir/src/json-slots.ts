import { keptDigits, setDecimal, tellDigitsBelow } from './decimal-digits.ts'

// A value is moved about with how it was written, so that 1.00 stays 1.00 (decimal-digits.ts).

export interface Slot {
  value: unknown
  digits?: string
}

export function slotAt(holder: object, key: string | number): Slot {
  const digits = keptDigits(holder, key)
  return { value: (holder as Record<string | number, unknown>)[key], ...(digits === undefined ? {} : { digits }) }
}

export function setSlot(holder: object, key: string, { value, digits }: Slot): void {
  // Also of a plain number: another may have stood there that was written in another way.
  if (typeof value === 'number') setDecimal(holder, key, digits ?? String(value))
  else (holder as Record<string, unknown>)[key] = value
}

export const slotsOf = (list: readonly unknown[]): Slot[] => list.map((_value, at) => slotAt(list, at))

export function listOf(slots: readonly Slot[]): unknown[] {
  const list: unknown[] = []
  for (const [at, slot] of slots.entries()) setSlot(list, String(at), slot)
  return list
}

/** Values that may be copied in all; a patch that copies its own copies grows without end. */
export class CopyBudget {
  #left = 500_000

  /** A deep copy. Undefined once there is too much. */
  copyOf(slot: Slot): Slot | undefined {
    this.#left -= 1
    if (this.#left < 0) return undefined
    const { value } = slot
    if (typeof value !== 'object' || value === null) return slot
    const copy = Array.isArray(value) ? [] : {}
    for (const key of Object.keys(value)) {
      const inner = this.copyOf(slotAt(value, key))
      if (inner === undefined) return undefined
      setSlot(copy, key, inner)
    }
    return { value: copy }
  }
}

/** Lets every object tell whether kept digits are below it, as after `readJson`. */
export function tellDigits(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  for (const inner of Object.values(value)) {
    if (typeof inner !== 'object' || inner === null) continue
    tellDigits(inner)
    tellDigitsBelow(value, inner)
  }
}
