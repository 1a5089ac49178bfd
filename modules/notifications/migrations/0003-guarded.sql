-- An alert shows of a patient what the record would.
select store.guard('notifications.alert', 'patient_key');
