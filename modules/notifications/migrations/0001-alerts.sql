create schema notifications;
grant usage on schema notifications to carespine_app;

create table notifications.alert (
  id uuid primary key,
  branch uuid not null,
  type text not null,
  priority text not null,
  patient text,
  patient_key uuid,
  report text,
  content bytea not null,
  requires_acknowledgment boolean not null,
  created_at timestamptz not null,
  acknowledged_at timestamptz,
  acknowledged_by uuid,
  acknowledged_name bytea,
  note bytea,
  escalation int not null default 0,
  escalate_at timestamptz
);
create index alert_escalation on notifications.alert (escalate_at) where acknowledged_at is null and escalate_at is not null;
create index alert_report on notifications.alert (report) where report is not null;
select store.protect('notifications.alert');

create table notifications.addressee (
  alert uuid not null references notifications.alert (id),
  user_id uuid not null,
  branch uuid not null,
  created_at timestamptz not null,
  read_at timestamptz,
  primary key (user_id, created_at, alert)
);
create index addressee_alert on notifications.addressee (alert);
select store.protect('notifications.addressee');
