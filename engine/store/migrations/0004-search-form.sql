-- What the second form of the search index needs: a bit for each parameter that has a value, and ranges of dates.
-- The index on the main date serves ranges and order over all patients; what takes longer than two days is found by
-- its end, so that a range needs to look back no further than that.
do $$
declare
  name text;
  main text;
begin
  for name in
    select left(table_name::text, -8) from information_schema.tables
    where table_schema = 'fhir' and right(table_name, 8) = '_history' order by 1
  loop
    execute format('alter table fhir.%I add column present int8', name);
    -- The date that the index within a patient is ordered by.
    select substring(i.indexdef from '\(patient, (\w+)_lo DESC NULLS LAST') into main
      from pg_indexes i where i.schemaname = 'fhir' and i.tablename = name and i.indexdef like '%(patient, %_lo DESC%' limit 1;
    if main is not null then
      execute format('create index on fhir.%I (%I desc nulls last, id)', name, main || '_lo');
      execute format('create index on fhir.%I (%I) where %I - %I > interval ''2 days''', name, main || '_hi', main || '_hi', main || '_lo');
    end if;
  end loop;
end $$;

-- How far the rows of each type follow the index that the server writes. A type without a row here follows it.
create table store.index_state (
  type text primary key,
  -- form of the index that every row has at least
  form int not null,
  -- what is being indexed again, and how far: rows are taken in the order of their keys
  wanted_at timestamptz,
  after_id uuid,
  after_branch uuid,
  done bigint not null default 0,
  total bigint not null default 0
);
select store.unprotected('store.index_state', 'progress of the search index; numbers and keys only');

do $$
declare
  name text;
  filled boolean;
begin
  for name in
    select left(table_name::text, -8) from information_schema.tables
    where table_schema = 'fhir' and right(table_name, 8) = '_history' order by 1
  loop
    execute format('select exists (select from fhir.%I)', name) into filled;
    if filled then
      insert into store.index_state (type, form, wanted_at) values (name, 1, now());
    end if;
  end loop;
end $$;
