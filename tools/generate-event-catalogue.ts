// `npm run events`: writes docs/events.md from the event definitions of every module.
import { realpathSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type EventDefinition, z } from '@carespine/kit/contract'
import type { ModuleDefinition } from '@carespine/kit/module'
import { hospitalModules } from '@carespine/server/modules'

export const cataloguePath = fileURLToPath(new URL('../docs/events.md', import.meta.url))

interface FieldSchema {
  type?: string
  enum?: readonly unknown[]
  items?: FieldSchema
  properties?: Record<string, FieldSchema>
  required?: readonly string[]
}

const introduction = `# Events

This page is generated from the event definitions in the modules' contracts by \`tools/generate-event-catalogue.ts\`.
A test fails when it is not up to date.

An event commits in the same transaction as the change it tells of. It is delivered at least once; each consumer records
the event's id with its effect, so the effect happens once. Events of one patient reach each consumer in commit order.
A change that breaks readers gets a new version, and with it a new type.

## The envelope

Every event carries, beside its \`data\`:

| Field | What it is |
|---|---|
| \`id\` | uuid of the event |
| \`sequence\` | position in the outbox; grows in commit order for one patient |
| \`type\` | versioned name, such as \`lab.result.available.v1\` |
| \`at\` | when the change was made |
| \`actor\` | who made it: \`kind\` (user, client, system), \`id\`, \`display\` |
| \`portal\` | the portal it was made in, when a person made it in one |
| \`branch\` | the branch it belongs to |
| \`correlationId\` | the same for everything that follows from one request |
| \`patient\` | the patient it is about, if any |
| \`resource\` | the FHIR resource it is about, if any: \`type\`, \`id\`, \`version\` |
| \`data\` | the fields below |

The body is encrypted in the database under the key of its branch.
`

/** The catalogue as Markdown: modules in the order of the installation, events in the order of their module. */
export function eventCatalogue(modules: readonly ModuleDefinition[]): string {
  const sections = modules.flatMap((module) => {
    if (!module.events?.length) return []
    return [`## ${module.name}\n`, ...module.events.map((event) => eventSection(event, consumersOf(event, modules)))]
  })
  return [introduction, ...sections].join('\n')
}

function consumersOf(event: EventDefinition, modules: readonly ModuleDefinition[]): string[] {
  return modules.flatMap(({ reactions }) => reactions?.filter(({ on }) => on.type === event.type).map(({ name }) => name) ?? [])
}

function eventSection(event: EventDefinition, consumers: readonly string[]): string {
  const { properties = {}, required = [] } = z.toJSONSchema(event.schema) as FieldSchema
  const rows = Object.entries(properties).map(
    ([name, field]) => `| \`${name}\` | ${typeOf(field)} | ${required.includes(name) ? 'always' : 'sometimes'} |`,
  )
  return [
    `### \`${event.type}\`\n`,
    `${event.summary} Version ${event.version}.\n`,
    '| Data | Type | Present |',
    '|---|---|---|',
    ...rows,
    '',
    `Handled by: ${consumers.length > 0 ? consumers.map((name) => `\`${name}\``).join(', ') : 'no consumer'}.\n`,
  ].join('\n')
}

function typeOf(field: FieldSchema): string {
  if (field.enum) return field.enum.map((value) => `\`${String(value)}\``).join(', ')
  if (field.type === 'array') return `list of ${field.items ? typeOf(field.items) : 'anything'}`
  return field.type ?? 'anything'
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  writeFileSync(cataloguePath, eventCatalogue(hospitalModules().modules))
}
