-- Under which number of its own a sender reported on an order that it does not know by ours: what it corrects later
-- comes under the same one. Keyed hashes of sender, number and panel.
create table lab.filler_number (
  branch uuid not null,
  number text not null,
  order_id text not null,
  primary key (branch, number)
);
select store.protect('lab.filler_number');
