create schema terminology;
grant usage on schema terminology to carespine_app;

-- A client's closure table (R4 ConceptMap-closure): which of its codes take in which others.
create table terminology.closure (
  id uuid primary key,
  branch uuid not null,
  owner uuid not null,
  name text not null,
  -- grows with every request that adds codes
  version int not null default 0,
  unique (branch, owner, name)
);
select store.protect('terminology.closure');

-- What stands for a code is below: nothing here says whose code it is.
create table terminology.closure_concept (
  closure uuid not null references terminology.closure (id) on delete cascade,
  branch uuid not null,
  system text not null,
  code text not null,
  version int not null,
  primary key (closure, system, code)
);
select store.protect('terminology.closure_concept');

create table terminology.closure_entry (
  closure uuid not null references terminology.closure (id) on delete cascade,
  branch uuid not null,
  system text not null,
  code text not null,
  target text not null,
  equivalence text not null,
  version int not null,
  primary key (closure, system, code, target)
);
create index closure_entry_version on terminology.closure_entry (closure, version);
select store.protect('terminology.closure_entry');
