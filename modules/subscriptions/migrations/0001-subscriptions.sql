create schema subscriptions;
grant usage on schema subscriptions to carespine_app;

-- What the delivery needs of each Subscription. Its resource says the same, and how it stands, to who may read it.
create table subscriptions.subscription (
  row uuid primary key,
  -- id, as a key, and branch of the resource
  key uuid not null,
  branch uuid not null,
  owner_kind text not null check (owner_kind in ('user', 'client')),
  owner uuid not null,
  portal text,
  status text not null check (status in ('requested', 'active', 'error', 'off')),
  topic text not null,
  channel text not null check (channel in ('rest-hook', 'websocket', 'email')),
  -- resource types whose changes may concern it
  types text[] not null,
  -- endpoint, headers, filters, signing secret, id of the resource; sealed
  settings bytea not null,
  heartbeat_seconds int,
  ends_at timestamptz,
  last_number bigint not null default 0,
  dead_in_a_row int not null default 0,
  sent_at timestamptz,
  last_error text,
  unique (key, branch)
);
select store.unprotected('subscriptions.subscription', 'one event may concern subscribers of several branches; what they may see is checked for each; settings are sealed');

-- The ledger: every event of a subscription, in order, and what became of it.
create table subscriptions.event (
  subscription uuid not null references subscriptions.subscription (row) on delete cascade,
  number bigint not null,
  at timestamptz not null,
  -- branch, type, id and version of what changed; sealed: an id may be somebody's record number
  branch uuid not null,
  focus bytea not null,
  state text not null default 'waiting' check (state in ('waiting', 'delivered', 'withheld', 'dead')),
  attempts int not null default 0,
  due_at timestamptz not null,
  ended_at timestamptz,
  last_error text,
  primary key (subscription, number)
);
create index event_waiting on subscriptions.event (subscription, number) where state = 'waiting';
create index event_at on subscriptions.event using brin (at);
select store.unprotected('subscriptions.event', 'delivered to subscribers of several branches; what an event is about is sealed');

-- Tokens with which a websocket is bound; each works once.
create table subscriptions.binding (
  token_hash bytea primary key,
  subscription uuid not null references subscriptions.subscription (row) on delete cascade,
  owner uuid not null,
  expires_at timestamptz not null
);
select store.unprotected('subscriptions.binding', 'hashes of tokens');

-- Every process keeps the types that somebody follows; whoever delivers is woken.
create function subscriptions.tell() returns trigger language plpgsql as $$
begin
  perform pg_notify('carespine_subscriptions', tg_argv[0]);
  return null;
end
$$;
create trigger tell_of_subscription after insert or delete or update of status, types on subscriptions.subscription
  for each statement execute function subscriptions.tell('subscription');
create trigger tell_of_event after insert or update of due_at on subscriptions.event
  for each statement execute function subscriptions.tell('event');
