create schema documents;
grant usage on schema documents to carespine_app;

-- Versions of notes that were read and were not what had been signed. Ids only.
create table documents.damage (
  branch uuid not null,
  note text not null,
  version text not null,
  found_at timestamptz not null,
  told_at timestamptz,
  primary key (branch, note, version)
);
create index damage_untold on documents.damage (found_at) where told_at is null;
select store.protect('documents.damage');
