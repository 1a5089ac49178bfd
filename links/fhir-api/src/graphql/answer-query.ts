import { readJson } from '@carespine/fhir/decimal-digits'
import { Kind } from 'graphql'
import { answerText } from './answer-text.ts'
import { Execution } from './execute.ts'
import { QUERY } from './fields.ts'
import { faultAt } from './graphql-fault.ts'
import { type Asking, type Query, readDocument } from './read-document.ts'
import type { Json, RecordInSight } from './record.ts'
import { checkedSelection, type Selection } from './selection.ts'

/** The one resource that a query is about. */
export interface Instance {
  type: string
  read(): Promise<Buffer>
}

/**
 * Answers a GraphQL query on the record (http://hl7.org/fhir/R4/graphql.html) as JSON. Refuses with a `GraphqlFault` what has
 * faults or is too much; what cannot be had of one field is an error beside the data.
 */
export async function answerQuery(record: RecordInSight, asking: Asking, instance?: Instance): Promise<Buffer> {
  const { searchIndex } = record.services.store
  const query = readDocument(asking)
  if (query.operation.operation !== 'query') {
    faultAt(query.operation, 'Only queries are answered here. Write with the FHIR API, where If-Match keeps two changes apart: POST, PUT, PATCH and DELETE on [base]/[type].', 'not-supported')
  }
  const selection = checkedSelection(query, { root: instance?.type ?? QUERY, parametersOf: searchIndex.searched })
  const answer = (root?: Json): Promise<Buffer> => execute(record, selection, root)
  if (!isAboutTypes(query)) return await answer(instance && (readJson((await instance.read()).toString()) as Json))
  const key = JSON.stringify([asking, instance?.type, searchIndex.generation])
  return await told(key, () => answer(instance && { resourceType: instance.type }))
}

async function execute(record: RecordInSight, selection: Selection, root: Json | undefined): Promise<Buffer> {
  const execution = new Execution(record, record.services.store.searchIndex.searched)
  const data = await execution.run(selection, root)
  return Buffer.from(answerText(data, execution.errors))
}

function isAboutTypes({ operation }: Query): boolean {
  return operation.selectionSet.selections.every((one) => one.kind === Kind.FIELD && one.name.value.startsWith('__'))
}

let last: { key: string; answer: WeakRef<Buffer> } | undefined
let underWay: { key: string; answer: Promise<Buffer> } | undefined

// All types are 8 MB of JSON and 0.7 s of work, the same for everybody. Tools ask for them in the same words, often several
// at once; kept as long as there is memory.
async function told(key: string, tell: () => Promise<Buffer>): Promise<Buffer> {
  const known = last?.key === key ? last.answer.deref() : undefined
  if (known) return known
  if (underWay?.key === key) return await underWay.answer
  const before = underWay?.answer.catch(() => undefined)
  const answer = (async () => {
    await before
    return await tell()
  })()
  const mine = { key, answer }
  underWay = mine
  try {
    const text = await answer
    last = { key, answer: new WeakRef(text) }
    return text
  } finally {
    if (underWay === mine) underWay = undefined
  }
}
