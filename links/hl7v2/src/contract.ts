import { action, event, z } from '@carespine/kit/contract'

export const UnmatchedMessage = z.object({
  id: z.string(),
  sender: z.string(),
  controlId: z.string(),
  type: z.string(),
  receivedAt: z.string(),
  reason: z.string(),
  /** What the message says about the patient, for the person who must decide. */
  patient: z.string().optional(),
  identifiers: z.array(z.string()),
  codes: z.array(z.string()),
})
export type UnmatchedMessage = z.infer<typeof UnmatchedMessage>

export const listUnmatched = action({
  kind: 'query',
  name: 'hl7v2.unmatched',
  allow: 'hl7v2.read',
  summary: 'Messages that were accepted and could not be applied, oldest first, each with its reason.',
  input: z.object({ limit: z.number().int().min(1).max(200).default(50), cursor: z.string().max(100).optional() }),
  output: z.object({ messages: z.array(UnmatchedMessage), total: z.number().int(), next: z.string().optional() }),
})

export const getMessage = action({
  kind: 'query',
  name: 'hl7v2.message',
  allow: 'hl7v2.read',
  summary: 'One message with its text and its answer.',
  input: z.object({ id: z.uuid() }),
  output: z.object({ id: z.string(), status: z.string(), reason: z.string().optional(), text: z.string(), answer: z.string() }),
})

export const resolveMessage = action({
  kind: 'command',
  name: 'hl7v2.resolve',
  allow: 'hl7v2.resolve',
  summary: 'Says which patient or order a message belongs to, or what its codes mean; it is then applied.',
  input: z.object({
    id: z.uuid(),
    patientId: z.string().optional(),
    orderId: z.string().optional(),
    codes: z.array(z.object({ code: z.string().max(60), loinc: z.string().max(20) })).max(60).default([]),
  }),
  output: z.object({ id: z.string() }),
})

export const discardMessage = action({
  kind: 'command',
  name: 'hl7v2.discard',
  allow: 'hl7v2.resolve',
  summary: 'Takes a message off the work list, with a reason. It is kept.',
  input: z.object({ id: z.uuid(), reason: z.string().trim().min(3).max(300) }),
  output: z.object({ id: z.string() }),
})

export const MessageReceived = event(
  'hl7v2.message.received',
  1,
  'A message was accepted and waits to be applied.',
  z.object({ messageId: z.string() }),
)

export const refusals = {
  HL7V2_NOT_UNMATCHED: { status: 409, message: 'This message is not on the work list any more.' },
  HL7V2_UNKNOWN: { status: 404, message: 'No message of this branch has this id.' },
} as const
