import { randomUUID } from 'node:crypto'
import { createReadStream, readdirSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import { readJson } from '@carespine/fhir/decimal-digits'
import { isResourceType } from '@carespine/fhir/definitions'
import type { Issue } from '@carespine/fhir/outcome'
import type { Bundle, Resource } from '@carespine/fhir/resource'
import { validate } from '@carespine/fhir/validate'
import type { Services } from '@carespine/kit/services'
import { Refusal } from '@carespine/kit/module'
import { type Fate, loadResources, withId } from '@carespine/link-fhir-api/load-resources'
import { type Actor, SHARED_BRANCH } from '@carespine/store/contract'

export interface ImportSummary {
  files: number
  added: number
  /** There before, left as they were. */
  known: number
  refused: { where: string; why: string }[]
}

export interface ImportOptions {
  /** Branch that clinical content goes to. */
  branch: string
  onProgress?(done: { file: string; files: number; of: number; added: number }): void
}

/** Files of a path: itself, or every .json and .ndjson below it. */
export function filesToImport(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path]
  return readdirSync(path, { recursive: true })
    .map((name) => join(path, String(name)))
    .filter((file) => /\.(json|ndjson)$/i.test(file) && statSync(file).isFile())
    .sort()
}

/**
 * Loads transaction bundles, single resources and NDJSON. A bundle is loaded whole or not at all. Ids come from the
 * files (`urn:uuid:` becomes the id), so that a second run finds what the first has loaded and adds nothing.
 */
export async function importFiles(services: Services, files: readonly string[], options: ImportOptions): Promise<ImportSummary> {
  const summary: ImportSummary = { files: 0, added: 0, known: 0, refused: [] }
  const actor: Actor = services.system('import', [options.branch, SHARED_BRANCH])
  for (const file of files) {
    const name = basename(file)
    if (/\.ndjson$/i.test(file)) await importLines(services, actor, file, summary)
    else {
      try {
        const content = readJson(await readFile(file, 'utf8')) as Resource
        for (const fate of await load(services, actor, resourcesOf(content), 'whole')) count(summary, fate, name)
      } catch (error) {
        summary.refused.push({ where: name, why: error instanceof SyntaxError ? 'The file is not JSON.' : reasonOf(error) })
      }
    }
    summary.files += 1
    options.onProgress?.({ file: name, files: summary.files, of: files.length, added: summary.added })
  }
  return summary
}

const BATCH = 500

async function importLines(services: Services, actor: Actor, file: string, summary: ImportSummary): Promise<void> {
  let batch: { line: number; resource: Resource }[] = []
  let line = 0
  const where = (nth: number): string => `${basename(file)} line ${nth}`
  const flush = async (): Promise<void> => {
    const fates = await load(services, actor, batch.map(({ resource }) => resource), 'each')
    for (const [at, { line: nth }] of batch.entries()) count(summary, fates[at] as Fate, where(nth))
    batch = []
  }
  for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
    line += 1
    if (text.trim() === '') continue
    try {
      const resource = readJson(text) as Resource
      const [issue] = validate(resource)
      if (issue) summary.refused.push({ where: where(line), why: sentenceOf(issue) })
      else batch.push({ line, resource: withId(resource) })
    } catch {
      summary.refused.push({ where: where(line), why: 'The line is not JSON.' })
    }
    if (batch.length >= BATCH) await flush()
  }
  if (batch.length > 0) await flush()
}

/** The resources of a file with references inside a bundle turned into `Type/id`. */
function resourcesOf(content: Resource): Resource[] {
  if (content.resourceType !== 'Bundle') return [withId(content)]
  const links = new Map<string, string>()
  const resources = ((content as Bundle).entry ?? []).flatMap(({ fullUrl, resource }) => {
    if (!resource || !isResourceType(resource.resourceType)) return []
    const uuid = fullUrl?.startsWith('urn:uuid:') ? fullUrl.slice(9).toLowerCase() : undefined
    const named = withId({ ...resource, ...(uuid === undefined ? {} : { id: uuid }) } as Resource)
    if (fullUrl) links.set(fullUrl, `${named.resourceType}/${named.id}`)
    return [named]
  })
  return resources.map((resource) => withLinks(resource, links) as Resource)
}

function withLinks(value: unknown, links: ReadonlyMap<string, string>): unknown {
  if (Array.isArray(value)) return value.map((one) => withLinks(one, links))
  if (typeof value !== 'object' || value === null) return value
  // Spread, so that decimals keep their digits.
  return {
    ...value,
    ...Object.fromEntries(
      Object.entries(value).map(([name, inner]) =>
        name === 'reference' && typeof inner === 'string' ? [name, links.get(inner) ?? inner] : [name, withLinks(inner, links)],
      ),
    ),
  }
}

async function load(services: Services, actor: Actor, resources: readonly Resource[], mode: 'whole' | 'each'): Promise<Fate[]> {
  const origin = { correlationId: randomUUID(), action: 'import', module: 'import' }
  return (await loadResources(services, { actor, origin }, resources, { mode })).fates
}

function count(summary: ImportSummary, fate: Fate, where: string): void {
  if (fate instanceof Refusal) summary.refused.push({ where, why: reasonOf(fate) })
  else summary[fate] += 1
}

function sentenceOf({ expression, diagnostics }: Issue): string {
  return expression ? `${expression}: ${diagnostics}` : diagnostics
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Refusal)) throw error
  const { issues } = error.details as { issues?: Issue[] }
  return issues?.[0] ? sentenceOf(issues[0]) : error.code
}
