create schema lab;
grant usage on schema lab to carespine_app;

create sequence lab.accession_number start 10001;
grant usage on sequence lab.accession_number to carespine_app;

-- Results that came from outside, by the reference their sender gave: the same one again changes nothing.
create table lab.received (
  branch uuid not null,
  source bytea not null,
  order_id text not null,
  report_id text not null,
  patient_id text not null,
  critical boolean not null,
  at timestamptz not null,
  primary key (branch, source)
);
select store.protect('lab.received');

-- Who has seen which report.
create table lab.viewed (
  branch uuid not null,
  report_id text not null,
  viewer uuid not null,
  at timestamptz not null,
  primary key (branch, report_id, viewer)
);
select store.protect('lab.viewed');
