-- Open alerts are few, all alerts are many: the metrics page counts the open ones at every look.
create index alert_open on notifications.alert (created_at) where requires_acknowledgment and acknowledged_at is null;
