-- Rules about single patients, and why each of them is. What they do is in store.barred, store.admitted, store.kept_apart and
-- store.shared_with, where the policies of the record look.
create schema access;
grant usage on schema access to carespine_app;

create table access.team (
  id uuid primary key,
  name text not null,
  name_arabic text not null
);
select store.unprotected('access.team', 'teams of people who work here; nothing about a patient');

create table access.restriction (
  id uuid primary key,
  kind text not null check (kind in ('vip', 'own', 'family')),
  patient uuid not null,
  -- patient's id and record number, sealed: who keeps the rule need not see the patient
  about bytea not null,
  -- of whom an own or a family's record is hidden
  person uuid,
  teams uuid[] not null,
  people uuid[] not null,
  reason bytea not null,
  author uuid not null,
  author_name bytea not null,
  at timestamptz not null,
  lifted_at timestamptz,
  lifted_by uuid,
  lifted_why bytea
);
create index restriction_standing on access.restriction (patient) where lifted_at is null;
select store.unprotected('access.restriction', 'a rule holds in every branch; what it says of a patient is sealed');

create table access.glass (
  id uuid primary key,
  branch uuid not null,
  person uuid not null,
  person_name bytea not null,
  patient uuid not null,
  about bytea not null,
  reason text not null,
  words bytea not null,
  broken_at timestamptz not null,
  until timestamptz not null,
  ended_at timestamptz,
  verdict text check (verdict in ('justified', 'not-justified')),
  reviewer uuid,
  reviewer_name bytea,
  reviewed_at timestamptz,
  comment bytea
);
create index glass_of_person on access.glass (person, until) where ended_at is null;
create index glass_open on access.glass (broken_at desc, id);
select store.protect('access.glass');
