-- What was sold each day (UTC) into each country; guests' country is not known.
SELECT
    placed_at::DATE AS day,
    coalesce(country, '??') AS country,
    count(DISTINCT order_id) AS orders,
    sum(quantity)::BIGINT AS units,
    sum(amount)::DECIMAL(14, 2) AS revenue
FROM order_lines
LEFT JOIN customers USING (customer_id)
GROUP BY ALL
ORDER BY ALL
