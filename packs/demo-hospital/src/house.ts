import type { Location, Organization, Practitioner, PractitionerRole } from '@carespine/fhir/resource'
import { type Bilingual, translation } from '@carespine/pack-core/bilingual'
import { hl7, hl7Coding } from './coding.ts'
import type { DemoBranch, DemoEntry, DemoRole, DemoUser } from './contract.ts'
import { diceOf, uuidOf } from './dice.ts'
import { humanNames, type Person, personOf, type Sex, shortName } from './people.ts'

const MAIL_DOMAIN = 'demo.carespine.example'

/** Places of every branch, by the word other files use for them. `type` is of v3-RoleCode. */
const PLACES = {
  clinic: { en: 'Outpatient clinics', ar: 'العيادات الخارجية', type: 'HOSP', form: 'wi' },
  emergency: { en: 'Emergency department', ar: 'قسم الطوارئ', type: 'ER', form: 'wi' },
  medical: { en: 'Medical ward', ar: 'جناح الباطنية', type: 'HU', form: 'wa' },
  women: { en: 'Women’s and maternity ward', ar: 'جناح النساء والولادة', type: 'HU', form: 'wa' },
  children: { en: 'Children’s ward', ar: 'جناح الأطفال', type: 'PEDU', form: 'wa' },
  laboratory: { en: 'Laboratory', ar: 'المختبر', type: 'HLAB', form: 'wi' },
  pharmacy: { en: 'Pharmacy', ar: 'الصيدلية', type: 'PHARM', form: 'wi' },
  radiology: { en: 'Radiology', ar: 'الأشعة', type: 'RADDX', form: 'wi' },
} as const
export type Place = keyof typeof PLACES

export type Specialty = 'general' | 'medicine' | 'women' | 'children' | 'emergency'
const SPECIALTIES: Readonly<Record<Specialty, Bilingual>> = {
  general: { en: 'Family medicine', ar: 'طب الأسرة' },
  medicine: { en: 'Internal medicine', ar: 'الباطنية' },
  women: { en: 'Obstetrics and gynaecology', ar: 'النساء والولادة' },
  children: { en: 'Paediatrics', ar: 'طب الأطفال' },
  emergency: { en: 'Emergency medicine', ar: 'طب الطوارئ' },
}
const TITLES: Readonly<Record<Exclude<DemoRole, 'patient' | 'provider'>, Bilingual>> = {
  hub: { en: 'Registration officer', ar: 'موظف التسجيل' },
  admin: { en: 'Hospital administrator', ar: 'مدير المستشفى' },
  lab: { en: 'Laboratory scientist', ar: 'أخصائي مختبر' },
  pharmacy: { en: 'Pharmacist', ar: 'صيدلي' },
  billing: { en: 'Billing officer', ar: 'موظف الفوترة' },
  radiology: { en: 'Radiographer', ar: 'أخصائي أشعة' },
  nurse: { en: 'Nurse', ar: 'ممرض' },
  it: { en: 'Systems engineer', ar: 'مهندس النظم' },
}
/** Codes of http://terminology.hl7.org/CodeSystem/practitioner-role; what it lacks is said in words. */
const ROLE_CODES: Partial<Record<DemoRole, string>> = {
  provider: 'doctor',
  nurse: 'nurse',
  pharmacy: 'pharmacist',
  it: 'ict',
}

/** The role's own log-in (`provider@…`) is the first of its role at the main branch. */
const POSTS: readonly { role: Exclude<DemoRole, 'patient'>; sex: Sex; specialty?: Specialty; at: 'both' | 'main' }[] = [
  { role: 'provider', sex: 'female', specialty: 'medicine', at: 'both' },
  { role: 'provider', sex: 'male', specialty: 'general', at: 'both' },
  { role: 'provider', sex: 'female', specialty: 'women', at: 'both' },
  { role: 'provider', sex: 'male', specialty: 'children', at: 'both' },
  { role: 'provider', sex: 'male', specialty: 'emergency', at: 'both' },
  { role: 'nurse', sex: 'female', at: 'both' },
  { role: 'nurse', sex: 'male', at: 'both' },
  { role: 'lab', sex: 'male', at: 'both' },
  { role: 'lab', sex: 'female', at: 'both' },
  { role: 'hub', sex: 'female', at: 'both' },
  { role: 'pharmacy', sex: 'female', at: 'both' },
  { role: 'radiology', sex: 'male', at: 'both' },
  { role: 'billing', sex: 'female', at: 'both' },
  { role: 'admin', sex: 'female', at: 'main' },
  { role: 'it', sex: 'male', at: 'main' },
]

export interface House {
  branches: readonly [DemoBranch, DemoBranch]
  staff: readonly DemoUser[]
  shared: readonly DemoEntry[]
}

export function locationId(seed: string, branch: DemoBranch, place: Place): string {
  return uuidOf(seed, `location/${branch.code}/${place}`)
}

/** The provider of a branch who answers for a specialty. */
export function providerOf(house: House, branch: string, specialty: Specialty): DemoUser {
  const order = POSTS.filter(({ role }) => role === 'provider').findIndex((post) => post.specialty === specialty)
  return userOf(house, branch, 'provider', order)
}

/** The nth user of a role at a branch; roles that only the main branch has are taken from there. */
export function userOf(house: House, branch: string, role: DemoRole, order = 0): DemoUser {
  const ofRole = house.staff.filter((user) => user.role === role)
  const user = ofRole.filter((one) => one.branch === branch)[order] ?? ofRole[0]
  if (user === undefined) throw new Error(`the demo hospital has nobody for ${role}`)
  return user
}

/** Branches, places and everybody who works there. */
export function houseOf(seed: string): House {
  const branches: [DemoBranch, DemoBranch] = [
    {
      id: uuidOf(seed, 'branch/RUH'),
      code: 'RUH',
      name: 'Al Noor General Hospital – Riyadh',
      nameAr: 'مستشفى النور العام – الرياض',
      city: 'Riyadh',
      timezone: 'Asia/Riyadh',
    },
    {
      id: uuidOf(seed, 'branch/JED'),
      code: 'JED',
      name: 'Al Noor General Hospital – Jeddah',
      nameAr: 'مستشفى النور العام – جدة',
      city: 'Jeddah',
      timezone: 'Asia/Riyadh',
    },
  ]
  const group: Organization & { id: string } = {
    resourceType: 'Organization',
    id: uuidOf(seed, 'organization/group'),
    active: true,
    type: [hl7('organization-type', 'prov')],
    name: 'Al Noor General Hospital',
    alias: ['مستشفى النور العام'],
  }
  const shared: DemoEntry[] = [{ resource: group, branch: 'shared' }]
  for (const branch of branches) shared.push(...placesOf(seed, branch, group.id))
  const staff = branches.flatMap((branch, at) =>
    POSTS.filter((post) => at === 0 || post.at === 'both').map((post, order) => {
      const nth = POSTS.slice(0, POSTS.indexOf(post)).filter(({ role }) => role === post.role).length
      const person = personOf(diceOf(`${seed}/staff/${branch.code}/${order}`), post.sex)
      const user = userFor(seed, branch, branches, post.role, nth, person)
      shared.push(...staffEntries(seed, branch, user, person, post.specialty))
      return user
    }),
  )
  return { branches, staff, shared }
}

function placesOf(seed: string, branch: DemoBranch, group: string): DemoEntry[] {
  const organization: Organization & { id: string } = {
    resourceType: 'Organization',
    id: branch.id,
    active: true,
    type: [hl7('organization-type', 'prov')],
    name: branch.name,
    alias: [branch.nameAr],
    partOf: { reference: `Organization/${group}` },
    address: [{ use: 'work', city: branch.city, country: 'SA' }],
  }
  const locations = (Object.keys(PLACES) as Place[]).map((place): Location & { id: string } => {
    const { en, ar, type, form } = PLACES[place]
    return {
      resourceType: 'Location',
      id: locationId(seed, branch, place),
      status: 'active',
      name: `${en}, ${branch.city}`,
      alias: [ar],
      mode: 'instance',
      type: [hl7('v3-RoleCode', type)],
      physicalType: hl7('location-physical-type', form),
      managingOrganization: { reference: `Organization/${branch.id}` },
    }
  })
  return [organization, ...locations].map((resource) => ({ resource, branch: 'shared' }))
}

function userFor(
  seed: string,
  branch: DemoBranch,
  branches: readonly DemoBranch[],
  role: DemoRole,
  nth: number,
  person: Person,
): DemoUser {
  const main = branch === branches[0]
  const { en, ar } = shortName(person)
  const doctor = role === 'provider'
  const account = [role, ...(main ? [] : [branch.city.toLowerCase()]), ...(nth === 0 ? [] : [nth + 1])].join('.')
  return {
    id: uuidOf(seed, `user/${branch.code}/${role}/${nth}`),
    role,
    email: `${account}@${MAIL_DOMAIN}`,
    displayName: doctor ? `Dr ${en}` : en,
    displayNameAr: doctor ? `د. ${ar}` : ar,
    branch: branch.id,
    branches: role === 'admin' || role === 'it' ? branches.map(({ id }) => id) : [branch.id],
    practitioner: uuidOf(seed, `practitioner/${branch.code}/${role}/${nth}`),
  }
}

function staffEntries(
  seed: string,
  branch: DemoBranch,
  user: DemoUser,
  person: Person,
  specialty: Specialty | undefined,
): DemoEntry[] {
  const id = user.practitioner
  if (id === undefined || user.role === 'patient') return []
  const title = specialty === undefined ? TITLES[user.role as keyof typeof TITLES] : SPECIALTIES[specialty]
  const doctor = user.role === 'provider'
  const practitioner: Practitioner & { id: string } = {
    resourceType: 'Practitioner',
    id,
    active: true,
    name: humanNames(person).map((name, at) => (doctor ? { ...name, prefix: [at === 0 ? 'Dr' : 'د.'] } : name)),
    gender: person.sex,
    telecom: [{ system: 'email', use: 'work', value: user.email }],
  }
  const code = ROLE_CODES[user.role]
  const words = { text: title.en, _text: translation(title.ar) }
  const role: PractitionerRole & { id: string } = {
    resourceType: 'PractitionerRole',
    id: uuidOf(seed, `practitioner-role/${id}`),
    active: true,
    practitioner: { reference: `Practitioner/${id}`, display: user.displayName },
    organization: { reference: `Organization/${branch.id}` },
    code: [code === undefined ? words : { coding: [hl7Coding('practitioner-role', code)], ...words }],
    ...(specialty === undefined ? {} : { specialty: [words] }),
  }
  return [practitioner, role].map((resource) => ({ resource, branch: 'shared' }))
}

/** The log-in of a patient who reads their own record. */
export function patientUser(seed: string, branch: DemoBranch, patient: string, person: Person): DemoUser {
  const { en, ar } = shortName(person)
  return {
    id: uuidOf(seed, 'user/patient'),
    role: 'patient',
    email: `patient@${MAIL_DOMAIN}`,
    displayName: en,
    displayNameAr: ar,
    branch: branch.id,
    branches: [branch.id],
    patient,
  }
}
