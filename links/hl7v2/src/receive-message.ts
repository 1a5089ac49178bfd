import { randomUUID } from 'node:crypto'
import { branches } from '@carespine/identity/contract'
import type { Services } from '@carespine/kit/services'
import { type Actor, SHARED_BRANCH } from '@carespine/store/contract'
import { acknowledgement, type Fault } from './acknowledge.ts'
import { MessageReceived } from './contract.ts'
import { headerFaults, laneOf, mapMessage } from './map-message.ts'
import { decode, type FrameContent, type Message, parseMessage, splitFrame } from './message.ts'

/** Times without a zone are the hospital's. */
export const ZONE = '+03:00'

const frameFaults = {
  'too-large': { kind: 'AR', segment: 'MSH', field: 0, code: '207', text: 'The message is larger than 1 MiB. Send it in parts.' },
  internal: { kind: 'AE', segment: 'MSH', field: 0, code: '207', text: 'The message could not be read. Its sender should not send it again unchanged.' },
  unusable: { kind: 'AR', segment: 'MSH', field: 1, code: '100', text: 'The message does not begin with a usable MSH segment.' },
  unknown: { kind: 'AR', segment: 'MSH', field: 18, code: '103', text: 'The character set is not supported. Use UNICODE UTF-8, 8859/1, 8859/6 or ASCII.' },
  broken: { kind: 'AE', segment: 'MSH', field: 18, code: '102', text: 'The bytes of the message are not of the character set that MSH-18 names.' },
  reused: { kind: 'AE', segment: 'MSH', field: 10, code: '205', text: 'Another message had this control id. Give each message its own.' },
  'not-stored': { kind: 'AE', segment: 'MSH', field: 10, code: '207', text: 'The message could not be stored. Send it again.' },
} as const satisfies Readonly<Record<string, Fault>>

/** The answer to a frame that is not looked into. */
export function refuseFrame(services: Services, bytes: Buffer, why: 'too-large' | 'internal'): string {
  return acknowledgement(parseMessage(bytes.toString('latin1')), [frameFaults[why]], services.now(), randomUUID())
}

/** Takes what came in one MLLP frame and gives the answer to send. The answer says AA only for what is committed. */
export async function receiveFrame(services: Services, bytes: Buffer): Promise<string> {
  const content = splitFrame(bytes)
  const answers: string[] = []
  for (const message of content.messages) answers.push(await receiveOne(services, message))
  if (content.batch !== 'none') return batchAnswer(content, answers, services.now())
  return answers[0] ?? acknowledgement(undefined, [frameFaults.unusable], services.now(), randomUUID())
}

// A batch is answered by a batch with one acknowledgement for each of its messages, in their order.
function batchAnswer({ batch, counted }: FrameContent, answers: readonly string[], now: Date): string {
  const time = now.toISOString().replace(/[-:T]/g, '').slice(0, 14)
  const header = (name: string) => `${name}|^~\\&|CARESPINE||||${time}+0000\r`
  const comment = counted === undefined || counted === answers.length ? '' : `|BTS-1 says ${counted}`
  const body = `${header('BHS')}${answers.join('')}BTS|${answers.length}${comment}\r`
  return batch === 'file' ? `${header('FHS')}${body}FTS|1\r` : body
}

async function receiveOne(services: Services, bytes: Buffer): Promise<string> {
  const now = services.now()
  const decoded = decode(bytes)
  const text = 'text' in decoded ? decoded.text : bytes.toString('latin1')
  const message = parseMessage(text)
  if (!message) return acknowledgement(undefined, [frameFaults.unusable], now, randomUUID())
  const faults = 'fault' in decoded ? [frameFaults[decoded.fault]] : faultsOf(message)
  try {
    return await keep(services, message, text, faults)
  } catch (error) {
    services.log.error({ fault: (error as Error).name }, 'an HL7 message could not be stored')
    return acknowledgement(message, [frameFaults['not-stored']], now, randomUUID())
  }
}

function faultsOf(message: Message): Fault[] {
  const header = headerFaults(message)
  if (header.length > 0) return header
  const read = mapMessage(message, ZONE)
  return 'faults' in read ? read.faults : []
}

/** What a message says, whenever it was sent: a repetition has a new time in MSH-7 and often elsewhere. */
function contentOf(text: string): string {
  const body = text.split(/[\r\n]+/).filter((line) => line !== '' && !line.startsWith('MSH'))
  return body.join('\r').replace(/\b\d{12,14}(\.\d+)?([+-]\d{4})?\b/g, '')
}

// The message and the event that applies it commit together; then the sender hears AA. A control id that the sender
// used before gets the answer it got then, and nothing else happens; unless what it stands on is another message, which
// must not vanish behind that answer. What was refused may come again, corrected, under the same control id.
async function keep(services: Services, message: Message, text: string, faults: readonly Fault[]): Promise<string> {
  const actor = await receivingActor(services, message)
  const origin = { correlationId: randomUUID(), action: 'hl7v2.receive', module: 'hl7v2' }
  return await services.transact(actor, origin, async ({ tx, now }) => {
    const store = async (why: readonly Fault[]): Promise<{ id: string; answer: string } | undefined> => {
      const id = randomUUID()
      const answer = acknowledgement(message, why, now, id)
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
          why.length > 0 ? 'rejected' : 'received',
          why.length > 0 ? why.map(({ segment, field, code }) => `${segment}-${field}:${code}`).join(' ') : null,
          tx.seal(text),
          tx.seal(answer),
        ],
      )
      return rows.length > 0 ? { id, answer } : undefined
    }
    const stored = await store(faults)
    if (stored) {
      // Keyed: a plain hash of a patient's number would be guessed from a copy of the outbox.
      const lane = services.store.keyring.hash(`hl7v2/${actor.branch}/${laneOf(message)}`)
      if (faults.length === 0) tx.emit(MessageReceived, { messageId: stored.id }, { branch: actor.branch, lane })
      return stored.answer
    }
    const [before] = await tx.sql<{ raw: Buffer; answer: Buffer }>(
      "select raw, answer from hl7v2.message where branch = $1 and sender = $2 and control_id = $3 and status <> 'rejected'",
      [actor.branch, message.sender, message.controlId],
    )
    if (before && contentOf(tx.open(before.raw)) === contentOf(text)) return tx.open(before.answer)
    return (await store([frameFaults.reused]))?.answer ?? acknowledgement(message, [frameFaults['not-stored']], now, randomUUID())
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
