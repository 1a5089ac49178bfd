-- The key of a resource also tells whether it is deleted and whose it is. Counting, and asking whether another branch has
-- a resource of the same id, read the key alone and not the rows, of which six fill a page.
do $$
declare
  name text;
begin
  for name in
    select left(table_name::text, -8) from information_schema.tables
    where table_schema = 'fhir' and right(table_name, 8) = '_history' order by 1
  loop
    execute format('alter table fhir.%I drop constraint %I, add primary key (id, branch) include (deleted, patient)', name, name || '_pkey');
  end loop;
end $$;
