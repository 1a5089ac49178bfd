-- A control id stands for one message that was accepted. What was refused is kept too, as often as it comes: its sender
-- corrects it and may send it under the same control id.
alter table hl7v2.message drop constraint message_branch_sender_control_id_key;
create unique index message_accepted on hl7v2.message (branch, sender, control_id) where status <> 'rejected';
