import type { BenchHospital } from './hospital.ts'
import { ask, type Asked, CONNECTIONS } from './load.ts'

const WARM_UP_SECONDS = 6

type Made = Record<string, string>

interface Kind {
  type: string
  body(made: Made, nth: number): object
  /** What an update says anew. */
  changed(nth: number): object
}

const concept = (system: string, code: string) => ({ coding: [{ system, code }] })
const to = (made: Made, type: string) => ({ reference: made[type] ?? '' })
const created = (nth: number) => ({ created: new Date(Date.UTC(2025, 0, 1) + nth * 1000).toISOString() })
const claimed = (made: Made) => ({
  status: 'active', use: 'claim', patient: to(made, 'Patient'), type: concept('http://terminology.hl7.org/CodeSystem/claim-type', 'institutional'),
  insurance: [{ focal: true, coverage: { display: 'Self' }, sequence: 1 }],
})

/** The nine types of Health Samurai's published benchmark, in the order in which one refers to the other. */
const kinds: readonly Kind[] = [
  {
    type: 'Patient',
    body: (_made, nth) => ({ identifier: [{ system: 'https://bench.example/mix', value: `X${nth}` }], name: [{ family: 'Al-Harbi', given: ['Khalid'] }], gender: 'male', birthDate: '1971-02-03' }),
    changed: () => ({ gender: 'unknown' }),
  },
  { type: 'Location', body: () => ({ status: 'active', name: 'Ward 3' }), changed: (nth) => ({ name: `Ward ${nth}` }) },
  { type: 'Organization', body: () => ({ active: true, name: 'Clinic' }), changed: (nth) => ({ name: `Clinic ${nth}` }) },
  { type: 'Practitioner', body: () => ({ active: true, name: [{ family: 'Al-Otaibi', given: ['Sara'] }], gender: 'female' }), changed: () => ({ gender: 'unknown' }) },
  {
    type: 'Encounter',
    body: (made) => ({
      status: 'in-progress', class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB' }, subject: to(made, 'Patient'),
      participant: [{ individual: to(made, 'Practitioner') }], location: [{ location: to(made, 'Location') }], serviceProvider: to(made, 'Organization'),
      period: { start: '2025-03-01T08:00:00Z' },
    }),
    changed: () => ({ status: 'planned' }),
  },
  {
    type: 'Observation',
    body: (made) => ({
      status: 'final', code: concept('http://loinc.org', '718-7'), subject: to(made, 'Patient'), encounter: to(made, 'Encounter'), effectiveDateTime: '2025-03-01T08:10:00Z',
      valueQuantity: { value: 13.2, unit: 'g/dL', system: 'http://unitsofmeasure.org', code: 'g/dL' },
    }),
    changed: (nth) => ({ issued: new Date(Date.UTC(2025, 0, 1) + nth * 1000).toISOString() }),
  },
  {
    type: 'MedicationRequest',
    body: (made) => ({
      status: 'active', intent: 'order', subject: to(made, 'Patient'), encounter: to(made, 'Encounter'), requester: to(made, 'Practitioner'),
      medicationCodeableConcept: concept('http://www.nlm.nih.gov/research/umls/rxnorm', '860975'), authoredOn: '2025-03-01T08:20:00Z',
    }),
    changed: () => ({ status: 'on-hold' }),
  },
  {
    type: 'Claim',
    body: (made, nth) => ({
      ...claimed(made), ...created(nth), provider: to(made, 'Organization'), priority: concept('http://terminology.hl7.org/CodeSystem/processpriority', 'normal'),
      prescription: to(made, 'MedicationRequest'), item: [{ sequence: 1, productOrService: { text: 'Visit' }, encounter: [to(made, 'Encounter')] }],
    }),
    changed: (nth) => created(nth),
  },
  {
    type: 'ExplanationOfBenefit',
    body: (made, nth) => ({
      ...claimed(made), insurance: [{ focal: true, coverage: { display: 'Self' } }], ...created(nth), insurer: { display: 'Insurer' }, provider: to(made, 'Practitioner'),
      claim: to(made, 'Claim'), outcome: 'complete', item: [{ sequence: 1, productOrService: { text: 'Visit' }, encounter: [to(made, 'Encounter')] }],
    }),
    changed: (nth) => created(nth),
  },
]

/** What one connection does in turn: makes one of each, reads, changes and removes them, the last made first. */
class Turn {
  #step = 0
  #made: Made = {}
  readonly #bodies = new Map<string, object>()

  next(nth: number, lastHead: string): Asked {
    const nthOf = this.#step % kinds.length
    const round = Math.floor(this.#step / kinds.length)
    this.#note(lastHead)
    this.#step = (this.#step + 1) % (kinds.length * 4)
    const kind = (round === 3 ? kinds.at(-1 - nthOf) : kinds[nthOf]) as Kind
    const { type } = kind
    if (round === 0) {
      if (nthOf === 0) this.#made = {}
      const body = { resourceType: type, ...kind.body(this.#made, nth) }
      this.#bodies.set(type, body)
      return { method: 'POST', path: `/fhir/R4/${type}`, body: JSON.stringify(body) }
    }
    const path = `/fhir/R4/${this.#made[type]}`
    if (round === 1) return { method: 'GET', path }
    if (round === 3) return { method: 'DELETE', path }
    const id = this.#made[type]?.slice(type.length + 1)
    return { method: 'PUT', path, body: JSON.stringify({ ...this.#bodies.get(type), id, ...kind.changed(nth) }) }
  }

  #note(head: string): void {
    const [, place = '', type = ''] = /\r\nlocation: \S*\/fhir\/R4\/(([A-Za-z]+)\/[^/\s]+)/i.exec(head) ?? []
    if (this.#step > 0 && this.#step <= kinds.length && place !== '') this.#made[type] = place
  }
}

/** Creates, reads, updates and deletes over nine types in equal parts. */
export async function loadMix(bench: BenchHospital, server: { url: string; pid: number }, seconds: number): Promise<void> {
  const { token } = await bench.signIn(server.url, 'client')
  const turns = Array.from({ length: CONNECTIONS }, () => new Turn())
  let made = 0
  const load = {
    ...server,
    postmaster: bench.postmaster,
    token,
    method: 'GET' as const,
    next: (_nth: number, connection: number, lastHead: string) => (turns[connection] as Turn).next(made++, lastHead),
  }
  // Connections end in the middle of their turns; the next ones begin anew.
  await ask(load, WARM_UP_SECONDS, 'create, read, update, delete')
  turns.splice(0, turns.length, ...turns.map(() => new Turn()))
  const { perSecond, p50, p99, processor, database } = await ask(load, seconds, 'create, read, update, delete')
  bench.say(`\nCreate, read, update, delete of nine types, ${CONNECTIONS} connections (published for 8 vCPU: Aidbox 5,212, HAPI 3,058, Medplum 1,420 operations a second)`)
  bench.say(`  ${Math.round(perSecond).toLocaleString('en')} operations a second, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`)
  bench.say(`  of one operation: node ${processor.toFixed(2)} ms, db ${database.toFixed(2)} ms`)
}
