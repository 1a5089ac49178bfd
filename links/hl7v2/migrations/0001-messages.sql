create schema hl7v2;
grant usage on schema hl7v2 to carespine_app;

-- Every message as it came, sealed, with the answer it got.
create table hl7v2.message (
  id uuid primary key,
  branch uuid not null,
  sender text not null,
  control_id text not null,
  type text not null,
  received_at timestamptz not null,
  status text not null check (status in ('received', 'applied', 'unmatched', 'rejected', 'discarded')),
  reason text,
  applied_at timestamptz,
  raw bytea not null,
  answer bytea not null,
  -- what a person decided when it did not match: patient, order, codes; sealed
  resolution bytea,
  unique (branch, sender, control_id)
);
create index message_unmatched on hl7v2.message (branch, received_at) where status = 'unmatched';
select store.protect('hl7v2.message');

-- Codes of senders that mean a LOINC of ours.
create table hl7v2.code_map (
  branch uuid not null,
  sender text not null,
  code text not null,
  loinc text not null,
  primary key (branch, sender, code)
);
select store.protect('hl7v2.code_map');
