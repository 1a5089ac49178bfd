import type { Actor, EventEnvelope, ReadView, Transaction } from '@carespine/store/contract'
import type { Resource, ResourceType } from '@carespine/fhir/resource'
import type { RouteContributor, Services } from './services.ts'
import type { Action, EventDefinition, Question, RefusalDefinition, z } from './contract.ts'

/** Asks another module; never joins the caller's transaction. */
export type Ask = <I extends z.ZodType, O extends z.ZodType>(
  question: Question<I, O>,
  input: z.input<I>,
) => Promise<z.output<O>>

export interface CommandContext {
  tx: Transaction
  actor: Actor
  now: Date
  ask: Ask
}

export interface QueryContext {
  view: ReadView
  actor: Actor
  now: Date
  ask: Ask
}

export interface ServedAction {
  action: Action
  run(input: unknown, context: CommandContext & QueryContext): Promise<unknown>
}

/** Binds a command's contract to its code: check, read, decide, write, in one transaction. */
export function command<I extends z.ZodType, O extends z.ZodType>(
  action: Action<I, O>,
  run: (input: z.output<I>, context: CommandContext) => Promise<z.input<O>>,
): ServedAction {
  return { action, run: run as ServedAction['run'] }
}

/** Binds a query's contract to its code. It reads under the actor's branches and writes nothing. */
export function query<I extends z.ZodType, O extends z.ZodType>(
  action: Action<I, O>,
  run: (input: z.output<I>, context: QueryContext) => Promise<z.input<O>>,
): ServedAction {
  return { action, run: run as ServedAction['run'] }
}

export interface Reaction {
  /** Durable name, `notifications.on-result-available`: its effects are recorded under it, so it never changes. */
  name: string
  on: EventDefinition
  run(event: EventEnvelope, context: CommandContext): Promise<void>
}

/** Binds an event to its effect. The event's id is recorded in the same transaction, so the effect happens once. */
export function reaction<S extends z.ZodType>(definition: {
  name: string
  on: EventDefinition<S>
  run(event: EventEnvelope<z.output<S>>, context: CommandContext): Promise<void>
}): Reaction {
  return definition as unknown as Reaction
}

export interface ServedAnswer {
  question: Question
  run(input: unknown, context: QueryContext): Promise<unknown>
}

export function answer<I extends z.ZodType, O extends z.ZodType>(
  question: Question<I, O>,
  run: (input: z.output<I>, context: QueryContext) => Promise<z.input<O>>,
): ServedAnswer {
  return { question, run: run as ServedAnswer['run'] }
}

/** Work done on a clock: escalations, clean-up. Runs in one process at a time, as the system. */
export interface ScheduledJob {
  name: string
  everySeconds: number
  run(context: CommandContext): Promise<void>
}

/** Numbers for operators at /metrics, read together. Counts, ages and sizes: nothing about a patient. */
export interface Gauges<Name extends string = string> {
  /** What each says, by its name: `carespine_alerts_unacknowledged`. */
  help: Readonly<Record<Name, string>>
  read(context: QueryContext): Promise<Readonly<Record<Name, number | undefined>>>
}

/** A resource type that only its module's commands may write once it belongs to a workflow. */
export interface Owned {
  type: ResourceType
  /** Which resources of the type: default all. */
  when?(resource: Resource): boolean
  /** Named in the refusal of a raw write: the action to use instead. */
  instead: string
}

export interface ModuleDefinition {
  name: string
  /** Folder of numbered SQL files; the module's tables live in the PostgreSQL schema of its name. */
  migrations?: URL
  owns?: readonly Owned[]
  actions?: readonly ServedAction[]
  answers?: readonly ServedAnswer[]
  reactions?: readonly Reaction[]
  jobs?: readonly ScheduledJob[]
  events?: readonly EventDefinition[]
  gauges?: Gauges
  refusals?: Readonly<Record<string, RefusalDefinition>>
  /** Given what the running server offers, in every process and before anything is asked of the module. */
  start?(services: Services): void
  /** When the person behind a session last proved who they are, for actions with `stepUp`; one module says so. */
  lastProof?(view: ReadView, actor: Actor): Promise<Date | undefined>
  /** Routes that cannot be derived from an action: cookies, OAuth, streams. Only where the API is served. */
  routes?: RouteContributor
}

/** A module's table of contents. */
export function defineModule(definition: ModuleDefinition): ModuleDefinition {
  return definition
}

export { refuse, Refusal } from '@carespine/store/refusal'
