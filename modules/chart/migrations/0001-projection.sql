create schema chart;
grant usage on schema chart to carespine_app;

-- A patient's chart as the holders of one set of branches see it, made from the record and thrown away at will.
-- `tick` is the sum of the patient's clocks that it was made from.
create table chart.projection (
  patient uuid not null,
  scope bytea not null,
  branch uuid not null,
  tick bigint not null,
  as_of timestamptz not null,
  built_at timestamptz not null,
  body bytea not null,
  primary key (patient, scope)
);
select store.protect('chart.projection');
