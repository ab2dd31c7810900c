-- What was sold, line by line. Cancelled orders are not sold.
SELECT
    order_id,
    line_no,
    customer_id,
    placed_at,
    category,
    quantity,
    (quantity * unit_price)::DECIMAL(12, 2) AS amount
FROM order_items
JOIN orders USING (order_id)
JOIN products USING (sku)
WHERE status <> 'cancelled'
