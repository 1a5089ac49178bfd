import { randomUUID } from 'node:crypto'
import { branches } from '@carespine/identity/contract'
import type { Services } from '@carespine/kit/services'
import { type Actor, SHARED_BRANCH } from '@carespine/store/contract'
import { acknowledgements, batchAcknowledgement, conditionFaults, type Fault, separateAnswers } from './acknowledge.ts'
import { MessageReceived } from './contract.ts'
import { headerFaults, laneOf, mapMessage } from './map-message.ts'
import { type Batch, decode, type Message, parseMessage, splitFrame } from './message.ts'

/** Times without a zone are the hospital's. */
export const ZONE = '+03:00'

const frameFaults = {
  'too-large': { kind: 'AR', segment: 'MSH', field: 0, code: '207', text: 'The message is larger than 1 MiB. Send it in parts.' },
  internal: { kind: 'AE', segment: 'MSH', field: 0, code: '207', text: 'The message could not be read. Its sender should not send it again unchanged.' },
  unusable: { kind: 'AR', segment: 'MSH', field: 1, code: '100', text: 'The message does not begin with a usable MSH segment.' },
  unknown: { kind: 'AR', segment: 'MSH', field: 18, code: '103', text: 'The character set is not supported. Use UNICODE UTF-8, 8859/1, 8859/6 or ASCII.' },
  broken: { kind: 'AE', segment: 'MSH', field: 18, code: '102', text: 'The bytes of the message are not of the character set that MSH-18 names.' },
  switched: { kind: 'AE', segment: 'MSH', field: 18, code: '103', text: 'Character sets cannot be switched within a message. Send it in UNICODE UTF-8.' },
  reused: { kind: 'AE', segment: 'MSH', field: 10, code: '205', text: 'Another message had this control id. Give each message its own.' },
  'not-stored': { kind: 'AE', segment: 'MSH', field: 10, code: '207', text: 'The message could not be stored. Send it again.' },
} as const satisfies Readonly<Record<string, Fault>>

const answerIds = (application: string = randomUUID()) => ({ accept: randomUUID(), application })

/** The answers to a frame that is not looked into. */
export function refuseFrame(services: Services, bytes: Buffer, why: 'too-large' | 'internal'): string[] {
  return acknowledgements(parseMessage(bytes.toString('latin1')), [frameFaults[why]], services.now(), answerIds())
}

/**
 * Takes what came in one MLLP frame and gives the answers to send, each in a frame of its own. They say that a message
 * is taken only when it is committed.
 */
export async function receiveFrame(services: Services, bytes: Buffer): Promise<string[]> {
  const content = splitFrame(bytes)
  const answered: { batch: Batch; answers: string[] }[] = []
  for (const batch of content.batches) {
    const answers: string[] = []
    for (const message of batch.messages) answers.push(...(await receiveOne(services, message)))
    answered.push({ batch, answers })
  }
  const all = answered.flatMap(({ answers }) => answers)
  if (content.batches.every(({ messages }) => messages.length === 0) && !content.isBatch) {
    return acknowledgements(undefined, [frameFaults.unusable], services.now(), answerIds())
  }
  if (!content.isBatch) return all
  // A batch whose messages all ask for no answer gets none.
  const isSilent = all.length === 0 && content.batches.some(({ messages }) => messages.length > 0)
  return isSilent ? [] : [batchAcknowledgement(content, answered, services.now(), randomUUID)]
}

async function receiveOne(services: Services, bytes: Buffer): Promise<string[]> {
  const now = services.now()
  const decoded = decode(bytes)
  const text = 'text' in decoded ? decoded.text : bytes.toString('latin1')
  const message = parseMessage(text)
  if (!message) return acknowledgements(undefined, [frameFaults.unusable], now, answerIds())
  // Two systems that acknowledge acknowledgements would never end.
  if (message.header.get(9, 1) === 'ACK' || message.segments[1]?.name === 'MSA') {
    services.log.warn({ code: message.first('MSA')?.get(1) }, 'an HL7 acknowledgement came where messages are taken')
    return []
  }
  const refused: Refused = 'fault' in decoded ? { faults: [frameFaults[decoded.fault]], by: 'header' } : faultsOf(message)
  try {
    return await keep(services, message, text, refused)
  } catch (error) {
    services.log.error({ fault: (error as Error).name }, 'an HL7 message could not be stored')
    return acknowledgements(message, [frameFaults['not-stored']], now, answerIds())
  }
}

interface Refused {
  /** None: the message is taken. */
  faults: readonly Fault[]
  by: 'header' | 'content'
}

function faultsOf(message: Message): Refused {
  const faults = [...headerFaults(message), ...conditionFaults(message)]
  if (faults.length > 0) return { faults, by: 'header' }
  const read = mapMessage(message, ZONE)
  return { faults: 'faults' in read ? read.faults : [], by: 'content' }
}

const TIMES = /\b(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([01]\d|2[0-3])[0-5]\d([0-5]\d(\.\d+)?)?([+-]\d{4})?\b/g

/** What a message says, whenever it was sent: a repetition has a new time in MSH-7 and often elsewhere. */
function contentOf(text: string, { type }: Message): string {
  const body = text.split(/[\r\n]+/).filter((line) => line !== '' && !line.startsWith('MSH'))
  return [type, ...body].join('\r').replace(TIMES, '')
}

// The message and the event that applies it commit together; then the sender hears AA. A control id that the sender
// used before gets the answers it got then, and nothing else happens; unless what it stands on is another message, which
// must not vanish behind that answer. What was refused may come again, corrected, under the same control id.
async function keep(services: Services, message: Message, text: string, refused: Refused): Promise<string[]> {
  const actor = await receivingActor(services, message)
  const origin = { correlationId: randomUUID(), action: 'hl7v2.receive', module: 'hl7v2' }
  return await services.transact(actor, origin, async ({ tx, now }) => {
    const store = async ({ faults, by }: Refused): Promise<{ id: string; answers: string[] } | undefined> => {
      const id = randomUUID()
      const answers = acknowledgements(message, faults, now, answerIds(id))
      // A sender that does not want to hear why its message was refused: then somebody here must see it.
      const isUnheard = faults.length > 0 && by === 'content' && answers.length === 0
      const status = isUnheard ? 'unmatched' : faults.length > 0 ? 'rejected' : 'received'
      const reason = isUnheard ? 'HL7V2_CONTENT' : faults.map(({ segment, field, code }) => `${segment}-${field}:${code}`).join(' ')
      const rows = await tx.sql(
        'insert into hl7v2.message (id, branch, sender, control_id, type, received_at, status, reason, raw, answer) ' +
          'values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ' +
          "on conflict (branch, sender, control_id) where status <> 'rejected' do nothing returning 1",
        [
          id,
          actor.branch,
          message.sender.slice(0, 300),
          message.controlId.slice(0, 200),
          message.type.slice(0, 40),
          now,
          status,
          reason || null,
          tx.seal(text),
          tx.seal(answers.join('')),
        ],
      )
      if (isUnheard) tx.signal({ room: `branch:${actor.branch}`, name: 'hl7v2-unmatched' })
      return rows.length > 0 ? { id, answers } : undefined
    }
    const stored = await store(refused)
    if (stored) {
      // Keyed: a plain hash of a patient's number would be guessed from a copy of the outbox.
      const lane = services.store.keyring.blind(`hl7v2/${actor.branch}/${laneOf(message)}`)
      if (refused.faults.length === 0) tx.emit(MessageReceived, { messageId: stored.id }, { branch: actor.branch, lane })
      return stored.answers
    }
    const [row] = await tx.sql<{ id: string; raw: Buffer; answer: Buffer }>(
      "select id, raw, answer from hl7v2.message where branch = $1 and sender = $2 and control_id = $3 and status <> 'rejected'",
      [actor.branch, message.sender, message.controlId],
    )
    const kept = row && tx.open(row.raw)
    const before = kept === undefined ? undefined : parseMessage(kept)
    if (row && before && kept !== undefined && contentOf(kept, before) === contentOf(text, message)) {
      const asksTheSame = [15, 16].every((field) => before.header.get(field) === message.header.get(field))
      return asksTheSame ? separateAnswers(tx.open(row.answer)) : acknowledgements(message, [], now, answerIds(row.id))
    }
    return (await store({ faults: [frameFaults.reused], by: 'header' }))?.answers ?? acknowledgements(message, [frameFaults['not-stored']], now, answerIds())
  })
}

/** The link's account at the branch that MSH-6 names by its code, else at the first one. */
async function receivingActor(services: Services, message: Message): Promise<Actor> {
  const { branches: known } = await services.ask(branches, {})
  const facility = message.header.get(6).toUpperCase()
  const branch = known.find(({ code }) => code.toUpperCase() === facility) ?? known[0]
  if (!branch) throw new Error('no branch')
  return services.system('hl7v2', [branch.id, SHARED_BRANCH])
}
