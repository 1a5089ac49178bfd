create table identity.totp (
  user_id uuid primary key references identity.user_account (id),
  secret bytea not null,
  added_at timestamptz not null,
  confirmed_at timestamptz,
  -- of the last code that was taken, so that none is taken twice (RFC 6238, section 5.2)
  last_step bigint not null default 0
);
select store.unprotected('identity.totp', 'belongs to an account, not to a branch; the secret is sealed');

create table identity.passkey (
  id text primary key,
  user_id uuid not null references identity.user_account (id),
  public_key bytea not null,
  counter bigint not null,
  transports text[] not null,
  name bytea not null,
  added_at timestamptz not null,
  used_at timestamptz
);
create index passkey_user on identity.passkey (user_id);
select store.unprotected('identity.passkey', 'public keys of accounts, which work at several branches; names are sealed');

create table identity.recovery_code (
  hash bytea primary key,
  user_id uuid not null references identity.user_account (id),
  used_at timestamptz
);
create index recovery_code_user on identity.recovery_code (user_id);
select store.unprotected('identity.recovery_code', 'hashes of random codes');

-- The password fitted, the second step is awaited. The token behind the hash opens nothing else.
create table identity.pending_step (
  hash bytea primary key,
  user_id uuid not null references identity.user_account (id),
  portal text not null,
  expires_at timestamptz not null,
  failures int not null default 0
);
select store.unprotected('identity.pending_step', 'hashes of random tokens');

-- What a passkey was asked to sign; each is answered once.
create table identity.challenge (
  hash bytea primary key,
  purpose text not null,
  user_id uuid,
  expires_at timestamptz not null
);
select store.unprotected('identity.challenge', 'hashes of random numbers');

create table identity.factor_policy (
  role text primary key,
  days int not null,
  since timestamptz not null
);
select store.unprotected('identity.factor_policy', 'rules of the whole installation');
alter table identity.user_account add column factors_reset_at timestamptz;

-- How somebody showed who they are when the session began, and when they last did since.
alter table identity.session add column proof text not null default 'password';
alter table identity.session add column proven_at timestamptz;

create table identity.ward_computer (
  id uuid primary key,
  branch uuid not null references identity.branch (id),
  name text not null,
  secret_hash bytea not null unique,
  enrolled_by uuid not null,
  enrolled_at timestamptz not null,
  used_at timestamptz,
  revoked_at timestamptz
);
select store.unprotected('identity.ward_computer', 'places and hashes of random secrets; asked before anybody is signed in');
alter table identity.session add column ward_computer uuid references identity.ward_computer (id);
create index session_ward_computer on identity.session (ward_computer) where ward_computer is not null and ended_at is null;

-- A PIN of four digits is soon guessed from its hash: the hash is sealed.
create table identity.pin (
  user_id uuid primary key references identity.user_account (id),
  hash bytea not null,
  set_at timestamptz not null,
  failures int not null default 0,
  -- a full sign-in opens it for a shift
  open_until timestamptz
);
select store.unprotected('identity.pin', 'belongs to an account, not to a branch; hashes are sealed');

create table identity.badge (
  code bigint primary key,
  user_id uuid not null unique references identity.user_account (id),
  added_at timestamptz not null
);
select store.unprotected('identity.badge', 'keyed hashes of what a badge says');
