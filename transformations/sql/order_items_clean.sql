-- One row for each line of an order, with what it comes to.

SELECT
    upper(trim(order_id)) AS order_id,
    line_no,
    sku,
    product,
    upper(category[1]) || lower(category[2:]) AS category,
    quantity,
    unit_price,
    discount_percent,
    -- Times 0.01, because dividing would leave the exact decimals.
    round(quantity * unit_price * (100 - discount_percent) * 0.01, 2)::DECIMAL(12, 2) AS line_total
FROM order_items
QUALIFY row_number() OVER (
    PARTITION BY upper(trim(order_id)), line_no ORDER BY _comboi_loaded_at DESC
) = 1
ORDER BY order_id, line_no
