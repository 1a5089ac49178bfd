-- Who decides on the absence of something, such as a patient with a certain number, claims it: of those that did so at
-- once, the first to commit moves the tick, and the others find that it moved. A row that is older than any unit of work
-- may go.
create table store.claim (
  -- keyed hash of what was claimed
  key int8 primary key,
  tick int not null,
  at timestamptz not null default now()
);
create index claim_at on store.claim (at);
select store.unprotected('store.claim', 'keyed hashes, of which nothing can be read');
