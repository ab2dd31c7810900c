-- One row for each customer, with an address that can be compared.
SELECT customer_id, name, lower(email) AS email, country
FROM customers
