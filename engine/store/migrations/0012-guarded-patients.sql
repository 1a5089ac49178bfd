-- Patients whose record is not for everybody who may see their branch, and patients of whom some see more. All of it is
-- asked for while a statement runs, so what changes here holds for the next one. Whom any of it concerns works under the
-- role carespine_guarded, which has the rights and the policies of carespine_app and these policies beside them; who acts
-- is told by `carespine.person`, and the branch where they act by `carespine.acts`. Nobody else's statement is changed by it:
-- as conditions for everybody, these made PostgreSQL read tables from end to end that it had searched by an index.

-- Of whom nothing is seen: by one person, or (person 0) by everybody who is not admitted.
create table store.barred (
  person uuid not null,
  patient uuid not null,
  primary key (person, patient)
);
create index on store.barred (patient);
select store.unprotected('store.barred', 'ids only; says what others may not see');

-- Who belongs together, such as the team that treats somebody.
create table store.circle_member (
  circle uuid not null,
  person uuid not null,
  primary key (circle, person)
);
create index on store.circle_member (person);
select store.unprotected('store.circle_member', 'ids only');

-- Who sees a patient all the same: a person or a circle, for a time. With `widens`, of every branch.
create table store.admitted (
  source uuid not null,
  patient uuid not null,
  holder uuid not null,
  widens boolean not null default false,
  until timestamptz not null default 'infinity',
  primary key (source, patient, holder)
);
create index on store.admitted (patient, holder);
create index on store.admitted (holder);
select store.unprotected('store.admitted', 'ids and times only');

-- Whose content of a branch is for those who act there alone.
create table store.kept_apart (
  source uuid primary key,
  patient uuid not null,
  until timestamptz not null default 'infinity'
);
select store.unprotected('store.kept_apart', 'ids only');

-- Whose content of every branch is seen by those who act at this one.
create table store.shared_with (
  source uuid not null,
  patient uuid not null,
  acts_at uuid not null,
  until timestamptz not null default 'infinity',
  primary key (source, acts_at)
);
create index on store.shared_with (acts_at);
select store.unprotected('store.shared_with', 'ids and times only');

create function store.person() returns uuid language sql stable parallel safe
  as $$ select nullif(current_setting('carespine.person', true), '')::uuid $$;

create function store.acts() returns uuid language sql stable parallel safe
  as $$ select nullif(current_setting('carespine.acts', true), '')::uuid $$;

-- What bars one person is lifted for nobody: their own record, that of their family.
create function store.hidden_patients() returns setof uuid language sql stable parallel safe as $$
  select b.patient from store.barred b where b.person = store.person()
  union all
  select b.patient from store.barred b
  where b.person = '00000000-0000-0000-0000-000000000000' and not exists (
    select from store.admitted a where a.patient = b.patient and a.until > now() and (a.holder = store.person() or a.holder in
      (select m.circle from store.circle_member m where m.person = store.person())))
$$;

create function store.widened_patients() returns setof uuid language sql stable parallel safe as $$
  select s.patient from store.shared_with s where s.acts_at = store.acts() and s.until > now()
  union all
  select a.patient from store.admitted a where a.holder = store.person() and a.widens and a.until > now()
$$;

create function store.patients_apart() returns setof uuid language sql stable parallel safe as $$
  select patient from store.kept_apart where until > now() except select store.widened_patients()
$$;

-- Puts a table with columns for the patient and the branch under these rules. `guarded` only takes away, in reads and in
-- writes; `widened` only adds, and to reads alone.
create function store.guard(guarded_table regclass, patient_column name default 'patient') returns void language plpgsql as $$
declare
  guarded text := format('%1$I is null or (%1$I not in (select store.hidden_patients()) and '
    '(branch in (''00000000-0000-0000-0000-000000000000'', (select store.acts())) or %1$I not in (select store.patients_apart())))', patient_column);
  widened text := format('%1$I is not null and %1$I in (select store.widened_patients()) '
    'and ((select store.patient_scope()) is null or %1$I = (select store.patient_scope()))', patient_column);
begin
  execute format('create policy guarded on %s as restrictive to carespine_guarded using (%s) with check (%s)', guarded_table, guarded, guarded);
  execute format('create policy widened on %s for select to carespine_guarded using (%s)', guarded_table, widened);
end $$;

do $$
declare
  name text;
begin
  for name in select table_name::text from information_schema.tables where table_schema = 'fhir' order by 1 loop
    perform store.guard(format('fhir.%I', name)::regclass);
  end loop;
end $$;
select store.guard('store.patient_clock');

-- As whom somebody is to be looked at: themselves when something is said of them, else as anybody (person 0); nobody while
-- there is nothing to look at. `widened` where they may meet content of branches that are not theirs.
create function store.standing(who uuid, acts_at uuid, out person uuid, out widened boolean) language sql stable as $$
  select case
      when exists (select from store.barred b where b.person = who) or exists (select from store.admitted a where a.holder = who and a.until > now())
        or exists (select from store.circle_member m where m.person = who) then who
      when exists (select from store.barred) or exists (select from store.kept_apart) or exists (select from store.shared_with s where s.acts_at = standing.acts_at)
        then '00000000-0000-0000-0000-000000000000'::uuid
    end,
    exists (select from store.shared_with s where s.acts_at = standing.acts_at and s.until > now())
      or exists (select from store.admitted a where a.holder = who and a.widens and a.until > now())
$$;
grant execute on all functions in schema store to carespine_app;
