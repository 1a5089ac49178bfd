import type { FastifyRequest } from 'fastify'

const LOOPBACK = /^(::ffff:)?127\.|^::1$/
/** Set by a proxy on this machine when it passes on what somebody else asked. */
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip', 'via', 'cf-connecting-ip']

/** True when the caller runs on this machine itself, as far as the connection and its headers tell. */
export function isFromThisMachine({ socket, headers }: FastifyRequest): boolean {
  return LOOPBACK.test(socket.remoteAddress ?? '') && FORWARDED.every((name) => headers[name] === undefined)
}
