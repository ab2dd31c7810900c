-- One row for each booking. The amount is positive for payments and for refunds; `kind` tells which.

SELECT
    payment_id,
    upper(trim(order_id)) AS order_id,
    booked_at,
    lower(trim(kind)) AS kind,
    lower(trim(method)) AS method,
    amount
FROM payments
QUALIFY row_number() OVER (PARTITION BY payment_id ORDER BY booked_at DESC) = 1
ORDER BY payment_id
