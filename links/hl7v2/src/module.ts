import { defineModule } from '@carespine/kit/module'
import type { Services } from '@carespine/kit/services'
import { onMessageReceived } from './apply-message.ts'
import { MessageReceived, refusals } from './contract.ts'
import { discardMessageCommand, getMessageQuery, listUnmatchedQuery, resolveMessageCommand } from './work-list.ts'

/** HL7 v2 over MLLP: admissions and results of other systems. */
export function createHl7v2(): ReturnType<typeof defineModule> {
  let running: Services | undefined
  const services = (): Services => {
    if (!running) throw new Error('the HL7 v2 link was used before the server started')
    return running
  }
  return defineModule({
    name: 'hl7v2',
    migrations: new URL('../migrations/', import.meta.url),
    actions: [listUnmatchedQuery, getMessageQuery, resolveMessageCommand, discardMessageCommand],
    reactions: [onMessageReceived(services)],
    events: [MessageReceived],
    refusals,
    start: (started) => {
      running = started
    },
  })
}
