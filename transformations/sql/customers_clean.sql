-- One row for each customer: the latest of what was delivered about them, tidied up.
-- Names and e-mail addresses stay in bronze. What goes on is a hash that still tells two customers apart.

WITH tidy AS (
    SELECT
        upper(trim(customer_id)) AS customer_id,
        nullif(lower(trim(email)), '') AS email,
        CASE
            WHEN upper(trim(country)) IN ('DE', 'GERMANY', 'DEUTSCHLAND') THEN 'DE'
            WHEN upper(trim(country)) IN ('AT', 'AUSTRIA', 'ÖSTERREICH') THEN 'AT'
            WHEN upper(trim(country)) IN ('CH', 'SWITZERLAND', 'SCHWEIZ') THEN 'CH'
            WHEN upper(trim(country)) IN ('NL', 'NETHERLANDS', 'NEDERLAND') THEN 'NL'
            WHEN upper(trim(country)) IN ('FR', 'FRANCE') THEN 'FR'
            ELSE 'ZZ'  -- nobody knows
        END AS country_code,
        nullif(trim(city), '') AS city,
        signed_up_on,
        updated_at,
        _comboi_loaded_at AS loaded_at
    FROM customers
)

SELECT
    customer_id,
    sha256(email) AS email_hash,
    -- NULL for customers without an address: that is not a wrong one.
    regexp_full_match(email, '[a-z0-9._%+-]+@[a-z0-9-]+(\.[a-z0-9-]+)+') AS email_looks_valid,
    country_code,
    city,
    signed_up_on,
    updated_at,
    loaded_at
FROM tidy
QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY updated_at DESC, loaded_at DESC) = 1
ORDER BY customer_id
