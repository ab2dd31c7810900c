-- What each customer is to the shop: how much, how often, what they like, and which kind of customer that makes them.

WITH lines AS (
    SELECT customer_id, order_id, category, line_total
    FROM orders
    JOIN order_items USING (order_id)
    WHERE status <> 'cancelled' AND customer_known
),

goods AS (
    SELECT order_id, sum(line_total) AS goods
    FROM lines
    GROUP BY order_id
),

bought AS (
    SELECT
        customer_id,
        count(*) AS orders,
        sum(coalesce(goods, 0) + shipping) AS revenue,
        min(placed_at)::DATE AS first_order_on,
        max(placed_at)::DATE AS last_order_on
    FROM orders
    LEFT JOIN goods USING (order_id)
    WHERE status <> 'cancelled' AND customer_known
    GROUP BY customer_id
),

favourite AS (
    SELECT customer_id, category
    FROM lines
    GROUP BY customer_id, category
    QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY sum(line_total) DESC, category) = 1
)

SELECT
    customers.customer_id,
    customers.country_code,
    coalesce(bought.orders, 0) AS orders,
    coalesce(bought.revenue, 0)::DECIMAL(14, 2) AS revenue,
    round(bought.revenue / bought.orders, 2)::DECIMAL(14, 2) AS average_order,
    bought.first_order_on,
    bought.last_order_on,
    favourite.category AS favourite_category,
    CASE
        WHEN bought.orders IS NULL THEN 'never bought'
        WHEN bought.orders = 1 THEN 'once'
        WHEN bought.orders < 5 THEN 'returning'
        ELSE 'loyal'
    END AS segment
FROM customers
LEFT JOIN bought USING (customer_id)
LEFT JOIN favourite USING (customer_id)
ORDER BY revenue DESC, customers.customer_id
