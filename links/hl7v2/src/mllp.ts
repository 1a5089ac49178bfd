const START = 0x0b
const END = 0x1c
const RETURN = 0x0d

/** Largest message that is taken, bytes. */
export const MAX_MESSAGE = 1_048_576

/** A message in its MLLP frame (HL7 Implementation Guide, appendix C: VT message FS CR). */
export function frame(message: string): Buffer {
  return Buffer.concat([Buffer.from([START]), Buffer.from(message), Buffer.from([END, RETURN])])
}

/** Takes frames out of a stream: parts, several at once, garbage in front. */
export class Deframer {
  #buffer: Buffer = Buffer.alloc(0)

  /** @returns Messages that are complete now. Throws when one grows beyond the limit. */
  push(chunk: Buffer): Buffer[] {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk])
    const messages: Buffer[] = []
    for (;;) {
      const start = this.#buffer.indexOf(START)
      if (start < 0) {
        this.#buffer = Buffer.alloc(0)
        return messages
      }
      const end = this.#buffer.indexOf(END, start)
      if (end < 0) {
        if (this.#buffer.length - start > MAX_MESSAGE) throw new RangeError('MLLP message too large')
        this.#buffer = this.#buffer.subarray(start)
        return messages
      }
      messages.push(this.#buffer.subarray(start + 1, end))
      this.#buffer = this.#buffer.subarray(this.#buffer[end + 1] === RETURN ? end + 2 : end + 1)
    }
  }
}
