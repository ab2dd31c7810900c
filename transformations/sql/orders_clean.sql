-- One row for each order: its latest state. Orders are delivered twice now and then, and again when they change.

WITH latest AS (
    SELECT
        upper(trim(order_id)) AS order_id,
        upper(trim(customer_id)) AS customer_id,
        placed_at,
        lower(trim(status)) AS status,
        lower(trim(channel)) AS channel,
        shipping,
        ship_to.city AS ship_to_city,
        ship_to.country AS ship_to_country,
        updated_at
    FROM orders
    QUALIFY row_number() OVER (
        PARTITION BY upper(trim(order_id)) ORDER BY updated_at DESC, _comboi_loaded_at DESC
    ) = 1
)

SELECT
    latest.*,
    -- Guests, and numbers that no customer has.
    customers.customer_id IS NOT NULL AS customer_known
FROM latest
LEFT JOIN customers USING (customer_id)
ORDER BY placed_at, order_id
