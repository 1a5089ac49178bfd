-- Of what its roles allow, what a client may do; null is all of it.
alter table identity.client add column permissions text[];
