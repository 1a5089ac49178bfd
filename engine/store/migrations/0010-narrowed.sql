-- Whoever acts through an app sees no more than the app was granted. Statements of such an actor run under the role
-- carespine_narrowed, which is all that carespine_app is, less what these restrictive policies take away: for a resource
-- type, rows that carry one of some facts, or that are filed under one patient or none. Nobody else meets the policies.
-- What is granted stands in a setting, as {"observation": {"facts": ["…"], "patient": "…"}}; `*` is for types not named.
create function store.narrowing(resource_type text) returns jsonb language sql stable parallel safe
  as $$ select coalesce(given -> resource_type, given -> '*') from
    (select coalesce(nullif(current_setting('carespine.narrowing', true), ''), '{"*": {"facts": []}}')::jsonb as given) setting $$;

-- Facts of which a row must carry one; null when the type is not narrowed by any.
create function store.narrowed_facts(resource_type text) returns int8[] language sql stable parallel safe
  as $$ select case when one ? 'facts' then array(select jsonb_array_elements_text(one -> 'facts')::int8) end
    from (select store.narrowing(resource_type) as one) type $$;

create function store.narrowed_patient(resource_type text) returns uuid language sql stable parallel safe
  as $$ select (store.narrowing(resource_type) ->> 'patient')::uuid $$;

do $$
declare
  name text;
  of_patient text;
begin
  for name in
    select left(table_name::text, -8) from information_schema.tables
    where table_schema = 'fhir' and right(table_name, 8) = '_history' order by 1
  loop
    of_patient := format('case when (select store.narrowed_patient(%1$L)) is null then true '
      'else patient is null or patient = (select store.narrowed_patient(%1$L)) end', name);
    execute format('create policy narrowed on fhir.%1$I as restrictive to carespine_narrowed using (%2$s and '
      'case when (select store.narrowed_facts(%1$L)) is null then true else facts && (select store.narrowed_facts(%1$L)) end)', name, of_patient);
    -- A superseded version has no facts: of what is narrowed by facts it is not shown.
    execute format('create policy narrowed on fhir.%I as restrictive for select to carespine_narrowed using (%s and '
      '(select store.narrowed_facts(%L)) is null)', name || '_history', of_patient, name);
  end loop;
end $$;
