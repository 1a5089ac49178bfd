create schema registration;
grant usage on schema registration to carespine_app;

-- Medical record numbers: gaps are fine, repetitions are not.
create sequence registration.mrn_number start 1000001;
grant usage on sequence registration.mrn_number to carespine_app;
