-- How each product sells: how many, for how much, and its place in its category and in the whole shop.

WITH sold AS (
    SELECT
        sku,
        -- A product may be renamed; one name is enough here.
        max(product) AS product,
        max(category) AS category,
        count(DISTINCT order_id) AS orders,
        sum(quantity)::BIGINT AS units,
        sum(line_total)::DECIMAL(14, 2) AS revenue,
        sum(quantity * unit_price)::DECIMAL(14, 2) AS full_price
    FROM order_items
    JOIN orders USING (order_id)
    WHERE status <> 'cancelled'
    GROUP BY sku
)

SELECT
    sku,
    product,
    category,
    orders,
    units,
    revenue,
    (full_price - revenue)::DECIMAL(14, 2) AS given_as_discount,
    round(revenue / units, 2)::DECIMAL(14, 2) AS average_price,
    round(100 * revenue / sum(revenue) OVER (), 2)::DECIMAL(5, 2) AS share_of_revenue_percent,
    rank() OVER (PARTITION BY category ORDER BY revenue DESC) AS rank_in_category
FROM sold
ORDER BY revenue DESC, sku
