-- The app that made it, its grant and scopes: it is told no more than they let through, and nothing when they have ended.
alter table subscriptions.subscription add column app jsonb;
