import { refuse } from '@carespine/kit/module'
import type { Services } from '@carespine/kit/services'
import type { FastifyInstance } from 'fastify'
import { capabilityStatement } from './capability-statement.ts'
import { baseOf, queryOf } from './read-request.ts'
import { send } from './send.ts'
import { terminologyCapabilities } from './terminology-capabilities.ts'

type Mode = 'full' | 'terminology'

/** What is said in answer to a mode (R4 RESTful API, 3.1.0.9). Nothing here is marked as normative or not: all of it is told. */
const modes: ReadonlyMap<string, Mode> = new Map([['full', 'full'], ['normative', 'full'], ['terminology', 'terminology']])

function modeOf(query: readonly (readonly [string, string])[]): Mode {
  const asked = query.find(([name]) => name === 'mode')?.[1] ?? ''
  const issue = { severity: 'error', code: 'value', diagnostics: `mode: use one of ${[...modes.keys()].join(', ')}.` } as const
  return asked === '' ? 'full' : (modes.get(asked) ?? refuse('FHIR_OPERATION_INPUT_INVALID', { issues: [issue] }))
}

/** What this server can do, for whoever asks: written once for each address that it is asked at. */
export function metadataRoute(fhir: FastifyInstance, services: Services): void {
  const since = services.now()
  const { searchIndex } = services.store
  const said = new Map<Mode, { base: string; generation: number; body: Buffer }>()
  const write = async (mode: Mode, base: string): Promise<object> =>
    mode === 'full' ? capabilityStatement(base, since, searchIndex.searched) : await terminologyCapabilities(services, base, since)
  fhir.get('/metadata', { config: { allow: 'anyone' }, schema: { tags: ['fhir'] } }, async (request, reply) => {
    const mode = modeOf(queryOf(request))
    const base = baseOf(request)
    const { generation } = searchIndex
    let known = said.get(mode)
    if (known?.base !== base || known.generation !== generation) {
      known = { base, generation, body: Buffer.from(JSON.stringify(await write(mode, base))) }
      said.set(mode, known)
    }
    return send(reply, known.body)
  })
}
