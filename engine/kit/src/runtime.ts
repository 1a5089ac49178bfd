import { createHash, randomUUID } from 'node:crypto'
import type { ResourceType } from '@carespine/fhir/resource'
import type { Actor, EventEnvelope, Origin } from '@carespine/store/contract'
import { refuse } from '@carespine/store/refusal'
import type { Governed, Store, TransactOptions } from '@carespine/store/store'
import type { Logger } from 'pino'
import type { RefusalDefinition } from './contract.ts'
import type { Ask, ModuleDefinition, Reaction, ServedAction, ServedAnswer } from './module.ts'
import { allows } from './permission.ts'
import { engineRefusals } from './refusals.ts'
import type { Perform, Services } from './services.ts'

/** The modules of an installation, indexed by what they serve. Throws when two claim the same name. */
export interface Registry {
  modules: readonly ModuleDefinition[]
  actions: ReadonlyMap<string, { module: string; served: ServedAction }>
  answers: ReadonlyMap<string, { module: string; served: ServedAnswer }>
  reactions: readonly { module: string; reaction: Reaction }[]
  refusals: Readonly<Record<string, RefusalDefinition>>
  governed: ReadonlyMap<ResourceType, readonly Governed[]>
}

export function registryOf(modules: readonly ModuleDefinition[]): Registry {
  const actions = new Map<string, { module: string; served: ServedAction }>()
  const answers = new Map<string, { module: string; served: ServedAnswer }>()
  const reactions: { module: string; reaction: Reaction }[] = []
  const governed = new Map<ResourceType, Governed[]>()
  const refusals: Record<string, RefusalDefinition> = { ...engineRefusals }
  const claim = <T>(map: Map<string, T>, name: string, value: T): void => {
    if (map.has(name)) throw new Error(`Two modules serve ${name}`)
    map.set(name, value)
  }
  for (const module of modules) {
    for (const served of module.actions ?? []) claim(actions, served.action.name, { module: module.name, served })
    for (const served of module.answers ?? []) claim(answers, served.question.name, { module: module.name, served })
    for (const reaction of module.reactions ?? []) {
      if (reactions.some((known) => known.reaction.name === reaction.name)) {
        throw new Error(`Two reactions are called ${reaction.name}`)
      }
      reactions.push({ module: module.name, reaction })
    }
    for (const { type, when, instead } of module.owns ?? []) {
      governed.set(type, [...(governed.get(type) ?? []), { module: module.name, ...(when ? { when } : {}), instead }])
    }
    for (const [code, refusal] of Object.entries(module.refusals ?? {})) {
      if (refusals[code]) throw new Error(`Two modules declare the refusal ${code}`)
      refusals[code] = refusal
    }
  }
  const keepers = modules.filter(({ lastProof }) => lastProof)
  if (keepers.length > 1) throw new Error('Two modules say when somebody last proved who they are')
  const unproven = [...actions.values()].find(({ served }) => served.action.stepUp !== undefined)
  if (unproven && keepers.length === 0) throw new Error(`${unproven.served.action.name} asks for a proof of who calls; no module keeps one`)
  return { modules, actions, answers, reactions, refusals, governed }
}

/** A uuid that is always the same for one system account. */
function systemId(module: string): string {
  const hex = createHash('sha256').update(`carespine-system:${module}`).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-9${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** Builds what modules and links use of the running server. */
export function createServices(options: {
  registry: Registry
  store: Store
  log: Logger
}): Services & {
  /** Runs a reaction for one event, with what it does and that it was done in one transaction. */
  react(module: string, reaction: Reaction, event: EventEnvelope): Promise<void>
  performFor(
    name: string,
    input: unknown,
    actor: Actor,
    origin: Origin,
    transact?: TransactOptions,
  ): Promise<unknown>
} {
  const { registry, store } = options
  const keeper = registry.modules.find(({ lastProof }) => lastProof)

  const ask: Ask = async (question, input) => {
    const known = registry.answers.get(question.name)
    if (!known) throw new Error(`No module answers ${question.name}`)
    const actor = system(known.module)
    const origin = originOf(question.name, known.module)
    const parsed = question.input.parse(input)
    return (await store.view(actor, origin, (view) =>
      known.served.run(parsed, { view, actor, now: view.now, ask }),
    )) as never
  }

  const system = (module: string, branches: readonly string[] = store.keyring.branches()): Actor => ({
    kind: 'system',
    id: systemId(module),
    display: `Carespine ${module}`,
    roles: [],
    permissions: ['*'],
    branches,
    branch: branches.find((branch) => branch !== '00000000-0000-0000-0000-000000000000') ?? branches[0] ?? '',
  })

  const performFor = async (
    name: string,
    input: unknown,
    actor: Actor,
    origin: Origin,
    transact: TransactOptions = {},
  ): Promise<unknown> => {
    const known = registry.actions.get(name)
    if (!known) refuse('NOT_FOUND')
    const { action } = known.served
    if (action.allow !== 'anyone' && action.allow !== 'signed-in' && !allows(actor.permissions, action.allow)) {
      refuse('PERMISSION_MISSING', { permission: action.allow })
    }
    const parsed = action.input.safeParse(input ?? {})
    if (!parsed.success) {
      refuse('INPUT_INVALID', {
        fields: parsed.error.issues.map((issue) => ({ field: issue.path.join('.'), problem: issue.message })),
      })
    }
    if (action.stepUp !== undefined) await demandProof(actor, action.stepUp)
    if (action.kind === 'query') {
      return await store.view(actor, origin, (view) =>
        known.served.run(parsed.data, { view, tx: noTransaction, actor, now: view.now, ask }),
      )
    }
    return await store.transact(
      actor,
      origin,
      (tx) => known.served.run(parsed.data, { tx, view: tx, actor, now: tx.now, ask }),
      transact,
    )
  }

  const demandProof = async (actor: Actor, minutes: number): Promise<void> => {
    if (actor.kind !== 'user') return
    const at = await store.view(system(keeper?.name ?? ''), originOf('step-up.check', keeper?.name ?? ''), async (view) => await keeper?.lastProof?.(view, actor))
    if (at === undefined || store.now().getTime() - at.getTime() > minutes * 60_000) refuse('STEP_UP_NEEDED', { minutes, at: '/api/auth/step-up' })
  }

  const perform: Perform = async (action, input, actor, origin, { idempotencyKey: key } = {}) => {
    const module = registry.actions.get(action.name)?.module ?? ''
    const whole = { correlationId: randomUUID(), ...origin, action: action.name, module }
    const options = key === undefined || action.secret ? {} : { idempotency: { key, request: JSON.stringify(input) } }
    return (await performFor(action.name, input, actor, whole, options)) as never
  }

  const services: ReturnType<typeof createServices> = {
    now: store.now,
    log: options.log,
    store,
    refusals: registry.refusals,
    events: registry.modules.flatMap((module) => module.events ?? []),
    system,
    ask,
    perform,
    performFor,
    demandProof,
    transact: (actor, origin, run) =>
      store.transact(actor, origin, (tx) => run({ tx, actor, now: tx.now, ask })),
    view: (actor, origin, run) => store.view(actor, origin, (view) => run({ view, actor, now: view.now, ask })),
    async react(module, reaction, event) {
      const actor = { ...system(module, [event.branch]), ...(event.portal ? { portal: event.portal } : {}) }
      const origin = { correlationId: event.correlationId, action: reaction.name, module }
      await store.transact(actor, origin, async (tx) => {
        const fresh = await tx.sql(
          'insert into bus.handled (consumer, event_id) values ($1, $2) on conflict do nothing returning 1',
          [reaction.name, event.id],
        )
        if (fresh.length === 0) return
        await reaction.run({ ...event, data: reaction.on.parse(event.data) }, { tx, actor, now: tx.now, ask })
      })
    },
  }
  for (const module of registry.modules) module.start?.(services)
  return services
}

function originOf(action: string, module: string): Origin {
  return { correlationId: randomUUID(), action, module }
}

// A query's context carries no transaction; touching it is a bug of the module, and says so.
const noTransaction = new Proxy({} as never, {
  get(_target, name) {
    throw new Error(`A query may not use tx.${String(name)}`)
  },
})
