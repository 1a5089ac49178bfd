-- Search parameters that were added to the installation, as compiled from its SearchParameter resources, for each
-- resource type that they search. Reconciled and indexed in the background (index-again.ts).
create table store.search_parameter (
  type text not null,
  code text not null,
  url text not null,
  -- null when it cannot be used; then the problem says why
  definition jsonb,
  problem text,
  wanted_at timestamptz not null default now(),
  -- since when every resource of the type is indexed by it
  ready_at timestamptz,
  primary key (type, code)
);
select store.unprotected('store.search_parameter', 'definitions of search parameters; nothing about patients');
