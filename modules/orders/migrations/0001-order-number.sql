create schema orders;
grant usage on schema orders to carespine_app;

create sequence orders.order_number start 100001;
grant usage on sequence orders.order_number to carespine_app;
