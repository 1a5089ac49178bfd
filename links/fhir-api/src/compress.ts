import { brotliCompress, constants, gzip } from 'node:zlib'
import type { FastifyReply, FastifyRequest } from 'fastify'

// From 32 KiB on. A Bundle of that size is compressed to a sixth in 0.10 ms by Brotli 1 and in 0.16 ms by gzip 1, about
// what it costs to read; Brotli 4 and gzip 6 take 0.55 and 0.35 ms for a sixth less. Smaller answers fit into a few
// packets as they are.
const BIG = 32 * 1024

type Done = (error: null, payload: string | Buffer) => void

export const isBig = (payload: string | Buffer): boolean => payload.length >= BIG

/** The better of the two encodings that a client takes, by its own weights (RFC 9110, 12.5.3). */
export function encodingFor(header: string | undefined): 'br' | 'gzip' | undefined {
  if (header === undefined) return undefined
  const weights = new Map<string, number>()
  for (const part of header.split(',')) {
    const [name = '', weight = 'q=1'] = part.split(';').map((text) => text.trim().toLowerCase())
    weights.set(name, Number(weight.replace(/^q=/, '')))
  }
  const any = weights.get('*') ?? 0
  const [br, gz] = [weights.get('br') ?? any, weights.get('gzip') ?? any]
  if (!(br > 0 || gz > 0)) return undefined
  return gz > br ? 'gzip' : 'br'
}

/** Sends a big answer compressed to a client that takes it so. The work is done beside the event loop. */
export function compress(request: FastifyRequest, reply: FastifyReply, payload: string | Buffer, done: Done): void {
  const encoding = encodingFor([request.headers['accept-encoding']].flat().join(',') || undefined)
  if (encoding === undefined || reply.hasHeader('content-encoding')) {
    done(null, payload)
    return
  }
  const sent = (error: Error | null, compressed: Buffer): void => {
    if (error) {
      done(null, payload)
      return
    }
    reply.header('content-encoding', encoding)
    reply.header('vary', [reply.getHeader('vary') ?? []].flat().concat('Accept-Encoding').join(', '))
    done(null, compressed)
  }
  if (encoding === 'br') brotliCompress(payload, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }, sent)
  else gzip(payload, { level: 1 }, sent)
}
