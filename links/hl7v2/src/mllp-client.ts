import { connect, type Socket } from 'node:net'
import { Deframer, frame } from './mllp.ts'

/** Sends HL7 v2 messages over MLLP and waits for each answer: an analyser, as far as the wire shows. */
export class MllpClient {
  readonly #socket: Socket
  readonly #waiting: { resolve(answer: string): void; reject(error: Error): void }[] = []

  private constructor(socket: Socket) {
    this.#socket = socket
    const deframer = new Deframer()
    socket.on('data', (chunk: Buffer) => {
      for (const { bytes } of deframer.push(chunk)) this.#waiting.shift()?.resolve(bytes.toString())
    })
    const fail = (error?: Error): void => {
      for (const { reject } of this.#waiting.splice(0)) reject(error ?? new Error('The connection was closed before the answer'))
    }
    socket.on('error', fail)
    socket.on('close', () => fail())
  }

  static open(port: number, host = '127.0.0.1'): Promise<MllpClient> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, host)
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        resolve(new MllpClient(socket))
      })
    })
  }

  /** Sends a message; resolves with the acknowledgement. */
  send(message: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#socket.write(frame(message))
    })
  }

  close(): void {
    this.#socket.destroy()
  }
}

/** An ORU^R01 as a blood analyser sends it, version 2.5.1. */
export function analyserMessage(result: {
  controlId: string
  accession: string
  panel: string
  at: Date
  values: readonly { code: string; value: number | string; unit: string }[]
  patientIdentifier?: string
}): string {
  const time = result.at.toISOString().replace(/[-:T]/g, '').slice(0, 14)
  return [
    `MSH|^~\\&|ANALYSER|LAB|CARESPINE||${time}+0000||ORU^R01^ORU_R01|${result.controlId}|P|2.5.1|||||||UNICODE UTF-8`,
    `PID|1||${result.patientIdentifier ?? ''}`,
    `OBR|1||${result.accession}|${result.panel}^^L|||${time}+0000||||||||||||||||||F`,
    ...result.values.map(({ code, value, unit }, at) => `OBX|${at + 1}|NM|${code}^^LN||${value}|${unit}|||||F|||${time}+0000`),
  ].join('\r')
}
