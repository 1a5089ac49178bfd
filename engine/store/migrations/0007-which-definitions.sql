-- Which kind changed, so that the others need not look everything up again.
create or replace function store.tell_of_definitions() returns trigger language plpgsql as $$
begin
  perform pg_notify('carespine_definitions', tg_table_name);
  return null;
end
$$;
