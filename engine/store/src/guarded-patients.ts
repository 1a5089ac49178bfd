import { idKey } from '@carespine/fhir/index-entries'
import type { Transaction } from './contract.ts'

/** Everybody who is not admitted. */
const EVERYBODY = '00000000-0000-0000-0000-000000000000'

type Sql = Pick<Transaction, 'sql'>

/** Hides a patient from everybody who is not admitted. */
export async function hidePatient(tx: Sql, patient: string): Promise<void> {
  await tx.sql('insert into store.barred (person, patient) values ($1, $2) on conflict do nothing', [EVERYBODY, idKey(patient)])
}

export async function showPatient(tx: Sql, patient: string): Promise<void> {
  await tx.sql('delete from store.barred where person = $1 and patient = $2', [EVERYBODY, idKey(patient)])
}

/** Hides a patient from one person, whoever admits them. */
export async function hideFrom(tx: Sql, patient: string, person: string): Promise<void> {
  await tx.sql('insert into store.barred (person, patient) values ($1, $2) on conflict do nothing', [person, idKey(patient)])
}

export async function showTo(tx: Sql, patient: string, person: string): Promise<void> {
  await tx.sql('delete from store.barred where person = $1 and patient = $2', [person, idKey(patient)])
}

export async function isHiddenFrom(tx: Sql, patient: string, person: string): Promise<boolean> {
  return (await tx.sql('select 1 from store.barred where person = $1 and patient = $2', [person, idKey(patient)])).length > 0
}

export interface Admission {
  /** uuid of what admits them; `dismiss` takes it back. */
  source: string
  patient: string
  /** uuids of people and of circles. */
  holders: readonly string[]
  /** `everywhere` shows them the patient's content of every branch, to read. */
  sees: 'own branches' | 'everywhere'
  until?: Date
}

/** Lets people see a patient who is hidden. */
export async function admit(tx: Sql, { source, patient, holders, sees, until }: Admission): Promise<void> {
  await tx.sql(
    "insert into store.admitted (source, patient, holder, widens, until) select $1, $2, holder, $4, coalesce($5::timestamptz, 'infinity') from unnest($3::uuid[]) as a(holder)",
    [source, idKey(patient), holders, sees === 'everywhere', until ?? null],
  )
}

export async function dismiss(tx: Sql, source: string): Promise<void> {
  await tx.sql('delete from store.admitted where source = $1', [source])
}

/** Says who a circle is. */
export async function gather(tx: Sql, circle: string, people: readonly string[]): Promise<void> {
  await tx.sql('delete from store.circle_member where circle = $1 and not person = any ($2::uuid[])', [circle, people])
  await tx.sql('insert into store.circle_member (circle, person) select $1, person from unnest($2::uuid[]) as p(person) on conflict do nothing', [circle, people])
}

/** Keeps what each branch has of a patient to those who act there. */
export async function keepApart(tx: Sql, source: string, patient: string, until?: Date): Promise<void> {
  await tx.sql("insert into store.kept_apart (source, patient, until) values ($1, $2, coalesce($3::timestamptz, 'infinity'))", [source, idKey(patient), until ?? null])
}

/** Shows what every branch has of a patient to those who act at one. */
export async function shareWith(tx: Sql, { source, patient, branch, until }: { source: string; patient: string; branch: string; until?: Date }): Promise<void> {
  await tx.sql("insert into store.shared_with (source, patient, acts_at, until) values ($1, $2, $3, coalesce($4::timestamptz, 'infinity'))", [source, idKey(patient), branch, until ?? null])
}

/** Takes back what `keepApart` or `shareWith` said. */
export async function takeBack(tx: Sql, source: string): Promise<void> {
  await tx.sql('delete from store.kept_apart where source = $1', [source])
  await tx.sql('delete from store.shared_with where source = $1', [source])
}

/** What is said of a patient to one person; the functions that the policies ask answer it. */
export async function standingWith(tx: Sql, patient: string): Promise<{ hidden: boolean; widened: boolean; apart: boolean }> {
  const [row] = await tx.sql<{ hidden: boolean; widened: boolean; apart: boolean }>(
    'select $1::uuid in (select store.hidden_patients()) as hidden, $1::uuid in (select store.widened_patients()) as widened, $1::uuid in (select store.patients_apart()) as apart',
    [idKey(patient)],
  )
  return row ?? { hidden: false, widened: false, apart: false }
}
