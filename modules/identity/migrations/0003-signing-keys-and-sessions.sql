-- Keys that sign access tokens; the newest that has no end signs. The private part is sealed, and goes with its row.
create table identity.signing_key (
  kid text primary key,
  public text not null,
  private bytea not null,
  made_at timestamptz not null,
  -- from then on its tokens are refused
  ends_at timestamptz
);
select store.unprotected('identity.signing_key', 'keys of the whole installation; the private part is sealed');
delete from store.secret where name = 'token-signing-key';

alter table identity.session add column active_at timestamptz;
update identity.session set active_at = started_at;
alter table identity.session alter column active_at set not null;
alter table identity.session add column device text not null default '';
alter table identity.session add column address text not null default '';
create index sign_in_session_ended on identity.session (ended_at) where ended_at is not null;
create index refresh_token_session on identity.refresh_token (session);
