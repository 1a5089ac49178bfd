-- Apps, what people allowed them, and what is under way between an app and a person. Nothing that opens anything is kept as
-- it is: codes, refresh tokens and launches are random, and only their hashes are here.
create schema smart;
grant usage on schema smart to carespine_app;

-- What the authorization server knows of a client beside identity.client, which has the same id.
create table smart.app (
  client uuid primary key,
  name text not null,
  name_arabic text not null,
  kind text not null check (kind in ('public', 'confidential', 'backend')),
  -- how it shows who it is at /oauth2/token
  auth_method text not null check (auth_method in ('none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt')),
  redirect_uris text[] not null,
  -- where the hospital opens it from a chart; null: it cannot be opened there
  launch_url text,
  -- the most that it may ask for
  scopes text[] not null,
  jwks_uri text,
  jwks jsonb,
  active boolean not null default true,
  created_at timestamptz not null
);
select store.unprotected('smart.app', 'apps are registered for the installation; nothing about people');

-- The chart of a patient, opened for an app by somebody: good for one authorization, for a few minutes.
create table smart.launch (
  hash bytea primary key,
  client uuid not null references smart.app (client),
  user_id uuid not null,
  patient text not null,
  encounter text,
  expires_at timestamptz not null,
  used_at timestamptz
);
select store.unprotected('smart.launch', 'identifiers of one launch each, gone within the hour');

-- What an app asks of somebody who has not decided yet.
create table smart.request (
  hash bytea primary key,
  client uuid not null references smart.app (client),
  -- parameters of the request; sealed
  asked bytea not null,
  expires_at timestamptz not null,
  decided_at timestamptz
);
select store.unprotected('smart.request', 'belongs to nobody before somebody signs in; sealed, gone within the hour');

-- What somebody allowed an app.
create table smart.access (
  id uuid primary key,
  client uuid not null references smart.app (client),
  user_id uuid not null,
  portal text not null,
  -- the sign-in it ends with; null: it stays when the person has left (offline_access)
  session uuid,
  scopes text[] not null,
  patient text,
  encounter text,
  created_at timestamptz not null,
  used_at timestamptz not null,
  expires_at timestamptz not null,
  ended_at timestamptz,
  end_reason text
);
create index access_of_user on smart.access (user_id) where ended_at is null;
select store.unprotected('smart.access', 'a person may work at several branches; identifiers, scopes and times only');

create table smart.code (
  hash bytea primary key,
  access uuid not null references smart.access (id) on delete cascade,
  redirect_uri text not null,
  challenge text not null,
  -- what the id token has to say; sealed
  said bytea not null,
  expires_at timestamptz not null,
  used_at timestamptz
);
select store.unprotected('smart.code', 'hashes of random codes, gone within the hour');

create table smart.refresh_token (
  hash bytea primary key,
  access uuid not null references smart.access (id) on delete cascade,
  expires_at timestamptz not null,
  used_at timestamptz
);
create index refresh_of_access on smart.refresh_token (access);
select store.unprotected('smart.refresh_token', 'hashes of random tokens');

-- Signed assertions of clients that came, so that none comes twice (RFC 7523, section 3, jti).
create table smart.assertion (
  hash bytea primary key,
  expires_at timestamptz not null
);
select store.unprotected('smart.assertion', 'hashes, gone when the assertion has expired');
