import { type Fault, fault } from './acknowledge.ts'
import type { Message } from './message.ts'
import { type Admission, admissionOf } from './read-admission.ts'
import { type ResultGroup, resultGroups } from './read-results.ts'

export type Mapped = { kind: 'admission'; admission: Admission } | { kind: 'results'; groups: ResultGroup[] }

/** Faults of the header: what this system cannot take at all, and what it cannot answer. */
export function headerFaults(message: Message): Fault[] {
  const { header } = message
  const faults: Fault[] = []
  const [type, event] = [header.get(9, 1), header.get(9, 2)]
  if (type === '') faults.push(fault('AE', 'MSH', 9, '101', 'Give the message type in MSH-9.'))
  else if (type !== 'ADT' && type !== 'ORU') faults.push(fault('AR', 'MSH', 9, '200', 'ADT and ORU messages are taken here.'))
  else if (!(type === 'ADT' ? ['A01', 'A03', 'A04', 'A08'] : ['R01']).includes(event)) {
    faults.push(fault('AR', 'MSH', 9, '201', 'Events A01, A03, A04, A08 and R01 are taken here.'))
  }
  if (message.sender.length > 300) faults.push(fault('AE', 'MSH', 3, '102', 'MSH-3 and MSH-4 are longer than 300 together.'))
  if (message.controlId === '') faults.push(fault('AE', 'MSH', 10, '101', 'Give a message control id in MSH-10.'))
  else if (message.controlId.length > 199) faults.push(fault('AE', 'MSH', 10, '102', 'The control id is longer than 199.'))
  const processing = header.get(11, 1)
  if (processing === '') faults.push(fault('AE', 'MSH', 11, '101', 'Give the processing id in MSH-11.'))
  else if (!['P', 'T', 'D'].includes(processing)) {
    faults.push(fault('AR', 'MSH', 11, '202', 'The processing id is P, T or D.'))
  }
  if (message.version === '') faults.push(fault('AE', 'MSH', 12, '101', 'Give the version in MSH-12.'))
  else if (!/^2\.([1-8]|3\.1|5\.1|7\.1|8\.[12])$/.test(message.version)) faults.push(fault('AR', 'MSH', 12, '203', 'Versions 2.1 to 2.8 are taken here.'))
  return faults
}

/**
 * Messages of one lane are applied in the order they came: those about one patient, else about one specimen or order.
 * The number counts, whoever gave it: two systems that speak of one patient call the giver by different names.
 */
export function laneOf(message: Message): string {
  const [pid, obr] = [message.first('PID'), message.first('OBR')]
  return [pid?.get(3), obr?.get(3), obr?.get(2)].find((number) => number) ?? message.controlId
}

/** Reads the content; what is missing or of the wrong type is a fault that names segment and field. */
export function mapMessage(message: Message, zone: string): { mapped: Mapped } | { faults: Fault[] } {
  const faults: Fault[] = []
  const pid = message.first('PID')
  if (!pid) return { faults: [fault('AE', 'PID', 0, '100', 'The PID segment is missing.')] }
  if (message.type.startsWith('ADT')) {
    const admission = admissionOf(message, pid, zone, faults)
    return faults.length > 0 || !admission ? { faults } : { mapped: { kind: 'admission', admission } }
  }
  const groups = resultGroups(message, zone, faults)
  return faults.length > 0 ? { faults } : { mapped: { kind: 'results', groups } }
}

