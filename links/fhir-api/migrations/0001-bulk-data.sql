-- Bulk Data jobs ($export, $import) and their files. What they hold of people is sealed under the key of the branch of
-- who asked; that branch alone sees the rows.
create schema bulk;
grant usage on schema bulk to carespine_app;

create table bulk.job (
  id uuid primary key,
  branch uuid not null,
  kind text not null check (kind in ('export', 'import')),
  owner_kind text not null check (owner_kind in ('user', 'client')),
  owner uuid not null,
  portal text,
  state text not null check (state in ('receiving', 'waiting', 'running', 'complete', 'failed', 'cancelled')),
  -- what was asked and under which permissions; sealed
  asked bytea not null,
  -- how far it is: places in the work, keys of rows
  progress jsonb not null default '{}',
  done bigint not null default 0,
  transaction_time timestamptz,
  -- who works at it: what another one writes afterwards is refused
  runner uuid,
  attempts int not null default 0,
  due_at timestamptz not null,
  error text,
  created_at timestamptz not null,
  ended_at timestamptz,
  expires_at timestamptz
);
create index job_open on bulk.job (created_at) where state in ('receiving', 'waiting', 'running');
create index job_owner on bulk.job (owner);
select store.protect('bulk.job');

create table bulk.file (
  job uuid not null references bulk.job (id) on delete cascade,
  number int not null,
  branch uuid not null,
  kind text not null check (kind in ('output', 'deleted', 'error', 'input')),
  type text not null,
  count bigint not null,
  -- of the lines, before they were compressed
  bytes bigint not null,
  chunks int not null,
  primary key (job, number)
);
select store.protect('bulk.file');

-- Whole lines, compressed, then sealed.
create table bulk.chunk (
  job uuid not null,
  file int not null,
  nth int not null,
  branch uuid not null,
  body bytea not null,
  primary key (job, file, nth),
  foreign key (job, file) references bulk.file (job, number) on delete cascade
);
-- It is compressed before it is sealed; afterwards nothing can be.
alter table bulk.chunk alter column body set storage external;
select store.protect('bulk.chunk');

-- Patients whose data are in the files of an export that is not complete; each becomes one audit entry.
create table bulk.touched (
  job uuid not null references bulk.job (id) on delete cascade,
  patient uuid not null,
  branch uuid not null,
  primary key (job, patient)
);
select store.protect('bulk.touched');
