-- Whose content went in may change while the clocks stand: a consent ends, an emergency is over. The branches whose clocks
-- were seen tell.
alter table chart.projection add column seen text not null default '';
select store.guard('chart.projection');
