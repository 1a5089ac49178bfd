-- An id belongs to its branch: what one branch calls its resources tells another nothing, and takes no place from it.
-- Ids were one of a kind until here, so the wider keys hold for every row there is.
-- History of a type and of the system goes through versions in the order of their times.
do $$
declare
  name text;
begin
  for name in
    select table_name::text from information_schema.tables
    where table_schema = 'fhir' and right(table_name, 8) = '_history' order by 1
  loop
    execute format('alter table fhir.%I drop constraint %I, add primary key (id, branch)', left(name, -8), left(name, -8) || '_pkey');
    execute format('alter table fhir.%I drop constraint %I, add primary key (id, branch, version)', name, name || '_pkey');
    execute format('create index on fhir.%I (updated desc, id, version desc)', name);
  end loop;
end $$;
