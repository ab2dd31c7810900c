-- A small shop's database: a thousand customers, and what they ordered in the last ninety days.
--
--   createdb shop && psql --dbname shop --file examples/postgres/shop.sql
--
-- Then `CALL shop.trade(25)` is a busy minute: 25 new orders, and some older ones move on.

BEGIN;

CREATE SCHEMA shop;

CREATE TABLE shop.customers (
    customer_id integer PRIMARY KEY,
    name text NOT NULL,
    email text,
    country char(2) NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE shop.products (
    sku text PRIMARY KEY,
    name text NOT NULL,
    category text NOT NULL,
    price numeric(10, 2) NOT NULL
);

CREATE TABLE shop.orders (
    order_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id integer REFERENCES shop.customers, -- NULL for guests
    status text NOT NULL DEFAULT 'placed' CHECK (status IN ('placed', 'shipped', 'delivered', 'cancelled')),
    shipping numeric(10, 2) NOT NULL,
    placed_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE shop.order_items (
    order_id bigint NOT NULL REFERENCES shop.orders,
    line_no smallint NOT NULL,
    sku text NOT NULL REFERENCES shop.products,
    quantity integer NOT NULL CHECK (quantity > 0),
    unit_price numeric(10, 2) NOT NULL,
    added_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (order_id, line_no)
);

-- comboi reads by these columns, a little at a time.
CREATE INDEX ON shop.customers (updated_at);
CREATE INDEX ON shop.orders (updated_at);
CREATE INDEX ON shop.order_items (added_at);

INSERT INTO shop.products
SELECT 'P-' || lpad(n::text, 3, '0'), things[1 + n % 10] || ' no. ' || n, categories[1 + n % 3], 2.90 + n * 1.37
FROM generate_series(1, 60) AS n,
    (VALUES ('{Espresso beans,Green tea,Moka pot,Hand grinder,Travel mug,Tea bowl,Honey,Biscotti,Scale,Kettle}'::text[],
        '{Groceries,Kitchen,Cups}'::text[])) AS lists (things, categories);

INSERT INTO shop.customers
SELECT n, firsts[1 + n % 12] || ' ' || lasts[1 + n / 12 % 11], nullif(firsts[1 + n % 12], 'Ivo') || n || '@Example.org', countries[1 + n % 4],
    now() - interval '90 days' + n * interval '2 hours'
FROM generate_series(1, 1000) AS n,
    (VALUES ('{Ada,Ben,Carla,Dilek,Emil,Fatma,Georg,Hanna,Ivo,Jana,Kofi,Zoë}'::text[],
        '{Andersen,Bauer,Çelik,Dubois,Fischer,García,Huber,Novák,O''Neill,Sørensen,Weiß}'::text[], '{DE,AT,CH,NL}'::text[])) AS lists (firsts, lasts, countries);

INSERT INTO shop.orders (customer_id, status, shipping, placed_at, updated_at)
SELECT nullif(1 + n * 7919 % 1003 % 1001, 1001), CASE WHEN n % 37 = 0 THEN 'cancelled' WHEN n > 19800 THEN 'placed' ELSE 'delivered' END,
    (ARRAY[0.00, 3.90, 4.90, 12.50])[1 + n % 4], placed, least(placed + interval '2 days', now())
FROM generate_series(1, 20000) AS n, LATERAL (SELECT now() - (20001 - n) * interval '388 seconds' AS placed) AS moment;

INSERT INTO shop.order_items
SELECT order_id, line, sku, 1 + order_id % 3, price, placed_at
FROM shop.orders, generate_series(1, 1 + order_id::integer % 4) AS line
JOIN shop.products ON true
WHERE sku = 'P-' || lpad((1 + (order_id * 31 + line * 17) % 60)::text, 3, '0');

-- Orders as they come in, in one transaction. Of those that were there a tenth moves on; a customer has a new address.
CREATE PROCEDURE shop.trade(orders integer) LANGUAGE sql AS $$
    UPDATE shop.orders
    SET status = CASE status WHEN 'placed' THEN 'shipped' ELSE 'delivered' END, updated_at = now()
    WHERE status IN ('placed', 'shipped') AND order_id % 10 = extract(minute FROM now())::integer % 10;

    UPDATE shop.customers SET email = lower(replace(name, ' ', '.')) || '@example.net', updated_at = now()
    WHERE customer_id = 1 + extract(epoch FROM now())::bigint % 1000;

    WITH placed AS (
        INSERT INTO shop.orders (customer_id, shipping)
        SELECT 1 + (n * 7919 + extract(epoch FROM now())::bigint) % 1000, 3.90
        FROM generate_series(1, orders) AS n
        RETURNING order_id
    )
    INSERT INTO shop.order_items (order_id, line_no, sku, quantity, unit_price)
    SELECT order_id, line, sku, line, price
    FROM placed, generate_series(1, 2) AS line
    JOIN shop.products ON true
    WHERE sku = 'P-' || lpad((1 + (order_id + line) % 60)::text, 3, '0');
$$;

COMMIT;
