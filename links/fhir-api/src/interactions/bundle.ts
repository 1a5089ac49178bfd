import { writeJson } from '@carespine/fhir/decimal-digits'
import type { Bundle } from '@carespine/fhir/resource'
import { refuse } from '@carespine/kit/module'
import type { AskStep } from '../bundle/steps.ts'
import type { Asked, Interaction } from '../interaction.ts'
import { preferencesOf } from '../preferences.ts'
import { type BundleSetting, processBundle } from '../process-bundle.ts'
import { send } from '../send.ts'

const FORWARDED = /^x-forwarded-/

// Within the process, by the same routes: whatever the caller may ask by itself, an entry may ask, and no more.
function asker({ request, base }: Asked): BundleSetting['ask'] {
  const { headers, server, raw } = request
  const kept = Object.fromEntries(Object.entries(headers).filter(([name]) => FORWARDED.test(name) || name === 'host' || name === 'authorization' || name === 'prefer'))
  return async ({ method, url, ifNoneMatch, ifModifiedSince, resource }: AskStep) => {
    const answer = await server.inject({
      method,
      url: new URL(`${base}/${url}`).href.slice(new URL(base).origin.length),
      ...(raw.socket.remoteAddress === undefined ? {} : { remoteAddress: raw.socket.remoteAddress }),
      headers: {
        ...kept,
        accept: 'application/fhir+json',
        'x-correlation-id': request.origin.correlationId,
        ...(ifNoneMatch ? { 'if-none-match': ifNoneMatch } : {}),
        ...(ifModifiedSince ? { 'if-modified-since': ifModifiedSince } : {}),
        ...(resource ? { 'content-type': 'application/fhir+json' } : {}),
      },
      ...(resource ? { payload: writeJson(resource) } : {}),
    })
    const { etag, 'last-modified': lastModified } = answer.headers
    return {
      status: answer.statusCode,
      ...(typeof etag === 'string' ? { etag } : {}),
      ...(typeof lastModified === 'string' ? { lastModified } : {}),
      body: method === 'HEAD' ? '' : answer.payload,
    }
  }
}

export const bundle: Interaction = {
  method: 'POST',
  url: '/',
  action: 'fhir.bundle',
  ofSystem: ['transaction', 'batch'],
  async run(asked) {
    const { services, caller, base, request, reply } = asked
    const given = request.body as Bundle | undefined
    if (given?.resourceType !== 'Bundle') return refuse('FHIR_TYPE_MISMATCH')
    const { return: returned } = preferencesOf(request.headers, 'minimal')
    const answer = await processBundle({ services, caller, base, returned, ask: asker(asked) }, given)
    return send(reply, Buffer.from(writeJson(answer)))
  },
}
