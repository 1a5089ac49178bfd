-- Each process keeps what validation needs of profiles and codes. When one stores another, the others are told to look again.
create function store.tell_of_definitions() returns trigger language plpgsql as $$
begin
  perform pg_notify('carespine_definitions', '');
  return null;
end
$$;
create trigger tell_of_definitions after insert or update or delete on fhir.structuredefinition
  for each statement execute function store.tell_of_definitions();
create trigger tell_of_definitions after insert or update or delete on fhir.valueset
  for each statement execute function store.tell_of_definitions();
create trigger tell_of_definitions after insert or update or delete on fhir.codesystem
  for each statement execute function store.tell_of_definitions();
