const START = 0x0b
const END = 0x1c
const RETURN = 0x0d

/** Largest message that is taken, bytes. */
export const MAX_MESSAGE = 1_048_576
/** Of a message that is too large, enough is kept to answer it by its control id. */
const KEPT_OF_TOO_LARGE = 8192

/** A message in its MLLP frame (HL7 Implementation Guide, appendix C: VT message FS CR). */
export function frame(message: string): Buffer {
  return Buffer.concat([Buffer.from([START]), Buffer.from(message), Buffer.from([END, RETURN])])
}

export interface Framed {
  bytes: Buffer
  /** The message was larger than is taken; `bytes` is its beginning. */
  isCut: boolean
}

/**
 * Takes frames out of a stream: parts, several at once, garbage in front. A VT inside a frame begins a new one: what
 * stood before it was cut off on the way, and joining the two would give one patient the results of another.
 */
export class Deframer {
  #parts: Buffer[] | undefined
  #size = 0

  /** @returns Messages that are complete now. */
  push(chunk: Buffer): Framed[] {
    const messages: Framed[] = []
    let at = 0
    while (at < chunk.length) {
      const start = chunk.indexOf(START, at)
      const end = this.#parts === undefined ? -1 : chunk.indexOf(END, at)
      if (start >= 0 && (end < 0 || start < end)) {
        this.#parts = []
        this.#size = 0
        at = start + 1
      } else if (end >= 0) {
        this.#add(chunk.subarray(at, end))
        messages.push(this.#take())
        at = chunk[end + 1] === RETURN ? end + 2 : end + 1
      } else {
        if (this.#parts) this.#add(chunk.subarray(at))
        break
      }
    }
    return messages
  }

  #add(part: Buffer): void {
    this.#size += part.length
    if (this.#size <= MAX_MESSAGE) this.#parts?.push(part)
    else if ((this.#parts?.length ?? 0) > 1 || this.#parts?.[0]?.length !== KEPT_OF_TOO_LARGE) {
      this.#parts = [Buffer.concat([...(this.#parts ?? []), part]).subarray(0, KEPT_OF_TOO_LARGE)]
    }
  }

  #take(): Framed {
    const message = { bytes: Buffer.concat(this.#parts ?? []), isCut: this.#size > MAX_MESSAGE }
    this.#parts = undefined
    this.#size = 0
    return message
  }
}
