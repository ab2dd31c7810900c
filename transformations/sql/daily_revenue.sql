-- What the shop earned each day, in euros. Orders count on the day they were placed, refunds on the day they were booked;
-- cancelled orders don't count. Days are those of UTC.

WITH goods AS (
    SELECT order_id, sum(line_total) AS goods, sum(quantity) AS units
    FROM order_items
    GROUP BY order_id
),

sold AS (
    SELECT
        placed_at::DATE AS day,
        count(*) AS orders,
        count(DISTINCT customer_id) AS customers,
        sum(units) AS units,
        sum(goods) AS goods,
        sum(shipping) AS shipping
    FROM orders
    LEFT JOIN goods USING (order_id)
    WHERE status <> 'cancelled'
    GROUP BY day
),

refunded AS (
    SELECT booked_at::DATE AS day, sum(amount) AS refunds
    FROM payments
    WHERE kind = 'refund'
    GROUP BY day
),

daily AS (
    SELECT
        day,
        coalesce(orders, 0) AS orders,
        coalesce(customers, 0) AS customers,
        coalesce(units, 0)::BIGINT AS units,
        coalesce(goods, 0)::DECIMAL(14, 2) AS goods,
        coalesce(shipping, 0)::DECIMAL(14, 2) AS shipping,
        coalesce(refunds, 0)::DECIMAL(14, 2) AS refunds
    FROM sold
    FULL JOIN refunded USING (day)
)

SELECT
    *,
    (goods + shipping - refunds)::DECIMAL(14, 2) AS net_revenue,
    round((goods + shipping) / nullif(orders, 0), 2)::DECIMAL(14, 2) AS average_order,
    -- The week that ends on this day, so that weekends don't hide the trend.
    round(avg(goods + shipping - refunds) OVER (
        ORDER BY day RANGE BETWEEN INTERVAL 6 DAY PRECEDING AND CURRENT ROW
    ), 2)::DECIMAL(14, 2) AS net_revenue_week_average
FROM daily
ORDER BY day
