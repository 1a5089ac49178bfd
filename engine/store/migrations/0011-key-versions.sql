-- Data keys have versions. A new one is stored before it is used, so that every process holds it by then; the one before
-- is kept until nothing is sealed under it any more.
alter table store.branch_key
  -- from when on values are sealed under it
  add column active_at timestamptz not null default '-infinity',
  -- name of the key-encryption key that wraps it
  add column wrapped_by text,
  -- a newer one took its place: what is sealed under it is sealed again
  add column retired_at timestamptz,
  -- the key is gone, the row stays; of every version: the branch cannot be read again
  add column destroyed_at timestamptz;
alter table store.secret add column wrapped_by text;
grant update on store.branch_key, store.secret to carespine_app;

-- Versions of the key under which facts are hashed, from the second on; the first is the secret `index-key`.
create table store.index_key (
  version int primary key check (version > 1),
  wrapped bytea not null,
  wrapped_by text,
  created_at timestamptz not null default now(),
  active_at timestamptz not null,
  destroyed_at timestamptz
);
select store.unprotected('store.index_key', 'keys of the search index, wrapped by the key-encryption key');

-- Of a type that is being indexed again: the oldest version of the index key that its rows may bear.
alter table store.index_state add column index_key int not null default 1;

-- Every process holds the keys in memory, and looks again when it is told.
create function store.tell_of_keys() returns trigger language plpgsql as $$
begin
  perform pg_notify('carespine_keys', '');
  return null;
end
$$;
create trigger tell_of_keys after insert or update or delete on store.branch_key for each statement execute function store.tell_of_keys();
create trigger tell_of_keys after insert or update or delete on store.index_key for each statement execute function store.tell_of_keys();
create trigger tell_of_keys after insert or update or delete on store.secret for each statement execute function store.tell_of_keys();

-- Whether anything was ever stored: a database with records and without keys has lost them, and gets no new ones.
create function store.holds_records() returns boolean language sql stable security definer set search_path = pg_catalog
  as $$ select exists (select from audit.entry) or exists (select from bus.outbox) or exists (select from store.branch_key) $$;
revoke all on function store.holds_records() from public;
grant execute on function store.holds_records() to carespine_app;
