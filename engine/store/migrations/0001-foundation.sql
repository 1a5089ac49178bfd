-- Row-level security, keys, audit, outbox. The role carespine_app exists before this file runs; it owns nothing,
-- cannot bypass row-level security, and is the only role the server works under.

create schema store;
create schema audit;
create schema bus;
grant usage on schema store, audit, bus to carespine_app;

-- The branches the actor of this statement may see; none unless the server said so.
create function store.branches() returns uuid[] language sql stable parallel safe
  as $$ select coalesce(nullif(current_setting('carespine.branches', true), ''), '{}')::uuid[] $$;

-- The only patient a patient's own log-in may see; null for staff and systems.
create function store.patient_scope() returns uuid language sql stable parallel safe
  as $$ select nullif(current_setting('carespine.patient', true), '')::uuid $$;

-- Puts a table with a column `branch` under row-level security.
create function store.protect(protected_table regclass) returns void language plpgsql as $$
begin
  execute format('alter table %s enable row level security', protected_table);
  execute format(
    'create policy by_branch on %s to carespine_app '
    'using (branch = any ((select store.branches())::uuid[])) '
    'with check (branch = any ((select store.branches())::uuid[]))', protected_table);
  execute format('grant select, insert, update, delete on %s to carespine_app', protected_table);
end $$;

-- Opens a table that belongs to no branch; the reason is kept as the table's comment.
create function store.unprotected(open_table regclass, reason text) returns void language plpgsql as $$
begin
  execute format('comment on table %s is %L', open_table, 'No branch: ' || reason);
  execute format('grant select, insert, update, delete on %s to carespine_app', open_table);
end $$;

-- Stops the statement, and with it the whole unit of work, when fewer rows were found than were expected.
create function store.expect_rows(expected bigint, actual bigint, what text) returns void language plpgsql as $$
begin
  if expected <> actual then
    raise exception '%', what using errcode = 'CS409';
  end if;
end $$;

create table store.branch_key (
  branch uuid not null,
  version int not null,
  wrapped bytea not null,
  created_at timestamptz not null default now(),
  primary key (branch, version)
);
comment on table store.branch_key is 'No branch: data keys, each wrapped by the key-encryption key that the database never sees';
grant select, insert on store.branch_key to carespine_app;

create table store.secret (
  name text primary key,
  wrapped bytea not null,
  created_at timestamptz not null default now()
);
comment on table store.secret is 'No branch: installation secrets, wrapped by the key-encryption key';
grant select, insert on store.secret to carespine_app;

-- One row per patient and branch, moved by every write about the patient: it puts the events of one patient into
-- commit order, and says how new a projection must be.
create table store.patient_clock (
  patient uuid not null,
  branch uuid not null,
  tick bigint not null default 1,
  at timestamptz not null,
  -- resource types that are known of the patient here: reads of everything visit no other tables
  types text[] not null,
  primary key (patient, branch)
) with (fillfactor = 70);
select store.protect('store.patient_clock');

-- Answers of commands by the key their caller chose; the answer is sealed.
create table store.idempotency (
  actor uuid not null,
  key bytea not null,
  action text not null,
  request bytea not null,
  branch uuid not null,
  answer bytea,
  at timestamptz not null default now(),
  primary key (actor, key)
);
create index idempotency_at on store.idempotency (at);
select store.protect('store.idempotency');

create table audit.entry (
  id bigint generated always as identity primary key,
  at timestamptz not null,
  branch uuid not null,
  actor_kind text not null,
  actor uuid not null,
  session text,
  portal text,
  address text,
  action text not null,
  outcome text not null default 'success',
  resource_type text,
  resource uuid,
  version int,
  -- one patient, or several when a list was read
  patient uuid,
  patients uuid[],
  correlation text not null,
  -- why, sealed: it may hold words about a patient
  reason bytea
);
create index entry_patient on audit.entry (patient, at) where patient is not null;
create index entry_at on audit.entry using brin (at);
alter table audit.entry enable row level security;
create policy by_branch on audit.entry to carespine_app
  using (branch = any ((select store.branches())::uuid[]))
  with check (true);
-- Entries are added and read; nobody but the owner of the database can change or remove one.
grant select, insert on audit.entry to carespine_app;

create table bus.outbox (
  sequence bigint generated always as identity primary key,
  id uuid not null unique,
  type text not null,
  at timestamptz not null,
  patient uuid,
  branch uuid not null,
  body bytea not null,
  published_at timestamptz
);
create index outbox_waiting on bus.outbox (sequence) where published_at is null;
select store.unprotected('bus.outbox', 'the relay serves every branch; bodies are encrypted under their branch''s key');

-- What each consumer still has to handle. bus.handled is written with the effect, the row here goes away after it.
create table bus.delivery (
  consumer text not null,
  sequence bigint not null references bus.outbox (sequence),
  key uuid,
  attempts int not null default 0,
  due_at timestamptz not null default now(),
  last_error text,
  primary key (consumer, sequence)
);
create index delivery_due on bus.delivery (due_at);
select store.unprotected('bus.delivery', 'positions of consumers; holds no content');

create table bus.handled (
  consumer text not null,
  event_id uuid not null,
  at timestamptz not null default now(),
  primary key (consumer, event_id)
);
select store.unprotected('bus.handled', 'identifiers only');

create table bus.dead_letter (
  id bigint generated always as identity primary key,
  consumer text not null,
  event_id uuid not null,
  sequence bigint not null references bus.outbox (sequence),
  type text not null,
  branch uuid not null,
  key uuid,
  attempts int not null,
  error text not null,
  at timestamptz not null default now(),
  replayed_at timestamptz
);
create index dead_letter_waiting on bus.dead_letter (consumer, key) where replayed_at is null;
select store.unprotected('bus.dead_letter', 'identifiers and error codes only');

create table bus.job (
  name text primary key,
  ran_at timestamptz not null
);
select store.unprotected('bus.job', 'when each scheduled job last ran');
