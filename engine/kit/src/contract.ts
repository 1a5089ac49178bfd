// Browser-safe: what a module says about itself to screens, other modules and outside systems.
import { z } from 'zod'

export { z }

export type ActionKind = 'command' | 'query'

/**
 * One thing that can be asked of a module. The HTTP route, its OpenAPI entry, the permission check, the audit entry
 * and the typed browser client come from it. `orders.place` is served at `POST /api/orders/place`; queries are POST
 * as well, because a search term may be a patient's name and has no place in a URL.
 */
export interface Action<I extends z.ZodType = z.ZodType, O extends z.ZodType = z.ZodType> {
  kind: ActionKind
  name: string
  /** Permission needed. `signed-in` asks for any valid sign-in; `anyone` is served without one. */
  allow: string
  summary: string
  /**
   * Minutes for which a person's proof of who they are holds. Without one so fresh the action is refused with
   * STEP_UP_NEEDED, the browser's client asks for it and calls again. Programs have nobody to ask and pass.
   */
  stepUp?: number
  /** Input or answer hold a secret: nothing of them is kept for a repetition, an `Idempotency-Key` is passed over. */
  secret?: true
  /** Its input has `version`, which the route also takes as `If-Match: W/"3"`; then another version is answered with 412. */
  takesIfMatch?: true
  input: I
  output: O
}

export function action<I extends z.ZodType, O extends z.ZodType>(definition: Action<I, O>): Action<I, O> {
  return definition
}

/** A versioned event: `event('lab.result.available', 1, schema)` has the type `lab.result.available.v1`. */
export interface EventDefinition<S extends z.ZodType = z.ZodType> {
  type: string
  name: string
  version: number
  /** One sentence for the event catalogue. */
  summary: string
  schema: S
  parse(data: unknown): z.output<S>
}

export function event<S extends z.ZodType>(
  name: string,
  version: number,
  summary: string,
  schema: S,
): EventDefinition<S> {
  return { type: `${name}.v${version}`, name, version, summary, schema, parse: (data) => schema.parse(data) }
}

/** A question one module answers for others, outside the asker's transaction. */
export interface Question<I extends z.ZodType = z.ZodType, O extends z.ZodType = z.ZodType> {
  name: string
  input: I
  output: O
}

export function question<I extends z.ZodType, O extends z.ZodType>(definition: Question<I, O>): Question<I, O> {
  return definition
}

/** How a refusal is answered: HTTP status and an English sentence; screens translate the code. */
export interface RefusalDefinition {
  status: 400 | 401 | 403 | 404 | 405 | 406 | 409 | 410 | 412 | 422 | 423 | 429 | 503
  message: string
}

/** Path of an action: `orders.place` -> `/api/orders/place`. */
export function actionPath(name: string): string {
  return `/api/${name.replaceAll('.', '/')}`
}
