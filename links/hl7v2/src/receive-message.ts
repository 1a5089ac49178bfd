import { randomUUID } from 'node:crypto'
import { branches } from '@carespine/identity/contract'
import type { Services } from '@carespine/kit/services'
import { type Actor, SHARED_BRANCH } from '@carespine/store/contract'
import { acknowledgement, type Fault } from './acknowledge.ts'
import { MessageReceived } from './contract.ts'
import { headerFaults, mapMessage } from './map-message.ts'
import { decode, type Message, parseMessage, splitBatch } from './message.ts'

/** Times without a zone are the hospital's. */
export const ZONE = '+03:00'

/** Takes what came in one MLLP frame and gives the answer to send. The answer says AA only for what is committed. */
export async function receiveFrame(services: Services, bytes: Buffer): Promise<string> {
  const { text } = decode(bytes)
  if (text === undefined) {
    const message = parseMessage(bytes.toString('latin1'))
    const fault: Fault = { kind: 'AR', segment: 'MSH', field: 18, code: '103', text: 'The character set is not supported. Use UNICODE UTF-8, 8859/1 or 8859/6.' }
    return acknowledgement(message, [fault], services.now(), randomUUID())
  }
  const isBatch = /^(FHS|BHS)/.test(text)
  const messages = splitBatch(text)
  const answers: string[] = []
  for (const message of messages.length > 0 ? messages : ['']) answers.push(await receiveText(services, message))
  return isBatch ? batchAnswer(answers, services.now()) : (answers[0] ?? '')
}

function batchAnswer(answers: readonly string[], now: Date): string {
  const time = now.toISOString().replace(/[-:T]/g, '').slice(0, 14)
  return `BHS|^~\\&|CARESPINE|||||${time}\r${answers.join('')}BTS|${answers.length}\r`
}

async function receiveText(services: Services, text: string): Promise<string> {
  const now = services.now()
  const message = parseMessage(text)
  if (!message) {
    const fault: Fault = { kind: 'AR', segment: 'MSH', field: 1, code: '100', text: 'The message does not begin with a usable MSH segment.' }
    return acknowledgement(undefined, [fault], now, randomUUID())
  }
  const header = headerFaults(message)
  const read = header.length > 0 ? { faults: header } : mapMessage(message, ZONE)
  const faults = 'faults' in read ? read.faults : []
  const answer = acknowledgement(message, faults, now, randomUUID())
  if (message.controlId === '') return answer
  try {
    return await keep(services, message, text, faults, answer)
  } catch (error) {
    services.log.error({ fault: (error as Error).name }, 'an HL7 message could not be stored')
    const fault: Fault = { kind: 'AE', segment: 'MSH', field: 10, code: '207', text: 'The message could not be stored. Send it again.' }
    return acknowledgement(message, [fault], now, randomUUID())
  }
}

// The message and the event that applies it commit together; then the sender hears AA. A control id that the sender
// used before gets the answer it got then, and nothing else happens.
async function keep(services: Services, message: Message, text: string, faults: readonly Fault[], answer: string): Promise<string> {
  const actor = await receivingActor(services, message)
  const origin = { correlationId: randomUUID(), action: 'hl7v2.receive', module: 'hl7v2' }
  return await services.transact(actor, origin, async ({ tx, now }) => {
    const id = randomUUID()
    const rows = await tx.sql(
      'insert into hl7v2.message (id, branch, sender, control_id, type, received_at, status, reason, raw, answer) ' +
        'values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (branch, sender, control_id) do nothing returning 1',
      [
        id,
        actor.branch,
        message.sender,
        message.controlId,
        message.type,
        now,
        faults.length > 0 ? 'rejected' : 'received',
        faults.length > 0 ? faults.map(({ segment, field, code }) => `${segment}-${field}:${code}`).join(' ') : null,
        tx.seal(text),
        tx.seal(answer),
      ],
    )
    if (rows.length === 0) {
      const [before] = await tx.sql<{ answer: Buffer }>(
        'select answer from hl7v2.message where branch = $1 and sender = $2 and control_id = $3',
        [actor.branch, message.sender, message.controlId],
      )
      return before ? tx.open(before.answer) : answer
    }
    if (faults.length === 0) tx.emit(MessageReceived, { messageId: id }, { branch: actor.branch })
    return answer
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
