-- The newest time that somebody took a whole reading of the record at, such as a bulk export. A unit of work that began
-- at or before it and has not stored by then runs again, with a later time: whoever asks for what changed after the
-- reading finds it.
create table store.read_mark (
  one boolean primary key default true check (one),
  at timestamptz not null
);
select store.unprotected('store.read_mark', 'one time of the whole installation');
