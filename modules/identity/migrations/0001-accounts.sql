create schema identity;
grant usage on schema identity to carespine_app;

create table identity.branch (
  id uuid primary key,
  code text not null unique,
  name text not null,
  name_arabic text not null,
  time_zone text not null,
  -- of the insert, not of its transaction: the first branch stays the first
  created_at timestamptz not null default clock_timestamp()
);
select store.unprotected('identity.branch', 'the list of branches itself');

-- E-mail addresses and names are sealed; `email_hash` is their keyed hash, for sign-in.
create table identity.user_account (
  id uuid primary key,
  email_hash bigint not null unique,
  email bytea not null,
  display bytea not null,
  password text not null,
  roles text[] not null,
  branches uuid[] not null,
  branch uuid not null references identity.branch (id),
  practitioner text,
  patient text,
  locale text not null default 'en',
  active boolean not null default true,
  created_at timestamptz not null default now()
);
create index user_practitioner on identity.user_account (practitioner) where practitioner is not null;
select store.unprotected('identity.user_account', 'a user may work at several branches; names and addresses are sealed');

create table identity.client (
  id uuid primary key,
  display text not null,
  secret_hash bytea not null,
  roles text[] not null,
  branches uuid[],
  branch uuid references identity.branch (id),
  active boolean not null default true,
  created_at timestamptz not null default now()
);
select store.unprotected('identity.client', 'a client may serve every branch');

create table identity.session (
  id uuid primary key,
  user_id uuid not null references identity.user_account (id),
  portal text not null,
  started_at timestamptz not null,
  ended_at timestamptz,
  end_reason text
);
create index sign_in_session_user on identity.session (user_id) where ended_at is null;
select store.unprotected('identity.session', 'identifiers and times only');

create table identity.refresh_token (
  hash bytea primary key,
  session uuid not null references identity.session (id),
  expires_at timestamptz not null,
  used_at timestamptz,
  successor bytea
);
create index refresh_token_expiry on identity.refresh_token (expires_at);
select store.unprotected('identity.refresh_token', 'hashes of random tokens');

-- Failed sign-ins by keyed hash of the address or of the e-mail, for the growing delay.
create table identity.failure (
  key bigint primary key,
  count int not null,
  last_at timestamptz not null
);
select store.unprotected('identity.failure', 'keyed hashes and counts');

create table identity.setup_link (
  hash bytea primary key,
  expires_at timestamptz not null,
  used_at timestamptz
);
select store.unprotected('identity.setup_link', 'hash of a random token');
